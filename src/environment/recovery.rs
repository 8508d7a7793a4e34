//! The first thing every command does: what a killed command left half-done in any environment is brought to its end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::store::Store;

use super::lock::{Lock, LockError, Waiting};
use super::transaction::{self, Recovered, TransactionError};

/// What became of a transaction that was found.
#[derive(Debug)]
pub struct Found {
    /// The environment's name.
    pub environment: String,
    pub result: Result<Recovered, TransactionError>,
}

/// The folders of environments in which a transaction is under way or was killed. Costs a look into one folder, and one at a file for
/// each environment.
pub fn pending(workspace: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(workspace.join("environments")) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|folder| transaction::is_pending(folder)).collect()
}

/// Ends the transactions of killed commands. One whose command still runs, and so holds the environment's lock, is left to it.
pub fn recover(folders: &[PathBuf], store: &Store, waiting: &Waiting<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for folder in folders {
        let environment = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let at_once = Waiting { timeout: Duration::ZERO, holder: waiting.holder.clone(), observer: waiting.observer };
        let result = match Lock::acquire(&folder.join("lock"), "the environment", &at_once) {
            Ok(_lock) => transaction::recover(folder, store),
            Err(LockError::Io { path, source }) => Err(TransactionError::Io { path, source }),
            Err(LockError::Held { .. } | LockError::Interrupted) => continue,
        };
        if let Some(result) = result.transpose() {
            found.push(Found { environment, result });
        }
    }
    found
}
