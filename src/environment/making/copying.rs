//! A folder copied with everything in it, sharing its bytes with the original where the file system can do that.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use crate::observer::{Observer, Unit};
use crate::platform::folder::Folder;
use crate::platform::links;
use crate::worktree::ignore::{STAGING_PREFIX, VENV_MARK, is_bytecode};

/// What a copy brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Copied {
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Bytes that the copy shares with the original.
    pub shared: u64,
}

/// Copies the folder `from` to `to`, which is not there. Virtual environments and bytecode, which are made anew, are left out, and at the top the names in
/// `without`. Links are copied as links.
///
/// # Errors
/// Part of `to` may be there.
pub fn copy(from: &Path, to: &Path, without: &[&str], observer: &dyn Observer) -> Result<Copied, (PathBuf, io::Error)> {
    let wanted = |entry: &DirEntry| {
        let (name, is_folder) = (entry.file_name(), entry.file_type().is_dir());
        let left_out = entry.depth() == 1 && without.iter().any(|other| name == *other);
        let ours = name.to_string_lossy().starts_with(STAGING_PREFIX);
        let venv = || is_folder && entry.depth() > 0 && entry.path().join(VENV_MARK).exists();
        !(left_out || ours || is_bytecode(name, is_folder) || venv())
    };
    let mut files = Vec::new();
    observer.started("listing", Unit::Items, None);
    for entry in WalkDir::new(from).into_iter().filter_entry(wanted) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(from).to_owned();
            (path, error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links")))
        })?;
        let below = entry.path().strip_prefix(from).unwrap_or(entry.path());
        let place = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
        let failed = |error| (entry.path().to_owned(), error);
        if entry.file_type().is_dir() {
            std::fs::create_dir(&place).map_err(failed)?;
        } else if entry.file_type().is_symlink() {
            let target = std::fs::read_link(entry.path()).map_err(failed)?;
            let above = place.parent().unwrap_or(to);
            let made = Folder::open(above).and_then(|above| above.create_symlink(entry.file_name(), &target));
            made.map_err(failed)?;
        } else if entry.file_type().is_file() {
            files.push((entry.into_path(), place));
        }
    }
    observer.started("copying", Unit::Items, Some(files.len() as u64));
    let can_share = AtomicBool::new(true);
    let (bytes, shared) = (AtomicU64::new(0), AtomicU64::new(0));
    files.par_iter().try_for_each(|(from, to)| {
        if observer.interrupted() {
            return Err((from.clone(), io::ErrorKind::Interrupted.into()));
        }
        let (size, is_shared) = one(from, to, &can_share).map_err(|error| (to.clone(), error))?;
        bytes.fetch_add(size, Ordering::Relaxed);
        if is_shared {
            shared.fetch_add(size, Ordering::Relaxed);
        }
        observer.advanced(1);
        Ok(())
    })?;
    observer.finished();
    Ok(Copied { files: files.len() as u64, bytes: bytes.into_inner(), shared: shared.into_inner() })
}

/// One file; its size, and whether the bytes are shared.
fn one(from: &Path, to: &Path, can_share: &AtomicBool) -> io::Result<(u64, bool)> {
    if can_share.load(Ordering::Relaxed) {
        match links::reflink(from, to) {
            Ok(()) => {
                let metadata = std::fs::metadata(from)?;
                std::fs::set_permissions(to, metadata.permissions())?;
                return Ok((metadata.len(), true));
            }
            // Neither will it be for the others.
            Err(error) if links::is_unsupported(&error) => can_share.store(false, Ordering::Relaxed),
            Err(error) => return Err(error),
        }
    }
    // Not what the copying says: Wine's says nothing.
    std::fs::copy(from, to)?;
    Ok((std::fs::metadata(from)?.len(), false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;

    #[test]
    fn a_copy_has_all_but_what_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        for file in ["a/b.py", "a/__pycache__/b.cpython-312.pyc", "venv/pyvenv.cfg", "output/x.png", "a/output/y"] {
            std::fs::create_dir_all(from.join(file).parent().unwrap()).unwrap();
            std::fs::write(from.join(file), "text").unwrap();
        }
        let to = dir.path().join("to");
        let copied = copy(&from, &to, &["output"], &Silent).unwrap();
        assert_eq!((copied.files, copied.bytes), (2, 8));
        assert!(to.join("a/b.py").exists() && to.join("a/output/y").exists());
        for absent in ["output", "venv", "a/__pycache__"] {
            assert!(!to.join(absent).exists(), "{absent}");
        }
    }
}
