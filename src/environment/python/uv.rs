//! uv resolves and installs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::observer::Observer;
use crate::platform::child::ProcessId;

use super::find::{self, Search, VARIABLE};
use super::lockfile::{self, Lock};
use super::outside::{self, Ended};
use super::seam::io_error;
use super::{Conflict, Install, Project, Python, PythonError, Venv, torch};

/// uv, as found on this machine.
#[derive(Debug, Clone)]
pub struct Uv {
    program: PathBuf,
    log: Option<PathBuf>,
}

/// What would make uv work on something else than it is told to. Where packages come from is the user's to set; this is not.
const NOT_PASSED_ON: [&str; 12] = [
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT",
    "UV_WORKING_DIR",
    "UV_WORKING_DIRECTORY",
    "UV_SYSTEM_PYTHON",
    "UV_FROZEN",
    "UV_LOCKED",
    "UV_NO_SYNC",
    "UV_VENV_CLEAR",
    "UV_VENV_RELOCATABLE",
];

/// How many of uv's last lines an error has.
const LAST_LINES: usize = 12;

impl Uv {
    /// The uv of this machine: `COMFREY_UV`, else on the `PATH`, else the workspace's own, which is installed if there is none yet.
    /// `store` is the workspace's `.comfrey`.
    ///
    /// # Errors
    /// There is none, and it could not be installed.
    pub fn find(store: &Path, observer: &dyn Observer) -> Result<Self, PythonError> {
        let named = std::env::var_os(VARIABLE).map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let search = Search { store, named: named.as_deref(), path: &path };
        let program = match find::find(&search)? {
            Some(program) => program,
            None => find::install(&search, observer)?,
        };
        Ok(Uv { program, log: None })
    }

    /// This program, whatever it is.
    pub fn at(program: impl Into<PathBuf>) -> Self {
        Uv { program: program.into(), log: None }
    }

    /// Writes what uv says to this file, after what is in it.
    pub fn with_log(self, log: impl Into<PathBuf>) -> Self {
        Uv { log: Some(log.into()), ..self }
    }

    /// Where it lies.
    pub fn program(&self) -> &Path {
        &self.program
    }

    fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.program);
        for name in NOT_PASSED_ON {
            command.env_remove(name);
        }
        command.args(words).args(["--color", "never", "--no-progress"]);
        command
    }

    fn run(
        &self,
        command: &mut Command,
        task: &'static str,
        about: &'static str,
        observer: &dyn Observer,
    ) -> Result<Ended, PythonError> {
        let ended = outside::run(command, about, self.log.as_deref(), observer)?;
        match ended.status.success() {
            true => Ok(ended),
            false => Err(self.failed(task, &ended)),
        }
    }
}

impl Uv {
    fn failed(&self, task: &'static str, ended: &Ended) -> PythonError {
        let mut lines = ended.last_lines(LAST_LINES);
        // Which interpreter it took is no reason.
        lines.retain(|line| !line.starts_with("Using "));
        PythonError::Failed { task, code: ended.status.code(), lines, log: self.log.clone() }
    }
}

impl Python for Uv {
    fn make_venv(&self, venv: &Venv, wanted: Option<&str>, observer: &dyn Observer) -> Result<(), PythonError> {
        // Install scripts of nodes, and ComfyUI-Manager, call pip: `--seed` puts one there, and lets `sync` leave it.
        let mut command = self.command(["venv", "--no-project", "--seed"]);
        if let Some(wanted) = wanted {
            command.args(["--python", wanted]);
        }
        command.arg(venv.folder());
        match self.run(&mut command, "venv", "making a Python environment", observer) {
            Err(PythonError::Failed { code: Some(_), .. }) if venv.is_present() => {
                observer.noted("the Python environment has no pip of its own: uv could not find one");
                Ok(())
            }
            made => made.map(drop),
        }
    }

    fn resolve(&self, project: &Project<'_>, observer: &dyn Observer) -> Result<String, PythonError> {
        let Project { folder, manifest, lock, python, upgrade } = *project;
        // Beside `.cec`, so that what the manifest says of `../x` is as true here.
        let place = trial_folder(folder)?;
        let write = |name: &str, text: &str| {
            let path = place.path().join(name);
            std::fs::write(&path, text).map_err(io_error(&path))
        };
        write("pyproject.toml", manifest)?;
        if let Some(lock) = lock {
            write("uv.lock", lock)?;
        }
        let mut command = self.command(["lock"]);
        command.current_dir(place.path()).arg("--project").arg(place.path());
        if let Some(python) = python {
            command.args(["--python", python]);
        }
        for package in upgrade {
            command.args(["--upgrade-package", package]);
        }
        let ended = outside::run(&mut command, "resolving Python packages", self.log.as_deref(), observer)?;
        if !ended.status.success() {
            if let Some(conflict) = Conflict::parse(&ended.stderr, manifest) {
                return Err(PythonError::Conflict(Box::new(conflict)));
            }
            return Err(self.failed("lock", &ended));
        }
        let path = place.path().join("uv.lock");
        std::fs::read_to_string(&path).map_err(io_error(&path))
    }

