//! Failures of outside programs that the platform floor runs.

use crate::platform::git_program::GitError;
use crate::ui::{Exit, Failure};

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        let message = error.to_string();
        match error {
            GitError::Missing => Failure::new(Exit::Outside, message).hint(
                "install git (https://git-scm.com/downloads) and see that it is on PATH, or set COMFREY_GIT to it; \
                 folders and archives need no git",
            ),
            GitError::Start(_) => Failure::new(Exit::Outside, message),
            GitError::Failed { .. } => Failure::new(Exit::Outside, message).hint(
                "nothing was changed. The lines above are git's own; `git ls-remote` on the same address says more",
            ),
            GitError::NoSuchRef { near, .. } => {
                let failure = Failure::new(Exit::NotFound, message);
                match near.as_slice() {
                    [] => failure.hint("`git ls-remote` on the same address lists its branches and tags"),
                    near => failure.hint(format!("did you mean {}?", near.join(", "))),
                }
            }
            GitError::BadReference(_) => {
                Failure::new(Exit::Usage, message).hint("name a tag such as v0.3.64, a branch, or a commit's id")
            }
            GitError::Interrupted => Failure::new(Exit::Interrupted, message),
        }
    }
}
