//! Where things lie in a virtual environment.

use std::path::{Path, PathBuf};

use super::installed::{self, Difference};
use super::stamp::Stamp;
use super::{PythonError, TorchBackend};

/// A virtual environment that Comfrey made, or is to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Venv {
    folder: PathBuf,
}

impl Venv {
    /// The one in this folder, which need not exist.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Venv { folder: folder.into() }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        match cfg!(windows) {
            true => self.folder.join("Scripts").join("python.exe"),
            false => self.folder.join("bin").join("python"),
        }
    }

    /// True when its interpreter is there.
    pub fn is_present(&self) -> bool {
        self.python().exists()
    }

    /// `3.11` or `3.11.7`, as its `pyvenv.cfg` says; nothing is run.
    pub fn version(&self) -> Option<String> {
        version_of(&self.folder)
    }
}

/// The Python version of the virtual environment in `folder`.
pub fn version_of(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join("pyvenv.cfg")).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        matches!(key.trim(), "version" | "version_info").then(|| value.trim().to_owned())
    })
}

impl Venv {
    /// What is not as the lock says; one look into one folder where nothing has changed since packages were installed last.
    pub fn differences(&self, lock: &str, torch: &TorchBackend) -> Result<Vec<Difference>, PythonError> {
        if self.is_present() && Stamp::of(self, lock, torch)?.is_in(self) {
            return Ok(Vec::new());
        }
        installed::differences(self, lock, torch)
    }
}
