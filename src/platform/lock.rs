//! Lock files: taken with the system's advisory locks, so that a holder that dies lets go, and naming their holder.
//!
//! The lock is always on a file of its own, never on the file it guards: on Windows locks are mandatory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::identity::FileStamp;
use crate::observer::Observer;

/// Held until dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub struct LockFile {
    file: File,
    path: PathBuf,
    is_signed: bool,
}

impl Drop for LockFile {
    /// Takes the name out again: those who share the lock next do not write theirs. And lets go explicitly: closing would not,
    /// as long as a child that another thread is just starting still has the file open.
    fn drop(&mut self) {
        if self.is_signed {
            drop(self.file.set_len(0));
        }
        drop(self.file.unlock());
    }
}

/// Alone, or together with others that share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Exclusive,
    Shared,
}

/// How long to wait for a lock, and whom to tell.
#[derive(Clone, Copy)]
pub struct Patience<'a> {
    pub timeout: Duration,
    pub observer: &'a dyn Observer,
    /// What the lock is for, as in "waiting for {what}".
    pub what: &'a str,
}

/// Why a lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{0}")]
    Io(#[from] io::Error),
    /// `holder` is what the holder wrote of itself, where that can be read.
    #[error("held by {holder} for more than {} s", .waited.as_secs_f32())]
    TimedOut { holder: String, waited: Duration },
    #[error("interrupted")]
    Interrupted,
}

/// A wait of this length is told to the user.
const SILENCE: Duration = Duration::from_secs(1);

impl LockFile {
    /// Takes the lock if it is free. `Ok(None)`: someone holds it. Makes the file if it is absent.
    pub fn try_take(path: &Path, access: Access) -> io::Result<Option<LockFile>> {
        loop {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            let taken = match access {
                Access::Exclusive => file.try_lock(),
                Access::Shared => file.try_lock_shared(),
            };
            match taken {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(e),
            }
            // The former holder may have removed the file between our opening and our locking it.
            match FileStamp::of_path(path) {
                Ok(there) if same_file(&there, &FileStamp::of_file(&file)?) => {
                    return Ok(Some(LockFile { file, path: path.to_owned(), is_signed: false }));
                }
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Takes the lock, waiting for it. After a second the observer is told who holds it.
    pub fn take(path: &Path, access: Access, patience: Patience<'_>) -> Result<LockFile, LockError> {
        let begun = Instant::now();
        let mut told = false;
        let mut pause = Duration::from_micros(200);
        loop {
            if let Some(mut lock) = LockFile::try_take(path, access)? {
                if access == Access::Exclusive {
                    lock.sign();
                }
                return Ok(lock);
            }
            let waited = begun.elapsed();
            if patience.observer.interrupted() {
                return Err(LockError::Interrupted);
            }
            if waited >= patience.timeout {
                return Err(LockError::TimedOut { holder: holder(path), waited });
            }
            if waited >= SILENCE && !told {
                patience.observer.noted(&format!("waiting for {}, held by {}", patience.what, holder(path)));
                told = true;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Writes into the file who holds it; a failure to do so only makes a message poorer.
    fn sign(&mut self) {
        let program = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
        let program = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let verb = std::env::args_os().nth(1).map(|word| word.to_string_lossy().into_owned());
        let verb = verb.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
        let verb = verb.map(|word| format!(" {word}")).unwrap_or_default();
        let text = format!("{program}{verb} (process {})\n", std::process::id());
        let written = self.file.set_len(0).and_then(|()| self.file.write_all(text.as_bytes()));
        self.is_signed = written.is_ok();
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the lock file and lets go. Only for locks whose file nobody expects to stay.
    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

/// Who holds the lock, in the holder's own words.
pub fn holder(path: &Path) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(200).read_to_string(&mut text));
    match read {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "another program".to_owned(),
    }
}

fn same_file(a: &FileStamp, b: &FileStamp) -> bool {
    (a.device, a.inode) == (b.device, b.inode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;

    fn patience(timeout: Duration) -> Patience<'static> {
        Patience { timeout, observer: &Silent, what: "the test" }
    }

    #[test]
    fn a_lock_excludes_others_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let held = LockFile::take(&path, Access::Exclusive, patience(Duration::ZERO)).unwrap();
        assert!(LockFile::try_take(&path, Access::Exclusive).unwrap().is_none());
        assert!(LockFile::try_take(&path, Access::Shared).unwrap().is_none());
        match LockFile::take(&path, Access::Exclusive, patience(Duration::from_millis(5))) {
            Err(LockError::TimedOut { holder, .. }) => {
                assert!(holder.contains(&format!("process {}", std::process::id())), "{holder}");
            }
            other => panic!("{other:?}"),
        }
        drop(held);
        assert_eq!(holder(&path), "another program");
        assert!(LockFile::try_take(&path, Access::Exclusive).unwrap().is_some());
    }

    #[test]
    fn shared_holders_keep_an_exclusive_one_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let one = LockFile::try_take(&path, Access::Shared).unwrap();
        let two = LockFile::try_take(&path, Access::Shared).unwrap();
        assert!(one.is_some() && two.is_some());
        assert!(LockFile::try_take(&path, Access::Exclusive).unwrap().is_none());
        drop((one, two));
        let alone = LockFile::try_take(&path, Access::Exclusive).unwrap().unwrap();
        alone.remove().unwrap();
        assert!(!path.exists());
    }
}
