//! Process groups.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};

/// The process group, which has the number of the program itself, and who ends it should we die.
#[derive(Debug)]
pub struct Reach {
    guard: Option<Guard>,
}

pub fn start(command: &mut Command) -> io::Result<(Child, Reach)> {
    command.process_group(0);
    let child = command.spawn()?;
    // Where none can be had, a program that is left behind is all that can come of it.
    let guard = Guard::of(&child).ok();
    Ok((child, Reach { guard }))
}

/// A shell in the group of a program: it reads from a pipe whose other end is ours alone. We write nothing, so that what it hears is our
/// end, however we come to it, and it ends the whole group.
#[derive(Debug)]
struct Guard(Child);

impl Guard {
    fn of(child: &Child) -> io::Result<Guard> {
        let group = i32::try_from(child.id()).map_err(io::Error::other)?;
        let mut shell = Command::new("/bin/sh");
        // What asks the group to end is for the others.
        shell.args(["-c", "trap '' INT TERM HUP; read _; kill -9 0"]).process_group(group);
        shell.env_clear().current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        shell.spawn().map(Guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Before the pipe is closed, which would be our end to it.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub fn start_detached(command: &mut Command) -> io::Result<Child> {
    // SAFETY: the closure makes a system call only; it neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(|| Ok(rustix::process::setsid().map(drop)?));
    }
    command.spawn()
}

fn pid(number: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}

impl Reach {
    fn signal(&self, child: &Child, signal: Signal) {
        // Where nobody is left, there is nobody to tell.
        if let Some(group) = pid(child.id()) {
            let _ = kill_process_group(group, signal);
        }
    }

    /// As Ctrl-C in a terminal does.
    pub fn ask(&self, child: &Child) {
        self.signal(child, Signal::INT);
    }

    /// As a system that shuts down does.
    pub fn insist(&self, child: &Child) {
        self.signal(child, Signal::TERM);
    }

    pub fn kill(&self, child: &Child) {
        self.signal(child, Signal::KILL);
    }

    /// True while any process is in the group. To be asked when the program itself has ended.
    pub fn is_populated(&mut self, child: &Child) -> bool {
        self.guard = None;
        pid(child.id()).is_some_and(|group| test_kill_process_group(group).is_ok())
    }
}

pub fn ask_process(number: u32) {
    if let Some(process) = pid(number) {
        let _ = kill_process(process, Signal::INT);
    }
}

pub fn insist_on_process(number: u32) {
    if let Some(process) = pid(number) {
        let _ = kill_process(process, Signal::TERM);
    }
}

pub fn end_process(number: u32) {
    let Some(process) = pid(number) else { return };
    if rustix::process::getpgid(Some(process)) == Ok(process) {
        let _ = kill_process_group(process, Signal::KILL);
    }
    let _ = kill_process(process, Signal::KILL);
}
