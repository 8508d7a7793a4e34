//! Where deleted environments lie until they are swept, or brought back by `undo`.
//!
//! ```text
//! .comfrey/trash/NAME-TIME/
//!   deleted.json     which environment, by which command and operation
//!   environment/     its folder, as it was
//! ```
//!
//! Each way is one rename with an operation after it: the environment's refs go, or come back. Whoever comes after a crash between the two
//! sees from the folder which way it was, and records what is missing ([`settle`]). All of it is done under the lock on the list of
//! environments.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::environment::commit::Who;
use crate::environment::config::Key;
use crate::environment::environment::Environment;
use crate::environment::lock::{Lock, LockError, Waiting};
use crate::environment::name::EnvironmentName;
use crate::environment::workspace::{STORE_FOLDER, Workspace, WorkspaceError, names_in};
use crate::history::{self, Record, Refs};
use crate::object::{ObjectId, Operation, Time};
use crate::platform::durable;
use crate::store::Store;

use super::birth::{check_name_is_free, list_lock};

#[derive(Debug, thiserror::Error)]
pub enum TrashError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: this is not what a deleted environment leaves: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    History(#[from] history::Error),
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    #[error(transparent)]
    Lock(#[from] LockError),
}

type Result<T, E = TrashError> = std::result::Result<T, E>;

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> TrashError + use<> {
    let path = path.to_owned();
    move |source| TrashError::Io { path, source }
}

/// What is written down of a deleted environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    version: u32,
    environment: String,
    command: String,
    author: String,
    /// Milliseconds since 1970, and the minutes that the author's clock is ahead of UTC.
    time: (i64, i16),
    was_active: bool,
    /// What this takes back, for an environment that goes because its making is undone.
    undoes: Option<ObjectId>,
    /// The newest operation before it.
    base: Option<ObjectId>,
    /// The operation by which its refs went; none if it had no refs.
    operation: Option<ObjectId>,
    /// True once all that has been recorded.
    recorded: bool,
}

/// A deleted environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    pub environment: String,
    /// Its folder in the trash.
    pub folder: PathBuf,
    pub time: Time,
    entry: PathBuf,
    note: Note,
}

const NOTE: &str = "deleted.json";
const FOLDER: &str = "environment";
const VERSION: u32 = 1;

fn trash(root: &Path) -> PathBuf {
    root.join(STORE_FOLDER).join("trash")
}

/// Everything in the trash of the workspace at `root`, newest first. What cannot be read is left out.
pub fn list(root: &Path) -> Vec<Deleted> {
    let entries = std::fs::read_dir(trash(root)).into_iter().flatten().flatten();
    let mut found: Vec<Deleted> = entries.filter_map(|entry| read(&entry.path()).ok()).collect();
    found.sort_by_key(|deleted| std::cmp::Reverse(deleted.note.time.0));
    found
}

fn read(entry: &Path) -> Result<Deleted> {
    let path = entry.join(NOTE);
    let bytes = std::fs::read(&path).map_err(io_error(&path))?;
    let unreadable = |reason: String| TrashError::Unreadable { path: path.clone(), reason };
    let note: Note = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    if note.version != VERSION {
        return Err(unreadable(format!("version {}", note.version)));
    }
    Ok(Deleted {
        environment: note.environment.clone(),
        folder: entry.join(FOLDER),
        time: Time { milliseconds: note.time.0, offset_minutes: note.time.1 },
        entry: entry.to_owned(),
        note,
    })
}

impl Deleted {
    /// True for a deletion that no other command came after.
    pub fn is_newest(&self, store: &Store) -> Result<bool> {
        let newest = self.note.operation.or(self.note.base);
        Ok(store.head_operation()? == newest)
    }

    fn write(&self, store: &Store) -> Result<()> {
        let path = self.entry.join(NOTE);
        let fresh = self.entry.join("deleted.new");
        let write = || -> io::Result<()> {
            let bytes = serde_json::to_vec_pretty(&self.note).map_err(io::Error::other)?;
            std::fs::write(&fresh, bytes)?;
            durable::open_own(&fresh)?.sync_all()?;
            store.faults().rename(&fresh, &path)?;
            store.faults().sync_folder(&self.entry)
        };
        write().map_err(io_error(&path))
    }

    /// Records that the environment is gone.
    fn record_gone(&mut self, store: &Store) -> Result<()> {
        let name = self.environment.clone();
        let record = Record { undoes: self.note.undoes, ..self.record() };
        if !self.is_recorded(store, self.note.base)? {
            self.note.operation = history::transact(store, &record, |refs| -> Result<(), history::Error> {
                refs.take_environment(&name, &Refs::default());
                Ok(())
            })?;
        }
        self.note.recorded = true;
        self.write(store)
    }

    fn record(&self) -> Record {
        Record::new(self.note.command.clone(), self.note.author.clone(), self.time)
    }

