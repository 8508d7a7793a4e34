//! Which file system is this, and what may be done there.

use std::io;
use std::path::Path;

/// Between two folders with equal values a rename works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileSystem {
    device: u64,
    /// Two mounts of one device are two: a rename does not lead from one to the other.
    mount: u64,
}

/// The file system that holds `folder`.
pub fn of(folder: &Path) -> io::Result<FileSystem> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
        let found = statx(CWD, folder, AtFlags::empty(), StatxFlags::BASIC_STATS | StatxFlags::MNT_ID)?;
        let known = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::MNT_ID);
        let mount = if known { found.stx_mnt_id } else { 0 };
        Ok(FileSystem { device: makedev(found.stx_dev_major, found.stx_dev_minor), mount })
    }
    #[cfg(all(unix, not(target_os = "linux")))]
    {
        use std::os::unix::fs::MetadataExt;
        Ok(FileSystem { device: std::fs::metadata(folder)?.dev(), mount: 0 })
    }
    #[cfg(windows)]
    {
        // Every path on a volume begins the same once links are followed.
        use std::hash::{DefaultHasher, Hash, Hasher};
        let real = super::paths::full(folder)?;
        let mut hasher = DefaultHasher::new();
        real.components().next().hash(&mut hasher);
        Ok(FileSystem { device: hasher.finish(), mount: 0 })
    }
}

/// How many bytes may still be written to the disk that holds `folder`.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
    #[cfg(windows)]
    {
        use std::os::windows::ffi::OsStrExt;
        use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
        let name: Vec<u16> = folder.as_os_str().encode_wide().chain([0]).collect();
        let mut free = 0;
        let (total, all) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: the name ends with a zero, and the number is written by the call.
        match unsafe { GetDiskFreeSpaceExW(name.as_ptr(), &mut free, total, all) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(free),
        }
    }
}

/// True when a file or folder can be made in `folder`.
pub fn may_write(folder: &Path) -> bool {
    #[cfg(unix)]
    return rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok();
    #[cfg(windows)]
    return std::fs::metadata(folder).is_ok_and(|metadata| !metadata.permissions().readonly());
}

/// Gives the right to execute to everyone who may read the file. Nothing on Windows, where names tell.
pub fn make_executable(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path)?.permissions().mode();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode | (mode & 0o444) >> 2))?;
    }
    #[cfg(windows)]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_folders_of_one_file_system_are_equal() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        assert_eq!(of(dir.path()).unwrap(), of(&dir.path().join("a")).unwrap());
        assert!(may_write(dir.path()));
        assert!(free_bytes(dir.path()).unwrap() > 0);
    }

    #[cfg(any(target_os = "linux", windows))]
    #[test]
    fn another_file_system_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let here = of(dir.path()).unwrap();
        let others = if cfg!(windows) { ["C:\\", "Z:\\"].as_slice() } else { &["/proc"] };
        let differ = others.iter().filter_map(|other| of(Path::new(other)).ok()).any(|other| other != here);
        // A machine may have a single drive.
        assert!(differ || cfg!(windows) && others.iter().any(|other| !Path::new(other).exists()));
    }
}
