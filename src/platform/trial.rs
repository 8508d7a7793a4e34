//! For tests: what they want of a system and not every one gives. Where it is not to be had, the test says so and leaves it out.

use std::fs::Permissions;
use std::io;
use std::path::{Path, PathBuf};

/// Says that a test, or a part of one, cannot be made here.
pub fn left_out(test: &str, why: &str) {
    eprintln!("{test}: left out, {why}");
}

/// Makes a symlink, with the target as it is.
pub fn symlink(target: impl AsRef<Path>, place: impl AsRef<Path>) {
    make_symlink(target.as_ref(), place.as_ref()).unwrap();
}

fn make_symlink(target: &Path, place: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(target, place);
    #[cfg(windows)]
    match place.parent().is_some_and(|above| above.join(target).is_dir()) {
        true => std::os::windows::fs::symlink_dir(target, place),
        false => std::os::windows::fs::symlink_file(target, place),
    }
}

/// Whether [`symlink`] makes links. Windows wants a right for it, and Wine says that it has made them and has not.
/// Instead: `a_link_is_removed_and_what_it_leads_to_stays` sees there that nothing is left of the attempt, and tests of environments that
/// models are found through `extra_model_paths.yaml`.
pub fn links_can_be_made(test: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("link");
    let can = make_symlink(Path::new("."), &place).is_ok() && place.is_symlink();
    if !can {
        left_out(test, "links cannot be made here");
    }
    can
}

/// A file or folder that nobody may read until this is dropped: by its permissions, on Windows because it is open and not shared.
pub struct Closed {
    path: PathBuf,
    before: Permissions,
    #[cfg(windows)]
    open: Option<std::fs::File>,
}

impl Closed {
    /// Nothing where this user may read everything.
    pub fn new(test: &str, path: impl Into<PathBuf>) -> Option<Self> {
        let path = path.into();
        let before = std::fs::metadata(&path).unwrap().permissions();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o0)).unwrap();
        #[cfg(windows)]
        let open = {
            use std::os::windows::fs::OpenOptionsExt;
            /// Without it folders cannot be opened: FILE_FLAG_BACKUP_SEMANTICS.
            const FOLDERS_TOO: u32 = 0x0200_0000;
            let mut options = std::fs::OpenOptions::new();
            Some(options.read(true).share_mode(0).custom_flags(FOLDERS_TOO).open(&path).unwrap())
        };
        let closed = Closed {
            path,
            before,
            #[cfg(windows)]
            open,
        };
        let may = match closed.path.is_dir() {
            true => std::fs::read_dir(&closed.path).is_ok(),
            false => std::fs::File::open(&closed.path).is_ok(),
        };
        if may {
            left_out(test, "this user may read everything");
        }
        (!may).then_some(closed)
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        #[cfg(windows)]
        drop(self.open.take());
        drop(std::fs::set_permissions(&self.path, self.before.clone()));
    }
}
