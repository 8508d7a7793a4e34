//! What lies in a root now: a parallel walk that reads no file.
//!
//! Every directory is walked once, by its own path first; then links to directories are followed, in the order of their
//! paths, where they lead to one that was not walked yet. So the answer is the same on every run, and a loop ends.

use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::Scope;

use crate::observer::Observer;
use crate::platform::folder::{FileKind, Folder};
use crate::platform::identity::FileStamp;

use super::error::{Error, Problem};
use super::record::file_below;
use super::roots::ModelRoot;

/// A model file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Below the root, with `/`.
    pub path: String,
    pub stamp: FileStamp,
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Scanned {
    /// Sorted by path, by bytes.
    pub files: Vec<Found>,
    pub problems: Vec<Problem>,
    /// Paths below which nothing could be seen. What was known there is not taken for removed (invariant R4).
    pub unseen: Vec<String>,
}

/// Ends of names that downloads have while they are not complete.
const PARTIAL: &[&str] = &[".part", ".partial", ".tmp", ".temp", ".aria2", ".crdownload", ".download", ".incomplete"];

/// Lists the model files of `root`. Links to files and to directories are followed.
///
/// # Errors
/// The root itself cannot be opened; the observer asked to stop. Everything else is a [`Problem`] and the rest goes on.
pub fn scan(root: &ModelRoot, observer: &dyn Observer) -> Result<Scanned, Error> {
    let opened = Folder::open(&root.directory).map_err(Error::io(&root.directory))?;
    let walk = Walk { root, observer, found: Mutex::default() };
    rayon::scope(|scope| walk.enter(scope, opened, String::new()));
    loop {
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let Some(link) = walk.found().links.pop_first() else { break };
        walk.follow(link);
    }
    let Gathered { mut files, mut problems, unseen, .. } =
        walk.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Each directory's files are in order already, and this sort makes use of that.
    files.sort_by(|a, b| a.path.cmp(&b.path));
    problems.sort_by_cached_key(ToString::to_string);
    Ok(Scanned { files, problems, unseen })
}

struct Walk<'a> {
    root: &'a ModelRoot,
    observer: &'a dyn Observer,
    found: Mutex<Gathered>,
}

#[derive(Default)]
struct Gathered {
    files: Vec<Found>,
    problems: Vec<Problem>,
    unseen: Vec<String>,
    /// Paths of links to directories that are still to be followed.
    links: BTreeSet<String>,
    /// Device and inode of every directory that was walked; on Windows its full path.
    walked: HashSet<Identity>,
}

#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = PathBuf;

/// Which directory this is. Paths tell it where there are no inodes.
fn identity(folder: &Folder, path: impl FnOnce() -> PathBuf) -> io::Result<Identity> {
    #[cfg(unix)]
    {
        let _ = path;
        let stamp = folder.own_status()?.stamp;
        Ok((stamp.device, stamp.inode))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        crate::platform::paths::full(&path())
    }
}

