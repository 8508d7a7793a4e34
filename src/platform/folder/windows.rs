//! Folders as paths.

use std::ffi::OsStr;
use std::fs::{self, File, FileType, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::{FileKind, Listed, Permissions, Status};
use crate::platform::identity::FileStamp;
use crate::platform::{durable, links};

/// A folder, found once and named by its full path (in the `\\?\` form, which has no limit on length).
#[derive(Debug)]
pub struct Folder(PathBuf);

fn link_refused(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotADirectory, format!("{} is a link", path.display()))
}

impl Folder {
    /// Opens the folder that the caller names; links in `path` are followed.
    pub fn open(path: &Path) -> io::Result<Folder> {
        let full = crate::platform::paths::full(path)?;
        if !full.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        Ok(Folder(full))
    }

    /// Opens the folder `name`, which must not be a link.
    pub fn open_folder(&self, name: &OsStr) -> io::Result<Folder> {
        let path = self.0.join(name);
        match kind_of(fs::symlink_metadata(&path)?.file_type()) {
            FileKind::Folder => Ok(Folder(path)),
            FileKind::Symlink => Err(link_refused(&path)),
            _ => Err(io::Error::from(io::ErrorKind::NotADirectory)),
        }
    }

    /// Opens the folder at a path below this one, name by name; none may be a link.
    pub fn open_below(&self, path: &Path) -> io::Result<Folder> {
        let mut folder = self.try_clone()?;
        for component in path.components() {
            match component {
                Component::Normal(name) => folder = folder.open_folder(name)?,
                Component::CurDir => {}
                _ => return Err(io::Error::from(io::ErrorKind::InvalidInput)),
            }
        }
        Ok(folder)
    }

    pub fn try_clone(&self) -> io::Result<Folder> {
        Ok(Folder(self.0.clone()))
    }

    /// The names in the folder, in no order.
    pub fn list(&self) -> io::Result<Vec<Listed>> {
        fs::read_dir(&self.0)?
            .map(|entry| {
                let entry = entry?;
                Ok(Listed { name: entry.file_name(), kind: entry.file_type().ok().map(kind_of) })
            })
            .collect()
    }

    /// What stands under `name`.
    pub fn status(&self, name: &OsStr) -> io::Result<Status> {
        let path = self.0.join(name);
        let kind = kind_of(fs::symlink_metadata(&path)?.file_type());
        let stamp = match kind {
            FileKind::File => FileStamp::of_path(&path)?,
            _ => FileStamp { device: 0, inode: 0, size: 0, modified: 0, changed: 0 },
        };
        Ok(Status { kind, executable: false, stamp })
    }

    /// What the folder itself is. The volume is not told here; [`Folder::rename`] says
    /// whether two folders share one.
    pub fn own_status(&self) -> io::Result<Status> {
        let stamp = FileStamp { device: 0, inode: 0, size: 0, modified: 0, changed: 0 };
        Ok(Status { kind: FileKind::Folder, executable: false, stamp })
    }

    /// Tells the stamp of the folder at a path below, and of the files with these names in it.
    pub fn stamps_below<'n>(
        &self,
        path: &str,
        names: impl Iterator<Item = &'n str>,
        mut tell: impl FnMut(FileStamp),
    ) -> io::Result<()> {
        let folder = Folder(self.0.join(path));
        tell(folder.own_status()?.stamp);
        names.map(|name| FileStamp::of_path(&folder.0.join(name))).try_for_each(|stamp| stamp.map(&mut tell))
    }

    /// NTFS writes a folder's times down in its own time.
    pub fn keeps_exact_times(&self) -> bool {
        false
    }

    /// Opens the file `name` for reading; it must not be a link.
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let path = self.0.join(name);
        match kind_of(fs::symlink_metadata(&path)?.file_type()) {
            FileKind::File => File::open(path),
            _ => Err(link_refused(&path)),
        }
    }

    /// The target of the link `name`.
    pub fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
        fs::read_link(self.0.join(name))
    }

    /// Makes a new file; an error if something has that name.
    pub fn create_file(&self, name: &OsStr, _permissions: Permissions) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(self.0.join(name))
    }

    pub fn create_folder(&self, name: &OsStr) -> io::Result<()> {
        fs::create_dir(self.0.join(name))
    }

    /// Makes a folder; on Windows its rights are those of the folder above.
    pub fn create_private_folder(&self, name: &OsStr) -> io::Result<()> {
        self.create_folder(name)
    }

    /// Makes a link with the target as it is, wherever it leads. A link to what is not there is taken for one to a file.
    pub fn create_symlink(&self, name: &OsStr, target: &Path) -> io::Result<()> {
        links::link(target, &self.0.join(name))
    }

    /// Moves `name` to `to_name` in `to`; an error if something has that name there.
    pub fn rename(&self, name: &OsStr, to: &Folder, to_name: &OsStr) -> io::Result<()> {
        let target = to.0.join(to_name);
        if fs::symlink_metadata(&target).is_ok() {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        durable::rename(&self.0.join(name), &target)
    }

    /// Windows has no such call.
    pub fn exchange(&self, _name: &OsStr, _with: &Folder, _with_name: &OsStr) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    /// Removes a file or a link, a read-only one too.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        let path = self.0.join(name);
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.file_type().is_symlink() {
            return links::remove_link(&path);
        }
        durable::allow_removal(&path, &metadata)?;
        fs::remove_file(path)
    }

    /// Removes an empty folder.
    pub fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_dir(self.0.join(name))
    }

    /// Windows flushes a volume only for an administrator; each file is flushed by its writer where it matters.
    pub fn flush_file_system(&self) -> io::Result<()> {
        Ok(())
    }

    /// Folders are not flushed on Windows.
    pub fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn kind_of(kind: FileType) -> FileKind {
    if kind.is_symlink() {
        FileKind::Symlink
    } else if kind.is_dir() {
        FileKind::Folder
    } else if kind.is_file() {
        FileKind::File
    } else {
        FileKind::Device
    }
}
