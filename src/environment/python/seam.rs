//! What the rest of Comfrey asks of whoever installs Python packages.

use std::io;
use std::path::{Path, PathBuf};

use crate::observer::Observer;

use super::{Conflict, TorchBackend, Venv};

/// What is to be resolved: a manifest as text, which need not be on disk.
#[derive(Debug, Clone, Copy)]
pub struct Project<'a> {
    /// The environment's folder. Paths that the manifest names are relative to its `.cec`.
    pub folder: &'a Path,
    /// The text of `pyproject.toml`.
    pub manifest: &'a str,
    /// The lock so far: versions that it holds stay where they still fit.
    pub lock: Option<&'a str>,
    /// The Python to resolve with: an interpreter's path, or a version such as `3.11`. Nothing leaves the choice to uv.
    pub python: Option<&'a str>,
    /// Packages whose version in the lock is not kept, where a newer one is wanted.
    pub upgrade: &'a [String],
}

/// What is to be installed where.
#[derive(Debug, Clone, Copy)]
pub struct Install<'a> {
    /// The folder that holds `pyproject.toml` and `uv.lock`.
    pub project: &'a Path,
    pub venv: &'a Venv,
    pub torch: &'a TorchBackend,
}

/// Whoever resolves and installs Python packages. [`super::Uv`] does; tests have others.
///
/// Every method may take minutes and use the network, says through the observer what it does, and stops with
/// [`PythonError::Interrupted`] soon after the observer says so. Nothing is written to the terminal.
///
/// A command that changes what is installed does this:
///
/// 1. [`Python::resolve`] the manifest as it shall be, before anything is touched. A conflict ends the command here.
/// 2. Begin a [`Transaction`](crate::environment::transaction::Transaction); stage the files, the manifest and the lock.
/// 3. [`Python::install`] into the virtual environment once they are in place; if that fails, drop the transaction.
pub trait Python: Send + Sync {
    /// Makes an empty virtual environment. `wanted` is a version such as `3.11` or an interpreter's path; nothing leaves the choice
    /// to uv. Its folder must not exist.
    fn make_venv(&self, venv: &Venv, wanted: Option<&str>, observer: &dyn Observer) -> Result<(), PythonError>;

    /// Finds versions that satisfy the whole manifest, and answers with the text of the lock. Touches nothing: neither the project on
    /// disk nor any virtual environment.
    ///
    /// # Errors
    /// [`PythonError::Conflict`] where the requirements cannot all be met.
    fn resolve(&self, project: &Project<'_>, observer: &dyn Observer) -> Result<String, PythonError>;

    /// Makes the virtual environment hold exactly what the lock says, and what torch needs besides. The lock is not changed.
    ///
    /// # Errors
    /// The virtual environment may have been changed in part.
    fn install(&self, what: &Install<'_>, observer: &dyn Observer) -> Result<(), PythonError>;
}

/// Why Python packages could not be resolved or installed.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// There is no uv, and it could not be installed. `tried` says why, if it was tried.
    #[error("uv was not found, and it installs Python packages{}", .tried.as_deref().map(|why| format!("\n{why}")).unwrap_or_default())]
    NoUv { tried: Option<String> },
    /// `COMFREY_UV` names something that is no uv.
    #[error("COMFREY_UV is {}: {reason}", path.display())]
    NotUv { path: PathBuf, reason: String },
    #[error("the Python packages cannot be installed together\n{0}")]
    Conflict(Box<Conflict>),
    /// uv ran and failed.
    #[error("uv {task} failed{}{}", code.map(|code| format!(" with exit code {code}")).unwrap_or_else(|| ", ended by a signal".to_owned()), last_lines(lines))]
    Failed {
        /// Such as `sync`.
        task: &'static str,
        /// Nothing when a signal ended it.
        code: Option<i32>,
        /// The last lines that it wrote.
        lines: Vec<String>,
        /// Where all that it wrote stands.
        log: Option<PathBuf>,
    },
    #[error("uv cannot be run: {}: {source}", program.display())]
    Unstartable { program: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    #[error("interrupted")]
    Interrupted,
}

fn last_lines(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

/// For `map_err`: an error of the system about a path.
pub(crate) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> PythonError + use<> {
    let path = path.to_owned();
    move |source| PythonError::Io { path, source }
}
