//! A folder held open: names are looked up in it and nowhere else.
//!
//! Everything here works on one name in one folder and never follows a symbolic link, so that neither a link in the tree nor one
//! that somebody puts there meanwhile leads the work out of its root (invariant W2). On Unix a folder is a descriptor and every
//! call is relative to it; paths of any length are reached. On Windows it is a path, and links are looked for before each step.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::ffi::OsString;

use super::identity::FileStamp;

#[cfg(unix)]
pub use unix::Folder;
#[cfg(windows)]
pub use windows::Folder;

/// What stands under a name; the link itself, not what it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    File,
    Folder,
    Symlink,
    Fifo,
    Socket,
    Device,
}

/// What the system says of a name without reading the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    pub kind: FileKind,
    /// The owner's executable bit; never set on Windows.
    pub executable: bool,
    pub stamp: FileStamp,
}

/// Whether this system has files that are executable and others that are not.
pub const HAS_EXECUTABLE_FILES: bool = cfg!(unix);

/// A name found in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: OsString,
    /// Absent where the file system does not tell without a further question.
    pub kind: Option<FileKind>,
}

/// What a new file may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permissions {
    Plain,
    Executable,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::path::Path;

    #[test]
    fn files_are_made_found_renamed_and_removed() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        folder.create_folder("sub".as_ref()).unwrap();
        let sub = folder.open_folder("sub".as_ref()).unwrap();
        sub.create_file("a".as_ref(), Permissions::Executable).unwrap().write_all(b"hello").unwrap();
        let status = sub.status("a".as_ref()).unwrap();
        assert_eq!((status.kind, status.stamp.size, status.executable), (FileKind::File, 5, cfg!(unix)));
        assert!(sub.create_file("a".as_ref(), Permissions::Plain).is_err());
        sub.rename("a".as_ref(), &folder, "b".as_ref()).unwrap();
        let mut text = String::new();
        folder.open_file("b".as_ref()).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        let mut names: Vec<_> = folder.list().unwrap().into_iter().map(|listed| listed.name).collect();
        names.sort();
        assert_eq!(names, ["b", "sub"]);
        folder.remove_file("b".as_ref()).unwrap();
        folder.remove_folder("sub".as_ref()).unwrap();
        assert!(folder.list().unwrap().is_empty());
    }

    #[test]
    fn a_rename_never_replaces() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        std::fs::write(place.path().join("a"), "new").unwrap();
        std::fs::write(place.path().join("b"), "old").unwrap();
        let refused = folder.rename("a".as_ref(), &folder, "b".as_ref()).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(place.path().join("b")).unwrap(), b"old");
    }

    #[test]
    fn a_link_is_never_followed() {
        if !crate::platform::trial::links_can_be_made("a_link_is_never_followed") {
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        let folder = Folder::open(place.path()).unwrap();
        folder.create_symlink("link".as_ref(), outside.path()).unwrap();
        folder.create_symlink("file".as_ref(), &outside.path().join("secret")).unwrap();
        assert_eq!(folder.status("link".as_ref()).unwrap().kind, FileKind::Symlink);
        assert!(folder.open_folder("link".as_ref()).is_err());
        assert!(folder.open_file("file".as_ref()).is_err());
        assert!(folder.open_below(Path::new("link/deeper")).is_err());
        assert_eq!(folder.read_link("link".as_ref()).unwrap(), outside.path());
    }
}
