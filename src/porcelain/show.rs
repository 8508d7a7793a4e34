//! `show`: one object, as a person reads it.

use std::io;

use serde::Serialize;

use crate::history::{Change, Resolved, View, tree_diff};
use crate::object::quote::quoted;
use crate::object::{Entry, Kind, ObjectId, Operation, Snapshot, Tree};
use crate::ui::changes::{ChangeShape, Form, Printer};
use crate::ui::operations::{OperationShape, Told};
use crate::ui::program::Command;
use crate::ui::revisions::{Revisions, with_first_parent};
use crate::ui::snapshots::{Names, SnapshotShape};
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
A snapshot is shown with its author, time and message and the paths it changed against its first parent; a file as its bytes;
a folder as its entries; an operation with the refs it changed.

Examples:
  comfrey show                                   the newest snapshot
  comfrey show v2                                version 2
  comfrey show v2:workflows/portrait.json        a file as it was then
  comfrey show HEAD:nodes                        a folder";

/// Shows a snapshot with what it changed, or a file or folder of one.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Show {
    /// What to show
    #[arg(value_name = "REV", default_value = "HEAD")]
    revisions: Vec<String>,
}

#[derive(Serialize)]
struct SnapshotWithChanges<'a> {
    kind: Kind,
    #[serde(flatten)]
    snapshot: SnapshotShape<'a>,
    changes: Vec<ChangeShape<'a>>,
}

#[derive(Serialize)]
struct TreeShape {
    kind: Kind,
    id: ObjectId,
    size: u64,
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct BlobShape {
    kind: Kind,
    id: ObjectId,
    size: u64,
    /// Absent for bytes that are not UTF-8 or more than a mebibyte.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl Command for Show {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        for (number, revision) in self.revisions.iter().enumerate() {
            let found = view.resolve(revision)?;
            if number > 0 && found.kind == Kind::Snapshot && !session.globals.json {
                writeln!(session.out)?;
            }
            match found.kind {
                Kind::Snapshot => show_snapshot(&view, &found.id, session)?,
                Kind::Tree => show_tree(&view, &found.id, session)?,
                Kind::Blob => show_blob(&revisions, revision, &found, session)?,
                Kind::Operation => show_operation(&view, &found.id, session)?,
            }
        }
        Ok(Exit::Done)
    }
}

fn show_snapshot(view: &View<'_>, id: &ObjectId, session: &mut Session<'_>) -> Result<(), Failure> {
    let names = Names::of(view)?;
    let snapshot: Snapshot = view.objects().read(id)?;
    let (old, new) = with_first_parent(view, *id)?;
    let changes: Vec<Change> = tree_diff(view.objects(), old, Some(new))?;
    if session.globals.json {
        let changes = changes.iter().map(ChangeShape::from).collect();
        let snapshot = names.shape(id, &snapshot);
        return session.print_json(&SnapshotWithChanges { kind: Kind::Snapshot, snapshot, changes });
    }
    names.print(session, id, &snapshot)?;
    if !changes.is_empty() {
        writeln!(session.out)?;
    }
    Printer { form: Form::Status, nul: false }.all(session, changes.into_iter().map(Ok))?;
    Ok(())
}

fn show_tree(view: &View<'_>, id: &ObjectId, session: &mut Session<'_>) -> Result<(), Failure> {
    let tree: Tree = view.objects().read(id)?;
    if session.globals.json {
        let size = tree.size();
        return session.print_json(&TreeShape { kind: Kind::Tree, id: *id, size, entries: tree.into_entries() });
    }
    for entry in tree.entries() {
        let slash = if entry.kind == crate::object::EntryKind::Tree { "/" } else { "" };
        writeln!(session.out, "{}{slash}", quoted(entry.name.as_str()))?;
    }
    Ok(())
}

/// Prints the bytes, in constant memory. A model whose bytes are not here is not found.
fn show_blob(
    revisions: &Revisions,
    revision: &str,
    found: &Resolved,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    /// What is still printed inside a JSON document, bytes.
    const SHORT: u64 = 1 << 20;
    let is_here = revisions.objects().kind(&found.id)?.is_some();
    if !is_here && let Some(entry) = &found.entry {
        let message = format!("`{revision}` is a {} of {} bytes that is not in the store", entry.kind, entry.size);
        return Err(Failure::new(Exit::NotFound, message).hint(format!("its id is {}", entry.id)));
    }
    let mut reader = revisions.store.open_observed(&found.id, session.observer)?;
    if session.globals.json {
        let size = reader.size();
        let mut text = None;
        if size <= SHORT {
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut reader, &mut bytes).map_err(|e| Failure::io(revision, &e))?;
            text = String::from_utf8(bytes).ok();
        }
        return session.print_json(&BlobShape { kind: Kind::Blob, id: found.id, size, text });
    }
    let mut buffer = vec![0; 1 << 16];
    loop {
        let got = io::Read::read(&mut reader, &mut buffer).map_err(|e| Failure::io(revision, &e))?;
        if got == 0 {
            return Ok(());
        }
        if session.observer.interrupted() {
            return Err(crate::history::Error::Interrupted.into());
        }
        session.out.write_all(&buffer[..got])?;
    }
}

fn show_operation(view: &View<'_>, id: &ObjectId, session: &mut Session<'_>) -> Result<(), Failure> {
    let operation: Operation = view.objects().read(id)?;
    let told = Told::of(view.objects(), *id, operation)?;
    if session.globals.json {
        return session.print_json(&OperationShape::of(&told, None));
    }
    told.print(session, None)
}
