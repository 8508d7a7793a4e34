//! Reflinks, hard links and copies: the ways to have a file's bytes in a second place.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes `to`, a file that shares the bytes of `from` until either is written to. Errors: the file system cannot, the
/// two are on different ones, or `to` exists. Leaves no `to` behind on failure.
pub fn reflink(from: &Path, to: &Path) -> io::Result<()> {
    let done = reflink_copy::reflink(from, to);
    // What a volume without block cloning is told by; no code of the system's says it.
    #[cfg(windows)]
    let done = done.map_err(|error| match error.kind() {
        io::ErrorKind::Other => io::Error::new(io::ErrorKind::Unsupported, error),
        _ => error,
    });
    done
}

/// Makes `to` a second name of the file `from`.
pub fn hard_link(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::hard_link(from, to)
}

/// Makes `place` a link to the folder `target`: on Windows a symlink where the user may make one, else a junction, which anyone may.
pub fn link_folder(target: &Path, place: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(target, place);
    #[cfg(windows)]
    {
        if std::os::windows::fs::symlink_dir(target, place).is_ok() {
            return Ok(());
        }
        // The library has no call for a junction; the shell has.
        let mut command = std::process::Command::new("cmd");
        command.args(["/C", "mklink", "/J"]).arg(place).arg(target);
        let done = command.stdin(std::process::Stdio::null()).output()?;
        let is_there = std::fs::metadata(place).is_ok_and(|found| found.is_dir());
        if done.status.success() && is_there {
            return Ok(());
        }
        Err(io::Error::other(String::from_utf8_lossy(&done.stderr).trim().to_owned()))
    }
}

/// How many names a file has, where the system tells that without much ado.
pub fn names_of(metadata: &std::fs::Metadata) -> Option<u64> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::MetadataExt::nlink(metadata));
    #[cfg(not(unix))]
    {
        let _ = metadata;
        None
    }
}

/// Makes `to`, a file of its own with the bytes of `from` and the permissions that a new file has here. The kernel copies
/// where it can (`copy_file_range`). On failure a part of `to` may be left. `pause` is asked every 64 MiB.
pub fn copy(from: &File, to: &Path, mut pause: impl FnMut(u64) -> io::Result<()>) -> io::Result<u64> {
    const STEP: u64 = 64 << 20;
    let mut target = OpenOptions::new().write(true).create_new(true).open(to)?;
    let mut source = from;
    let mut done = 0;
    loop {
        let step = io::copy(&mut io::Read::take(&mut source, STEP), &mut target)?;
        done += step;
        if step == 0 {
            return Ok(done);
        }
        pause(step)?;
    }
}

/// True for the errors that mean "not between these places", after which the next rung of the ladder is tried.
pub fn is_unsupported(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, InvalidInput, PermissionDenied, TooManyLinks, Unsupported};
    if matches!(error.kind(), CrossesDevices | InvalidInput | PermissionDenied | TooManyLinks | Unsupported) {
        return true;
    }
    // EOPNOTSUPP, ENOTTY and ENOSYS are how kernels say that a file system has no such call.
    #[cfg(unix)]
    if let Some(code) = error.raw_os_error() {
        let known = [rustix::io::Errno::OPNOTSUPP, rustix::io::Errno::NOTTY, rustix::io::Errno::NOSYS];
        return known.iter().any(|errno| errno.raw_os_error() == code);
    }
    // ERROR_INVALID_FUNCTION and ERROR_NOT_SUPPORTED, bare or as an HRESULT.
    #[cfg(windows)]
    {
        let code = error.raw_os_error().map(i32::cast_unsigned);
        let code = code.map(|code| if code & 0xffff_0000 == 0x8007_0000 { code & 0xffff } else { code });
        return matches!(code, Some(1 | 50));
    }
    #[cfg(not(windows))]
    false
}
