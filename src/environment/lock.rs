//! One writer an environment: a lock in its folder that says who holds it and why.
//!
//! The system holds the lock (see [`crate::platform::lock`]), so it is gone with its process, however that ends. Who holds
//! it, and why, stands in a file beside it, because Windows lets nobody read a locked file.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::observer::Observer;
use crate::platform::lock::{Access, LockFile};

/// Who holds a lock and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The command line, such as `comfrey commit -m x`.
    pub command: String,
    /// The process id.
    pub process: u32,
    pub user: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` (process {}, user {})", self.command, self.process, self.user)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{what} is held by {holder}", holder = Named(holder))]
    Held {
        /// What is locked, as a person calls it.
        what: String,
        holder: Option<Holder>,
        waited: Duration,
    },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("interrupted")]
    Interrupted,
}

/// A holder that may have left no name yet.
struct Named<'a>(&'a Option<Holder>);

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(holder) => holder.fmt(f),
            None => f.write_str("another program"),
        }
    }
}

/// How to wait for a lock.
pub struct Waiting<'a> {
    pub holder: Holder,
    /// Give up after this long.
    pub timeout: Duration,
    pub observer: &'a dyn Observer,
}

/// A lock that is held until this value is dropped.
#[derive(Debug)]
pub struct Lock {
    // Dropping it gives the lock back.
    _held: LockFile,
    named: PathBuf,
}

/// How long a wait is silent.
const PATIENCE: Duration = Duration::from_secs(1);

impl Lock {
    /// Takes the lock at `path` (a file that is made and stays), calling what it guards `what`, such as
    /// "the environment `demo`".
    pub fn acquire(path: &Path, what: &str, waiting: &Waiting<'_>) -> Result<Self, LockError> {
        let io = |source: io::Error| LockError::Io { path: path.to_owned(), source };
        let named = path.with_extension("holder");
        let begun = Instant::now();
        let mut told = false;
        let mut pause = Duration::from_millis(1);
        let held = loop {
            if let Some(held) = LockFile::try_take(path, Access::Exclusive).map_err(io)? {
                break held;
            }
            if waiting.observer.interrupted() {
                return Err(LockError::Interrupted);
            }
            let waited = begun.elapsed();
            if waited >= waiting.timeout {
                return Err(LockError::Held { what: what.to_owned(), holder: read(&named), waited });
            }
            if !told && waited >= PATIENCE {
                told = true;
                waiting.observer.noted(&format!("waiting: {what} is held by {}", Named(&read(&named))));
            }
            std::thread::sleep(pause.min(waiting.timeout - waited));
            pause = (pause * 2).min(Duration::from_millis(50));
        };
        // The name is a courtesy to those who wait; the lock holds without it.
        let written = serde_json::to_vec(&waiting.holder).map(|bytes| std::fs::write(&named, bytes));
        drop(written);
        Ok(Lock { _held: held, named })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.named));
    }
}

fn read(named: &Path) -> Option<Holder> {
    serde_json::from_slice(&std::fs::read(named).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;

    fn waiting(command: &str, milliseconds: u64) -> Waiting<'static> {
        let holder = Holder { command: command.into(), process: std::process::id(), user: "ann".into() };
        Waiting { holder, timeout: Duration::from_millis(milliseconds), observer: &Silent }
    }

    #[test]
    fn the_second_writer_waits_and_then_says_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::acquire(&path, "the environment `demo`", &waiting("comfrey commit", 0)).unwrap();
        let refused = Lock::acquire(&path, "the environment `demo`", &waiting("comfrey rollback", 20)).unwrap_err();
        let expected =
            format!("the environment `demo` is held by `comfrey commit` (process {}, user ann)", std::process::id());
        assert_eq!(refused.to_string(), expected);
        drop(held);
        Lock::acquire(&path, "the environment `demo`", &waiting("comfrey rollback", 0)).unwrap();
    }

    #[test]
    fn a_writer_that_waits_goes_on_when_the_lock_is_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::acquire(&path, "it", &waiting("a", 0)).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| Lock::acquire(&path, "it", &waiting("b", 10_000)).map(drop));
            std::thread::sleep(Duration::from_millis(30));
            drop(held);
            second.join().unwrap().unwrap();
        });
    }
}
