//! Failures of merging.

use crate::environment::merging::MergeError;
use crate::ui::{Exit, Failure};

impl From<MergeError> for Failure {
    fn from(error: MergeError) -> Self {
        match error {
            MergeError::Store(error) => error.into(),
            MergeError::History(error) => error.into(),
            MergeError::Worktree(error) => error.into(),
            MergeError::Rollback(error) => (*error).into(),
            MergeError::Name(error) => Failure::new(Exit::Usage, error.to_string()),
        }
    }
}
