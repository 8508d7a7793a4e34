//! What ends work on files and trees.

use std::io;
use std::path::{Path, PathBuf};

use super::problem::shown;
use crate::object::{ObjectId, RelativePath, TreeError};
use crate::platform::names::Hazard;
use crate::store;

/// Why files could not become a tree, or a tree files. What concerns one file alone is a [`super::Problem`] instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {source}", shown(.path))]
    Io { path: PathBuf, source: io::Error },
    /// Entries that are no tree.
    #[error("`{path}` cannot be made: {source}")]
    Tree { path: RelativePath, source: TreeError },
    #[error("`{path}` is no folder, so nothing can be put below it")]
    NotAFolderInTree { path: RelativePath },
    #[error(transparent)]
    Store(store::Error),
    /// An object that is wanted at a path cannot be had.
    #[error("`{path}`: {source}")]
    Object { path: RelativePath, source: store::Error },
    #[error("object {id} has {found} bytes, and the tree says {wanted}")]
    WrongSize { id: ObjectId, wanted: u64, found: u64 },
    #[error("the tree has more than {most} entries")]
    TooManyEntries { most: u64 },
    /// Files that nobody asked to be replaced.
    #[error("{} is in the way", shown(.path))]
    InTheWay { path: PathBuf },
    /// The system cannot have a file of this name.
    #[error("{} cannot be made: the name {hazard}", shown(.path))]
    RefusedName { path: PathBuf, hazard: Hazard },
    #[error("{} was changed by another program meanwhile", shown(.path))]
    ChangedMeanwhile { path: PathBuf },
    /// A failure, and a second one while the first was being taken back.
    #[error("{error}; and not everything could be put back ({reason}): the rest is in {}", shown(.staging))]
    NotTakenBack { staging: PathBuf, error: Box<Error>, reason: io::Error },
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

impl Error {
    /// The same, with the path at which the object is wanted.
    pub(super) fn at(self, path: &Path) -> Error {
        match self {
            Error::Store(source) => Error::Object { path: RelativePath::from_path(path).unwrap_or_default(), source },
            error => error,
        }
    }
}
