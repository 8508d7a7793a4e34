//! From `main` to a command body and back to an exit code: the same for every program.

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches};

use crate::observer::Observer;
use crate::platform::shell;

use super::globals::Color;
use super::progress::{self, Progress, Style};
use super::report::Paint;
use super::{Exit, Failure, Globals, Session};

/// A command: its arguments and what it does with them.
pub trait Command: clap::Args {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure>;
}

/// The arguments of a program that is one command.
#[derive(clap::Parser)]
#[command(version, disable_help_subcommand = true)]
struct Single<C: Command> {
    #[command(flatten)]
    command: C,
    #[command(flatten)]
    globals: Globals,
}

/// The `main` of a plumbing program: `name` is the binary's, `about` its one line.
pub fn main_of<C: Command>(name: &'static str, about: &'static str) -> ExitCode {
    let parser = <Single<C> as CommandFactory>::command().name(name).about(about);
    let parsed = parser.try_get_matches().and_then(|matches| Single::<C>::from_arg_matches(&matches));
    match parsed {
        Ok(Single { command, globals }) => {
            let verb = name.strip_prefix("comfrey-");
            run(globals, |session| {
                session.command_line = command_line(verb, std::env::args_os().skip(1));
                command.run(session)
            })
        }
        Err(error) => usage(&error),
    }
}

/// The command as a person would type it after `comfrey`.
fn command_line(verb: Option<&str>, words: impl Iterator<Item = OsString>) -> String {
    let words = words.map(|word| shell::typed(&word.to_string_lossy()));
    verb.map(str::to_owned).into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// Prints what clap has to say (help on stdout, errors on stderr).
pub fn usage(error: &clap::Error) -> ExitCode {
    // Nothing is left to do for a terminal that cannot be written to.
    drop(error.print());
    ExitCode::from(if error.use_stderr() { Exit::Usage as u8 } else { Exit::Done as u8 })
}

/// Runs a command body on the real terminal.
pub fn run(globals: Globals, body: impl FnOnce(&mut Session<'_>) -> Result<Exit, Failure>) -> ExitCode {
    progress::catch_interrupts();
    let observer = Arc::new(Progress::new(Style::choose(globals.quiet, globals.verbose)));
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout());
    let mut err = io::stderr();
    let mut input = io::stdin().lock();
    let can_ask = !globals.no_input && io::stdin().is_terminal() && io::stderr().is_terminal();
    let command_line = command_line(None, std::env::args_os().skip(1));
    let paint = Paint { on: in_colour(globals.color) };
    let mut session = Session {
        globals,
        out: &mut out,
        err: &mut err,
        input: &mut input,
        observer: &*observer,
        can_ask,
        command_line,
        passed_on: None,
        paint,
        shared_observer: Arc::clone(&observer) as Arc<dyn Observer>,
        warned: false,
    };
    let result = body(&mut session);
    let passed_on = session.passed_on;
    drop(session);
    let result = match (result, out.flush()) {
        (Ok(_), Err(error)) => Err(Failure::from(error)),
        (result, _) => result,
    };
    match result {
        Ok(exit) => match passed_on {
            // On Windows an exit code may be larger than what `ExitCode` holds.
            Some(code) => std::process::exit(code),
            None => ExitCode::from(exit as u8),
        },
        Err(failure) => {
            if !failure.message.is_empty() {
                eprintln!("{failure}");
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Colour where asked for, else only on a terminal that can show it and unless `NO_COLOR` is set.
fn in_colour(wish: Color) -> bool {
    match wish {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            io::stdout().is_terminal() && !refused && !dumb
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_written_down_as_it_would_be_typed() {
        let line = |words: &[&str]| command_line(None, words.iter().map(OsString::from));
        assert_eq!(line(&["commit", "-m", "first try"]), "commit -m \"first try\"");
        assert_eq!(command_line(Some("update-ref"), ["HEAD"].iter().map(OsString::from)), "update-ref HEAD");
    }
}
