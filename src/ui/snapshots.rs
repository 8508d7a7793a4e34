//! Snapshots as lines and as JSON: the same in `log`, `show` and `tag`.

use std::collections::HashMap;

use serde::Serialize;

use crate::history::View;
use crate::history::version::Versions;
use crate::object::{ObjectId, Snapshot};

use super::report::Paint;
use super::{Failure, Session};

/// A snapshot in JSON.
#[derive(Debug, Serialize)]
pub struct SnapshotShape<'a> {
    /// Absent for a snapshot that is not on the current branch's line of first parents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub id: ObjectId,
    pub tree: ObjectId,
    pub parents: &'a [ObjectId],
    pub environment: &'a str,
    pub author: &'a str,
    pub time: String,
    pub message: &'a str,
    pub tool: &'a str,
    /// `HEAD`, `heads/main`, `tags/x`.
    pub refs: &'a [String],
}

/// What is said of a snapshot beside what it holds.
pub struct Names<'a> {
    versions: &'a Versions,
    /// For JSON.
    refs: HashMap<ObjectId, Vec<String>>,
    /// For people.
    labels: HashMap<ObjectId, Vec<String>>,
}

impl<'a> Names<'a> {
    pub fn of(view: &'a View<'_>) -> Result<Self, Failure> {
        Ok(Names { versions: view.versions()?, refs: view.names()?, labels: view.labels()? })
    }

    pub fn shape<'s>(&'s self, id: &ObjectId, snapshot: &'s Snapshot) -> SnapshotShape<'s> {
        SnapshotShape {
            version: self.versions.name(id),
            id: *id,
            tree: snapshot.tree,
            parents: &snapshot.parents,
            environment: &snapshot.environment,
            author: &snapshot.author,
            time: snapshot.time.to_string(),
            message: &snapshot.message,
            tool: &snapshot.tool,
            refs: self.refs.get(id).map_or(&[], Vec::as_slice),
        }
    }

    /// `v3 9f8e7d6c5b (HEAD -> main, tag: x)`; without a version just the id.
    pub fn title(&self, id: &ObjectId, paint: Paint) -> String {
        let version = self.versions.name(id).map(|version| format!("{} ", paint.strong(version))).unwrap_or_default();
        let labels = self.labels.get(id).map(|labels| format!(" ({})", paint.good(labels.join(", "))));
        format!("{version}{}{}", paint.typed(id.short()), labels.unwrap_or_default())
    }

    /// Title, author, time and the whole message, as `log` and `show` print them.
    pub fn print(&self, session: &mut Session<'_>, id: &ObjectId, snapshot: &Snapshot) -> Result<(), Failure> {
        writeln!(session.out, "{}", self.title(id, session.paint))?;
        if snapshot.parents.len() > 1 {
            let parents: Vec<String> = snapshot.parents.iter().map(|parent| self.short(parent)).collect();
            writeln!(session.out, "Merge:  {}", parents.join(" "))?;
        }
        writeln!(session.out, "Author: {}", snapshot.author)?;
        writeln!(session.out, "Time:   {}", snapshot.time.to_minutes())?;
        for line in snapshot.message.lines() {
            writeln!(session.out, "{}", format!("    {line}").trim_end())?;
        }
        Ok(())
    }

    /// A version if it has one, else the first digits of its id.
    pub fn short(&self, id: &ObjectId) -> String {
        self.versions.name(id).unwrap_or_else(|| id.short())
    }
}
