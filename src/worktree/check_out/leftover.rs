//! What a killed check-out left beside its target, brought to its end by the next one there (invariant W7).
//!
//! A staging folder belongs to who holds the lock on its file `lock`. Before the first thing is moved into place, its file `steps` says
//! what goes where, and everything that is to go there is in the folder. So whoever comes after a crash finds one of three:
//!
//! | what is there | what is done |
//! | --- | --- |
//! | no `steps` | nothing was moved: the folder is deleted |
//! | nothing is in its place yet | what had made room is moved back, the folder deleted |
//! | some of it is in its place | the rest is moved there too, the folder deleted with what gave way, or that moved aside as was asked for |
//!
//! Whether something is in its place is seen by its identity, not its name. What was changed since is never moved: then the folder stays
//! and its place is told.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::compare::Plan;
use super::stage::{LOCK, STEPS, Stage, Staged, remove_all};
use super::{CheckOutOptions, Displaced, Target};
use crate::observer::Observer;
use crate::platform::folder::{FileKind, Folder, Permissions, Status};
use crate::platform::identity::FileStamp;
use crate::platform::lock::{Access, LockFile};
use crate::platform::paths::{from_bytes, to_bytes};
use crate::worktree::ignore::STAGING_PREFIX;

const VERSION: u8 = 1;

/// What is to be moved, as it stands in the file: the bytes of paths, postcard.
#[derive(Serialize, Deserialize)]
struct Steps {
    version: u8,
    /// From the folder in which the staging folder lies to the target; empty when that is the target.
    target: Vec<u8>,
    /// Below the target, moved to `old/extra-NUMBER`, before everything else.
    extras: Vec<Vec<u8>>,
    puts: Vec<PutStep>,
    /// Where what gives way is to go, at the same path as before.
    aside: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct PutStep {
    /// Its name in `new`.
    number: u64,
    /// Below the target; the target itself where that is made as a whole.
    path: Vec<u8>,
    staged: Seen,
    /// What gives way to it.
    over: Option<Seen>,
}

/// What is known of a file or folder, to know it again.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Seen {
    is_file: bool,
    stamp: FileStamp,
}

impl Seen {
    fn of(status: &Status) -> Self {
        Seen { is_file: status.kind == FileKind::File, stamp: status.stamp }
    }

    /// The same file or folder, wherever it is now.
    fn is_it(&self, now: &Status) -> bool {
        (self.stamp.device, self.stamp.inode) == (now.stamp.device, now.stamp.inode)
    }

    /// The same, and not written to. Moving it changes only the time of the last change of its metadata.
    fn is_unchanged(&self, now: &Status) -> bool {
        let times = |stamp: &FileStamp| (stamp.size, stamp.modified);
        self.is_it(now) && (!self.is_file || times(&self.stamp) == times(&now.stamp))
    }
}

/// Writes down what is about to be moved.
pub(super) fn note(
    target: &Target,
    plan: &Plan,
    stage: &Stage<'_>,
    staged: &Staged,
    options: &CheckOutOptions,
) -> io::Result<()> {
    let bytes = |path: &Path| to_bytes(path);
    let mut puts = Vec::new();
    for (number, put) in plan.puts.iter().enumerate().filter(|(number, _)| staged.is_there[*number]) {
        let seen = Seen::of(&stage.new.status(OsStr::new(&number.to_string()))?);
        let path = match target.existing {
            Some(_) => plan.path_of_put(put),
            None => PathBuf::new(),
        };
        let over = put.over.as_ref().map(Seen::of);
        puts.push(PutStep { number: number as u64, path: bytes(&path), staged: seen, over });
    }
    let from_home = if stage.lies_in_target { PathBuf::new() } else { target.names.iter().take(1).collect() };
    let steps = Steps {
        version: VERSION,
        target: bytes(&from_home),
        extras: plan.extras.iter().map(|extra| bytes(&plan.path_of(extra.folder).join(&extra.name))).collect(),
        puts,
        aside: match &options.displaced {
            Displaced::Removed => None,
            Displaced::MovedTo(folder) => Some(bytes(&std::path::absolute(folder)?)),
        },
    };
    let bytes = postcard::to_allocvec(&steps).map_err(io::Error::other)?;
    // Written under another name: half a list would be worse than none.
    stage.folder.create_file("steps.new".as_ref(), Permissions::Plain)?.write_all(&bytes)?;
    stage.folder.rename("steps.new".as_ref(), &stage.folder, STEPS.as_ref())
}

