//! The first thing every command does: what a killed command left half-done in any environment is brought to its end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::store::Store;

use super::lock::{Lock, LockError, Waiting};
use super::making::birth;
use super::transaction::{self, Recovered, TransactionError};
use super::workspace::WorkspaceError;

/// What became of a transaction that was found.
#[derive(Debug)]
pub struct Found {
    /// The environment's name.
    pub environment: String,
    pub result: Result<Recovered, RecoveryError>,
}

#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// An environment that was never finished cannot be taken away.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
}

/// The folders of environments in which a transaction is under way or was killed. Costs a look into one folder, and one at a file for
/// each environment.
pub fn pending(workspace: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(workspace.join("environments")) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|folder| transaction::is_pending(folder)).collect()
}

/// Ends the transactions of killed commands in these folders of the workspace. One whose command still runs, and so holds the
/// environment's lock, is left to it.
pub fn recover(workspace: &Path, folders: &[PathBuf], store: &Store, waiting: &Waiting<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    // An environment has a name a moment before its maker has its lock; in that moment the maker holds this one.
    let list = match birth::list_lock(workspace, waiting) {
        Ok(lock) => lock,
        Err(LockError::Io { path, source }) => {
            let environment = "the workspace".to_owned();
            let result = Err(TransactionError::Io { path, source }.into());
            return vec![Found { environment, result }];
        }
        // Whoever holds it for so long is at work there.
        Err(LockError::Held { .. } | LockError::Interrupted) => return found,
    };
    for folder in folders {
        let environment = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match one(workspace, folder, store, waiting) {
            Ok(Some(recovered)) => found.push(Found { environment, result: Ok(recovered) }),
            Ok(None) => {}
            Err(error) => found.push(Found { environment, result: Err(error) }),
        }
    }
    drop(list);
    found
}

fn one(
    workspace: &Path,
    folder: &Path,
    store: &Store,
    waiting: &Waiting<'_>,
) -> Result<Option<Recovered>, RecoveryError> {
    let at_once = Waiting { timeout: Duration::ZERO, holder: waiting.holder.clone(), observer: waiting.observer };
    let lock = match Lock::acquire(&folder.join("lock"), "the environment", &at_once) {
        Ok(lock) => lock,
        Err(LockError::Io { path, source }) => return Err(TransactionError::Io { path, source }.into()),
        Err(LockError::Held { .. } | LockError::Interrupted) => return Ok(None),
    };
    let recovered = transaction::recover(folder, store)?;
    if let Some(born) = recovered.as_ref().and_then(|recovered| recovered.unborn.as_ref()) {
        // Windows moves no folder in which a file is open. Nobody else takes this lock for longer than a look while the list is locked.
        drop(lock);
        birth::unmake(workspace, folder, born, store, waiting)?;
    }
    Ok(recovered)
}
