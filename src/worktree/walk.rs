//! A folder on disk, listed in parallel: what a tree would be made of, without reading one file.
//!
//! Each folder is opened relative to the one above and never through a link, so that paths of any length are reached and a loop
//! of links is nothing but some links. Work is handed on through a queue, not by recursion: depth costs no stack.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::ScopeFifo;

use super::Error;
use super::ignore::{IgnoreRules, RULE_FILES, Rules, VENV_MARK};
use super::problem::{Problem, Reason};
use crate::object::{EntryName, NameError};
use crate::observer::Observer;
use crate::platform::folder::{FileKind, Folder, Listed};
use crate::platform::identity::FileStamp;
use crate::platform::names;

/// What a walk found.
#[derive(Debug)]
pub struct Walked {
    /// The root held open.
    pub root: Folder,
    /// Every folder; the first is the root, and each stands after the one it lies in.
    pub folders: Vec<FoundFolder>,
    /// Folders that were left out for what is in them, by their path below the root.
    pub watched: Vec<(PathBuf, FileStamp)>,
    pub problems: Vec<Problem>,
}

/// A folder and what lies in it, each list sorted by name.
#[derive(Debug)]
pub struct FoundFolder {
    /// The folder it lies in, as an index; the root's own for the root.
    pub parent: u32,
    /// How many folders below the root.
    pub depth: u32,
    /// Absent for the root.
    pub name: Option<EntryName>,
    pub files: Vec<FoundFile>,
    pub links: Vec<FoundLink>,
    /// As it was before it was listed.
    pub stamp: FileStamp,
    /// Whether every file that decided what is in the tree is in the tree.
    pub is_witness: bool,
}

#[derive(Debug)]
pub struct FoundFile {
    pub name: EntryName,
    pub executable: bool,
    pub stamp: FileStamp,
}

#[derive(Debug)]
pub struct FoundLink {
    pub name: EntryName,
    /// With `/` between names.
    pub target: String,
}

impl Walked {
    /// The path of a folder below the root, in the system's form.
    pub fn path_of(&self, index: u32) -> PathBuf {
        let mut names = Vec::new();
        let mut folder = &self.folders[index as usize];
        while let Some(name) = &folder.name {
            names.push(name.as_str());
            folder = &self.folders[folder.parent as usize];
        }
        names.iter().rev().collect()
    }
}

/// Lists everything below `root` that `rules` do not ignore. Links in `root` itself are followed, none below it.
///
/// Errors: `root` cannot be opened; the observer asked to stop. Everything else is a [`Problem`], and the rest goes on.
pub fn walk(root: &Path, rules: &IgnoreRules, observer: &dyn Observer) -> Result<Walked, Error> {
    let fail = |source| Error::Io { path: root.to_owned(), source };
    let folder = Folder::open(root).map_err(fail)?;
    let held = Held::new(folder.try_clone().map_err(fail)?, &Arc::default());
    let (root_rules, faults) = Rules::at_root(rules);
    let problems = faults.into_iter().map(|reason| Problem { path: PathBuf::from("ignore rules"), reason }).collect();
    let walker = Walker {
        path: root,
        root: &folder,
        rule_files: rules.rule_files,
        observer,
        next: AtomicU32::new(1),
        stop: AtomicBool::new(false),
        found: Mutex::default(),
        watched: Mutex::default(),
        problems: Mutex::new(problems),
        refused: Mutex::default(),
    };
    let place = Arc::new(Place { above: None, name: OsString::new(), depth: 0 });
    rayon::scope_fifo(|scope| walker.look_into(scope, held, place, 0, 0, root_rules));
    let Walker { found, watched, problems, refused, stop, .. } = walker;
    if let Some(source) = refused.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(fail(source));
    }
    if stop.into_inner() {
        return Err(Error::Interrupted);
    }
    let problems = problems.into_inner().unwrap_or_else(PoisonError::into_inner);
    let folders = in_order(found.into_inner().unwrap_or_else(PoisonError::into_inner));
    let watched = watched.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Walked { root: folder, folders, watched, problems })
}

