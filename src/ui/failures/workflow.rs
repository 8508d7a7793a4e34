//! Failures of reading and comparing workflows.

use crate::ui::{Exit, Failure};
use crate::workflow::ReadError;
use crate::workflow::diff::NotComparable;
use crate::workflow::file::HeldError;

impl From<HeldError> for Failure {
    fn from(error: HeldError) -> Self {
        let message = error.to_string();
        match error {
            HeldError::Embedded(_) | HeldError::TooLarge => Failure::new(Exit::Damaged, message),
            HeldError::Io(error) => Failure::io("reading", &error),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Failure::new(Exit::Damaged, error.to_string())
    }
}

impl From<NotComparable> for Failure {
    fn from(error: NotComparable) -> Self {
        Failure::new(Exit::Usage, error.to_string())
            .hint("in the editor, \"Export (API)\" makes the second form of the first; compare two of one form")
    }
}
