//! Files that have no digest.

use crate::digest::Error;
use crate::ui::{Exit, Failure};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Io { path, source } => Failure::io(path.display(), &source),
            Error::Interrupted => Failure::new(Exit::Interrupted, "interrupted"),
            Error::Directory { .. } => Failure::new(Exit::NotFound, error.to_string()),
            Error::ChangedWhileRead { .. } | Error::CutShort { .. } => Failure::new(Exit::NotFound, error.to_string())
                .hint("another program is writing to it; run this again when it is done"),
        }
    }
}
