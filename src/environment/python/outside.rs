//! Running a program that may take long, say much, and be stopped.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::observer::{Observer, Unit};
use crate::platform::child::{Child, Hurry};

use super::PythonError;

/// What a program wrote and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The last lines that say something, at most this many.
    pub fn last_lines(&self, most: usize) -> Vec<String> {
        let lines: Vec<&str> = self.stderr.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(most)..].iter().map(|line| (*line).to_owned()).collect()
    }
}

/// How often a wish to stop is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// How long a program that is asked to end may take to clean up.
const PATIENCE: Duration = Duration::from_millis(700);

/// Runs it to its end. What it writes goes to `log`, if there is one. `task` is told to the observer, which hears of every line.
///
/// # Errors
/// It cannot be started; a wish to stop, after which it runs no more.
pub fn run(
    command: &mut Command,
    task: &'static str,
    log: Option<&Path>,
    observer: &dyn Observer,
) -> Result<Ended, PythonError> {
    let program = PathBuf::from(command.get_program());
    let unstartable = |source| PythonError::Unstartable { program: program.clone(), source };
    let log = Mutex::new(log.and_then(|path| open_log(path, command)));
    if observer.interrupted() {
        return Err(PythonError::Interrupted);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Child::start(command).map_err(unstartable)?;
    let (out, err) = child.take_output();
    observer.started(task, Unit::Items, None);
    let (status, stdout, stderr) = std::thread::scope(|scope| {
        let stdout = scope.spawn(|| out.map(|pipe| read(pipe, &log, &|_| {})).unwrap_or_default());
        let stderr = scope.spawn(|| err.map(|pipe| read(pipe, &log, &|line| tell(line, observer))).unwrap_or_default());
        let status = wait(&mut child, observer);
        (status, stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default())
    });
    observer.finished();
    match status.map_err(unstartable)? {
        Some(status) => Ok(Ended { status, stdout, stderr }),
        None => Err(PythonError::Interrupted),
    }
}

/// Nothing where it was ended because of a wish to stop.
fn wait(child: &mut Child, observer: &dyn Observer) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.ended()? {
            // What it left behind would keep the pipes open.
            child.end_rest();
            return Ok(Some(status));
        }
        if observer.interrupted() {
            child.stop(PATIENCE, &mut || Hurry::Patient)?;
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

/// A person who waits should know for what.
fn tell(line: &str, observer: &dyn Observer) {
    observer.advanced(1);
    let line = line.trim();
    // uv names what is large and what it builds; the rest is for the log.
    if line.starts_with("Downloading ") || line.starts_with("Building ") {
        observer.noted(line);
    }
}

fn read(pipe: impl Read, log: &Mutex<Option<File>>, hear: &dyn Fn(&str)) -> String {
    let mut text = String::new();
    let mut line = Vec::new();
    let mut pipe = BufReader::new(pipe);
    loop {
        line.clear();
        match pipe.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return text,
            Ok(_) => {}
        }
        if let Some(log) = log.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // What cannot be logged is still in the error.
            drop(log.write_all(&line));
        }
        let said = String::from_utf8_lossy(&line);
        hear(&said);
        text.push_str(&said);
    }
}

/// The log, at its end, with the command as a headline. A log that cannot be written to is none.
fn open_log(path: &Path, command: &Command) -> Option<File> {
    std::fs::create_dir_all(path.parent()?).ok()?;
    // A log is for the last few runs.
    let is_long = std::fs::metadata(path).is_ok_and(|log| log.len() > MOST_LOG);
    let mut options = OpenOptions::new();
    let options = if is_long { options.write(true).truncate(true) } else { options.append(true) };
    let mut file = options.create(true).open(path).ok()?;
    let words = command.get_args().map(|word| word.to_string_lossy());
    let line = words.fold(command.get_program().to_string_lossy().into_owned(), |line, word| line + " " + &word);
    writeln!(file, "\n$ {line}").ok()?;
    Some(file)
}

/// Bytes after which a log is begun anew.
const MOST_LOG: u64 = 4 << 20;
