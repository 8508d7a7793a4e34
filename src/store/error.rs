//! What can go wrong in the store, each with the thing it is about.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::object::{DecodeError, Kind, ObjectId};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: not a store", .0.display())]
    NotAStore(PathBuf),
    #[error("{}: a store is here already", .0.display())]
    AlreadyThere(PathBuf),
    /// The `format` file asks for what this program cannot do.
    #[error("{}: {reason}", path.display())]
    Format { path: PathBuf, reason: String },
    #[error("{}: not the format file of a store; it is damaged", .0.display())]
    FormatDamaged(PathBuf),
    #[error("object {0} is not in the store")]
    NotFound(ObjectId),
    #[error("object {id} is a {found}, not a {wanted}")]
    WrongKind { id: ObjectId, wanted: Kind, found: Kind },
    /// The stored bytes are not those of the id any more, or are gone.
    #[error("object {id} is damaged in {}: {reason}", file.display())]
    Damaged { id: ObjectId, file: PathBuf, reason: String },
    /// A user's file that served as the place of an object has other bytes now, or is gone.
    #[error("object {id} was in {}, which {reason}", file.display())]
    Changed { id: ObjectId, file: PathBuf, reason: String },
    #[error("object {id} of {size} bytes is too large to be read into memory")]
    TooLarge { id: ObjectId, size: u64 },
    #[error("object {id}: {source}")]
    Malformed { id: ObjectId, source: DecodeError },
    #[error("{} changed while it was read", .0.display())]
    ChangedWhileRead(PathBuf),
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// The policy allows only what this pair of places cannot do.
    #[error("{} cannot be {wanted} from {}: {source}", to.display(), from.display())]
    CannotLink { wanted: &'static str, from: PathBuf, to: PathBuf, source: io::Error },
    /// `store.redb` cannot be understood.
    #[error("the index {} is damaged: {reason}", path.display())]
    Index { path: PathBuf, reason: String },
    /// More bytes are to come than there is room for.
    #[error("{}: {wanted} bytes are to come, and {free} are free", folder.display())]
    NoRoom { folder: PathBuf, wanted: u64, free: u64 },
    #[error("{} is held by {holder}; gave up after {} s", path.display(), waited.as_secs())]
    Locked { path: PathBuf, holder: String, waited: Duration },
    #[error("a write to the store failed before this one, so nothing more is written")]
    Abandoned,
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// An error of the system on `path`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { path, source }
    }

    /// The same error for those who come later: a writer that has failed goes on to say why.
    pub(super) fn again(&self) -> Error {
        match self {
            Error::Io { path, source } => {
                Error::Io { path: path.clone(), source: io::Error::new(source.kind(), source.to_string()) }
            }
            Error::Index { path, reason } => Error::Index { path: path.clone(), reason: reason.clone() },
            Error::Locked { path, holder, waited } => {
                Error::Locked { path: path.clone(), holder: holder.clone(), waited: *waited }
            }
            Error::Interrupted => Error::Interrupted,
            _ => Error::Abandoned,
        }
    }

    pub(super) fn lock(path: &Path, error: crate::platform::lock::LockError) -> Error {
        use crate::platform::lock::LockError;
        match error {
            LockError::Io(source) => Error::Io { path: path.to_owned(), source },
            LockError::TimedOut { holder, waited } => Error::Locked { path: path.to_owned(), holder, waited },
            LockError::Interrupted => Error::Interrupted,
        }
    }
}
