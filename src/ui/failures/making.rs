//! Failures of getting a ComfyUI and making an environment.

use crate::environment::layout::LOOKED_FOR;
use crate::environment::making::create::CreateError;
use crate::environment::making::fetch::FetchError;
use crate::environment::making::source::NoSource;
use crate::environment::making::trash::TrashError;
use crate::environment::python::{PythonError, TrialError};
use crate::ui::{Exit, Failure};

impl From<NoSource> for Failure {
    fn from(error: NoSource) -> Self {
        let message = error.to_string();
        match error {
            NoSource::Absent(_) => Failure::new(Exit::NotFound, message).hint(
                "name a git URL, a clone or mirror, a folder with ComfyUI's files, or a .zip or .tar.gz of a release",
            ),
            NoSource::ArchiveAddress(_) => Failure::new(Exit::Usage, message)
                .hint("download it and name the file, or name the repository with --ref TAG"),
        }
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        let message = error.to_string();
        match error {
            FetchError::Git(error) => error.into(),
            FetchError::Archive { path, source } => {
                let Failure { exit, message, hint } = source.into();
                let message = format!("{}: {message}", path.display());
                Failure { exit, message, hint }
            }
            FetchError::NotComfyUi { .. } => {
                Failure::new(Exit::NotFound, format!("{message}\nlooked for {LOOKED_FOR}"))
            }
            FetchError::NoRelease(_) => Failure::new(Exit::NotFound, message).hint("name a branch or tag with --ref"),
            FetchError::NoReferences(_) => {
                Failure::new(Exit::Usage, message).hint("leave out --ref, or name a repository with --comfyui")
            }
            FetchError::NotAllRead { .. } => {
                Failure::new(Exit::NotFound, message).hint("nothing was changed; make them readable")
            }
            FetchError::Io { path, source } => Failure::io(path.display(), &source),
            FetchError::Store(error) => error.into(),
            FetchError::Worktree(error) => error.into(),
        }
    }
}

impl From<CreateError> for Failure {
    fn from(error: CreateError) -> Self {
        let message = error.to_string();
        match error {
            CreateError::Workspace(error) => error.into(),
            CreateError::Io { path, source } => Failure::io(path.display(), &source),
            CreateError::Manifest { .. } => Failure::new(Exit::Usage, message).hint("nothing was changed; correct it"),
            CreateError::Python(error) => python(error),
            CreateError::Trial(TrialError::Python(error)) => python(error),
            CreateError::Trial(error) => error.into(),
            CreateError::Store(error) => error.into(),
            CreateError::Worktree(error) => error.into(),
            CreateError::History(error) => error.into(),
            CreateError::Rollback(error) => (*error).into(),
            CreateError::Staging(error) => error.into(),
            CreateError::Transaction(error) => error.into(),
            CreateError::Commit(error) => error.into(),
            CreateError::NoFreePort(_) => {
                Failure::new(Exit::Conflict, message).hint("end a program that listens there, or delete an environment")
            }
            CreateError::Interrupted => Failure::new(Exit::Interrupted, message),
        }
    }
}

/// There is no environment in which something could be settled.
fn python(error: PythonError) -> Failure {
    let is_conflict = matches!(error, PythonError::Conflict(_));
    let failure = Failure::from(error);
    match is_conflict {
        true => failure.hint(
            "nothing was made; take another ComfyUI (--ref, --comfyui) or Python (--python). What settles it can stand in a manifest \
             to begin with: --template FILE with [tool.uv] override-dependencies",
        ),
        false => failure,
    }
}

impl From<TrashError> for Failure {
    fn from(error: TrashError) -> Self {
        let message = error.to_string();
        match error {
            TrashError::Io { path, source } => Failure::io(path.display(), &source),
            TrashError::Unreadable { .. } => Failure::new(Exit::Damaged, message),
            TrashError::Workspace(error) => error.into(),
            TrashError::History(error) => error.into(),
            TrashError::Store(error) => error.into(),
            TrashError::Lock(error) => error.into(),
        }
    }
}
