//! The record of a run: which process it is, where it answers, what it logs to. So other commands find it on every system.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::platform::child::ProcessId;
use crate::platform::durable;
use crate::platform::lock::{Access, LockFile};
use crate::platform::process;

use super::super::environment::Environment;
use super::{LaunchError, io_error};

/// The record's name in an environment's folder.
pub const FILE: &str = "running.json";

/// Held by whoever watches a run, so that there is one.
const LOCK: &str = "running.lock";

/// A run of an environment's ComfyUI, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The `comfrey run` that watches it.
    pub watcher: ProcessId,
    /// ComfyUI itself; absent until it is started.
    pub comfyui: Option<ProcessId>,
    pub port: u16,
    pub url: String,
    /// Milliseconds since 1970.
    pub since: i64,
    pub log: PathBuf,
    /// True once it has answered.
    pub ready: bool,
    /// How often it was started again.
    pub restarts: u32,
}

/// A ComfyUI that runs on an environment's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Running {
    /// Started by `comfrey run`.
    Ours(Record),
    /// Started by other hands.
    Foreign { process: ProcessId },
}

impl Running {
    /// The number of ComfyUI's process; of its watcher while it is not yet started.
    pub fn process(&self) -> u32 {
        match self {
            Running::Ours(record) => record.comfyui.as_ref().unwrap_or(&record.watcher).number,
            Running::Foreign { process } => process.number,
        }
    }
}

impl Record {
    /// True while ComfyUI or who watches it lives.
    pub fn is_alive(&self) -> bool {
        self.watcher.is_alive() || self.comfyui.as_ref().is_some_and(ProcessId::is_alive)
    }

    /// Reads the record in an environment's folder, whether its processes live or not.
    pub fn read(folder: &Path) -> Option<Record> {
        serde_json::from_slice(&std::fs::read(folder.join(FILE)).ok()?).ok()
    }

    fn write(&self, folder: &Path) -> std::io::Result<()> {
        let bytes = serde_json::to_vec(self).map_err(std::io::Error::other)?;
        // Not synced: after a power cut nothing runs.
        let file = durable::new_aside(folder, ".comfrey-")?;
        std::fs::write(file.path(), bytes)?;
        let path = file.into_temp_path();
        crate::platform::durable::rename(&path, &folder.join(FILE))?;
        drop(path.keep());
        Ok(())
    }
}

/// The ComfyUI that runs on the environment's folder, if one does.
pub fn of(environment: &Environment) -> Option<Running> {
    match Record::read(environment.folder()) {
        Some(record) if record.is_alive() => Some(Running::Ours(record)),
        _ => {
            let process = ProcessId::of(process::running_comfyui(&environment.comfyui())?)?;
            Some(Running::Foreign { process })
        }
    }
}

/// Takes away the record of a run that has ended without doing so itself. True if there was one.
pub fn sweep(folder: &Path) -> bool {
    let stale = || Record::read(folder).is_none_or(|record| !record.is_alive());
    if !folder.join(FILE).exists() || !stale() {
        return false;
    }
    // Whoever holds the lock is about to write its own record.
    let Ok(Some(_lock)) = LockFile::try_take(&folder.join(LOCK), Access::Exclusive) else { return false };
    stale() && std::fs::remove_file(folder.join(FILE)).is_ok()
}

/// The right to run an environment's ComfyUI. While it is held, the record says so.
#[derive(Debug)]
pub struct Claim {
    folder: PathBuf,
    record: Record,
    _lock: LockFile,
}

impl Claim {
    /// Takes the right, and writes the record.
    pub fn take(environment: &Environment, record: Record) -> Result<Claim, LaunchError> {
        let folder = environment.folder();
        let path = folder.join(LOCK);
        let running = |process| LaunchError::RunningAlready { environment: environment.name().to_string(), process };
        let mut lock = None;
        // Who sweeps holds it for a moment.
        for _ in 0..50 {
            lock = LockFile::try_take(&path, Access::Exclusive).map_err(io_error(&path))?;
            if lock.is_some() {
                break;
            }
            if let Some(found) = Record::read(folder).filter(Record::is_alive) {
                return Err(running(Running::Ours(found).process()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let Some(lock) = lock else { return Err(running(0)) };
        // A ComfyUI whose watcher was killed, or one that was started by hand.
        if let Some(found) = of(environment) {
            return Err(running(found.process()));
        }
        let claim = Claim { folder: folder.to_owned(), record, _lock: lock };
        claim.write()?;
        Ok(claim)
    }

    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Changes the record.
    pub fn edit(&mut self, change: impl FnOnce(&mut Record)) -> Result<(), LaunchError> {
        change(&mut self.record);
        self.write()
    }

    fn write(&self) -> Result<(), LaunchError> {
        self.record.write(&self.folder).map_err(io_error(&self.folder.join(FILE)))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        drop(std::fs::remove_file(self.folder.join(FILE)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(watcher: ProcessId) -> Record {
        Record {
            watcher,
            comfyui: None,
            port: 8188,
            url: "http://127.0.0.1:8188".into(),
            since: 0,
            log: "x.log".into(),
            ready: false,
            restarts: 0,
        }
    }

    fn environment(folder: &Path) -> Environment {
        std::fs::create_dir_all(folder.join("ComfyUI")).unwrap();
        std::fs::write(folder.join("environment.toml"), "comfyui = \"ComfyUI\"\nkind = \"folder\"\n").unwrap();
        Environment::load(super::super::super::EnvironmentName::new("demo").unwrap(), folder.to_owned()).unwrap()
    }

    #[test]
    fn one_run_at_a_time_and_its_record_goes_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let environment = environment(dir.path());
        let mut claim = Claim::take(&environment, record(ProcessId::own())).unwrap();
        claim.edit(|record| record.ready = true).unwrap();
        assert_eq!(of(&environment), Some(Running::Ours(claim.record().clone())));
        assert!(!sweep(dir.path()));
        let second = Claim::take(&environment, record(ProcessId::own()));
        assert!(matches!(second, Err(LaunchError::RunningAlready { process, .. }) if process == std::process::id()));
        drop(claim);
        assert_eq!(of(&environment), None);
        assert!(!dir.path().join(FILE).exists());
    }

    #[test]
    fn what_a_run_left_that_was_killed_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let environment = environment(dir.path());
        let gone = ProcessId { began: "never".into(), ..ProcessId::own() };
        record(gone).write(dir.path()).unwrap();
        assert_eq!(of(&environment), None);
        assert!(sweep(dir.path()));
        assert!(!sweep(dir.path()));
        std::fs::write(dir.path().join(FILE), "not JSON").unwrap();
        assert!(sweep(dir.path()));
    }
}
