//! Folders as descriptors.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::{FileKind, Listed, Permissions, Status};
use crate::platform::identity::FileStamp;

/// A folder held open.
#[derive(Debug)]
pub struct Folder(OwnedFd);

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// To open a folder only to look names up in it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LOOK_ONLY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const LOOK_ONLY: OFlags = FOLDER;

/// The length in bytes of a path that is handed to the system at once; the limit is 4,096 on Linux and 1,024 on macOS.
const STRETCH: usize = 1000;

impl Folder {
    /// Opens the folder that the caller names; links in `path` are followed.
    pub fn open(path: &Path) -> io::Result<Folder> {
        Ok(Folder(rustix::fs::open(path, FOLDER, Mode::empty())?))
    }

    /// Opens the folder `name`, which must not be a link.
    pub fn open_folder(&self, name: &OsStr) -> io::Result<Folder> {
        Ok(Folder(rustix::fs::openat(&self.0, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?))
    }

    /// Opens the folder at a path below this one, of any length; no name on the way may be a link.
    pub fn open_below(&self, path: &Path) -> io::Result<Folder> {
        let mut reached: Option<Folder> = None;
        let mut stretch = PathBuf::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => {
                    if stretch.as_os_str().len() + name.len() > STRETCH {
                        reached = Some(reached.as_ref().unwrap_or(self).open_stretch(&stretch)?);
                        stretch.clear();
                    }
                    stretch.push(name);
                }
                Component::CurDir => {}
                _ => return Err(io::Error::from(io::ErrorKind::InvalidInput)),
            }
        }
        match (stretch.as_os_str().is_empty(), reached) {
            (false, reached) => reached.as_ref().unwrap_or(self).open_stretch(&stretch),
            (true, Some(reached)) => Ok(reached),
            (true, None) => self.try_clone(),
        }
    }

    /// Opens the folder at a path that one call takes: at once where the kernel can be told to follow no link on the way
    /// (Linux 5.6), else name by name.
    fn open_stretch(&self, path: &Path) -> io::Result<Folder> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let resolve = rustix::fs::ResolveFlags::NO_SYMLINKS | rustix::fs::ResolveFlags::BENEATH;
            match rustix::fs::openat2(&self.0, path, FOLDER, Mode::empty(), resolve) {
                // The kernel, or what confines this process, does not know the call; or a name was moved just now.
                Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => {}
                opened => return Ok(Folder(opened?)),
            }
        }
        let mut names = path.iter();
        let first = names.next().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        names.try_fold(self.open_folder(first)?, |folder, name| folder.open_folder(name))
    }

    pub fn try_clone(&self) -> io::Result<Folder> {
        Ok(Folder(self.0.try_clone()?))
    }

    /// The names in the folder, in no order, without `.` and `..`. May be called once for each opening.
    pub fn list(&self) -> io::Result<Vec<Listed>> {
        let mut found = Vec::new();
        let mut add = |name: &[u8], kind: FileType| {
            if name != b"." && name != b".." {
                found.push(Listed { name: OsString::from_vec(name.to_vec()), kind: kind_of(kind) });
            }
        };
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let mut buffer = [std::mem::MaybeUninit::<u8>::uninit(); 32 * 1024];
            let mut entries = rustix::fs::RawDir::new(&self.0, &mut buffer);
            while let Some(entry) = entries.next() {
                let entry = entry?;
                add(entry.file_name().to_bytes(), entry.file_type());
            }
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            add(entry.file_name().to_bytes(), entry.file_type());
        }
        Ok(found)
    }

    /// What stands under `name`.
    pub fn status(&self, name: &OsStr) -> io::Result<Status> {
        status_of(&rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// What the folder itself is.
    pub fn own_status(&self) -> io::Result<Status> {
        status_of(&rustix::fs::fstat(&self.0)?)
    }

    /// Tells the stamp of the folder at a path below, and of what stands under each of these names in it, a link itself if it is one.
    /// Links on the way are followed: only for comparing with stamps that were taken without.
    pub fn stamps_below<'n>(
        &self,
        path: &str,
        names: impl Iterator<Item = &'n str>,
        mut tell: impl FnMut(FileStamp),
    ) -> io::Result<()> {
        // Nothing is read in it, so it need not be opened in full.
        let flags = LOOK_ONLY;
        let folder = rustix::fs::openat(&self.0, if path.is_empty() { "." } else { path }, flags, Mode::empty())?;
        tell(status_of(&rustix::fs::fstat(&folder)?)?.stamp);
        for name in names {
            tell(status_of(&rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?)?.stamp);
        }
        Ok(())
    }

    /// Whether this file system is known to change a folder's times, to the nanosecond, with every name that comes or goes. FAT does
    /// not, and of network file systems one cannot know.
    pub fn keeps_exact_times(&self) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            /// ext2 to ext4, XFS, btrfs, tmpfs, overlayfs, F2FS, ZFS, bcachefs: statfs(2), and their own sources.
            const EXACT: [u32; 8] =
                [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0xf2f5_2010, 0x2fc1_2fc1, 0xca45_1a4e];
            rustix::fs::fstatfs(&self.0).is_ok_and(|about| EXACT.contains(&(about.f_type as u32)))
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        false
    }

    /// Opens the file `name` for reading; it must not be a link. Opening a fifo does not wait for its other end.
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// The target of the link `name`.
    pub fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
        let target = rustix::fs::readlinkat(&self.0, name, Vec::new())?;
        Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
    }

    /// Makes a new file; an error if something has that name.
    pub fn create_file(&self, name: &OsStr, permissions: Permissions) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = match permissions {
            Permissions::Plain => Mode::from_bits_retain(0o666),
            Permissions::Executable => Mode::from_bits_retain(0o777),
        };
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, mode)?))
    }

    pub fn create_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.0, name, Mode::from_bits_retain(0o777))?)
    }

    /// Makes a folder that only its owner may enter.
    pub fn create_private_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.0, name, Mode::from_bits_retain(0o700))?)
    }

    /// Makes a link with the target as it is, wherever it leads.
    pub fn create_symlink(&self, name: &OsStr, target: &Path) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(target, &self.0, name)?)
    }

    /// Moves `name` to `to_name` in `to`; an error if something has that name there.
    pub fn rename(&self, name: &OsStr, to: &Folder, to_name: &OsStr) -> io::Result<()> {
        match rustix::fs::renameat_with(&self.0, name, &to.0, to_name, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                // The file system knows no rename without replacing: the look before it leaves a small window.
                if to.status(to_name).is_ok() {
                    return Err(io::Error::from(io::ErrorKind::AlreadyExists));
                }
                Ok(rustix::fs::renameat(&self.0, name, &to.0, to_name)?)
            }
            done => Ok(done?),
        }
    }

    /// Lets two names change places at once. `Unsupported` where the system or file system cannot.
    pub fn exchange(&self, name: &OsStr, with: &Folder, with_name: &OsStr) -> io::Result<()> {
        match rustix::fs::renameat_with(&self.0, name, &with.0, with_name, RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(io::Error::from(io::ErrorKind::Unsupported)),
            done => Ok(done?),
        }
    }

    /// Removes a file or a link.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Removes an empty folder.
    pub fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Makes everything written below this folder durable: the whole file system is flushed at once where the system can do
    /// that, which for thousands of files is far cheaper than one by one.
    pub fn flush_file_system(&self) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return Ok(rustix::fs::syncfs(&self.0)?);
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        {
            rustix::fs::sync();
            Ok(())
        }
    }

    /// Makes the names in this folder durable.
    pub fn flush(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }
}

fn kind_of(kind: FileType) -> Option<FileKind> {
    Some(match kind {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Folder,
        FileType::Symlink => FileKind::Symlink,
        FileType::Fifo => FileKind::Fifo,
        FileType::Socket => FileKind::Socket,
        FileType::CharacterDevice | FileType::BlockDevice => FileKind::Device,
        _ => return None,
    })
}

#[allow(
    clippy::useless_conversion,
    clippy::unnecessary_cast,
    reason = "the widths of these fields differ between systems"
)]
fn status_of(stat: &rustix::fs::Stat) -> io::Result<Status> {
    let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    let kind = kind_of(FileType::from_raw_mode(stat.st_mode));
    Ok(Status {
        kind: kind.ok_or_else(|| io::Error::other("a kind of file that this program does not know"))?,
        executable: stat.st_mode & 0o100 != 0,
        stamp: FileStamp {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: stat.st_size as u64,
            modified: nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        },
    })
}