/// Ends what killed check-outs left in the folders in which one to this target would stage, and tells of it. What cannot be ended stays.
pub(super) fn end_all(target: &Target, observer: &dyn Observer) {
    end_in(&target.above_path, observer);
    if let (Some(_), Ok(path)) = (&target.existing, std::fs::canonicalize(&target.path)) {
        end_in(&path, observer);
    }
}

fn end_in(path: &Path, observer: &dyn Observer) {
    // Opened anew: a folder that was listed once through a descriptor is listed from there on by whoever shares it.
    let Ok(home) = Folder::open(path) else { return };
    let Ok(listed) = home.list() else { return };
    for listed in listed.into_iter().filter(|listed| listed.name.to_string_lossy().starts_with(STAGING_PREFIX)) {
        let place = path.join(&listed.name);
        let ended = match dead(&place) {
            Some(lock) => end(&home, path, &listed.name, lock),
            None => {
                // One that was killed before it had its lock, or after that went: only an empty folder can be removed so.
                drop(home.remove_folder(&listed.name));
                continue;
            }
        };
        let place = place.display();
        match ended {
            Ok(outcome) => observer.noted(&format!("note: {place}, which an interrupted check-out left, {outcome}")),
            Err(error) => observer.noted(&format!(
                "warning: an interrupted check-out left {place}, and it cannot be ended: {error}; what gave way is in there"
            )),
        }
    }
}

/// The lock of a staging folder whose owner is gone. One without a lock is none of a check-out.
fn dead(place: &Path) -> Option<LockFile> {
    let path = place.join(LOCK);
    path.is_file().then(|| LockFile::try_take(&path, Access::Exclusive).ok().flatten()).flatten()
}

fn end(home: &Folder, home_path: &Path, name: &OsStr, lock: LockFile) -> io::Result<&'static str> {
    let folder = home.open_folder(name)?;
    let outcome = match read(&folder)? {
        None => "was cleared away",
        Some(steps) => Ending::new(home, home_path, &folder, &steps)?.go()?,
    };
    drop(folder);
    remove_all(home, name, Some(lock))?;
    Ok(outcome)
}

fn read(folder: &Folder) -> io::Result<Option<Steps>> {
    let mut file = match folder.open_file(STEPS.as_ref()) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut file, &mut bytes)?;
    let steps: Steps = postcard::from_bytes(&bytes).map_err(io::Error::other)?;
    match steps.version {
        VERSION => Ok(Some(steps)),
        other => Err(io::Error::other(format!("its list of steps has version {other}"))),
    }
}

struct Ending<'a> {
    steps: &'a Steps,
    /// The folder in which the target is, its name there, and the target if it is there.
    home: &'a Folder,
    target_path: PathBuf,
    target: Option<Folder>,
    new: Folder,
    old: Folder,
}

/// Where a put is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Done,
    Open,
}

impl<'a> Ending<'a> {
    fn new(home: &'a Folder, home_path: &Path, folder: &Folder, steps: &'a Steps) -> io::Result<Self> {
        let below = from_bytes(&steps.target);
        let target = match home.open_below(&below) {
            Ok(target) => Some(target),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let part = |name: &str| folder.open_folder(name.as_ref());
        let target_path = home_path.join(&below);
        Ok(Ending { steps, home, target_path, target, new: part("new")?, old: part("old")? })
    }

    fn go(&self) -> io::Result<&'static str> {
        let places: Vec<Place> = self.steps.puts.iter().map(|put| self.place(put)).collect::<io::Result<_>>()?;
        let is_begun = places.contains(&Place::Done);
        if !is_begun {
            for (number, path) in self.steps.extras.iter().enumerate() {
                self.move_back(number, &from_bytes(path))?;
            }
            // The first put may have had its place cleared, where the system cannot exchange names.
            for put in &self.steps.puts {
                self.put_back(put)?;
            }
            return Ok("was cleared away; everything is as it was before");
        }
        for (put, place) in self.steps.puts.iter().zip(&places) {
            if *place == Place::Open {
                self.put(put)?;
            }
        }
        if let Some(aside) = &self.steps.aside {
            self.move_aside(&from_bytes(aside))?;
        }
        Ok("was cleared away; the rest of the files is in its place now")
    }

