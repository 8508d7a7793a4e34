//! What ends work on files and trees.

use std::io;
use std::path::PathBuf;

use crate::object::{RelativePath, TreeError};
use crate::store;

/// Why files could not become a tree, or a tree files. What concerns one file alone is a [`super::Problem`] instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    /// Entries that are no tree.
    #[error("`{path}` cannot be made: {source}")]
    Tree { path: RelativePath, source: TreeError },
    #[error("`{path}` is no folder, so nothing can be put below it")]
    NotAFolderInTree { path: RelativePath },
    #[error(transparent)]
    Store(store::Error),
    #[error("interrupted")]
    Interrupted,
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Interrupted => Error::Interrupted,
            error => Error::Store(error),
        }
    }
}
