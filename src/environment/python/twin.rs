//! A folder's twin: the same files under second names, so that what is done to one can be thrown away.
//!
//! Files are hard links where the file system has them, else copies. What installs packages replaces files and does not write into
//! them, so that the other twin stays as it is.

use std::io;
use std::path::Path;

use walkdir::WalkDir;

use crate::platform::links;

/// Makes `to`, which must not exist, the twin of the folder `from`. `pause` is asked between files.
pub fn make(from: &Path, to: &Path, pause: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
    for entry in WalkDir::new(from) {
        pause()?;
        let entry = entry?;
        let below = entry.path().strip_prefix(from).map_err(io::Error::other)?;
        let place = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
        let kind = entry.file_type();
        if kind.is_dir() {
            std::fs::create_dir(&place)?;
        } else if kind.is_symlink() {
            symlink(&std::fs::read_link(entry.path())?, &place)?;
        } else {
            file(entry.path(), &place)?;
        }
    }
    Ok(())
}

fn file(from: &Path, to: &Path) -> io::Result<()> {
    // Small text that is edited in place, if anything is.
    let is_settings = from.file_name().is_some_and(|name| name == "pyvenv.cfg");
    if !is_settings {
        match links::hard_link(from, to) {
            Ok(()) => return Ok(()),
            Err(error) if links::is_unsupported(&error) => {}
            Err(error) => return Err(error),
        }
        match links::reflink(from, to) {
            Ok(()) => return keep_permissions(from, to),
            Err(error) if links::is_unsupported(&error) => {}
            Err(error) => return Err(error),
        }
    }
    // With its permissions: a virtual environment holds programs.
    std::fs::copy(from, to).map(drop)
}

fn keep_permissions(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())
}

#[cfg(unix)]
fn symlink(target: &Path, place: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, place)
}

/// A virtual environment on Windows has no links; one that someone put there is copied.
#[cfg(windows)]
fn symlink(target: &Path, place: &Path) -> io::Result<()> {
    let target = place.parent().map_or_else(|| target.to_owned(), |above| above.join(target));
    match target.is_dir() {
        true => std::os::windows::fs::symlink_dir(&target, place),
        false => std::fs::copy(&target, place).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twin_has_the_same_files_and_what_is_replaced_in_one_stays_in_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::create_dir_all(from.join("lib/empty")).unwrap();
        std::fs::write(from.join("lib/x.py"), "old").unwrap();
        std::fs::write(from.join("pyvenv.cfg"), "home").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("lib", from.join("lib64")).unwrap();
        make(&from, &to, &|| Ok(())).unwrap();
        assert!(to.join("lib/empty").is_dir());
        std::fs::remove_file(to.join("lib/x.py")).unwrap();
        std::fs::write(to.join("lib/x.py"), "new").unwrap();
        std::fs::write(to.join("pyvenv.cfg"), "other").unwrap();
        assert_eq!(std::fs::read_to_string(from.join("lib/x.py")).unwrap(), "old");
        assert_eq!(std::fs::read_to_string(from.join("pyvenv.cfg")).unwrap(), "home");
        #[cfg(unix)]
        assert_eq!(std::fs::read_link(to.join("lib64")).unwrap(), Path::new("lib"));
        assert!(make(&from, &to, &|| Ok(())).is_err());
    }
}
