//! What a command body works with, so that a test reads what a user reads.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::environment::config::Config;
use crate::environment::lock::{Holder, Waiting};
use crate::environment::workspace::STORE_FOLDER;
use crate::environment::{Environment, Search, Workspace};
use crate::object::Time;
use crate::observer::Observer;
use crate::store::{Store, StoreOptions};

use super::report::Paint;
use super::{Exit, Failure, Globals};

/// Output, input, progress, time and author of one run of one command.
pub struct Session<'a> {
    pub globals: Globals,
    /// Results.
    pub out: &'a mut dyn Write,
    /// Everything else: warnings, hints, progress in plain lines.
    pub err: &'a mut dyn Write,
    pub input: &'a mut dyn BufRead,
    pub observer: &'a dyn Observer,
    /// True when questions can be asked: standard input and error are terminals and `--no-input` is not given.
    pub can_ask: bool,
    /// The command line as typed, without the program's name, for the operation log.
    pub command_line: String,
    /// The exit code of another program, to be ours if nothing fails.
    pub passed_on: Option<i32>,
    /// Colours for standard output, or none.
    pub paint: Paint,
    /// The same observer, for what outlives this borrow.
    pub(super) shared_observer: Arc<dyn Observer>,
    /// True once the settings' warnings have been shown.
    pub(super) warned: bool,
}

impl Session<'_> {
    /// The moment to record: `COMFREY_TIME` (RFC 3339 with offset) if set, so that a run can be repeated exactly, else the clock.
    pub fn now(&self) -> Result<Time, Failure> {
        match std::env::var("COMFREY_TIME") {
            Ok(text) => text.parse().map_err(|e| Failure::new(Exit::Usage, format!("COMFREY_TIME: {e}"))),
            Err(_) => Ok(Time::now()),
        }
    }

    /// Who is at work: `COMFREY_AUTHOR` if set, else `author` in the workspace's settings, else the system's user name.
    pub fn author(&self) -> String {
        let named = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
        let set = || {
            let root = Search::from_here(self.globals.workspace.as_deref()).find().ok()?;
            // A mistake in the settings is told by those who need more of them than a name.
            Config::read(&root.join("comfrey.toml")).ok()?.settings().author.clone()
        };
        named("COMFREY_AUTHOR").or_else(set).unwrap_or_else(|| self.user())
    }

    /// The workspace to work in (see [`Search::find`]), its settings read and its store open.
    pub fn workspace(&mut self) -> Result<Workspace, Failure> {
        let search = Search::from_here(self.globals.workspace.as_deref());
        let mut workspace = Workspace::find(&search, &self.store_options())?;
        if !std::mem::replace(&mut self.warned, true) {
            for warning in workspace.config().warnings() {
                self.warn(warning)?;
            }
        }
        if self.recover(workspace.root(), workspace.store())? {
            workspace = Workspace::find(&search, &self.store_options())?;
        }
        Ok(workspace)
    }

    /// The store of the workspace. Opened without reading the settings, so that a mistake in them stops no plumbing.
    pub fn store(&mut self) -> Result<Store, Failure> {
        let root = Search::from_here(self.globals.workspace.as_deref()).find()?;
        let store = Store::open(&root.join(STORE_FOLDER), &self.store_options())?;
        self.recover(&root, &store)?;
        Ok(store)
    }

    /// The environment to work on: `--environment`, else `COMFREY_ENVIRONMENT`, else the active one, else the only one.
    pub fn environment(&mut self) -> Result<Environment, Failure> {
        let workspace = self.workspace()?;
        self.environment_of(&workspace)
    }

    /// As [`Session::environment`], in a workspace that is open already.
    pub fn environment_of(&self, workspace: &Workspace) -> Result<Environment, Failure> {
        match self.environment_named() {
            Some(name) => Ok(workspace.environment(&name)?),
            None => Ok(workspace.active()?),
        }
    }

    /// The environment that was asked for by name.
    pub fn environment_named(&self) -> Option<String> {
        let variable = || std::env::var("COMFREY_ENVIRONMENT").ok().filter(|name| !name.is_empty());
        self.globals.environment.clone().or_else(variable)
    }

    /// How to open a store in this run.
    pub fn store_options(&self) -> StoreOptions {
        StoreOptions { lock_timeout: self.lock_timeout(), observer: Arc::clone(&self.shared_observer) }
    }

    /// `--lock-timeout`; at most a year.
    pub fn lock_timeout(&self) -> Duration {
        const YEAR: f64 = 365.0 * 86_400.0;
        // What is no number is no time.
        Duration::try_from_secs_f64(self.globals.lock_timeout.clamp(0.0, YEAR)).unwrap_or_default()
    }

    /// How to wait for a lock in this run, and what to leave in it for others to read.
    pub fn waiting(&self) -> Waiting<'_> {
        let holder = Holder {
            command: format!("comfrey {}", self.command_line),
            process: std::process::id(),
            user: self.user(),
        };
        Waiting { holder, timeout: self.lock_timeout(), observer: self.observer }
    }

    /// The system's name of the user.
    fn user(&self) -> String {
        let named = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
        named("USER").or_else(|| named("USERNAME")).unwrap_or_else(|| "unknown".into())
    }

    /// A warning on standard error; the work goes on.
    pub fn warn(&mut self, message: impl std::fmt::Display) -> Result<(), Failure> {
        self.note(format_args!("warning: {message}"))
    }

    /// A line on standard error, unless `--quiet`.
    pub fn note(&mut self, message: impl std::fmt::Display) -> Result<(), Failure> {
        if self.globals.quiet {
            return Ok(());
        }
        self.out.flush()?;
        writeln!(self.err, "{message}").map_err(|e| Failure::io("standard error", &e))
    }

    /// An error about one item on standard error; the work goes on and ends with an exit code.
    pub fn complain(&mut self, failure: &Failure) -> Result<(), Failure> {
        self.out.flush()?;
        writeln!(self.err, "{failure}").map_err(|e| Failure::io("standard error", &e))
    }
}

/// Output errors end a command; a closed pipe ends it quietly (see `program`).
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::new(Exit::Done, "");
        }
        Failure::io("standard output", &error)
    }
}
