//! Errors of working states, commits and transactions as a person reads them.

use crate::environment::commit::CommitError;
use crate::environment::draft::DraftError;
use crate::environment::journal::JournalError;
use crate::environment::manifest::ReadError;
use crate::environment::rollback::RollbackError;
use crate::environment::staging::StagingError;
use crate::environment::state::StateError;
use crate::environment::transaction::TransactionError;
use crate::ui::{Exit, Failure};

const UNTOUCHED: &str = "nothing was changed";

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        let message = error.to_string();
        match error {
            StateError::Io { path, source } => Failure::io(path.display(), &source),
            StateError::Environment(error) => error.into(),
            StateError::Worktree(error) => error.into(),
            StateError::Store(error) => error.into(),
            StateError::Name(_) => Failure::new(Exit::Usage, message),
            StateError::NoComfyUi(_) => Failure::new(Exit::NotFound, message)
                .hint("bring it back, or correct the path in the environment's environment.toml"),
            StateError::NotAllRead { .. } => Failure::new(Exit::NotFound, message)
                .hint(format!("{UNTOUCHED}; make them readable, or list them in .comfreyignore")),
            StateError::Interrupted => Failure::new(Exit::Interrupted, message),
        }
    }
}

impl From<DraftError> for Failure {
    fn from(error: DraftError) -> Self {
        match error {
            DraftError::State(error) => error.into(),
            DraftError::Store(error) => error.into(),
            DraftError::Worktree(error) => error.into(),
            DraftError::Models(error) => error.into(),
            DraftError::Choose(error) => error.into(),
            DraftError::Manifest(error) => error.into(),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let message = error.to_string();
        match error {
            ReadError::Io { path, source } => Failure::io(path.display(), &source),
            ReadError::Manifest { .. } => Failure::new(Exit::Conflict, message)
                .hint("correct it there; or `comfrey rollback HEAD` goes back to the last version, and `undo` takes that back"),
        }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let message = error.to_string();
        match error {
            JournalError::Io { path, source } => Failure::io(path.display(), &source),
            JournalError::Unreadable { .. } => Failure::new(Exit::Damaged, message)
                .hint("it tells how to end an interrupted command; a newer Comfrey may be needed to read it"),
            JournalError::InTheWay(_) => {
                Failure::new(Exit::Conflict, message).hint(format!("{UNTOUCHED}; move it elsewhere and run this again"))
            }
            JournalError::Clone { source, .. } => {
                let failure = Failure::from(source);
                Failure { message, ..failure }.hint(format!("{UNTOUCHED}; the lines above are git's own"))
            }
            JournalError::Gone(_) => Failure::new(Exit::Conflict, message).hint(format!("{UNTOUCHED}; run this again")),
        }
    }
}

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Self {
        let message = error.to_string();
        match error {
            TransactionError::Io { path, source } => Failure::io(path.display(), &source),
            TransactionError::Journal(error) => error.into(),
            TransactionError::Store(error) => error.into(),
            TransactionError::History(error) => error.into(),
            TransactionError::Worktree(error) => error.into(),
            TransactionError::Changed(_) => {
                Failure::new(Exit::Conflict, message).hint("everything was put back; run this again when it is at rest")
            }
            TransactionError::Halfway { .. } => Failure::new(Exit::Damaged, message)
                .hint("remove the cause; the next command of any kind then brings it to an end. Nothing is lost"),
            TransactionError::Interrupted => Failure::new(Exit::Interrupted, format!("interrupted; {UNTOUCHED}")),
        }
    }
}

impl From<StagingError> for Failure {
    fn from(error: StagingError) -> Self {
        let message = error.to_string();
        match error {
            StagingError::Transaction(error) => error.into(),
            StagingError::Worktree(error) => error.into(),
            StagingError::InTheWay(_) => {
                Failure::new(Exit::Conflict, message).hint(format!("{UNTOUCHED}; move it elsewhere and run this again"))
            }
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Draft(error) => error.into(),
            CommitError::Transaction(error) => error.into(),
            CommitError::Store(error) => error.into(),
            CommitError::History(error) => error.into(),
            CommitError::Worktree(error) => error.into(),
        }
    }
}

impl From<RollbackError> for Failure {
    fn from(error: RollbackError) -> Self {
        let message = error.to_string();
        match error {
            RollbackError::State(error) => error.into(),
            RollbackError::Commit(error) => error.into(),
            RollbackError::Staging(error) => error.into(),
            RollbackError::Transaction(error) => error.into(),
            RollbackError::Store(error) => error.into(),
            RollbackError::History(error) => error.into(),
            RollbackError::Worktree(error) => error.into(),
            RollbackError::Trial(error) => error.into(),
            RollbackError::Python(error) => error.into(),
            RollbackError::NotReached(_) => Failure::new(Exit::Damaged, message)
                .hint("everything was put back; another program may be writing to these files"),
            RollbackError::Changed => {
                Failure::new(Exit::Conflict, message).hint(format!("{UNTOUCHED}; run this again when they are at rest"))
            }
        }
    }
}
