//! Errors of files and trees as a person reads them.

use crate::ui::{Exit, Failure};
use crate::worktree::Error;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Io { path, source } => Failure::io(path.display(), &source),
            Error::Store(error) => error.into(),
            Error::Object { source, .. } => {
                let Failure { exit, hint, .. } = source.into();
                Failure { exit, message, hint }
            }
            Error::Tree { .. } | Error::NotAFolderInTree { .. } => Failure::new(Exit::Usage, message),
            Error::RefusedName { .. } => Failure::new(Exit::Conflict, message)
                .hint("nothing was changed; rename it where it was made, or check it out on another system"),
            Error::WrongSize { .. } | Error::TooManyEntries { .. } => Failure::new(Exit::Damaged, message),
            Error::InTheWay { .. } => {
                Failure::new(Exit::Conflict, message).hint("nothing was changed; move it elsewhere and run this again")
            }
            Error::ChangedMeanwhile { .. } => {
                Failure::new(Exit::Conflict, message).hint("nothing was changed; run this again when it is at rest")
            }
            Error::NotTakenBack { .. } => {
                Failure::new(Exit::Conflict, message).hint("move it back from there, and remove that folder")
            }
            Error::Interrupted => Failure::new(Exit::Interrupted, message),
        }
    }
}
