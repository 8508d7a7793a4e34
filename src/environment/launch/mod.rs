//! An environment's ComfyUI as a running program: started, watched until it answers, restarted when it asks for it, stopped.
//!
//! - [`command`]: the program, its arguments and its surroundings, as a value
//! - [`port`]: a port of its own
//! - [`models`]: what it is told of the workspace's models
//! - [`log`]: what it says, one file a start
//! - [`running`]: the record of a run, for other commands and other programs
//! - [`readiness`]: when it answers
//! - [`restart`]: how ComfyUI-Manager asks for a restart
//! - [`supervision`]: from start to end
//! - [`stopping`]: ending a run from elsewhere
//! - [`background`]: a run that goes on when its command has ended
//! - [`learning`]: what a running ComfyUI tells of its node classes

pub mod background;
pub mod command;
pub mod learning;
pub mod log;
pub mod models;
pub mod port;
pub mod readiness;
pub mod restart;
pub mod running;
pub mod stopping;
pub mod supervision;

use std::io;
use std::path::PathBuf;

/// Why an environment's ComfyUI was not started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: there is no ComfyUI", .0.display())]
    NoComfyUi(PathBuf),
    /// The desktop app brings its own program.
    #[error("`{0}` is the folder of ComfyUI's desktop app, which starts ComfyUI itself")]
    Desktop(String),
    #[error("no Python is known for `{0}`")]
    NoPython(String),
    #[error("{}: the Python of `{environment}` is not there", python.display())]
    PythonGone { environment: String, python: PathBuf },
    #[error("port {port} is in use{}", by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default())]
    PortTaken { port: u16, by: Option<String> },
    #[error("`{0}` is no port")]
    NoPort(String),
    #[error(transparent)]
    NoFreePort(#[from] port::NoFreePort),
    #[error("ComfyUI of `{environment}` is running already (process {process})")]
    RunningAlready { environment: String, process: u32 },
    #[error("{} cannot be started: {source}", program.display())]
    NotStarted { program: PathBuf, source: io::Error },
    #[error("ComfyUI of `{environment}` (process {process}) did not end")]
    NotStopped { environment: String, process: u32 },
}

fn io_error(path: &std::path::Path) -> impl FnOnce(io::Error) -> LaunchError + use<> {
    let path = path.to_owned();
    move |source| LaunchError::Io { path, source }
}
