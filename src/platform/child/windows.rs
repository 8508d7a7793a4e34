//! Job objects.

use std::io;
use std::mem::size_of;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::{Child, Command};

use windows_sys::Win32::Foundation::{
    FILETIME, HANDLE, HANDLE_FLAG_INHERIT, INVALID_HANDLE_VALUE, STILL_ACTIVE, SetHandleInformation,
};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent, GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectBasicAccountingInformation,
    JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject, TerminateJobObject,
};
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, CREATE_SUSPENDED, GetExitCodeProcess,
    GetProcessTimes, OpenProcess, OpenThread, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_TERMINATE, ResumeThread,
    THREAD_SUSPEND_RESUME, TerminateProcess,
};

/// What a process that was killed gives as its exit code: what Ctrl-C would make of it.
const KILLED: u32 = 0xC000_013A;

/// The job: all that is in it ends when its only handle, which is here, is closed.
#[derive(Debug)]
pub struct Reach {
    job: OwnedHandle,
}

pub fn start(command: &mut Command) -> io::Result<(Child, Reach)> {
    let reach = Reach { job: new_job()? };
    // It must not start anything before it is in the job.
    command.creation_flags(CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP);
    let mut child = command.spawn()?;
    // SAFETY: both handles are open for as long as they are borrowed.
    let assigned = unsafe { AssignProcessToJobObject(reach.job.as_raw_handle(), child.as_raw_handle()) };
    let resumed = if assigned == 0 { Err(io::Error::last_os_error()) } else { resume(child.id()) };
    if let Err(error) = resumed {
        drop(child.kill());
        drop(child.wait());
        return Err(error);
    }
    Ok((child, reach))
}

fn new_job() -> io::Result<OwnedHandle> {
    // SAFETY: no name and no attributes are given; the handle is ours alone, and the structure is plain data of the size
    // that we pass.
    unsafe {
        let job = CreateJobObjectW(std::ptr::null(), std::ptr::null());
        if job.is_null() {
            return Err(io::Error::last_os_error());
        }
        let job = OwnedHandle::from_raw_handle(job);
        let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = std::mem::zeroed();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        let size = size_of::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>() as u32;
        let limits = (&raw const limits).cast();
        match SetInformationJobObject(job.as_raw_handle(), JobObjectExtendedLimitInformation, limits, size) {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(job),
        }
    }
}

/// Lets the threads of a process run that was made to wait.
fn resume(process: u32) -> io::Result<()> {
    // SAFETY: the structure is plain data with its size in it, and every handle is closed by its owner.
    unsafe {
        let threads = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
        if threads == INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        let threads = OwnedHandle::from_raw_handle(threads);
        let mut entry: THREADENTRY32 = std::mem::zeroed();
        entry.dwSize = size_of::<THREADENTRY32>() as u32;
        let mut resumed = 0;
        let mut more = Thread32First(threads.as_raw_handle(), &mut entry);
        while more != 0 {
            if entry.th32OwnerProcessID == process {
                let thread = OpenThread(THREAD_SUSPEND_RESUME, 0, entry.th32ThreadID);
                if thread.is_null() {
                    return Err(io::Error::last_os_error());
                }
                let thread = OwnedHandle::from_raw_handle(thread);
                if ResumeThread(thread.as_raw_handle()) == u32::MAX {
                    return Err(io::Error::last_os_error());
                }
                resumed += 1;
            }
            more = Thread32Next(threads.as_raw_handle(), &mut entry);
        }
        match resumed {
            0 => Err(io::Error::other("the program has no thread that could run")),
            _ => Ok(()),
        }
    }
}

pub fn start_detached(command: &mut Command) -> io::Result<Child> {
    keep_own_streams();
    // With a console of its own, which no window shows, it can still be asked to end what it starts.
    let flags = CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP;
    command.creation_flags(flags | CREATE_BREAKAWAY_FROM_JOB);
    match command.spawn() {
        // Who started us does not let anybody go; then it ends with them.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => command.creation_flags(flags).spawn(),
        done => done,
    }
}

/// A child is handed every handle that may be inherited, whatever streams it was given: one that outlives us would hold the pipe open in which
/// a script reads what we print. Streams that are passed on by wish are copied for that.
fn keep_own_streams() {
    for stream in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: two calls with plain values. A stream that is not there cannot be inherited.
        unsafe {
            SetHandleInformation(GetStdHandle(stream), HANDLE_FLAG_INHERIT, 0);
        }
    }
}

impl Reach {
    /// Programs in a group of their own hear nothing of Ctrl-C, but of Ctrl-Break.
    pub fn ask(&self, child: &Child) {
        ask_process(child.id());
    }

    /// There is no stronger wish.
    pub fn insist(&self, _: &Child) {}

    pub fn kill(&self, _: &Child) {
        // SAFETY: the handle is open.
        unsafe {
            TerminateJobObject(self.job.as_raw_handle(), KILLED);
        }
    }

    /// True while any process is in the job.
    pub fn is_populated(&self, _: &Child) -> bool {
        // SAFETY: the structure is plain data of the size that we pass, and the handle is open.
        unsafe {
            let mut counts: JOBOBJECT_BASIC_ACCOUNTING_INFORMATION = std::mem::zeroed();
            let size = size_of::<JOBOBJECT_BASIC_ACCOUNTING_INFORMATION>() as u32;
            let job = self.job.as_raw_handle();
            let into = (&raw mut counts).cast();
            let told =
                QueryInformationJobObject(job, JobObjectBasicAccountingInformation, into, size, std::ptr::null_mut());
            told != 0 && counts.ActiveProcesses > 0
        }
    }
}

pub fn ask_process(number: u32) {
    // SAFETY: a call with two numbers. One that leads no group of our console is not there for it.
    unsafe {
        GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, number);
    }
}

pub fn insist_on_process(_number: u32) {
    // There is no second way to ask.
}

pub fn end_process(number: u32) {
    if let Some(process) = open(number, PROCESS_TERMINATE) {
        // SAFETY: the handle is open.
        unsafe {
            TerminateProcess(process.as_raw_handle(), KILLED);
        }
    }
}

fn open(number: u32, rights: u32) -> Option<OwnedHandle> {
    // SAFETY: the handle that is given back is ours alone.
    unsafe {
        let process: HANDLE = OpenProcess(rights, 0, number);
        (!process.is_null()).then(|| OwnedHandle::from_raw_handle(process))
    }
}

/// When the process of that number began, unless it has ended.
pub fn began(number: u32) -> Option<String> {
    let process = open(number, PROCESS_QUERY_LIMITED_INFORMATION)?;
    // SAFETY: the structures are plain data, written by the calls, and the handle is open.
    unsafe {
        let mut code = 0;
        let ended = GetExitCodeProcess(process.as_raw_handle(), &mut code) != 0 && code != STILL_ACTIVE as u32;
        let [mut began, mut exit, mut kernel, mut user]: [FILETIME; 4] = std::mem::zeroed();
        let told = GetProcessTimes(process.as_raw_handle(), &mut began, &mut exit, &mut kernel, &mut user);
        let time = u64::from(began.dwHighDateTime) << 32 | u64::from(began.dwLowDateTime);
        (!ended && told != 0).then(|| time.to_string())
    }
}