impl Walk<'_> {
    fn found(&self) -> MutexGuard<'_, Gathered> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.directory.clone() } else { file_below(&self.root.directory, path) }
    }

    fn unreadable(&self, path: String, source: io::Error) {
        let problem = Problem::Unreadable { path: self.file(&path), source };
        let mut found = self.found();
        found.problems.push(problem);
        found.unseen.push(path);
    }

    /// Walks an open directory that stands at `path`, and hands on those in it.
    fn enter<'s>(&'s self, scope: &Scope<'s>, folder: Folder, path: String) {
        if self.observer.interrupted() {
            return;
        }
        match identity(&folder, || self.file(&path)) {
            Ok(identity) => {
                if !self.found().walked.insert(identity) {
                    return;
                }
            }
            Err(source) => return self.unreadable(path, source),
        }
        let listed = match folder.list() {
            Ok(listed) => listed,
            Err(source) => return self.unreadable(path, source),
        };
        self.observer.advanced(listed.len() as u64);
        let (mut files, mut links, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        // The same for all files of a directory.
        let files_here = self.root.files_at(&join(&path, "*"));
        let downloading: HashSet<OsString> = listed.iter().filter_map(|entry| still_downloading(&entry.name)).collect();
        for entry in &listed {
            let name = match judge(&entry.name) {
                Name::Plain(name) if !downloading.contains(&entry.name) => name,
                Name::Plain(_) | Name::Hidden => continue,
                Name::NotUtf8 => {
                    let is_model = files_here.include(&entry.name.to_string_lossy());
                    if is_model || entry.kind == Some(FileKind::Folder) {
                        problems.push(Problem::NotUtf8(self.file(&path).join(&entry.name)));
                    }
                    continue;
                }
                Name::Backslash => {
                    problems.push(Problem::Backslash(self.file(&path).join(&entry.name)));
                    continue;
                }
            };
            let counts = || files_here.include(name);
            if matches!(entry.kind, Some(FileKind::File)) && !counts() {
                continue;
            }
            let below = join(&path, name);
            let kind = match entry.kind {
                Some(kind) => Ok(kind),
                None => folder.status(&entry.name).map(|status| status.kind),
            };
            match kind {
                Ok(FileKind::Folder) => match folder.open_folder(&entry.name) {
                    Ok(deeper) => scope.spawn(move |scope| self.enter(scope, deeper, below)),
                    Err(source) => self.unreadable(below, source),
                },
                Ok(FileKind::File) if counts() => match folder.status(&entry.name) {
                    Ok(status) => files.push(Found { path: below, stamp: status.stamp }),
                    // Removed since the folder was listed.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(source) => problems.push(Problem::Unreadable { path: self.file(&below), source }),
                },
                Ok(FileKind::Symlink) => match target(&self.file(&below)) {
                    Ok(Target::Directory) => links.push(below),
                    Ok(Target::File(stamp)) if counts() => files.push(Found { path: below, stamp }),
                    Ok(Target::File(_)) => {}
                    Err(Problem::Dangling(_)) if !counts() => {}
                    Err(problem) => problems.push(problem),
                },
                Ok(_) => {}
                Err(source) => problems.push(Problem::Unreadable { path: self.file(&below), source }),
            }
        }
        files.sort_unstable_by(|a: &Found, b| a.path.cmp(&b.path));
        let mut found = self.found();
        found.files.append(&mut files);
        found.links.extend(links);
        found.problems.append(&mut problems);
    }

    /// Walks the directory that the link at `path` leads to.
    fn follow(&self, path: String) {
        let link = self.file(&path);
        let leads_back = || {
            let (to, from) = (link.canonicalize().ok()?, link.parent()?.canonicalize().ok()?);
            Some(from.starts_with(to))
        };
        if leads_back() == Some(true) {
            self.found().problems.push(Problem::Loop(link));
            return;
        }
        match Folder::open(&link) {
            Ok(folder) => rayon::scope(|scope| self.enter(scope, folder, path)),
            Err(source) => self.unreadable(path, source),
        }
    }
}

/// The path of `name` in the directory at `path`.
fn join(path: &str, name: &str) -> String {
    let mut joined = String::with_capacity(path.len() + 1 + name.len());
    if !path.is_empty() {
        joined.push_str(path);
        joined.push('/');
    }
    joined.push_str(name);
    joined
}

/// What a name says of itself.
enum Name<'n> {
    Plain(&'n str),
    /// Begins with a dot, or is a download that is not complete.
    Hidden,
    NotUtf8,
    Backslash,
}

fn judge(name: &OsStr) -> Name<'_> {
    let Some(name) = name.to_str() else { return Name::NotUtf8 };
    let ends = |end: &&str| {
        let at = name.len().checked_sub(end.len());
        at.and_then(|at| name.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    };
    if name.starts_with('.') || PARTIAL.iter().any(ends) {
        Name::Hidden
    } else if name.contains('\\') {
        Name::Backslash
    } else {
        Name::Plain(name)
    }
}

