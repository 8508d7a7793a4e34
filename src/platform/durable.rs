//! Reading and writing at a position, and making files and folders survive a power cut.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A new file in `folder`, to be filled and then given the name of another: whoever may read that one may read this. It is removed when it
/// is dropped before.
///
/// # Errors
/// The file system's.
pub fn new_aside(folder: &Path, prefix: &str) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    // As any other file is made: the user's mask says who may read it. Left alone, it would be for its owner only.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Writes a small file in one step: a reader sees the old bytes or the new ones, also after a power cut.
///
/// # Errors
/// The file system's; the old file is there then.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = new_aside(path.parent().unwrap_or(Path::new(".")), ".comfrey-")?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Fills `bytes` from `offset` on. Errors: `UnexpectedEof` when the file ends before.
pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset);
    #[cfg(windows)]
    {
        use std::os::windows::fs::FileExt;
        let (mut bytes, mut offset) = (bytes, offset);
        while !bytes.is_empty() {
            match file.seek_read(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    bytes = &mut bytes[n..];
                    offset += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// Reads up to `bytes.len()` bytes at `offset`; fewer only at the end of the file.
pub fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < bytes.len() {
        #[cfg(unix)]
        let step = std::os::unix::fs::FileExt::read_at(file, &mut bytes[done..], offset + done as u64);
        #[cfg(windows)]
        let step = std::os::windows::fs::FileExt::seek_read(file, &mut bytes[done..], offset + done as u64);
        match step {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// Writes all of `bytes` at `offset`.
pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::write_all_at(file, bytes, offset);
    #[cfg(windows)]
    {
        use std::os::windows::fs::FileExt;
        let (mut bytes, mut offset) = (bytes, offset);
        while !bytes.is_empty() {
            match file.seek_write(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    bytes = &bytes[n..];
                    offset += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// Makes the names in a folder (files made, renamed or removed there) survive a power cut.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    // Windows has no such call: NTFS keeps its names in a journal of its own.
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    #[cfg(windows)]
    let _ = path;
    Ok(())
}

/// Opens a file of our own so that it can be synced and guarded, which Windows allows only to those who may write.
pub fn open_own(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    return File::open(path);
    #[cfg(windows)]
    {
        // One that was guarded before: an attempt that failed is made again.
        allow_removal(path, &std::fs::metadata(path)?)?;
        std::fs::OpenOptions::new().read(true).write(true).open(path)
    }
}

/// Renames, replacing what is there. What another program has open for a moment, a virus scanner for one, is tried again
/// for a while where the system refuses that.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(windows)]
    for pause in [1, 10, 50, 200, 500, 1000] {
        match std::fs::rename(from, to) {
            Err(error) if is_in_use(&error) || error.kind() == io::ErrorKind::PermissionDenied => {
                std::thread::sleep(std::time::Duration::from_millis(pause));
            }
            done => return done,
        }
    }
    std::fs::rename(from, to)
}

/// True for the error that says that another program has the file open and does not share it.
pub fn is_in_use(error: &io::Error) -> bool {
    // ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION.
    cfg!(windows) && matches!(error.raw_os_error(), Some(32 | 33))
}

/// What is to blame for `error`, with which the system refused to move `path`: Windows moves no folder in which a program has a file
/// open, and says of neither. That file with the error that says so, where one is found; else `path` and `error` as they are.
pub fn blamed(path: &Path, error: io::Error) -> (PathBuf, io::Error) {
    #[cfg(windows)]
    if is_in_use(&error) || error.kind() == io::ErrorKind::PermissionDenied {
        use std::os::windows::fs::OpenOptionsExt;
        let files = walkdir::WalkDir::new(path).into_iter().flatten().filter(|entry| entry.file_type().is_file());
        for entry in files {
            // Shared with nobody: refused where anybody has it.
            match std::fs::OpenOptions::new().read(true).share_mode(0).open(entry.path()) {
                Err(error) if is_in_use(&error) => return (entry.into_path(), error),
                _ => {}
            }
        }
    }
    (path.to_owned(), error)
}

/// Makes the bytes of someone else's file survive a power cut, as far as a reader may ask for that.
pub fn sync_foreign(file: &File) -> io::Result<()> {
    match file.sync_data() {
        // Windows flushes only for those who may write, and some network file systems not at all for readers.
        Err(e) if matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::InvalidInput || e.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(()),
        done => done,
    }
}

/// Opens a file whose bytes are not to be written any more, so that its times can be set and it can be synced.
pub fn open_to_sync(path: &Path) -> io::Result<File> {
    // Windows wants the right to write for both; elsewhere the owner may do it to a file that nobody may write to.
    #[cfg(windows)]
    return File::options().read(true).write(true).open(path);
    #[cfg(not(windows))]
    File::open(path)
}

/// Takes the right to write away from everyone (0444), to guard a stored file against accidents.
pub fn make_read_only(file: &File) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o444);
    #[cfg(windows)]
    permissions.set_readonly(true);
    file.set_permissions(permissions)
}

/// Gives the right to write back to the owner, which [`make_read_only`] took. Nothing where nothing is.
pub fn make_writable(path: &Path) -> io::Result<()> {
    let mut permissions = match std::fs::metadata(path) {
        Ok(metadata) => metadata.permissions(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !permissions.readonly() {
        return Ok(());
    }
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    #[cfg(windows)]
    #[allow(clippy::permissions_set_readonly_false, reason = "on Windows this is one attribute, not a mode")]
    permissions.set_readonly(false);
    std::fs::set_permissions(path, permissions)
}

/// Removes one name of a file that has another, `kept`, which stays guarded if it was.
pub fn remove_other_name(path: &Path, kept: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        #[cfg(windows)]
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            allow_removal(path, &std::fs::metadata(path)?)?;
            std::fs::remove_file(path)?;
            let mut permissions = std::fs::metadata(kept)?.permissions();
            permissions.set_readonly(true);
            std::fs::set_permissions(kept, permissions)
        }
        done => {
            let _ = kept;
            done
        }
    }
}

/// Removes a folder of our own with all in it, guarded files too.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        // Not every file system of Windows lets go of what is guarded.
        #[cfg(windows)]
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            for entry in walkdir::WalkDir::new(path) {
                let entry = entry?;
                if entry.file_type().is_file() {
                    allow_removal(entry.path(), &entry.metadata()?)?;
                }
            }
            std::fs::remove_dir_all(path)
        }
        done => done,
    }
}

/// Lets a file that [`make_read_only`] guarded be removed: Windows refuses otherwise.
pub fn allow_removal(path: &Path, metadata: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    let _ = (path, metadata);
    #[cfg(windows)]
    if metadata.permissions().readonly() {
        make_writable(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_made_aside_is_readable_by_whoever_may_read_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        let aside = new_aside(dir.path(), ".new-").unwrap();
        let permissions = |path: &Path| std::fs::metadata(path).unwrap().permissions();
        assert_eq!(permissions(aside.path()), permissions(&plain));
    }
}