/// Numbers were handed out on discovery and some folders turned out to be left out: close the gaps.
fn in_order(mut found: Vec<(u32, FoundFolder)>) -> Vec<FoundFolder> {
    found.sort_unstable_by_key(|(number, _)| *number);
    let numbers: Vec<u32> = found.iter().map(|(number, _)| *number).collect();
    let mut folders: Vec<FoundFolder> = found.into_iter().map(|(_, folder)| folder).collect();
    for folder in &mut folders {
        // The folder above was found before this one was looked for.
        folder.parent = numbers.binary_search(&folder.parent).unwrap_or(0) as u32;
    }
    folders
}

struct Walker<'a> {
    path: &'a Path,
    root: &'a Folder,
    rule_files: bool,
    observer: &'a dyn Observer,
    next: AtomicU32,
    stop: AtomicBool,
    found: Mutex<Vec<(u32, FoundFolder)>>,
    watched: Mutex<Vec<(PathBuf, FileStamp)>>,
    problems: Mutex<Vec<Problem>>,
    /// The root itself could not be listed.
    refused: Mutex<Option<io::Error>>,
}

/// Where a folder lies, for messages and rules.
struct Place {
    above: Option<Arc<Place>>,
    name: OsString,
    depth: u32,
}

impl Place {
    /// The names from the root down.
    fn names(&self) -> Vec<&OsStr> {
        let mut names = Vec::with_capacity(self.depth as usize + 1);
        let mut place = self;
        while let Some(above) = &place.above {
            names.push(place.name.as_os_str());
            place = above;
        }
        names.reverse();
        names
    }

    fn path(&self) -> PathBuf {
        self.names().iter().collect()
    }
}

impl Drop for Place {
    /// Lets go of the places above one by one: a chain of ten thousand would else be dropped by recursion.
    fn drop(&mut self) {
        let mut above = self.above.take();
        while let Some(mut place) = above.and_then(Arc::into_inner) {
            above = place.above.take();
        }
    }
}

/// A folder kept open for the folders in it, and the count of all such.
struct Held {
    folder: Folder,
    count: Arc<AtomicUsize>,
}

/// So many folders are kept open at most; the others are opened again from the root. The usual limit of a process is 1,024.
const HELD: usize = 256;

impl Held {
    fn new(folder: Folder, count: &Arc<AtomicUsize>) -> Held {
        count.fetch_add(1, Ordering::Relaxed);
        Held { folder, count: count.clone() }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<'a> Walker<'a> {
    fn report(&self, path: PathBuf, reason: Reason) {
        let path = self.path.join(path);
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).push(Problem { path, reason });
    }

    /// Opens a folder in one that is held open, or by its path where that one is not.
    fn enter<'s>(
        &'s self,
        scope: &ScopeFifo<'s>,
        parent: (Option<Arc<Held>>, Arc<AtomicUsize>),
        place: Arc<Place>,
        above: u32,
        rules: Rules,
    ) {
        if self.stop.load(Ordering::Relaxed) {
            return;
        }
        let opened = match &parent.0 {
            Some(held) => held.folder.open_folder(&place.name),
            None => self.root.open_below(&place.path()),
        };
        let held = opened.map(|folder| Held::new(folder, &parent.1));
        drop(parent);
        match held {
            Ok(held) => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                self.look_into(scope, held, place, above, number, rules);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.report(place.path(), Reason::Unreadable(error)),
        }
    }

