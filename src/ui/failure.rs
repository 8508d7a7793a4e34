//! Errors as a person reads them: what failed, on what, why, and what to do next; and the exit code.

use std::fmt;
use std::io;

use crate::platform::durable;

/// How a program ends. The numbers are a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    /// A negative answer: differences, unresolved references, object absent.
    Negative = 1,
    Usage = 2,
    /// Workspace, environment, revision or file not found.
    NotFound = 3,
    /// A name taken, a dirty state, a lock held for too long.
    Conflict = 4,
    /// Damaged or failed verification.
    Damaged = 5,
    Network = 6,
    /// An outside program failed.
    Outside = 7,
    Interrupted = 130,
}

/// A command that could not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    /// What failed, on what, and why. One to three lines, no full stop at the end.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failure { exit, message: message.into(), hint: None }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A failure of the system on `what`, such as a path: the exit code follows from the error's kind.
    pub fn io(what: impl fmt::Display, error: &io::Error) -> Self {
        let exit = match error.kind() {
            io::ErrorKind::Interrupted => Exit::Interrupted,
            io::ErrorKind::AlreadyExists => Exit::Conflict,
            io::ErrorKind::InvalidData => Exit::Damaged,
            _ if durable::is_in_use(error) => Exit::Conflict,
            _ => Exit::NotFound,
        };
        let failure = Failure::new(exit, format!("{what}: {error}"));
        match error.kind() {
            _ if durable::is_in_use(error) => {
                failure.hint("another program has it open; close that, ComfyUI for one, and run it again")
            }
            io::ErrorKind::StorageFull => {
                failure.hint("the disk is full; nothing was changed. Free some space and run it again")
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                failure.hint("check the permissions, or name another place")
            }
            _ => failure,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// The closest of `known` to a mistyped `given`, if one is close enough to be meant.
pub fn closest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&given.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
