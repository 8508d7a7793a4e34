//! Ending a run from elsewhere: its watcher is asked by a file, because Windows has no signals that reach it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::observer::Observer;
use crate::platform::child::ProcessId;

use super::super::environment::Environment;
use super::running::{self, Running};
use super::{LaunchError, io_error};

/// The request's name in an environment's folder.
const REQUEST: &str = "stop.request";

/// What stands in it.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    /// Whom it is for: one that was left for an earlier run means nothing.
    watcher: ProcessId,
    /// Milliseconds until ComfyUI is killed.
    patience: u64,
}

/// How long a program is waited for that was asked to end, before it is killed.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What a watcher and what is left of a killed program may take beyond that.
const MORE: Duration = Duration::from_secs(5);

/// What became of the wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    NothingRan,
    /// This process ended.
    Ended(u32),
    /// This process had to be killed.
    Killed(u32),
}

/// With which patience the watcher `own` is asked to end its run, if it is. The request is taken as read.
pub(super) fn take_request(folder: &Path, own: &ProcessId) -> Option<Duration> {
    let path = folder.join(REQUEST);
    let bytes = std::fs::read(&path).ok()?;
    // One half-written is read again the next time.
    let request: Request = serde_json::from_slice(&bytes).ok()?;
    if request.watcher != *own {
        return None;
    }
    std::fs::remove_file(&path).ok()?;
    Some(Duration::from_millis(request.patience))
}

/// Ends the ComfyUI of an environment: asks it, and kills it after `patience`.
pub fn stop(environment: &Environment, patience: Duration, observer: &dyn Observer) -> Result<Stopped, LaunchError> {
    let Some(running) = running::of(environment) else {
        running::sweep(environment.folder());
        return Ok(Stopped::NothingRan);
    };
    let process = running.process();
    let (processes, patience) = match &running {
        Running::Ours(record) if record.watcher.is_alive() => {
            let path = environment.folder().join(REQUEST);
            let milliseconds = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
            let request = Request { watcher: record.watcher.clone(), patience: milliseconds };
            let bytes = serde_json::to_vec(&request).map_err(std::io::Error::other);
            bytes.and_then(|bytes| std::fs::write(&path, bytes)).map_err(io_error(&path))?;
            let processes: Vec<ProcessId> =
                record.comfyui.clone().into_iter().chain([record.watcher.clone()]).collect();
            (processes, patience.saturating_add(MORE))
        }
        Running::Ours(record) => (record.comfyui.clone().into_iter().collect(), patience),
        Running::Foreign { process } => (vec![process.clone()], patience),
    };
    // A watcher asks by itself.
    let alone = processes.len() == 1;
    if alone {
        processes.iter().for_each(ProcessId::ask_to_end);
    }
    let ended = |within: Duration| {
        let begun = Instant::now();
        while processes.iter().any(ProcessId::is_alive) {
            if begun.elapsed() >= within || observer.interrupted() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    };
    let asked = ended(patience / 2) || {
        if alone {
            processes.iter().for_each(ProcessId::insist);
        }
        ended(patience / 2)
    };
    if !asked {
        processes.iter().for_each(ProcessId::kill);
        if !ended(MORE) {
            return Err(LaunchError::NotStopped { environment: environment.name().to_string(), process });
        }
    }
    running::sweep(environment.folder());
    Ok(if asked { Stopped::Ended(process) } else { Stopped::Killed(process) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_for_one_watcher() {
        let dir = tempfile::tempdir().unwrap();
        let own = ProcessId::own();
        let earlier = ProcessId { began: "earlier".into(), ..own.clone() };
        let leave = |watcher: &ProcessId| {
            let request = Request { watcher: watcher.clone(), patience: 1500 };
            std::fs::write(dir.path().join(REQUEST), serde_json::to_vec(&request).unwrap()).unwrap();
        };
        leave(&earlier);
        assert_eq!(take_request(dir.path(), &own), None);
        leave(&own);
        assert_eq!(take_request(dir.path(), &own), Some(Duration::from_millis(1500)));
        assert_eq!(take_request(dir.path(), &own), None);
    }
}