/// The file that is still being downloaded while `name` is there: aria2 writes to the final name and keeps its notes beside it.
fn still_downloading(name: &OsStr) -> Option<OsString> {
    Some(name.to_str()?.strip_suffix(".aria2")?.into())
}

/// What a link leads to.
enum Target {
    Directory,
    File(FileStamp),
}

fn target(link: &Path) -> Result<Target, Problem> {
    let fail = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Problem::Dangling(link.to_owned()),
        _ => Problem::Unreadable { path: link.to_owned(), source },
    };
    let metadata = std::fs::metadata(link)
        .map_err(|source| if is_link_loop(&source) { Problem::Loop(link.to_owned()) } else { fail(source) })?;
    if metadata.is_dir() {
        return Ok(Target::Directory);
    }
    FileStamp::of_path(link).map(Target::File).map_err(fail)
}

/// True for the system's "too many levels of symbolic links".
fn is_link_loop(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;
    use crate::platform::trial::{links_can_be_made, symlink};

    fn folder_with(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        folder
    }

    fn paths(folder: &Path) -> (Vec<String>, Vec<String>) {
        let scanned = scan(&ModelRoot::models(folder), &Silent).unwrap();
        (
            scanned.files.into_iter().map(|found| found.path).collect(),
            scanned.problems.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn only_models_are_found_and_in_order() {
        let folder = folder_with(&[
            "loras/b.safetensors",
            "loras/a/c.PT",
            "loras/readme.txt",
            "configs/v1.yaml",
            "configs/x.pt",
            "other/x.gguf",
            "loras/.hidden/x.pt",
            "loras/.x.pt",
            "top.ckpt",
            "loras/d.safetensors.part",
            "loras/e.safetensors",
            "loras/e.safetensors.aria2",
        ]);
        let expected = ["configs/v1.yaml", "loras/a/c.PT", "loras/b.safetensors", "other/x.gguf", "top.ckpt"];
        assert_eq!(paths(folder.path()), (expected.map(str::to_owned).to_vec(), vec![]));
    }

    #[test]
    fn links_to_directories_are_followed_once_and_loops_are_named() {
        if !links_can_be_made("links_to_directories_are_followed_once_and_loops_are_named") {
            return;
        }
        let elsewhere = folder_with(&["sub/x.pt"]);
        let folder = folder_with(&["loras/a.pt"]);
        symlink(elsewhere.path(), folder.path().join("loras/more"));
        symlink(elsewhere.path(), folder.path().join("loras/z-again"));
        symlink(folder.path().join("loras"), folder.path().join("checkpoints"));
        symlink("..", folder.path().join("loras/up"));
        symlink("a.pt", folder.path().join("loras/b.pt"));
        symlink("nowhere", folder.path().join("loras/c.pt"));
        symlink("d.pt", folder.path().join("loras/d.pt"));
        let (files, problems) = paths(folder.path());
        assert_eq!(files, ["loras/a.pt", "loras/b.pt", "loras/more/sub/x.pt"]);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(
            problems.iter().any(|p| p.ends_with("loras/up: this link leads back to itself or to a folder above it"))
        );
        assert!(problems.iter().any(|p| p.ends_with("loras/c.pt: this link leads nowhere")));
        assert!(
            problems.iter().any(|p| p.ends_with("loras/d.pt: this link leads back to itself or to a folder above it"))
        );
    }

    // Not on Windows: it has neither a backslash in names nor bytes that are no text.
    // Instead: nothing; such a name cannot come about.
    #[test]
    #[cfg(target_os = "linux")]
    fn names_that_no_workflow_can_write_are_named() {
        use std::os::unix::ffi::OsStrExt;
        let folder = folder_with(&["loras/a\\b.pt"]);
        std::fs::write(folder.path().join("loras").join(OsStr::from_bytes(b"\xff.pt")), "x").unwrap();
        let (files, problems) = paths(folder.path());
        assert!(files.is_empty());
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn an_absent_root_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = scan(&ModelRoot::models(&folder.path().join("none")), &Silent).unwrap_err();
        assert!(error.to_string().contains("none: "), "{error}");
    }
}
