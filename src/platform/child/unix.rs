//! Process groups.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};

/// The process group has the number of the program itself.
#[derive(Debug)]
pub struct Reach;

pub fn start(command: &mut Command) -> io::Result<(Child, Reach)> {
    command.process_group(0);
    #[cfg(target_os = "linux")]
    end_with_this_thread(command);
    Ok((command.spawn()?, Reach))
}

/// The system kills the program when the thread ends that started it.
#[cfg(target_os = "linux")]
fn end_with_this_thread(command: &mut Command) {
    // Another thread than the first may end long before us, and the program with it.
    if rustix::thread::gettid() != rustix::process::getpid() {
        return;
    }
    let us = rustix::process::getpid();
    let tie = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // We may have died before that was said.
        match rustix::process::getppid() == Some(us) {
            true => Ok(()),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    };
    // SAFETY: the closure makes system calls only; it neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(tie);
    }
}

pub fn start_detached(command: &mut Command) -> io::Result<Child> {
    // SAFETY: as above.
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

    /// True while any process is in the group.
    pub fn is_populated(&self, child: &Child) -> bool {
        pid(child.id()).is_some_and(|group| test_kill_process_group(group).is_ok())
    }
}

pub fn ask_process(number: u32) {
    if let Some(process) = pid(number) {
        let _ = kill_process(process, Signal::INT);
    }
}

pub fn end_process(number: u32) {
    let Some(process) = pid(number) else { return };
    if rustix::process::getpgid(Some(process)) == Ok(process) {
        let _ = kill_process_group(process, Signal::KILL);
    }
    let _ = kill_process(process, Signal::KILL);
}
