//! `rev-list`: snapshots and what they need.

use serde::Serialize;

use crate::history::reachable::{Models, Needed, Reachable};
use crate::history::walk::walk;
use crate::object::quote::quoted;
use crate::object::{Kind, ObjectId, RelativePath};
use crate::observer::Unit;
use crate::ui::program::Command;
use crate::ui::revisions::{Revisions, walk_options};
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
Children come before their parents; where that leaves a choice, the newer first.

With --objects the snapshots are followed by the trees and blobs that they need and the excluded ones do not, each once,
as `ID PATH` with the path where it was met first (`ID` alone for a snapshot's own tree). The blobs of models are left out
unless --models is given: they are large, may be absent, and a pack names them as wanted.

Examples:
  comfrey rev-list --objects HEAD | comfrey pack > all.pack
  comfrey rev-list --objects v3..HEAD        what came after version 3
  comfrey rev-list --objects HEAD ^v3        the same
  comfrey rev-list --all --count             how many snapshots there are";

/// Lists snapshots, children before parents, and with --objects what they need.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct RevList {
    /// List the trees and blobs that the snapshots need, too
    #[arg(long)]
    objects: bool,
    /// With --objects: the blobs of models, too
    #[arg(long, requires = "objects")]
    models: bool,
    /// Begin at every ref of every environment
    #[arg(long)]
    all: bool,
    /// Follow first parents only
    #[arg(long)]
    first_parent: bool,
    /// At most N snapshots
    #[arg(short = 'n', long, value_name = "N")]
    max_count: Option<usize>,
    /// Oldest first
    #[arg(long)]
    reverse: bool,
    /// Print how many there are
    #[arg(long)]
    count: bool,
    /// Lines end with NUL, and paths are not quoted
    #[arg(short = 'z')]
    nul: bool,
    /// Snapshots to begin at; `^REV` leaves out what is before it, `A..B` is `B ^A`
    #[arg(value_name = "REV", required_unless_present = "all")]
    revisions: Vec<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    id: ObjectId,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a RelativePath>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    model: bool,
}

impl Command for RevList {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        let mut options = walk_options(&view, &self.revisions, self.all)?;
        options.first_parent = self.first_parent;
        session.observer.started("walking history", Unit::Items, None);
        let mut walked = walk(revisions.objects(), &options, session.observer)?;
        session.observer.finished();
        walked.snapshots.truncate(self.max_count.unwrap_or(usize::MAX));
        if self.reverse {
            walked.snapshots.reverse();
        }
        let mut printer = Printer { command: &self, listed: 0 };
        for id in &walked.snapshots {
            printer.line(session, *id, Kind::Snapshot, None, false)?;
        }
        if self.objects {
            self.list_objects(&revisions, &walked.snapshots, &walked.boundary, &mut printer, session)?;
        }
        if self.count {
            match session.globals.json {
                true => session.print_json(&serde_json::json!({ "count": printer.listed }))?,
                false => writeln!(session.out, "{}", printer.listed)?,
            }
        }
        Ok(Exit::Done)
    }
}

impl RevList {
    fn list_objects(
        &self,
        revisions: &Revisions,
        snapshots: &[ObjectId],
        boundary: &[ObjectId],
        printer: &mut Printer<'_>,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let models = if self.models { Models::Include } else { Models::LeaveOut };
        let observer = session.observer;
        observer.started("listing objects", Unit::Items, None);
        let mut reachable = Reachable::new(revisions.objects(), models, observer);
        for excluded in boundary {
            reachable.skip_snapshot(excluded)?;
        }
        for id in snapshots {
            reachable.snapshot(id, |Needed { id, kind, path, model }| {
                observer.advanced(1);
                printer.line(session, id, kind, Some(&path), model)
            })?;
        }
        observer.finished();
        Ok(())
    }
}

/// Prints lines, or only counts them.
struct Printer<'a> {
    command: &'a RevList,
    listed: u64,
}

impl Printer<'_> {
    fn line(
        &mut self,
        session: &mut Session<'_>,
        id: ObjectId,
        kind: Kind,
        path: Option<&RelativePath>,
        model: bool,
    ) -> Result<(), Failure> {
        self.listed += 1;
        if self.command.count {
            return Ok(());
        }
        if session.globals.json {
            return session.print_json(&Line { id, kind, path, model });
        }
        write!(session.out, "{id}")?;
        let path = path.filter(|path| !path.is_root()).map(RelativePath::as_str);
        match (path, self.command.nul) {
            (Some(path), true) => write!(session.out, " {path}\0")?,
            (Some(path), false) => writeln!(session.out, " {}", quoted(path))?,
            (None, true) => write!(session.out, "\0")?,
            (None, false) => writeln!(session.out)?,
        }
        Ok(())
    }
}