    fn look_into<'s>(
        &'s self,
        scope: &ScopeFifo<'s>,
        held: Held,
        place: Arc<Place>,
        above: u32,
        number: u32,
        rules: Rules,
    ) {
        if self.observer.interrupted() {
            self.stop.store(true, Ordering::Relaxed);
            return;
        }
        let looked = held.folder.own_status().and_then(|status| Ok((status.stamp, held.folder.list()?)));
        let (stamp, mut listed) = match looked {
            Ok(looked) => looked,
            Err(error) if number == 0 => {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return;
            }
            Err(error) => return self.report(place.path(), Reason::Unreadable(error)),
        };
        let is_environment = number != 0 && listed.iter().any(|listed| listed.name == VENV_MARK);
        if is_environment && rules.ignores_virtual_environment(&place.names()) {
            self.watched.lock().unwrap_or_else(PoisonError::into_inner).push((place.path(), stamp));
            return;
        }
        listed.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let rule_files = listed.iter().filter(|listed| RULE_FILES.iter().any(|name| listed.name == *name)).count();
        let rules = if self.rule_files { self.rules_inside(&held.folder, &place, &listed, rules) } else { rules };
        let name = place.name.to_str().and_then(|name| EntryName::new(name).ok());
        let mut found = FoundFolder {
            parent: above,
            depth: place.depth,
            name,
            files: Vec::new(),
            links: Vec::new(),
            stamp,
            is_witness: true,
        };
        let folders = self.sort_out(&held.folder, &place, listed, &rules, &mut found);
        found.is_witness =
            found.files.iter().filter(|file| RULE_FILES.contains(&file.name.as_str())).count() == rule_files;
        self.warn_of_names(&place, &found, &folders);
        self.observer.advanced(found.files.len() as u64);
        self.found.lock().unwrap_or_else(PoisonError::into_inner).push((number, found));
        if folders.is_empty() {
            return;
        }
        let count = held.count.clone();
        let held = (count.load(Ordering::Relaxed) <= HELD).then(|| Arc::new(held));
        // First found, first looked into: however deep a tree is, only one level of it waits.
        for name in folders {
            let below =
                Arc::new(Place { depth: place.depth + 1, above: Some(place.clone()), name: name.as_str().into() });
            let (parent, rules) = ((held.clone(), count.clone()), rules.clone());
            scope.spawn_fifo(move |scope| self.enter(scope, parent, below, number, rules));
        }
    }

    /// The rules that hold in a folder with these names in it.
    fn rules_inside(&self, folder: &Folder, place: &Place, listed: &[Listed], rules: Rules) -> Rules {
        let (texts, unread) = rule_texts(folder, &place.path(), listed);
        for (path, error) in unread {
            self.report(path, Reason::Unreadable(error));
        }
        if texts.is_empty() {
            return rules;
        }
        let (rules, mut problems) = rules.inside(&texts, place.depth as usize);
        problems.iter_mut().for_each(|problem| problem.path = self.path.join(&problem.path));
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).extend(problems);
        rules
    }

    /// Puts each name where it belongs; hands back the folders to be looked into.
    fn sort_out(
        &self,
        folder: &Folder,
        place: &Place,
        listed: Vec<Listed>,
        rules: &Rules,
        found: &mut FoundFolder,
    ) -> Vec<EntryName> {
        let mut folders = Vec::new();
        let names = if rules.is_simple() { Vec::new() } else { place.names() };
        for Listed { name, kind } in listed {
            let told = match kind {
                // Only files need their stamp.
                Some(kind) if kind != FileKind::File => Ok((kind, None)),
                _ => folder.status(&name).map(|status| (status.kind, Some(status))),
            };
            let (kind, status) = match told {
                Ok(told) => told,
                // Removed since it was listed: it is not there.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    self.report(place.path().join(name), Reason::Unreadable(error));
                    continue;
                }
            };
            let is_folder = kind == FileKind::Folder;
            let ignored = if rules.is_simple() {
                rules.ignores_name(&name, is_folder)
            } else {
                let mut path = names.clone();
                path.push(&name);
                rules.ignores(&path, is_folder)
            };
            if ignored {
                continue;
            }
            let name = match entry_name(name) {
                Ok(name) => name,
                Err((name, reason)) => {
                    self.report(place.path().join(name), reason);
                    continue;
                }
            };
            match (kind, status) {
                (FileKind::Folder, _) => folders.push(name),
                (FileKind::File, Some(status)) => {
                    found.files.push(FoundFile { name, executable: status.executable, stamp: status.stamp });
                }
                (FileKind::Symlink, _) => match read_target(folder, &name) {
                    Ok(target) => found.links.push(FoundLink { name, target }),
                    Err(reason) => self.report(place.path().join(name), reason),
                },
                (kind, _) => self.report(place.path().join(name), Reason::Special(kind)),
            }
        }
        folders
    }

    fn warn_of_names(&self, place: &Place, found: &FoundFolder, folders: &[EntryName]) {
        let files = found.files.iter().map(|file| &file.name);
        let all = files.chain(found.links.iter().map(|link| &link.name)).chain(folders);
        let mut names: Vec<&str> = all.map(EntryName::as_str).collect();
        for name in &names {
            if let Some(hazard) = names::hazard(name) {
                self.report(place.path().join(name), Reason::Unsafe(hazard));
            }
        }
        names.sort_unstable();
        for (name, twin) in names::equal_but_for_case(&names) {
            self.report(place.path().join(name), Reason::EqualButForCase(twin.to_owned()));
        }
    }
}

