//! Programs that we start together with those that they start in turn, and that end together.
//!
//! On Unix a program gets a process group of its own, so that Ctrl-C reaches us alone and we decide how the rest ends; on Windows
//! a job object, which ends with its last handle, and so with us however we end. On Linux the program itself is killed by the
//! system when we die; what it started in turn is then left to itself, as on macOS all of it is.
//!
//! - [`process_id`]: a process, not to be mistaken for a later one of the same number

use std::io;
use std::process::{ChildStderr, ChildStdout, Command, ExitStatus};
use std::time::{Duration, Instant};

pub mod process_id;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use process_id::ProcessId;

/// A program that was started, with all that it starts.
#[derive(Debug)]
pub struct Child {
    inner: std::process::Child,
    id: ProcessId,
    status: Option<ExitStatus>,
    reach: system::Reach,
}

/// How a program was brought to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It ended when it was asked to.
    Asked,
    /// It had to be killed.
    Killed,
}

/// How much longer a program is waited for that was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hurry {
    Patient,
    /// Not at all.
    Now,
}

/// How often a program that was asked to end is looked at.
const LOOK: Duration = Duration::from_millis(10);

impl Child {
    /// Starts a program that ends with us, or when it is told to. To be called in a thread that lives as long as the program is
    /// wanted: the system takes the end of that thread for ours.
    pub fn start(command: &mut Command) -> io::Result<Child> {
        let (inner, reach) = system::start(command)?;
        // One that has ended already cannot be mistaken for another: it is ours to wait for.
        let id = ProcessId::of(inner.id()).unwrap_or_else(|| ProcessId::unknown(inner.id()));
        Ok(Child { inner, id, status: None, reach })
    }

    pub fn id(&self) -> &ProcessId {
        &self.id
    }

    /// What it writes to standard output and standard error, where these were asked for as pipes; the first time only.
    pub fn take_output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.inner.stdout.take(), self.inner.stderr.take())
    }

    /// How the program ended, if it has. What it started may still run.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.inner.try_wait()?;
        }
        Ok(self.status)
    }

    /// Waits until the program ends by itself. What it started may still run.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        match self.status {
            Some(status) => Ok(status),
            None => Ok(*self.status.insert(self.inner.wait()?)),
        }
    }

    /// Asks the program and all that it started to end, as Ctrl-C would; kills what has not ended after `patience`, or as soon as
    /// `hurry` says so.
    pub fn stop(&mut self, patience: Duration, hurry: &mut dyn FnMut() -> Hurry) -> io::Result<(ExitStatus, Ending)> {
        let begun = Instant::now();
        self.reach.ask(&self.inner);
        let mut insisted = false;
        let ending = loop {
            if self.ended()?.is_some() {
                break Ending::Asked;
            }
            if begun.elapsed() >= patience || hurry() == Hurry::Now {
                break Ending::Killed;
            }
            if !insisted && begun.elapsed() >= patience / 2 {
                insisted = true;
                self.reach.insist(&self.inner);
            }
            std::thread::sleep(LOOK);
        };
        if ending == Ending::Killed {
            self.reach.kill(&self.inner);
            // Where the group is out of reach, at least the program itself.
            drop(self.inner.kill());
        }
        let status = self.wait()?;
        self.end_rest();
        Ok((status, ending))
    }

    /// Ends what the program started and left behind. To be called when it has ended.
    pub fn end_rest(&mut self) {
        const PATIENCE: Duration = Duration::from_millis(500);
        self.reach.insist(&self.inner);
        let begun = Instant::now();
        while self.reach.is_populated(&self.inner) {
            if begun.elapsed() >= PATIENCE {
                self.reach.kill(&self.inner);
                return;
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Child {
    /// Nothing that we started outlives us because we forgot it.
    fn drop(&mut self) {
        if matches!(self.ended(), Ok(None)) {
            self.reach.kill(&self.inner);
            drop(self.inner.kill());
            drop(self.inner.wait());
        }
    }
}

/// Starts a program that goes on when we, our terminal and our session end.
pub fn start_detached(command: &mut Command) -> io::Result<std::process::Child> {
    system::start_detached(command)
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    fn patient() -> Hurry {
        Hurry::Patient
    }

    #[cfg(unix)]
    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    /// A shell that starts another process, says its number, and waits.
    #[cfg(unix)]
    fn family(before: &str) -> (Child, ProcessId) {
        use std::io::{BufRead, BufReader};
        let mut child =
            Child::start(shell(&format!("{before} sleep 600 & echo $!; wait; wait; wait")).stdout(Stdio::piped()))
                .unwrap();
        let mut line = String::new();
        BufReader::new(child.inner.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let grandchild = ProcessId::of(line.trim().parse().unwrap()).unwrap();
        (child, grandchild)
    }

    #[cfg(unix)]
    fn ends(process: &ProcessId) -> bool {
        (0..500).any(|_| {
            std::thread::sleep(LOOK);
            !process.is_alive()
        })
    }

    #[cfg(unix)]
    #[test]
    fn what_a_program_started_ends_with_it_when_it_is_stopped() {
        let (mut child, grandchild) = family("");
        assert!(child.id().is_alive() && grandchild.is_alive());
        let id = child.id().clone();
        let (_, ending) = child.stop(Duration::from_secs(60), &mut patient).unwrap();
        assert_eq!(ending, Ending::Asked);
        assert!(!id.is_alive());
        assert!(ends(&grandchild));
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_does_not_listen_is_killed_with_what_it_started() {
        let (mut child, grandchild) = family("trap '' INT TERM;");
        let (status, ending) = child.stop(Duration::ZERO, &mut patient).unwrap();
        assert_eq!(ending, Ending::Killed);
        assert!(!status.success());
        assert!(ends(&grandchild));
        let (mut child, grandchild) = family("trap '' INT TERM;");
        let (_, ending) = child.stop(Duration::from_secs(600), &mut || Hurry::Now).unwrap();
        assert_eq!(ending, Ending::Killed);
        assert!(ends(&grandchild));
    }

    #[cfg(unix)]
    #[test]
    fn what_a_program_leaves_behind_can_be_ended_and_a_forgotten_program_is() {
        let mut child = Child::start(shell("sleep 600 & exit 3").stdout(Stdio::null())).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(3));
        assert!(child.reach.is_populated(&child.inner));
        child.end_rest();
        let (child, grandchild) = family("");
        let id = child.id().clone();
        drop(child);
        assert!(!id.is_alive());
        assert!(ends(&grandchild));
    }

    #[cfg(windows)]
    #[test]
    fn a_job_ends_with_all_that_is_in_it() {
        let start = || {
            let mut command = Command::new("cmd");
            command.args(["/C", "cmd /C ping -n 600 127.0.0.1"]).stdout(Stdio::null());
            Child::start(&mut command).unwrap()
        };
        let mut child = start();
        assert!(child.id().is_alive());
        assert_eq!(child.ended().unwrap(), None);
        child.stop(Duration::from_millis(200), &mut patient).unwrap();
        assert!(!child.id().is_alive());
        let child = start();
        let id = child.id().clone();
        drop(child);
        assert!(!id.is_alive());
    }
}
