//! Everything new, written into a folder of its own beside the target.
//!
//! ```text
//! .comfrey-staging-…/   entered by its owner alone
//!   lock, steps         for whoever comes after a crash: see `leftover`
//!   new/0 new/1 …       one name an entry of the plan: a file, a link, or a whole folder
//!   old/…               what had to give way
//!   large/…             large files on their way into a folder
//! ```

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::compare::{Plan, Put, relative};
use super::{AbsentModel, CheckOutOptions, Target};
use crate::object::{Entry, EntryKind, Kind, ObjectId};
use crate::observer::{Observer, Unit};
use crate::platform::folder::{Folder, Permissions};
use crate::platform::identity::FileStamp;
use crate::platform::lock::{Access, LockFile};
use crate::platform::names;
use crate::platform::paths::in_folder;
use crate::store::faults::Faults;
use crate::store::large::LARGE;
use crate::store::{self, Known, LinkPolicy, Store};
use crate::worktree::Error;
use crate::worktree::ignore::STAGING_PREFIX;
use crate::worktree::tree_at::Trees;

/// The file whose lock says that the owner lives.
pub(super) const LOCK: &str = "lock";
/// The file that says what is to be moved.
pub(super) const STEPS: &str = "steps";

/// The staging folder of one check-out.
pub struct Stage<'a> {
    store: &'a Store,
    options: &'a CheckOutOptions,
    observer: &'a dyn Observer,
    /// The folder that is to hold the tree, as the user named it.
    target: PathBuf,
    /// Where the staging folder lies.
    home: Folder,
    name: OsString,
    pub path: PathBuf,
    pub folder: Folder,
    pub new: Folder,
    pub old: Folder,
    large: Folder,
    /// True when it lies in the target and not beside it.
    pub lies_in_target: bool,
    /// Held as long as the owner lives; nothing where the file system has no locks, and nobody will ever take the folder for a dead one's.
    lock: Option<LockFile>,
    entries: AtomicU64,
    large_files: AtomicU64,
}

/// What was staged.
#[derive(Default)]
pub struct Staged {
    /// By number of the put: whether there is something to place. Nothing is, for a model that is absent.
    pub is_there: Vec<bool>,
    pub written: u64,
    pub bytes: u64,
    pub absent: Vec<AbsentModel>,
    /// Stamps and ids of files inside staged folders, which keep them when the folder is moved.
    pub stamps: Vec<(FileStamp, ObjectId)>,
}

impl Staged {
    fn take(&mut self, mut other: Staged) {
        self.written += other.written;
        self.bytes += other.bytes;
        self.absent.append(&mut other.absent);
        self.stamps.append(&mut other.stamps);
    }
}

/// A folder still to be made, with everything in it.
struct Pending {
    /// The folder above, where few enough are held open.
    above: Option<Arc<Folder>>,
    /// The path of the folder above, below `new`.
    above_path: PathBuf,
    name: OsString,
    tree: ObjectId,
    /// Where it will lie below the target, for messages.
    shown: PathBuf,
}

/// So many folders are worked on at once, and held open for those in them.
const HELD: usize = 128;
/// So many files of one folder are a task.
const TASK: usize = 32;

/// One entry, written.
enum Made {
    /// With the stamp of a file.
    Written(Option<FileStamp>),
    Absent,
}

