//! What can go wrong while bytes are hashed.

use std::io;
use std::path::{Path, PathBuf};

/// A file that has no digest.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {source}", path = .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}: is a directory", path = .path.display())]
    Directory { path: PathBuf },
    #[error("{path}: changed while it was read", path = .path.display())]
    ChangedWhileRead { path: PathBuf },
    /// The file ended before the size it had when it was opened.
    #[error("{path}: cut short while it was read: {found} of {expected} bytes", path = .path.display())]
    CutShort { path: PathBuf, expected: u64, found: u64 },
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// What `source`, met at `path`, means.
    pub fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::IsADirectory => Error::Directory { path },
            // Windows opens no folder as a file and says it so.
            io::ErrorKind::PermissionDenied if cfg!(windows) && path.is_dir() => Error::Directory { path },
            io::ErrorKind::Interrupted => Error::Interrupted,
            _ => Error::Io { path, source },
        }
    }
}
