//! What can go wrong while models are indexed.

use std::io;
use std::path::{Path, PathBuf};

use crate::{digest, store};

/// What ends the work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file of which an id was wanted could not be read.
    #[error(transparent)]
    Digest(digest::Error),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { path: path.to_owned(), source }
    }
}

impl From<digest::Error> for Error {
    fn from(error: digest::Error) -> Self {
        match error {
            digest::Error::Interrupted => Error::Interrupted,
            other => Error::Digest(other),
        }
    }
}

/// A file or folder that could not be taken in. The rest went on.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}: this link leads back to itself or to a folder above it", .0.display())]
    Loop(PathBuf),
    #[error("{}: this link leads nowhere", .0.display())]
    Dangling(PathBuf),
    #[error("{:?}: the name is not UTF-8, so no workflow can name it", .0)]
    NotUtf8(PathBuf),
    #[error("{}: the name holds a backslash, which in a workflow would stand between folders", .0.display())]
    Backslash(PathBuf),
    /// An entry of a file that names model folders. `line` counts from 1; 0 where the whole file is meant.
    #[error("{}{}: {reason}", path.display(), at_line(*line))]
    ExtraPaths { path: PathBuf, line: usize, reason: String },
    #[error(transparent)]
    NotHashed(digest::Error),
}

fn at_line(line: usize) -> String {
    if line == 0 { String::new() } else { format!(":{line}") }
}
