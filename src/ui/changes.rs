//! Changes between trees as lines and as JSON.

use serde::Serialize;

use crate::history::{self, Change, ChangeKind};
use crate::object::quote::quoted;
use crate::object::{Entry, ObjectId, RelativePath};
use crate::workflow::WorkflowDiff;

use super::{Exit, Failure, Session, workflow_diff};

/// How much a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Status, kinds and ids before and after, path.
    Full,
    /// Status and path.
    Status,
    /// The path.
    Name,
}

/// Prints changes.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    pub form: Form,
    /// Lines end with NUL, and paths are not quoted.
    pub nul: bool,
}

/// A change in JSON.
#[derive(Debug, Serialize)]
pub struct ChangeShape<'a> {
    /// `A`, `M`, `D` or `T`.
    status: char,
    path: &'a RelativePath,
    old: Option<Side>,
    new: Option<Side>,
    /// What differs inside a workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<&'a WorkflowDiff>,
}

#[derive(Debug, Serialize)]
struct Side {
    kind: &'static str,
    id: ObjectId,
    /// Bytes.
    size: u64,
}

impl<'a> From<&'a Change> for ChangeShape<'a> {
    fn from(change: &'a Change) -> Self {
        let side = |entry: &Option<Entry>| {
            entry.as_ref().map(|entry| Side { kind: entry.kind.as_str(), id: entry.id, size: entry.size })
        };
        let (old, new) = (side(&change.old), side(&change.new));
        ChangeShape { status: change.kind.letter(), path: &change.path, old, new, workflow: None }
    }
}

impl Printer {
    /// Prints each change as it is found; true if there was one.
    pub fn all(
        &self,
        session: &mut Session<'_>,
        changes: impl Iterator<Item = history::Result<Change>>,
    ) -> Result<bool, Failure> {
        self.all_with(session, changes, |_| Ok(None))
    }

    /// The same; what `inside` finds to differ inside a workflow is said below its path.
    pub fn all_with(
        &self,
        session: &mut Session<'_>,
        changes: impl Iterator<Item = history::Result<Change>>,
        inside: impl Fn(&Change) -> Result<Option<WorkflowDiff>, Failure>,
    ) -> Result<bool, Failure> {
        let mut any = false;
        for change in changes {
            if session.observer.interrupted() {
                return Err(history::Error::Interrupted.into());
            }
            any = true;
            let change = change?;
            let inside = inside(&change)?;
            self.one(session, &change, inside.as_ref())?;
        }
        Ok(any)
    }

    fn one(&self, session: &mut Session<'_>, change: &Change, inside: Option<&WorkflowDiff>) -> Result<(), Failure> {
        if session.globals.json {
            return session.print_json(&ChangeShape { workflow: inside, ..ChangeShape::from(change) });
        }
        let status = match change.kind {
            ChangeKind::Added => session.paint.good('A'),
            ChangeKind::Deleted => session.paint.bad('D'),
            kind => session.paint.changed(kind.letter()),
        };
        match self.form {
            Form::Name => {}
            Form::Status => write!(session.out, "{status}\t")?,
            Form::Full => {
                write!(session.out, "{status}")?;
                for entry in [&change.old, &change.new] {
                    match entry {
                        Some(entry) => write!(session.out, " {} {}", entry.kind, entry.id)?,
                        None => write!(session.out, " - -")?,
                    }
                }
                write!(session.out, "\t")?;
            }
        }
        match self.nul {
            true => write!(session.out, "{}\0", change.path)?,
            false => writeln!(session.out, "{}", quoted(change.path.as_str()))?,
        }
        match inside {
            // Below the path, which stands behind a tab.
            Some(diff) if diff.is_empty() => writeln!(session.out, "\t  only its layout or form")?,
            Some(diff) => workflow_diff::print(diff, 8, session)?,
            None => {}
        }
        Ok(())
    }
}

/// Paths within a tree, as people type them.
pub fn paths(given: &[String]) -> Result<Vec<RelativePath>, Failure> {
    let read = |text: &String| {
        let trimmed = text.trim_end_matches('/');
        let trimmed = trimmed.strip_prefix("./").unwrap_or(trimmed);
        RelativePath::new(if trimmed == "." { "" } else { trimmed })
            .map_err(|error| Failure::new(Exit::Usage, format!("`{text}` is no path in a tree: {error}")))
    };
    given.iter().map(read).collect()
}