impl<'a> Stage<'a> {
    /// Makes an empty staging folder beside the target, or in it where the one above is another file system or may not be written.
    pub fn new(
        store: &'a Store,
        target: &Target,
        options: &'a CheckOutOptions,
        observer: &'a dyn Observer,
    ) -> Result<Stage<'a>, Error> {
        let beside = Self::make(&target.above, &target.above_path);
        let is_shared = match &target.existing {
            None => true,
            Some(existing) => match (existing.own_status(), target.above.own_status()) {
                (Ok(inside), Ok(beside)) => inside.stamp.device == beside.stamp.device && !target.names.is_empty(),
                _ => false,
            },
        };
        let (home, home_path, (name, lock)) = match (beside, &target.existing) {
            (Ok(made), _) if is_shared => (&target.above, target.above_path.clone(), made),
            (Err(error), None) => return Err(error),
            (beside, Some(existing)) => {
                if let Ok((name, lock)) = beside {
                    drop(lock.map(LockFile::remove));
                    drop(target.above.remove_folder(&name));
                }
                let path = crate::platform::paths::full(&target.path);
                let path = path.map_err(|source| Error::Io { path: target.path.clone(), source })?;
                let made = Self::make(existing, &path)?;
                (existing, path, made)
            }
            (Ok(made), None) => (&target.above, target.above_path.clone(), made),
        };
        let path = home_path.join(&name);
        let fail = |source| Error::Io { path: path.clone(), source };
        let folder = home.open_folder(&name).map_err(fail)?;
        let part = |name: &str| folder.create_folder(name.as_ref()).and_then(|()| folder.open_folder(name.as_ref()));
        let (new, old, large) = (part("new").map_err(fail)?, part("old").map_err(fail)?, part("large").map_err(fail)?);
        let lies_in_target = !std::ptr::eq(home, &target.above);
        let home = home.try_clone().map_err(fail)?;
        Ok(Stage {
            store,
            options,
            observer,
            target: target.path.clone(),
            home,
            name,
            path,
            folder,
            new,
            old,
            large,
            lies_in_target,
            lock,
            entries: AtomicU64::new(0),
            large_files: AtomicU64::new(0),
        })
    }

    fn make(home: &Folder, path: &Path) -> Result<(OsString, Option<LockFile>), Error> {
        let mut seed = std::process::id();
        for _ in 0..100 {
            // Names need only differ from those that are there.
            seed = seed
                .wrapping_mul(747_796_405)
                .wrapping_add(std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.subsec_nanos()));
            let name = OsString::from(format!("{STAGING_PREFIX}{seed:08x}"));
            match home.create_private_folder(&name) {
                Ok(()) => match LockFile::try_take(&path.join(&name).join(LOCK), Access::Exclusive) {
                    Ok(lock) => return Ok((name, lock)),
                    // Taken for an empty one of the dead, in this very moment.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(_) => return Ok((name, None)),
                },
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(Error::Io { path: path.join(name), source }),
            }
        }
        Err(Error::Io { path: path.to_owned(), source: io::ErrorKind::AlreadyExists.into() })
    }

    /// Writes everything that the plan puts.
    pub fn fill(&mut self, target: &Target, plan: &Plan) -> Result<Staged, Error> {
        let total = plan.puts.iter().fold(0u64, |sum, put| sum.saturating_add(put.entry.size));
        self.observer.started("checking out", Unit::Bytes, Some(total));
        let mut staged = Staged { is_there: vec![true; plan.puts.len()], ..Staged::default() };
        let mut folders = Vec::new();
        let mut files = Vec::new();
        for (number, put) in plan.puts.iter().enumerate() {
            match put.entry.kind {
                EntryKind::Tree => folders.push(self.whole_folder(target, plan, number, put)?),
                _ => files.push((number, put)),
            }
        }
        self.count(files.len())?;
        let made: Vec<Vec<(usize, Made)>> = files
            .par_chunks(TASK)
            .map(|files| {
                let one = |(number, put): &(usize, &Put)| {
                    let name = OsString::from(number.to_string());
                    Ok((*number, self.one_entry(&self.new, &name, &put.entry, &plan.path_of(put.folder))?))
                };
                files.iter().map(one).collect::<Result<_, Error>>()
            })
            .collect::<Result<_, _>>()?;
        for (number, made) in made.into_iter().flatten() {
            let entry = &plan.puts[number].entry;
            match made {
                // Its stamp changes when it is moved.
                Made::Written(_) => {
                    staged.written += 1;
                    staged.bytes += entry.size;
                }
                Made::Absent => {
                    staged.is_there[number] = false;
                    let path = relative(&plan.path_of_put(&plan.puts[number]));
                    staged.absent.push(AbsentModel { path, id: entry.id, size: entry.size });
                }
            }
        }
        self.folders(folders, &mut staged)?;
        self.observer.finished();
        Ok(staged)
    }

    /// What is to be made for a put of kind tree. For a target that is not there, the folders on the way to it are made here too.
    fn whole_folder(&self, target: &Target, plan: &Plan, number: usize, put: &Put) -> Result<Pending, Error> {
        let name = OsString::from(number.to_string());
        let (id, shown) = (put.entry.id, plan.path_of_put(put));
        if target.existing.is_some() {
            self.can_be_named(&put.entry, &shown)?;
        }
        if target.existing.is_some() || target.names.len() < 2 {
            let shown = if target.existing.is_some() { shown } else { PathBuf::new() };
            return Ok(Pending { above: None, above_path: PathBuf::new(), name, tree: id, shown });
        }
        let mut above_path = PathBuf::new();
        let on_the_way = std::iter::once(&name).chain(&target.names[1..target.names.len() - 1]);
        let fail = |source| Error::Io { path: self.path.clone(), source };
        for name in on_the_way {
            self.new.open_below(&above_path).and_then(|above| above.create_folder(name)).map_err(fail)?;
            above_path.push(name);
        }
        let name = target.names[target.names.len() - 1].clone();
        Ok(Pending { above: None, above_path, name, tree: id, shown: PathBuf::new() })
    }

    /// Makes folders level by level: depth costs neither stack nor open files.
    fn folders(&self, mut frontier: Vec<Pending>, staged: &mut Staged) -> Result<(), Error> {
        while !frontier.is_empty() {
            let level = std::mem::take(&mut frontier);
            for batch in level.chunks(HELD) {
                let made: Vec<(Staged, Vec<Pending>)> =
                    batch.par_iter().map(|pending| self.one_folder(pending)).collect::<Result<_, _>>()?;
                for (part, inner) in made {
                    staged.take(part);
                    let many = frontier.len() >= HELD;
                    frontier.extend(inner.into_iter().map(|mut pending| {
                        pending.above = pending.above.filter(|_| !many);
                        pending
                    }));
                }
            }
        }
        Ok(())
    }

    fn one_folder(&self, pending: &Pending) -> Result<(Staged, Vec<Pending>), Error> {
        let fail = |source| Error::Io { path: self.shown(&pending.shown), source };
        let reopened;
        let above = match &pending.above {
            Some(above) => above.as_ref(),
            None => {
                reopened = self.new.open_below(&pending.above_path).map_err(fail)?;
                &reopened
            }
        };
        above.create_folder(&pending.name).map_err(fail)?;
        let folder = Arc::new(above.open_folder(&pending.name).map_err(fail)?);
        let entries = self.store.tree(&pending.tree).map_err(|error| error.at(&pending.shown))?.into_entries();
        self.count(entries.len())?;
        let is_folder = |entry: &&Entry| entry.kind == EntryKind::Tree;
        let files: Vec<&Entry> = entries.iter().filter(|entry| !is_folder(entry)).collect();
        let parts: Vec<Staged> = files
            .par_chunks(TASK)
            .map(|files| self.some_files(&folder, files, &pending.shown))
            .collect::<Result<_, _>>()?;
        let mut staged = Staged::default();
        parts.into_iter().for_each(|part| staged.take(part));
        for entry in entries.iter().filter(is_folder) {
            self.can_be_named(entry, &in_folder(&pending.shown, entry.name.as_str()))?;
        }
        let above_path = pending.above_path.join(&pending.name);
        let inner = entries.iter().filter(is_folder).map(|entry| Pending {
            above: Some(folder.clone()),
            above_path: above_path.clone(),
            name: entry.name.as_str().into(),
            tree: entry.id,
            shown: in_folder(&pending.shown, entry.name.as_str()),
        });
        Ok((staged, inner.collect()))
    }

    fn some_files(&self, folder: &Folder, files: &[&Entry], shown: &Path) -> Result<Staged, Error> {
        let mut staged = Staged::default();
        for entry in files {
            match self.one_entry(folder, entry.name.as_str().as_ref(), entry, shown)? {
                Made::Written(stamp) => {
                    staged.written += 1;
                    staged.bytes += entry.size;
                    staged.stamps.extend(stamp.map(|stamp| (stamp, entry.id)));
                }
                Made::Absent => {
                    let path = relative(&in_folder(shown, entry.name.as_str()));
                    staged.absent.push(AbsentModel { path, id: entry.id, size: entry.size });
                }
            }
        }
        Ok(staged)
    }

    /// Files and folders alike: Windows would make a folder of a name that nobody could open or delete there.
    fn can_be_named(&self, entry: &Entry, shown: &Path) -> Result<(), Error> {
        match names::refused_here(entry.name.as_str()) {
            Some(hazard) => Err(Error::RefusedName { path: self.shown(shown), hazard }),
            None => Ok(()),
        }
    }

    /// Writes one file or link as `name` in `folder`; `shown` is where it will lie.
    fn one_entry(&self, folder: &Folder, name: &OsStr, entry: &Entry, shown: &Path) -> Result<Made, Error> {
        if self.observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let shown = in_folder(shown, entry.name.as_str());
        self.can_be_named(entry, &shown)?;
        let fail = |source| Error::Io { path: self.shown(&shown), source };
        let made = match entry.kind {
            EntryKind::Symlink => {
                let target = String::from_utf8(self.bytes(entry)?).ok().filter(|text| !text.is_empty());
                let target = target.ok_or_else(|| fail(io::Error::other("the link's target is no path")))?;
                folder.create_symlink(name, Path::new(&target)).map_err(fail)?;
                Made::Written(None)
            }
            EntryKind::Model if !self.is_held(&entry.id)? => Made::Absent,
            _ if entry.size >= LARGE => {
                let made = self.large_file(folder, name, entry, &shown);
                match made {
                    // A reference to a user's file that is gone or has other bytes now: as good as not held.
                    Err(Error::Object { source: store::Error::Changed { .. }, .. })
                        if entry.kind == EntryKind::Model =>
                    {
                        Made::Absent
                    }
                    made => Made::Written(Some(made?)),
                }
            }
            kind => {
                let bytes = self.bytes(entry).map_err(|error| error.at(&shown))?;
                let permissions = match kind {
                    EntryKind::Executable => Permissions::Executable,
                    _ => Permissions::Plain,
                };
                let mut file = folder.create_file(name, permissions).map_err(fail)?;
                file.write_all(&bytes).map_err(fail)?;
                Made::Written(Some(FileStamp::of_file(&file).map_err(fail)?))
            }
        };
        self.observer.advanced(entry.size);
        Ok(made)
    }

    fn is_held(&self, id: &ObjectId) -> Result<bool, Error> {
        Ok(self.store.contains(&[*id])? == [true])
    }

    /// A small blob, verified, of the length that the tree says.
    fn bytes(&self, entry: &Entry) -> Result<Vec<u8>, Error> {
        let (kind, bytes) = self.store.read(&entry.id)?;
        if kind != Kind::Blob {
            return Err(store::Error::WrongKind { id: entry.id, wanted: Kind::Blob, found: kind }.into());
        }
        if bytes.len() as u64 != entry.size {
            return Err(Error::WrongSize { id: entry.id, wanted: entry.size, found: bytes.len() as u64 });
        }
        Ok(bytes)
    }

    /// By link or copy into `large`, which has short paths, and from there into its folder.
    fn large_file(&self, folder: &Folder, name: &OsStr, entry: &Entry, shown: &Path) -> Result<FileStamp, Error> {
        let fail = |source| Error::Io { path: self.shown(shown), source };
        let aside = OsString::from(self.large_files.fetch_add(1, Ordering::Relaxed).to_string());
        let path = self.path.join("large").join(&aside);
        let policy = if entry.kind == EntryKind::Model { self.options.models } else { self.options.files };
        let policy = if entry.kind == EntryKind::Executable { LinkPolicy::Copy } else { policy };
        // Progress is told once for the whole file, by the caller.
        let quiet = WithoutProgress(self.observer);
        let done = self.store.materialize_observed(&entry.id, &path, policy, &quiet);
        done.map_err(|error| Error::from(error).at(shown))?;
        if entry.kind == EntryKind::Executable {
            make_executable(&path).map_err(fail)?;
        }
        self.large.rename(&aside, folder, name).map_err(fail)?;
        let stamp = folder.status(name).map_err(fail)?.stamp;
        if stamp.size != entry.size {
            return Err(Error::WrongSize { id: entry.id, wanted: entry.size, found: stamp.size }.at(shown));
        }
        Ok(stamp)
    }

    fn count(&self, more: usize) -> Result<(), Error> {
        let before = self.entries.fetch_add(more as u64, Ordering::Relaxed);
        if before + more as u64 > self.options.most_entries {
            return Err(Error::TooManyEntries { most: self.options.most_entries });
        }
        Ok(())
    }

    /// A path below the target, as the user would name it.
    fn shown(&self, below: &Path) -> PathBuf {
        if below.as_os_str().is_empty() { self.target.clone() } else { in_folder(&self.target, below) }
    }

    /// The digests of the files in staged folders, to be remembered.
    pub fn known(staged: &Staged) -> Vec<(FileStamp, Known)> {
        let known = |id| Known { id: Some(id), ..Known::default() };
        staged.stamps.iter().map(|(stamp, id)| (*stamp, known(*id))).collect()
    }

    /// Removes the staging folder and everything in it. Inner folders are first moved to the top, so that depth costs neither
    /// stack nor open files.
    pub fn remove(&mut self) -> io::Result<()> {
        remove_all(&self.home, &self.name, self.lock.take())
    }

    /// Leaves the folder to its user.
    pub fn keep(&mut self) {
        if let Some(lock) = self.lock.take() {
            drop(lock.remove());
        }
    }

    /// The seam for tests.
    pub fn faults(&self) -> &Faults {
        self.store.faults()
    }
}

