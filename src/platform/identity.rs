//! Which file is this, and has it changed since we looked?

use std::fs::File;
#[cfg(unix)]
use std::fs::Metadata;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What the file system says of a file without reading it. Two equal stamps mean the bytes are the same,
/// unless the stamp was taken so soon after a write that a second write could hide behind the same
/// clock tick (git's racy rule, applied where stamps are trusted).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileStamp {
    /// Device number; on Windows the volume's serial number.
    pub device: u64,
    /// Inode number; on Windows the file index.
    pub inode: u64,
    /// Length in bytes.
    pub size: u64,
    /// Last change of the bytes, nanoseconds since 1970.
    pub modified: i64,
    /// Last change of the bytes or the metadata, nanoseconds since 1970. Not settable by a user, so it
    /// betrays a file whose `modified` was set back.
    pub changed: i64,
}

impl FileStamp {
    /// The stamp of the file at `path`, following symlinks.
    pub fn of_path(path: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        return Ok(Self::of_metadata(&std::fs::metadata(path)?));
        #[cfg(windows)]
        return Self::of_file(&File::open(path)?);
    }

    /// The stamp of an open file.
    pub fn of_file(file: &File) -> io::Result<Self> {
        #[cfg(unix)]
        return Ok(Self::of_metadata(&file.metadata()?));
        #[cfg(windows)]
        return windows::stamp(file);
    }

    /// The stamp held in `metadata`, where the system puts all of it there.
    #[cfg(unix)]
    pub fn of_metadata(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        FileStamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// True when a file recorded at `recorded` (nanoseconds since 1970, the file system's clock) could have been
    /// written again within the same tick of the clock and still show this stamp. `granularity` is the
    /// coarsest tick we allow for.
    pub fn is_racy(&self, recorded: i64) -> bool {
        /// Two seconds: FAT's tick, the coarsest in use.
        const TICK: i64 = 2_000_000_000;
        let coarse = self.modified % 1_000_000_000 == 0 && self.changed % 1_000_000_000 == 0;
        // Kernel time stamps lag the clock by up to one timer tick (10 ms at HZ=100).
        let tick = if coarse { TICK } else { 20_000_000 };
        self.modified.max(self.changed).saturating_add(tick) >= recorded
    }
}

/// How many names (hard links) the file at `path` has.
pub fn count_names(path: &Path) -> io::Result<u64> {
    #[cfg(unix)]
    return Ok(std::os::unix::fs::MetadataExt::nlink(&std::fs::metadata(path)?));
    #[cfg(windows)]
    return windows::count_names(&File::open(path)?);
}

#[cfg(windows)]
mod windows {
    use super::*;
    use std::os::windows::io::AsRawHandle;
    use windows_sys::Win32::Storage::FileSystem::{
        BY_HANDLE_FILE_INFORMATION, FILE_BASIC_INFO, FileBasicInfo, GetFileInformationByHandle,
        GetFileInformationByHandleEx,
    };

    /// From 1601-01-01 in steps of 100 ns (FILETIME) to nanoseconds since 1970.
    fn nanoseconds(filetime: i64) -> i64 {
        const EPOCH: i64 = 116_444_736_000_000_000;
        filetime.saturating_sub(EPOCH).saturating_mul(100)
    }

    fn information(file: &File) -> io::Result<BY_HANDLE_FILE_INFORMATION> {
        // SAFETY: the structure is plain data, written by the call, and the handle is open for as long as `file` is
        // borrowed.
        unsafe {
            let mut info: BY_HANDLE_FILE_INFORMATION = std::mem::zeroed();
            match GetFileInformationByHandle(file.as_raw_handle(), &mut info) {
                0 => Err(io::Error::last_os_error()),
                _ => Ok(info),
            }
        }
    }

    pub fn count_names(file: &File) -> io::Result<u64> {
        Ok(u64::from(information(file)?.nNumberOfLinks))
    }

    pub fn stamp(file: &File) -> io::Result<FileStamp> {
        let info = information(file)?;
        let handle = file.as_raw_handle();
        // SAFETY: the structure is plain data, written by the call for the size that we pass, and the handle is open
        // for as long as `file` is borrowed.
        unsafe {
            let mut basic: FILE_BASIC_INFO = std::mem::zeroed();
            let size = std::mem::size_of::<FILE_BASIC_INFO>() as u32;
            if GetFileInformationByHandleEx(handle, FileBasicInfo, (&raw mut basic).cast(), size) == 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(FileStamp {
                device: u64::from(info.dwVolumeSerialNumber),
                inode: u64::from(info.nFileIndexHigh) << 32 | u64::from(info.nFileIndexLow),
                size: u64::from(info.nFileSizeHigh) << 32 | u64::from(info.nFileSizeLow),
                modified: nanoseconds(basic.LastWriteTime),
                changed: nanoseconds(basic.ChangeTime),
            })
        }
    }
}