    /// The folder of a path of the target, and the last name.
    fn spot(&self, path: &Path) -> io::Result<Option<(Folder, OsString)>> {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            // The target as a whole.
            let name = from_bytes(&self.steps.target).into_os_string();
            return Ok(Some((self.home.try_clone()?, name)));
        };
        let Some(target) = &self.target else { return Ok(None) };
        match target.open_below(above) {
            Ok(folder) => Ok(Some((folder, name.to_owned()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn place(&self, put: &PutStep) -> io::Result<Place> {
        let Some((folder, name)) = self.spot(&from_bytes(&put.path))? else { return Ok(Place::Open) };
        let is_it = status(&folder, &name)?.is_some_and(|now| put.staged.is_it(&now));
        Ok(if is_it { Place::Done } else { Place::Open })
    }

    /// Moves one thing to where it was to go.
    fn put(&self, put: &PutStep) -> io::Result<()> {
        let path = from_bytes(&put.path);
        let changed = || io::Error::other(format!("{} was changed meanwhile", self.target_path.join(&path).display()));
        let (folder, name) = self.spot(&path)?.ok_or_else(changed)?;
        let number = OsString::from(put.number.to_string());
        match (status(&folder, &name)?, &put.over) {
            (None, _) => self.new.rename(&number, &folder, &name),
            (Some(now), Some(over)) if over.is_unchanged(&now) => match self.new.exchange(&number, &folder, &name) {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    folder.rename(&name, &self.old, &number)?;
                    self.new.rename(&number, &folder, &name)
                }
                done => done,
            },
            (Some(_), _) => Err(changed()),
        }
    }

    fn put_back(&self, put: &PutStep) -> io::Result<()> {
        let number = OsString::from(put.number.to_string());
        let Some((folder, name)) = self.spot(&from_bytes(&put.path))? else { return Ok(()) };
        match (status(&self.old, &number)?, status(&folder, &name)?) {
            (Some(_), None) => self.old.rename(&number, &folder, &name),
            _ => Ok(()),
        }
    }

    fn move_back(&self, number: usize, path: &Path) -> io::Result<()> {
        let aside = OsString::from(format!("extra-{number}"));
        if status(&self.old, &aside)?.is_none() {
            return Ok(());
        }
        let gone = || io::Error::other(format!("the folder of {} has gone", self.target_path.join(path).display()));
        let (folder, name) = self.spot(path)?.ok_or_else(gone)?;
        self.old.rename(&aside, &folder, &name)
    }

    /// Moves what gave way to where it was asked to be moved.
    fn move_aside(&self, aside: &Path) -> io::Result<()> {
        let extras = self.steps.extras.iter().enumerate();
        let extras = extras.map(|(number, path)| (format!("extra-{number}"), from_bytes(path)));
        let replaced = self.steps.puts.iter().filter(|put| put.over.is_some());
        let replaced = replaced.map(|put| (put.number.to_string(), from_bytes(&put.path)));
        for (name, path) in extras.chain(replaced) {
            let name = OsString::from(name);
            let to = aside.join(path);
            let (Some(above), Some(last)) = (to.parent(), to.file_name()) else { continue };
            let there = [&self.old, &self.new].into_iter().find(|folder| matches!(status(folder, &name), Ok(Some(_))));
            if let Some(from) = there {
                std::fs::create_dir_all(above)?;
                from.rename(&name, &Folder::open(above)?, last)?;
            }
        }
        Ok(())
    }
}

/// Nothing where there is nothing of that name.
fn status(folder: &Folder, name: &OsStr) -> io::Result<Option<Status>> {
    match folder.status(name) {
        Ok(status) => Ok(Some(status)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
