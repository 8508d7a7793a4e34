//! Errors of files and trees as a person reads them.

use crate::ui::{Exit, Failure};
use crate::worktree::Error;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Io { path, source } => Failure::io(path.display(), &source),
            Error::Store(error) => error.into(),
            Error::Tree { .. } | Error::NotAFolderInTree { .. } => Failure::new(Exit::Usage, message),
            Error::Interrupted => Failure::new(Exit::Interrupted, message),
        }
    }
}
