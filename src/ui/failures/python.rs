//! Failures of resolving and installing Python packages.

use crate::environment::python::{PythonError, torch::NoBackend};
use crate::ui::{Exit, Failure};

const HOW_TO_INSTALL: &str = "install it as https://docs.astral.sh/uv says, for instance `python3 -m pip install uv`, \
    or name the one that you have: COMFREY_UV=/path/to/uv";

impl From<PythonError> for Failure {
    fn from(error: PythonError) -> Self {
        let message = error.to_string();
        match error {
            PythonError::NoUv { .. } => Failure::new(Exit::Outside, message).hint(HOW_TO_INSTALL),
            PythonError::NotUv { .. } | PythonError::Unstartable { .. } => {
                Failure::new(Exit::Outside, message).hint(HOW_TO_INSTALL)
            }
            PythonError::Conflict(_) => Failure::new(Exit::Conflict, message),
            PythonError::Failed { .. } => Failure::new(Exit::Outside, message),
            PythonError::Io { path, source } => Failure::io(path.display(), &source),
            PythonError::Store(error) => error.into(),
            PythonError::Interrupted => Failure::new(Exit::Interrupted, message),
        }
    }
}

impl From<NoBackend> for Failure {
    fn from(error: NoBackend) -> Self {
        Failure::new(Exit::Usage, error.to_string())
            .hint("auto, cpu, cu128, rocm6.4 and so on, as `uv pip install --help` lists them, or none")
    }
}