fn entry_name(name: OsString) -> Result<EntryName, (OsString, Reason)> {
    let text = name.into_string().map_err(|name| (name, Reason::NotUtf8))?;
    match EntryName::new(text) {
        Ok(name) => Ok(name),
        Err(NameError::Separator(name, c)) => Err((name.into(), Reason::Separator(c))),
        // The system hands out no empty name, and `.` and `..` are not listed.
        Err(error) => Err((OsString::new(), Reason::Unreadable(io::Error::other(error)))),
    }
}

fn read_target(folder: &Folder, name: &EntryName) -> Result<String, Reason> {
    let target = folder.read_link(name.as_str().as_ref()).map_err(Reason::Unreadable)?;
    let target = target.into_os_string().into_string().map_err(|_| Reason::TargetNotUtf8)?;
    Ok(if cfg!(windows) { target.replace('\\', "/") } else { target })
}

/// No file of rules is longer than this; what lies beyond is not read.
const LONGEST_RULES: u64 = 1 << 20;

/// The files of rules among the names of a folder, in the order of [`RULE_FILES`], with their paths; and those that cannot be read.
pub(super) fn rule_texts(
    folder: &Folder,
    path: &Path,
    listed: &[Listed],
) -> (Vec<PathAnd<Vec<u8>>>, Vec<PathAnd<io::Error>>) {
    let (mut texts, mut unread) = (Vec::new(), Vec::new());
    for name in RULE_FILES {
        let found = listed.iter().find(|listed| listed.name == name);
        if found.is_some_and(|listed| listed.kind.is_none_or(|kind| kind == FileKind::File)) {
            match read_rules(folder, OsStr::new(name)) {
                Ok(text) => texts.push((path.join(name), text)),
                Err(error) => unread.push((path.join(name), error)),
            }
        }
    }
    (texts, unread)
}

pub(super) type PathAnd<T> = (PathBuf, T);