/// Removes a folder with all that is in it. `lock` is that on its file, held until the file goes: where a file that is open stays until it
/// is closed, the folder could not be removed around it.
pub(super) fn remove_all(home: &Folder, name: &OsStr, lock: Option<LockFile>) -> io::Result<()> {
    let top = home.open_folder(name)?;
    // First what says that there is more to do; last what says that it is ours, so that after a crash here the next one goes on.
    let remove = |name: &str| match top.remove_file(name.as_ref()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    remove(STEPS)?;
    let mut moved = 0u64;
    let waiting = Mutex::new(vec![OsString::new()]);
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
    while let Some(name) = next() {
        let folder = if name.is_empty() { top.try_clone()? } else { top.open_folder(&name)? };
        for listed in folder.list()? {
            if name.is_empty() && listed.name == LOCK {
                continue;
            }
            match folder.remove_file(&listed.name) {
                Ok(()) => continue,
                // A folder, as some systems say it.
                Err(error) if folder.open_folder(&listed.name).is_err() => return Err(error),
                Err(_) => {}
            }
            // A removal that was killed may have left some of these names.
            let flat = loop {
                let flat = OsString::from(format!("{STAGING_PREFIX}{moved}"));
                moved += 1;
                match folder.rename(&listed.name, &top, &flat) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    done => break done.map(|()| flat)?,
                }
            };
            waiting.lock().unwrap_or_else(PoisonError::into_inner).push(flat);
        }
        if !name.is_empty() {
            top.remove_folder(&name)?;
        }
    }
    match lock {
        Some(lock) => lock.remove()?,
        None => remove(LOCK)?,
    }
    drop(top);
    match home.remove_folder(name) {
        // An empty folder without a lock is anybody's to remove.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Passes on the wish to stop, and nothing else.
struct WithoutProgress<'a>(&'a dyn Observer);

impl Observer for WithoutProgress<'_> {
    fn interrupted(&self) -> bool {
        self.0.interrupted()
    }
}

/// Lets those execute a file who may read it.
fn make_executable(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path)?.permissions().mode();
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode | (mode & 0o444) >> 2))?;
    }
    let _ = path;
    Ok(())
}
