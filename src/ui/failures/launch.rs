//! A ComfyUI that was not started or stopped.

use crate::environment::launch::LaunchError;
use crate::environment::launch::learning::LearnError;
use crate::ui::{Exit, Failure};

impl From<LaunchError> for Failure {
    fn from(error: LaunchError) -> Self {
        let message = error.to_string();
        match error {
            LaunchError::Io { path, source } => Failure::io(path.display(), &source),
            LaunchError::NoComfyUi(_) => Failure::new(Exit::NotFound, message)
                .hint("bring it back, or correct the path in the environment's environment.toml"),
            LaunchError::Desktop(_) => Failure::new(Exit::Usage, message).hint("start the desktop app"),
            LaunchError::NoPython(name) => Failure::new(Exit::NotFound, message).hint(format!(
                "`comfrey sync -E {name} --own-python` makes one; or name one that can run it in its environment.toml: python = \"PATH\""
            )),
            LaunchError::PythonGone { environment, .. } => Failure::new(Exit::NotFound, message).hint(format!(
                "`comfrey sync -E {environment}` makes it anew if it is Comfrey's; else correct `python` in environment.toml"
            )),
            LaunchError::PortTaken { .. } => Failure::new(Exit::Conflict, message)
                .hint("leave out --port for one that is free; `comfrey ps` shows what runs"),
            LaunchError::NoPort(_) => Failure::new(Exit::Usage, message).hint("a number from 1 to 65535 is wanted"),
            LaunchError::NoFreePort(_) => Failure::new(Exit::Conflict, message).hint("name one with --port"),
            LaunchError::RunningAlready { environment, .. } => Failure::new(Exit::Conflict, message)
                .hint(format!("`comfrey ps` says where it answers; `comfrey stop {environment}` stops it")),
            LaunchError::NotStarted { .. } => Failure::new(Exit::Outside, message).hint("`comfrey doctor` looks into it"),
            LaunchError::NotStopped { process, .. } => {
                Failure::new(Exit::Outside, message).hint(format!("end process {process} by the system's means"))
            }
        }
    }
}

impl From<LearnError> for Failure {
    fn from(error: LearnError) -> Self {
        match error {
            LearnError::NotObjectInfo(error) => error.into(),
            LearnError::Container(error) => error.into(),
            LearnError::Models(error) => error.into(),
        }
    }
}
