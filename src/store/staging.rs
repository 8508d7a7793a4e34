//! Temporary files with an owner: swept by anyone once the owner is gone.
//!
//! `staging/NAME/` belongs to who holds the lock on `staging/NAME.lock`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Error, Result};
use crate::platform::durable;
use crate::platform::lock::{Access, LockFile};

/// A folder of one's own below `staging/`, removed when dropped.
pub struct Staging {
    folder: PathBuf,
    next: AtomicU64,
    lock: Option<LockFile>,
}

impl Staging {
    /// Makes one below the store's folder; `purpose` begins its name.
    pub fn new(store: &Path, purpose: &str) -> Result<Staging> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let all = store.join("staging");
        loop {
            let name = format!("{purpose}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let lock_path = all.join(format!("{name}.lock"));
            let taken = LockFile::try_take(&lock_path, Access::Exclusive).map_err(Error::io(&lock_path))?;
            // Another machine's or an earlier process of this number may have left a folder of this name.
            let Some(lock) = taken else { continue };
            let folder = all.join(&name);
            match std::fs::create_dir(&folder) {
                Ok(()) => return Ok(Staging { folder, next: AtomicU64::new(1), lock: Some(lock) }),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(e) => {
                    drop(lock.remove());
                    return Err(Error::Io { path: folder, source: e });
                }
            }
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path in it that nothing has yet.
    pub fn new_path(&self) -> PathBuf {
        self.folder.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now, a later sweep removes.
        drop(durable::remove_folder(&self.folder));
        if let Some(lock) = self.lock.take() {
            drop(lock.remove());
        }
    }
}

/// Removes what dead owners have left. Best effort: what cannot be removed stays for the next time.
pub fn sweep(store: &Path) {
    let Ok(entries) = std::fs::read_dir(store.join("staging")) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        if let Ok(Some(lock)) = LockFile::try_take(&path, Access::Exclusive) {
            let folder = path.with_extension("");
            let gone = match durable::remove_folder(&folder) {
                Ok(()) => true,
                Err(e) => e.kind() == io::ErrorKind::NotFound,
            };
            if gone {
                drop(lock.remove());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_dead_owners_left_is_swept() {
        let store = tempfile::tempdir().unwrap();
        let all = store.path().join("staging");
        std::fs::create_dir(&all).unwrap();
        let mine = Staging::new(store.path(), "write").unwrap();
        std::fs::write(mine.new_path(), "x").unwrap();
        std::fs::create_dir(all.join("write-1-1")).unwrap();
        std::fs::write(all.join("write-1-1/1"), "left").unwrap();
        std::fs::write(all.join("write-1-1.lock"), "").unwrap();
        sweep(store.path());
        assert!(mine.folder().join("1").exists());
        assert!(!all.join("write-1-1").exists() && !all.join("write-1-1.lock").exists());
        drop(mine);
        assert_eq!(std::fs::read_dir(&all).unwrap().count(), 0);
    }
}