    /// True when the operation stands in the log since `base`; then it is known.
    fn is_recorded(&mut self, store: &Store, base: Option<ObjectId>) -> Result<bool> {
        for found in history::operations(store, store.head_operation()?) {
            let (id, operation) = found?;
            if Some(id) == base {
                break;
            }
            let same = operation.command == self.note.command && operation.time == self.time;
            if same && operation.undoes == self.note.undoes {
                self.note.operation = Some(id);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Records that the environment is back, with the refs that it had.
    fn record_back(&self, store: &Store, record: &Record) -> Result<()> {
        let Some(operation) = self.note.operation else { return Ok(()) };
        let objects: &dyn history::Objects = store;
        let before = match objects.read::<Operation>(&operation)?.parent {
            Some(parent) => history::operations::refs_after(objects, &parent)?,
            None => Refs::default(),
        };
        let record = Record { undoes: Some(operation), ..record.clone() };
        history::transact(store, &record, |refs| -> Result<(), history::Error> {
            refs.take_environment(&self.environment, &before);
            Ok(())
        })?;
        Ok(())
    }

    fn discard(&self) -> Result<()> {
        durable::remove_folder(&self.entry).map_err(io_error(&self.entry))
    }
}

/// Moves the environment into the trash, with its refs. `lock` is its own lock, which is given up. `undoes` is the operation that is taken back
/// with that, if it is one.
pub fn delete(
    workspace: &mut Workspace,
    environment: &Environment,
    lock: Lock,
    who: &Who,
    undoes: Option<ObjectId>,
    waiting: &Waiting<'_>,
) -> Result<Deleted> {
    let name = environment.name().to_string();
    let list = list_lock(workspace.root(), waiting)?;
    let was_active = workspace.config().settings().active.as_ref() == Some(environment.name());
    let all = trash(workspace.root());
    let entry = (0..)
        .map(|n| all.join(format!("{name}-{}", who.time.milliseconds.saturating_add(n))))
        .find(|entry| !entry.exists())
        .unwrap_or_else(|| all.join(&name));
    std::fs::create_dir_all(&entry).map_err(io_error(&entry))?;
    let note = Note {
        version: VERSION,
        environment: name.clone(),
        command: who.command.clone(),
        author: who.author.clone(),
        time: (who.time.milliseconds, who.time.offset_minutes),
        was_active,
        undoes,
        base: workspace.store().head_operation()?,
        operation: None,
        recorded: false,
    };
    let folder = entry.join(FOLDER);
    let mut deleted = Deleted { environment: name.clone(), folder, time: who.time, entry, note };
    deleted.write(workspace.store())?;
    // Windows moves no folder in which a file is open; nobody begins to work there while the list is locked.
    drop(lock);
    if let Err(error) = workspace.store().faults().rename(environment.folder(), &deleted.folder) {
        drop(deleted.discard());
        return Err(io_error(environment.folder())(error));
    }
    deleted.record_gone(workspace.store())?;
    if was_active {
        workspace.edit_config(waiting, |config| match config.settings().active.as_ref() {
            Some(active) if active.as_str() == name => config.without(Key::Active),
            _ => Ok(config.clone()),
        })?;
    }
    drop(list);
    Ok(deleted)
}

/// Brings a deleted environment back with its refs.
///
/// # Errors
/// Its name is taken by now.
pub fn bring_back(
    workspace: &mut Workspace,
    deleted: &Deleted,
    who: &Who,
    waiting: &Waiting<'_>,
) -> Result<Environment> {
    let list = list_lock(workspace.root(), waiting)?;
    let name = EnvironmentName::new(deleted.environment.clone()).map_err(WorkspaceError::from)?;
    check_name_is_free(workspace, &name)?;
    let place = workspace.environments_dir().join(name.as_str());
    workspace.store().faults().rename(&deleted.folder, &place).map_err(io_error(&place))?;
    let record = Record::new(who.command.clone(), who.author.clone(), who.time);
    deleted.record_back(workspace.store(), &record)?;
    if deleted.note.was_active {
        workspace.edit_config(waiting, |config| match config.settings().active {
            None => config.with(Key::Active, &[name.to_string()]),
            Some(_) => Ok(config.clone()),
        })?;
    }
    deleted.discard()?;
    drop(list);
    Ok(workspace.environment(name.as_str())?)
}

/// True when something in the trash was left half-done. Costs a look into a folder that is rarely there.
pub fn is_pending(root: &Path) -> bool {
    trash(root).is_dir() && list(root).iter().any(|deleted| !deleted.note.recorded || !deleted.folder.is_dir())
}

/// Brings to its end what a killed command left half-done in the trash; the names of the environments that it was about.
pub fn settle(root: &Path, store: &Store, waiting: &Waiting<'_>) -> Result<Vec<String>> {
    let mut settled = Vec::new();
    let list_lock = list_lock(root, waiting)?;
    for mut deleted in list(root) {
        match (deleted.folder.is_dir(), deleted.note.recorded) {
            (true, true) => continue,
            // Gone, and not recorded.
            (true, false) => deleted.record_gone(store)?,
            // It never went.
            (false, false) => deleted.discard()?,
            // Back, and perhaps not recorded.
            (false, true) => {
                let is_back = names_in(root)?.iter().any(|name| name.as_str() == deleted.environment);
                let has_refs = history::refs(store)?.environments().any(|known| known == deleted.environment);
                if is_back && !has_refs {
                    let command = format!("undo -E {}", deleted.environment);
                    let record = Record::new(command, deleted.note.author.clone(), Time::now());
                    deleted.record_back(store, &record)?;
                }
                deleted.discard()?;
            }
        }
        settled.push(deleted.environment);
    }
    drop(list_lock);
    Ok(settled)
}

/// Deletes for good what was deleted before `before`, milliseconds since 1970. With `dry_run` says only what that would be.
pub fn sweep(root: &Path, before: i64, dry_run: bool) -> Result<Vec<Deleted>> {
    let old: Vec<Deleted> = list(root).into_iter().filter(|deleted| deleted.note.time.0 < before).collect();
    if !dry_run {
        old.iter().try_for_each(Deleted::discard)?;
    }
    Ok(old)
}
