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
    windows::link_folder(target, place)
}

/// Makes `place` a link with this target as it is, wherever it leads. On Windows a link to what is not there is taken for one to a file,
/// and where the user may make no symlinks, one to a folder by its full name becomes a junction.
pub fn link(target: &Path, place: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(target, place);
    #[cfg(windows)]
    windows::link(target, place)
}

/// Removes a link, and nothing of what it leads to.
pub fn remove_link(place: &Path) -> io::Result<()> {
    #[cfg(windows)]
    if windows::is_link_to_folder(&std::fs::symlink_metadata(place)?) {
        return std::fs::remove_dir(place);
    }
    std::fs::remove_file(place)
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
    // How kernels say that a file system has no such call; on macOS ENOTSUP, which clonefile gives, is not EOPNOTSUPP.
    #[cfg(unix)]
    if let Some(code) = error.raw_os_error() {
        use rustix::io::Errno;
        let known = [Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOTTY, Errno::NOSYS];
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

#[cfg(windows)]
mod windows {
    use std::fs::Metadata;
    use std::io;
    use std::os::windows::fs::{FileTypeExt, symlink_dir, symlink_file};
    use std::path::{Path, PathBuf};

    /// True for symlinks that were made for a folder and for junctions, whether anything is at their other end or not.
    pub fn is_link_to_folder(metadata: &Metadata) -> bool {
        metadata.file_type().is_symlink_dir()
    }

    pub fn link_folder(target: &Path, place: &Path) -> io::Result<()> {
        made(symlink_dir(target, place), place).or_else(|_| junction(target, place))
    }

    pub fn link(target: &Path, place: &Path) -> io::Result<()> {
        let target = PathBuf::from(target.as_os_str().to_string_lossy().replace('/', "\\"));
        let from = place.parent().unwrap_or(place);
        if !from.join(&target).is_dir() {
            return made(symlink_file(&target, place), place);
        }
        match made(symlink_dir(&target, place), place) {
            // A junction cannot say where it leads from where it lies.
            Err(_) if target.is_absolute() => junction(&target, place),
            done => done,
        }
    }

    fn junction(target: &Path, place: &Path) -> io::Result<()> {
        junction::create(target, place).inspect_err(|_| drop(std::fs::remove_dir(place)))
    }

    /// Wine says that it has made a link, and has not.
    fn made(said: io::Result<()>, place: &Path) -> io::Result<()> {
        said?;
        match std::fs::symlink_metadata(place) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "links cannot be made here")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::trial;

    #[test]
    fn a_link_is_removed_and_what_it_leads_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (target, place) = (dir.path().join("target"), dir.path().join("place"));
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("a"), "x").unwrap();
        if !trial::links_can_be_made("a_link_is_removed_and_what_it_leads_to_stays") {
            assert!(link_folder(&target, &place).is_err());
            assert!(std::fs::symlink_metadata(&place).is_err(), "nothing is left of the attempt");
            return;
        }
        link_folder(&target, &place).unwrap();
        assert!(place.is_symlink() && place.join("a").exists());
        remove_link(&place).unwrap();
        assert!(std::fs::symlink_metadata(&place).is_err() && target.join("a").exists());
        // One that leads nowhere goes in the same way.
        link_folder(&target, &place).unwrap();
        std::fs::remove_dir_all(&target).unwrap();
        remove_link(&place).unwrap();
        assert!(std::fs::symlink_metadata(&place).is_err());
    }
}
