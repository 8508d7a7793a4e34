//! Programs that we start together with those that they start in turn, and that end together.
//!
//! On Unix a program gets a process group of its own, so that Ctrl-C reaches us alone and we decide how the rest ends, and in that group a
//! guard who ends it when we die; on Windows a job object, which ends with its last handle, and so with us however we end. Only what
//! leaves its group is out of reach.
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
    /// Starts a program that ends with us, or when it is told to.
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

    const ROLE: &str = "COMFREY_TEST_ROLE";

    /// Not a test of its own: the program that the tests below start, which is this one.
    #[test]
    fn member_of_a_family() {
        let Ok(role) = std::env::var(ROLE) else { return };
        if role.contains("deaf") {
            ctrlc::set_handler(|| {}).unwrap();
        }
        if role.contains("parent") {
            let mut child = member(&role.replace("parent", "child")).stdout(Stdio::null()).spawn().unwrap();
            println!("\nchild {}", child.id());
            if role.contains("brief") {
                std::process::exit(3);
            }
            child.wait().unwrap();
        }
        std::thread::sleep(Duration::from_secs(600));
    }

    fn member(role: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "platform::child::tests::member_of_a_family", "--nocapture"]).env(ROLE, role);
        command
    }

    /// A program that starts another, says its number, and waits.
    fn family(role: &str) -> (Child, ProcessId) {
        use std::io::{BufRead, BufReader};
        let mut child = Child::start(member(role).stdout(Stdio::piped())).unwrap();
        let mut lines = BufReader::new(child.inner.stdout.take().unwrap()).lines();
        let number = lines.find_map(|line| line.unwrap().strip_prefix("child ").map(|number| number.parse().unwrap()));
        (child, ProcessId::of(number.unwrap()).unwrap())
    }

    fn ends(process: &ProcessId) -> bool {
        (0..500).any(|_| {
            std::thread::sleep(LOOK);
            !process.is_alive()
        })
    }

    #[test]
    fn what_a_program_started_ends_with_it_when_it_is_stopped() {
        let (mut child, grandchild) = family("parent");
        assert!(child.id().is_alive() && grandchild.is_alive());
        let id = child.id().clone();
        // Without a console, as under Wine, Windows has no way to ask.
        let patience = if cfg!(windows) { Duration::from_secs(1) } else { Duration::from_secs(60) };
        let (_, ending) = child.stop(patience, &mut patient).unwrap();
        assert!(ending == Ending::Asked || cfg!(windows));
        assert!(!id.is_alive());
        assert!(ends(&grandchild));
    }

    #[test]
    fn a_program_that_does_not_listen_is_killed_with_what_it_started() {
        let (mut child, grandchild) = family("deaf parent");
        let (status, ending) = child.stop(Duration::ZERO, &mut patient).unwrap();
        assert_eq!(ending, Ending::Killed);
        assert!(!status.success());
        assert!(ends(&grandchild));
        let (mut child, grandchild) = family("deaf parent");
        let (_, ending) = child.stop(Duration::from_secs(600), &mut || Hurry::Now).unwrap();
        assert_eq!(ending, Ending::Killed);
        assert!(ends(&grandchild));
    }

    #[test]
    fn what_a_program_leaves_behind_can_be_ended_and_a_forgotten_program_is() {
        let mut child = Child::start(member("brief parent").stdout(Stdio::null())).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(3));
        assert!(child.reach.is_populated(&child.inner));
        child.end_rest();
        let (child, grandchild) = family("parent");
        let id = child.id().clone();
        drop(child);
        assert!(!id.is_alive());
        assert!(ends(&grandchild));
    }
}
