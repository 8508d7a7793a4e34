//! Models that could not be indexed or found.

use crate::models::{Error, Problem};
use crate::ui::{Exit, Failure};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            Error::Digest(error) => error.into(),
            Error::Io { path, source } => Failure::io(path.display(), &source),
            Error::Interrupted => Failure::new(Exit::Interrupted, "interrupted")
                .hint("what was indexed so far is kept; the same command goes on from there"),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::NotHashed(error) => error.into(),
            Problem::Unreadable { path, source } => Failure::io(path.display(), &source),
            Problem::Loop(_) | Problem::Dangling(_) => {
                Failure::new(Exit::NotFound, problem.to_string()).hint("remove the link, or point it elsewhere")
            }
            Problem::ExtraPaths { .. } => Failure::new(Exit::NotFound, problem.to_string())
                .hint("ComfyUI itself may refuse to start with such an entry; the folders of the others are used"),
            Problem::NotUtf8(_) | Problem::Backslash(_) => {
                Failure::new(Exit::NotFound, problem.to_string()).hint("rename it")
            }
        }
    }
}
