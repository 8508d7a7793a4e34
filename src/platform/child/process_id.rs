//! A process, not to be mistaken for a later one of the same number.

use serde::{Deserialize, Serialize};

/// The number of a process, and when it began as the system writes it: numbers are used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    pub number: u32,
    /// Compared for being the same, and nothing else. Empty where it is not known.
    pub began: String,
}

impl ProcessId {
    /// The process that has this number now.
    pub fn of(number: u32) -> Option<Self> {
        began(number).map(|began| ProcessId { number, began })
    }

    /// This program itself.
    pub fn own() -> Self {
        let number = std::process::id();
        ProcessId::of(number).unwrap_or_else(|| ProcessId::unknown(number))
    }

    pub(super) fn unknown(number: u32) -> Self {
        ProcessId { number, began: String::new() }
    }

    /// True while this very process runs.
    pub fn is_alive(&self) -> bool {
        began(self.number).is_some_and(|began| began == self.began)
    }

    /// Asks it to end, as Ctrl-C would; where there is no such wish, ends it.
    pub fn ask_to_end(&self) {
        if self.is_alive() {
            super::system::ask_process(self.number);
        }
    }

    /// Asks it once more, as a system that shuts down would: who passes over Ctrl-C may hear that.
    pub fn insist(&self) {
        if self.is_alive() {
            super::system::insist_on_process(self.number);
        }
    }

    /// Ends it without asking, and the process group that it leads, if it does.
    pub fn kill(&self) {
        if self.is_alive() {
            super::system::end_process(self.number);
        }
    }
}

/// When the process of that number began; nothing where there is none, or only what is left of one that has ended.
#[cfg(target_os = "linux")]
fn began(number: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // The second field is the program's name in parentheses, and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    // Ticks since the machine was started: the 22nd field.
    let ticks = fields.nth(18)?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    (!matches!(state, "Z" | "X" | "x")).then(|| format!("{ticks}@{}", boot.trim()))
}

#[cfg(target_os = "macos")]
fn began(number: u32) -> Option<String> {
    let number = libc::c_int::try_from(number).ok()?;
    // SAFETY: the structure is plain data, written by the call for the size that we pass.
    unsafe {
        let mut info: libc::proc_bsdinfo = std::mem::zeroed();
        let size = std::mem::size_of::<libc::proc_bsdinfo>() as libc::c_int;
        let written = libc::proc_pidinfo(number, libc::PROC_PIDTBSDINFO, 0, (&raw mut info).cast(), size);
        // What has ended and was not waited for has no such information.
        (written == size).then(|| format!("{}.{:06}", info.pbi_start_tvsec, info.pbi_start_tvusec))
    }
}

#[cfg(all(unix, not(target_os = "linux"), not(target_os = "macos")))]
fn began(number: u32) -> Option<String> {
    let process = rustix::process::Pid::from_raw(i32::try_from(number).ok()?)?;
    match rustix::process::test_kill_process(process) {
        Ok(()) | Err(rustix::io::Errno::PERM) => Some(String::new()),
        Err(_) => None,
    }
}

#[cfg(windows)]
fn began(number: u32) -> Option<String> {
    super::windows::began(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_another_of_its_number() {
        let own = ProcessId::own();
        assert!(own.is_alive());
        assert_eq!(ProcessId::of(own.number), Some(own.clone()));
        if !own.began.is_empty() {
            let earlier = ProcessId { began: format!("{}0", own.began), ..own };
            assert!(!earlier.is_alive());
        }
    }

    #[test]
    fn one_that_has_ended_is_not_alive_though_nobody_waited_for_it() {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let mut child = command.args(["--exact", "none"]).stdout(std::process::Stdio::null()).spawn().unwrap();
        let ended = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            ProcessId::of(child.id()).is_none()
        });
        assert!(ended || cfg!(not(any(target_os = "linux", target_os = "macos", windows))));
        child.wait().unwrap();
    }
}
