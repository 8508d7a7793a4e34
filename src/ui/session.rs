//! What a command body works with, so that a test reads what a user reads.

use std::io::{self, BufRead, Write};

use crate::object::Time;
use crate::observer::Observer;

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
}

impl Session<'_> {
    /// The moment to record: `COMFREY_TIME` (RFC 3339 with offset) if set, so that a run can be repeated exactly, else the clock.
    pub fn now(&self) -> Result<Time, Failure> {
        match std::env::var("COMFREY_TIME") {
            Ok(text) => text.parse().map_err(|e| Failure::new(Exit::Usage, format!("COMFREY_TIME: {e}"))),
            Err(_) => Ok(Time::now()),
        }
    }

    /// Who is at work: `COMFREY_AUTHOR` if set, else the system's user name.
    pub fn author(&self) -> String {
        let named = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
        named("COMFREY_AUTHOR")
            .or_else(|| named("USER"))
            .or_else(|| named("USERNAME"))
            .unwrap_or_else(|| "unknown".into())
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
        writeln!(self.err, "{message}").map_err(|e| Failure::io("standard error", &e))
    }

    /// An error about one item on standard error; the work goes on and ends with an exit code.
    pub fn complain(&mut self, failure: &Failure) -> Result<(), Failure> {
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
