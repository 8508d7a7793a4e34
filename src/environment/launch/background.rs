//! A run that goes on when its command has ended: `comfrey run` itself, watching, with neither terminal nor session.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::observer::Observer;
use crate::platform::child;

use super::super::environment::Environment;
use super::running::Record;
use super::{LaunchError, io_error, log};

/// What a watcher in the background says; it says something only when it cannot go on.
const SAID: &str = "background.txt";

/// How far a run is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    Started,
    Ready,
}

/// What came of the wait.
#[derive(Debug)]
pub enum Reached {
    /// It is that far.
    There(Record),
    /// It is not, after so long, but goes on.
    NotYet(Record),
    /// It has ended. What its watcher said, and with which code.
    Ended {
        said: String,
        code: Option<i32>,
    },
    Interrupted(Record),
}

/// Starts `program` with `arguments` as the watcher of the environment's run.
pub fn start(environment: &Environment, program: &Path, arguments: &[OsString]) -> Result<Child, LaunchError> {
    let path = said(environment);
    let folder = environment.folder().join(log::FOLDER);
    std::fs::create_dir_all(&folder).map_err(io_error(&folder))?;
    let said = std::fs::File::create(&path).map_err(io_error(&path))?;
    let mut command = Command::new(program);
    // Whoever was in a folder may want to move it later.
    command.current_dir(environment.folder());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
    child::start_detached(&mut command)
        .map_err(|source| LaunchError::NotStarted { program: program.to_owned(), source })
}

/// Waits until the run is as far as wished, has ended, or `timeout` has passed.
pub fn wait(
    environment: &Environment,
    mut watcher: Child,
    until: Until,
    timeout: Duration,
    observer: &dyn Observer,
) -> Result<Reached, LaunchError> {
    let begun = Instant::now();
    loop {
        let record = Record::read(environment.folder()).filter(|record| record.watcher.number == watcher.id());
        if let Some(record) = record.filter(|record| record.comfyui.is_some()) {
            if until == Until::Started || record.ready {
                return Ok(Reached::There(record));
            }
            if observer.interrupted() {
                return Ok(Reached::Interrupted(record));
            }
            if begun.elapsed() >= timeout {
                return Ok(Reached::NotYet(record));
            }
        }
        if let Some(status) = watcher.try_wait().map_err(io_error(&said(environment)))? {
            let said = std::fs::read_to_string(said(environment)).unwrap_or_default();
            return Ok(Reached::Ended { said: said.trim().to_owned(), code: status.code() });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn said(environment: &Environment) -> PathBuf {
    environment.folder().join(log::FOLDER).join(SAID)
}