    fn install(&self, what: &Install<'_>, observer: &dyn Observer) -> Result<(), PythonError> {
        if let Some(backend) = what.torch.option()
            && let torch = self.torch_in(what)?
            && !torch.is_empty()
        {
            return self.install_with_backend(what, backend, &torch, observer);
        }
        let mut command = self.command(["sync", "--frozen", "--all-groups", "--no-install-project"]);
        command.current_dir(what.project).arg("--project").arg(what.project);
        command.env("UV_PROJECT_ENVIRONMENT", what.venv.folder()).arg("--python").arg(what.venv.python());
        self.run(&mut command, "sync", "installing Python packages", observer).map(drop)
    }
}

impl Uv {
    /// torch's packages as the lock has them, `torch==2.9.0`, without what tells one build from another.
    fn torch_in(&self, what: &Install<'_>) -> Result<Vec<String>, PythonError> {
        let path = what.project.join("uv.lock");
        let text = std::fs::read_to_string(&path).map_err(io_error(&path))?;
        let machine = what.venv.version().and_then(|version| lockfile::this_machine(&version));
        let (Ok(lock), Some(machine)) = (Lock::parse(&text), machine) else { return Ok(Vec::new()) };
        let pinned = lock.wanted(&machine).into_iter().filter(|(name, _)| torch::is_torch(name));
        let public = |version: Option<String>| version?.split('+').next().map(str::to_owned);
        Ok(pinned
            .map(|(name, version)| match public(version) {
                Some(version) => format!("{name}=={version}"),
                None => name,
            })
            .collect())
    }

    /// `uv sync` knows no torch backends: what is locked is exported, and installed together with the backend's build of the locked torch and
    /// what that pins.
    fn install_with_backend(
        &self,
        what: &Install<'_>,
        backend: &str,
        pinned: &[String],
        observer: &dyn Observer,
    ) -> Result<(), PythonError> {
        let path = what.project.join("uv.lock");
        let text = std::fs::read_to_string(&path).map_err(io_error(&path))?;
        let lock = Lock::parse(&text).unwrap_or_default();
        let mut command = self.command(["export", "--frozen", "--all-groups", "--no-emit-project", "--no-header"]);
        command.args(["--no-annotate", "--format", "requirements.txt"]);
        command.current_dir(what.project).arg("--project").arg(what.project);
        for name in lock.names() {
            if torch::is_torch(name) || torch::comes_with_torch(name) {
                command.args(["--no-emit-package", name]);
            }
        }
        let exported = self.run(&mut command, "export", "reading uv.lock", observer)?.stdout;
        // Beside the lock's folder, as paths in it are relative to that.
        let above = what.project.parent().unwrap_or(what.project);
        let place = trial_folder(above)?;
        let write = |name: &str, text: &str| {
            let path = place.path().join(name);
            std::fs::write(&path, text).map_err(io_error(&path)).map(|()| path)
        };
        let locked = write("locked.txt", &exported)?;
        let pinned = write("torch.txt", &(pinned.join("\n") + "\n"))?;
        let mut command = self.command(["pip", "install", "--exact", "--torch-backend", backend]);
        command.current_dir(place.path()).arg("--python").arg(what.venv.python());
        command.arg("-r").arg(locked).arg("-r").arg(pinned);
        self.run(&mut command, "pip install", "installing Python packages", observer).map(drop)
    }
}

/// Begins the names of folders in which something is resolved; the process that does follows.
const TRIAL: &str = ".comfrey-uv-";

/// How long such a folder may be in use: numbers of processes are used again.
const LONG_AGO: Duration = Duration::from_secs(86_400);

/// A folder for one run of uv, which goes when it is dropped. What killed programs left of such folders goes now.
fn trial_folder(above: &Path) -> Result<tempfile::TempDir, PythonError> {
    for entry in std::fs::read_dir(above).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(owner) = name.to_str().and_then(|name| name.strip_prefix(TRIAL)) else { continue };
        let owner = owner.split('-').next().and_then(|process| process.parse().ok());
        let modified = || entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let is_old = || modified().and_then(|time| time.elapsed().ok()).is_some_and(|age| age > LONG_AGO);
        if owner.and_then(ProcessId::of).is_none() || is_old() {
            // What cannot be removed now is in nobody's way.
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
    let prefix = format!("{TRIAL}{}-", std::process::id());
    tempfile::Builder::new().prefix(&prefix).tempdir_in(above).map_err(io_error(above))
}