fn read_rules(folder: &Folder, name: &OsStr) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    folder.open_file(name)?.take(LONGEST_RULES).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;

    fn found(root: &Path) -> (Vec<String>, Vec<Problem>) {
        let walked = walk(root, &IgnoreRules::default(), &Silent).unwrap();
        let mut all = Vec::new();
        for (number, folder) in walked.folders.iter().enumerate() {
            let path = walked.path_of(number as u32);
            all.push(format!("{}/", path.display()));
            all.extend(folder.files.iter().map(|file| path.join(&file.name).display().to_string()));
            all.extend(folder.links.iter().map(|link| format!("{}@", path.join(&link.name).display())));
        }
        let mut all: Vec<_> = all.into_iter().map(|path| path.replace(std::path::MAIN_SEPARATOR, "/")).collect();
        all.sort();
        (all, walked.problems)
    }

    #[test]
    fn folders_files_and_rules_are_found() {
        let place = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = place.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("a/b/c.py", "");
        write("a/__pycache__/c.pyc", "");
        write("a/env/pyvenv.cfg", "");
        write("a/env/lib/x.py", "");
        write("a/.comfreyignore", "*.log\n!b/keep.log\n");
        write("a/b/x.log", "");
        write("a/b/keep.log", "");
        write("venv/real.py", "");
        write(".git/HEAD", "");
        std::fs::create_dir(place.path().join("empty")).unwrap();
        let (all, problems) = found(place.path());
        let wanted =
            ["/", "a/", "a/.comfreyignore", "a/b/", "a/b/c.py", "a/b/keep.log", "empty/", "venv/", "venv/real.py"];
        assert_eq!(all, wanted);
        assert!(problems.is_empty(), "{problems:?}");
    }

    // Not on Windows: it has no such names, sockets or loops.
    // Instead: the names in `names_that_windows_takes_for_something_else_are_known`.
    #[test]
    #[cfg(unix)]
    fn a_loop_of_links_is_some_links_and_names_that_no_tree_holds_are_named() {
        use std::os::unix::ffi::OsStrExt;
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        std::os::unix::fs::symlink("b", root.join("a")).unwrap();
        std::os::unix::fs::symlink("a", root.join("b")).unwrap();
        std::os::unix::fs::symlink("..", root.join("up")).unwrap();
        std::fs::write(root.join(OsStr::from_bytes(b"bad\xff")), "").unwrap();
        std::fs::write(root.join("back\\slash"), "").unwrap();
        std::fs::write(root.join("aux.py"), "").unwrap();
        drop(std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap());
        let (all, problems) = found(root);
        assert_eq!(all, ["/", "a@", "aux.py", "b@", "up@"]);
        let mut reasons: Vec<_> = problems.iter().map(|p| (p.reason.as_str(), p.reason.left_out())).collect();
        reasons.sort();
        let wanted = [("not-utf-8", true), ("separator-in-name", true), ("special-file", true), ("unsafe-name", false)];
        assert_eq!(reasons, wanted);
    }

    /// Makes `levels` folders one in another, each with a second one beside it; the path is longer than the system takes at once.
    fn comb(root: &Path, levels: u32) {
        let mut folder = Folder::open(root).unwrap();
        for _ in 0..levels {
            folder.create_folder("deep".as_ref()).unwrap();
            folder.create_folder("side".as_ref()).unwrap();
            folder = folder.open_folder("deep".as_ref()).unwrap();
        }
    }

    /// `remove_dir_all` goes down by recursion.
    fn remove_comb(root: &Path) {
        match LEVELS {
            10_000 => {
                assert!(std::process::Command::new("rm").arg("-rf").arg(root.join("deep")).status().unwrap().success());
            }
            _ => std::fs::remove_dir_all(root.join("deep")).unwrap(),
        }
    }

    /// Windows takes whole paths, so that each level costs all above it again.
    const LEVELS: u32 = if cfg!(windows) { 200 } else { 10_000 };

    #[test]
    fn ten_thousand_levels_need_neither_stack_nor_open_files() {
        // Removing as many folders from a disk takes a while; memory is quicker where it is to be had.
        let memory = Path::new("/dev/shm");
        let place =
            tempfile::tempdir_in(if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }).unwrap();
        comb(place.path(), LEVELS);
        let walked = walk(place.path(), &IgnoreRules::default(), &Silent);
        remove_comb(place.path());
        let walked = walked.unwrap();
        assert!(walked.problems.is_empty(), "{:?}", walked.problems.first());
        assert_eq!(walked.folders.len() as u32, 2 * LEVELS + 1);
        assert_eq!(walked.folders.iter().map(|folder| folder.depth).max(), Some(LEVELS));
    }
}
