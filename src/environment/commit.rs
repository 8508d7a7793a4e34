//! A commit: the draft becomes a snapshot, the branch moves, `.cec` is brought up to date.

use std::path::Path;

use crate::history;
use crate::object::{Encoded, Entry, Kind, ObjectId, Snapshot, Time, Tree};
use crate::platform::folder::HAS_EXECUTABLE_FILES;
use crate::resolve::{Automatic, Choose};
use crate::store::Writer;
use crate::worktree;

use super::draft::{self, Draft, DraftError};
use super::head::Head;
use super::journal::{Planned, RefEdit, exists};
use super::restore_point::{self, Scope};
use super::snapshot_tree::{MANIFEST, USERS, WORKFLOWS};
use super::state::{Keep, Surroundings};
use super::transaction::{self, Transaction, TransactionError};

#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    #[error(transparent)]
    History(#[from] history::Error),
    #[error(transparent)]
    Worktree(#[from] worktree::Error),
}

/// Who does something, when, and by which command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    pub author: String,
    pub time: Time,
    /// As typed, without the program's name.
    pub command: String,
}

/// What a commit did.
pub struct Committed<'a> {
    /// The new snapshot; nothing when there was nothing to record.
    pub snapshot: Option<ObjectId>,
    pub draft: Draft<'a>,
}

/// Records the working state. The environment's lock must be held. What is new and unclear is asked of `choose`.
///
/// # Errors
/// Nothing has changed then, save that objects may be in the store that nobody refers to.
pub fn commit<'a>(
    around: &Surroundings<'a>,
    head: &Head,
    message: &str,
    who: &Who,
    choose: &mut dyn Choose,
) -> Result<Committed<'a>, CommitError> {
    let writer = around.store.writer()?;
    let draft = draft::draft(around, Keep::Stored(&writer), choose)?;
    let environment = around.environment.name().as_str();
    if head.tree().is_some_and(|tree| draft.is_in(&tree)) {
        return Ok(Committed { snapshot: None, draft });
    }
    let before = writer.put_value(&draft.tree_before)?;
    let identity = (who.author.as_str(), who.time);
    let restore = restore_point::snapshot(before, head.id(), environment, identity, &who.command, Scope::Manifest);
    let restore = Some(writer.put_value(&restore)?);
    let transaction = Transaction::begin(surroundings(around), &who.command);
    let recording = Recording { around, head, writer: &writer, restore, message, who };
    let id = recording.conclude(transaction, &draft)?;
    Ok(Committed { snapshot: Some(id), draft })
}

/// Records the working state as a transaction that was tried out leaves it, as one step with that transaction; `undo` takes back both.
/// `restore` is the restore point from before it; nothing for an environment that was not there before. The environment's lock must be held.
///
/// # Errors
/// Everything is as it was before the transaction then, save with [`TransactionError::Halfway`].
pub fn commit_with(
    transaction: Transaction<'_>,
    around: &Surroundings<'_>,
    head: &Head,
    restore: Option<ObjectId>,
    message: &str,
    who: &Who,
) -> Result<ObjectId, CommitError> {
    let writer = around.store.writer()?;
    let draft = draft::draft(around, Keep::Stored(&writer), &mut Automatic)?;
    Recording { around, head, writer: &writer, restore, message, who }.conclude(transaction, &draft)
}

/// A version about to be recorded.
struct Recording<'r, 'a> {
    around: &'r Surroundings<'a>,
    head: &'r Head,
    writer: &'r Writer,
    /// The restore point's id.
    restore: Option<ObjectId>,
    message: &'r str,
    who: &'r Who,
}

impl Recording<'_, '_> {
    /// Puts the snapshot into the store, brings `.cec` up to date, moves the branch. Answers with the snapshot's id.
    fn conclude(&self, mut transaction: Transaction<'_>, draft: &Draft<'_>) -> Result<ObjectId, CommitError> {
        let Recording { around, head, writer, who, .. } = *self;
        let environment = around.environment.name().as_str();
        let snapshot = Snapshot {
            tree: writer.put_value(&draft.tree)?,
            parents: head.id().into_iter().collect(),
            environment: environment.to_owned(),
            author: who.author.clone(),
            time: who.time,
            message: self.message.to_owned(),
            tool: Snapshot::TOOL.to_owned(),
        };
        let id = writer.put_value(&snapshot)?;
        writer.publish()?;
        let cec = around.environment.cec();
        put_file(&mut transaction, draft.manifest.as_bytes(), &cec.join(MANIFEST))?;
        copies(&mut transaction, around, Some(&draft.tree), &cec)?;
        transaction.carry_out(Planned {
            command: who.command.clone(),
            author: who.author.clone(),
            time: who.time,
            restore_points: self.restore.map(|id| (environment.to_owned(), id)).into_iter().collect(),
            undoes: None,
            base: head.operation,
            refs: RefEdit::Set { name: head.name.as_str().to_owned(), new: id, expected: head.id() },
        })?;
        Ok(id)
    }
}

/// What a transaction of this environment works with.
pub fn surroundings<'a>(around: &Surroundings<'a>) -> transaction::Surroundings<'a> {
    transaction::Surroundings {
        folder: around.environment.folder(),
        store: around.store,
        policy: around.policy,
        observer: around.observer,
    }
}

/// Puts a file in place of what is there, unless that has these bytes already.
pub(super) fn put_file(transaction: &mut Transaction<'_>, bytes: &[u8], place: &Path) -> Result<(), TransactionError> {
    if exists(place) {
        if std::fs::read(place).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        transaction.set_aside(place, place)?;
    } else if let Some(above) = place.parent() {
        transaction.make_folder(above);
    }
    transaction.put_bytes(bytes, place)
}

/// Makes `.cec/workflows` and `.cec/users` those of the root tree `target`; nothing stands for no version.
pub fn copies(
    transaction: &mut Transaction<'_>,
    around: &Surroundings<'_>,
    target: Option<&Tree>,
    cec: &Path,
) -> Result<(), CommitError> {
    for part in [WORKFLOWS, USERS] {
        let place = cec.join(part);
        let wanted = target.and_then(|tree| tree.get(part));
        if exists(&place) {
            if wanted.is_some_and(|wanted| is_copy(around, &place, wanted)) {
                continue;
            }
            transaction.set_aside(&place, &place)?;
        } else if wanted.is_some() {
            transaction.make_folder(cec);
        }
        if let Some(wanted) = wanted {
            transaction.put(wanted, &place)?;
        }
    }
    Ok(())
}

/// True when a folder holds just what the entry says.
fn is_copy(around: &Surroundings<'_>, folder: &Path, wanted: &Entry) -> bool {
    let options = worktree::WriteOptions {
        ignore: worktree::IgnoreRules::nothing(),
        executable_as_in: (!HAS_EXECUTABLE_FILES).then_some(wanted.id),
        ..Default::default()
    };
    let read = worktree::write_tree(around.store, worktree::Mode::HashOnly, folder, &options, around.observer);
    read.is_ok_and(|written| written.id == wanted.id && written.problems.is_empty())
}

/// Puts a value and answers with its id, published.
pub fn keep<T: Encoded>(writer: &Writer, value: &T) -> Result<ObjectId, crate::store::Error> {
    debug_assert!(T::KIND != Kind::Blob);
    let id = writer.put_value(value)?;
    writer.publish()?;
    Ok(id)
}
