//! The journal of a transaction: which renames make the new state of the old one, and how far they are.
//!
//! A file in the environment's folder, replaced as a whole at every change of phase. From each phase there is one way
//! on, whoever comes after a crash (invariant E24):
//!
//! | phase | what is true | what the next command does |
//! | --- | --- | --- |
//! | staging | only our own folders were written to | deletes them: undone |
//! | trying | any of the renames may be done; what is to be recorded of them is not known yet | takes them back: undone |
//! | ready | everything is staged and verified; any of the renames may be done | does the rest: finished; or where it cannot, goes over to undoing |
//! | undoing | renames are being taken back | takes back the rest: undone |
//! | settled | old or new state stands, and is recorded | deletes our own folders |
//!
//! Whether a rename is done can be seen: one end of it lies in a folder of our own, whose names nobody else uses, or
//! it is of a node, between two names of which nothing else in the transaction uses either (invariant E25).
//!
//! A command that makes an environment leaves the journal in its folder before that has a name, so that an environment which
//! is undone goes as a whole (invariant E28, [`Born`]).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::object::{ObjectId, RefTarget, Time};
use crate::observer::Silent;
use crate::platform::durable;
use crate::platform::git_clone::Stand;
use crate::platform::git_program::{Git, GitError, Questions};
use crate::platform::identity::FileStamp;
use crate::store::faults::{Effect, Faults};

/// The journal's name in an environment's folder.
pub const FILE: &str = "journal.json";

/// Folders of our own begin with this, so that no tree takes them in.
pub const PRIVATE: &str = crate::worktree::ignore::STAGING_PREFIX;

/// What a transaction does, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    version: u32,
    /// The command line, for the message of whoever finishes it.
    pub command: String,
    pub phase: Phase,
    /// Set where the environment itself is this command's work.
    #[serde(default)]
    pub born: Option<Born>,
    /// Folders of our own, one a file system.
    pub private: Vec<SystemPath>,
    /// Folders made before the renames; taken away again, when empty, if all is undone.
    pub made: Vec<SystemPath>,
    pub moves: Vec<Move>,
    /// Folders taken away after the renames if nothing is left in them, deepest first.
    pub emptied: Vec<SystemPath>,
    /// Git clones that stand elsewhere after the renames.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clones: Vec<Followed>,
    /// What the operation log is to say.
    pub record: Option<Planned>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Staging,
    Trying,
    Ready,
    Undoing,
    Settled,
}

/// What else there is to take back of an environment that a command makes: changes of the workspace's settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Born {
    /// True when it was made the active one.
    pub active: bool,
    /// The model folder that came into the settings with it.
    pub model_folder: Option<SystemPath>,
}

/// One rename. `to` does not exist before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    pub from: SystemPath,
    pub to: SystemPath,
    pub side: Side,
}

/// A git clone whose files are rewritten, and where git takes it to stand before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    pub clone: SystemPath,
    pub from: Stand,
    pub to: Stand,
}

/// Which end of a rename is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Out of the way: `to` is ours. What it was when the restore point was made, to notice a change since.
    Aside(Was),
    /// Into its place: `from` is ours.
    Staged,
    /// From name to name, neither ours.
    Renamed,
}

/// What is known of something moved aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Was {
    /// A file: size in bytes and time of its last change in nanoseconds. A rename changes neither.
    File { size: u64, modified: i64 },
    /// A link and its target.
    Link { target: SystemPath },
    /// A folder, by the names, sizes and times of everything in it (see [`fingerprint`]).
    Folder { fingerprint: ObjectId },
}

/// An operation to be recorded once the files are in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    pub command: String,
    pub author: String,
    pub time: Time,
    pub restore_points: BTreeMap<String, ObjectId>,
    pub undoes: Option<ObjectId>,
    /// The newest operation when this one was planned: an equal operation after it is this one.
    pub base: Option<ObjectId>,
    pub refs: RefEdit,
}

/// What becomes of the refs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefEdit {
    Nothing,
    /// The branch moves, if it still is where it was.
    Set {
        name: String,
        new: ObjectId,
        expected: Option<ObjectId>,
    },
    /// The environment's refs become these, by their full names.
    Take {
        environment: String,
        refs: BTreeMap<String, RefTarget>,
    },
}

/// A path, whatever its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SystemPath(pub PathBuf);

impl From<PathBuf> for SystemPath {
    fn from(path: PathBuf) -> Self {
        SystemPath(path)
    }
}

impl From<&Path> for SystemPath {
    fn from(path: &Path) -> Self {
        SystemPath(path.to_owned())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PathForm {
    Text(String),
    Bytes(Vec<u8>),
}

impl Serialize for SystemPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = match self.0.to_str() {
            Some(text) => PathForm::Text(text.to_owned()),
            None => PathForm::Bytes(crate::platform::paths::to_bytes(&self.0)),
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SystemPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(SystemPath(match PathForm::deserialize(deserializer)? {
            PathForm::Text(text) => PathBuf::from(text),
            PathForm::Bytes(bytes) => crate::platform::paths::from_bytes(&bytes),
        }))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: not a journal that this program knows: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
    /// A rename whose end is in use.
    #[error("{} is in the way", .0.display())]
    InTheWay(PathBuf),
    /// Neither end of a rename is there.
    #[error("{} has gone", .0.display())]
    Gone(PathBuf),
    /// git does not let a clone stand where it is to.
    #[error("{}: {source}", clone.display())]
    Clone { clone: PathBuf, source: GitError },
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> JournalError + use<> {
    let path = path.to_owned();
    move |source| JournalError::Io { path, source }
}

const VERSION: u32 = 1;

/// It is not to be stopped halfway, and has nothing to ask.
const GIT: Git<'static> = Git { questions: Questions::Never, observer: &Silent };

impl Journal {
    /// A journal in which nothing is staged yet.
    pub fn new(command: impl Into<String>) -> Self {
        Journal {
            version: VERSION,
            command: command.into(),
            phase: Phase::Staging,
            born: None,
            private: Vec::new(),
            made: Vec::new(),
            moves: Vec::new(),
            emptied: Vec::new(),
            clones: Vec::new(),
            record: None,
        }
    }

    /// Reads the journal in an environment's folder; nothing when there is none, which costs one look.
    pub fn read(folder: &Path) -> Result<Option<Self>, JournalError> {
        let path = folder.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error(&path)(error)),
        };
        let unreadable = |reason| JournalError::Unreadable { path: path.clone(), reason };
        let journal: Journal = serde_json::from_slice(&bytes).map_err(|e| unreadable(e.to_string()))?;
        if journal.version != VERSION {
            return Err(unreadable(format!("version {}", journal.version)));
        }
        Ok(Some(journal))
    }

    /// Replaces the journal in `folder`; it survives a power cut from here on.
    pub fn write(&self, folder: &Path, faults: &Faults) -> Result<(), JournalError> {
        let path = folder.join(FILE);
        let fresh = folder.join("journal.new");
        let write = || -> io::Result<()> {
            let bytes = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
            faults.before(Effect::Write, &fresh)?;
            let mut file = File::create(&fresh)?;
            file.write_all(&bytes)?;
            faults.sync(&file, &fresh)?;
            faults.rename(&fresh, &path)?;
            faults.sync_folder(folder)
        };
        write().map_err(io_error(&path))
    }

    /// Deletes our own folders and the journal: the end of every transaction. Where an environment is to go with what was to be in
    /// it, the journal stays until it does.
    pub fn sweep(&self, folder: &Path, faults: &Faults) -> Result<(), JournalError> {
        for private in &self.private {
            remove_all(&private.0, faults).map_err(io_error(&private.0))?;
        }
        if self.born.is_some() && self.phase != Phase::Settled {
            return Ok(());
        }
        let path = folder.join(FILE);
        faults.remove(&path).map_err(io_error(&path))
    }

    /// Does what is not done yet. Errors leave it between the two states: go over to [`Journal::take_back`].
    pub fn carry_out(&self, faults: &Faults) -> Result<(), JournalError> {
        for made in &self.made {
            match std::fs::create_dir(&made.0) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io_error(&made.0)(error)),
                _ => {}
            }
        }
        for step in &self.moves {
            if !step.is_done()? {
                rename(&step.from.0, &step.to.0, faults)?;
            }
        }
        for emptied in &self.emptied {
            // Something of the user's that no snapshot holds may be left in it: then it stays.
            drop(std::fs::remove_dir(&emptied.0));
        }
        for Followed { clone, to, .. } in &self.clones {
            let failed = |source| JournalError::Clone { clone: clone.0.clone(), source };
            GIT.stand_at(&clone.0, to).map_err(failed)?;
        }
        self.sync_folders(faults)
    }

    /// Takes back what is done.
    pub fn take_back(&self, faults: &Faults) -> Result<(), JournalError> {
        for Followed { clone, from, .. } in &self.clones {
            // Files come first: what git does not do now, the user can tell it to.
            drop(GIT.stand_at(&clone.0, from));
        }
        for emptied in self.emptied.iter().rev() {
            std::fs::create_dir_all(&emptied.0).map_err(io_error(&emptied.0))?;
        }
        for step in self.moves.iter().rev() {
            if step.is_done_before_taking_back() {
                rename(&step.to.0, &step.from.0, faults)?;
            }
        }
        for made in self.made.iter().rev() {
            drop(std::fs::remove_dir(&made.0));
        }
        self.sync_folders(faults)
    }

    fn sync_folders(&self, faults: &Faults) -> Result<(), JournalError> {
        let ends = self.moves.iter().flat_map(|step| [&step.from.0, &step.to.0]);
        let folders: std::collections::BTreeSet<&Path> = ends.filter_map(|path| path.parent()).collect();
        for folder in folders {
            match faults.sync_folder(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(folder)(error)),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Move {
    /// Errors: neither end is there, which no crash of ours brings about.
    fn is_done(&self) -> Result<bool, JournalError> {
        let (from, to) = (exists(&self.from.0), exists(&self.to.0));
        match self.side {
            Side::Aside(_) if to => Ok(true),
            Side::Staged if !from => Ok(true),
            Side::Renamed if to && !from => Ok(true),
            _ if !from => Err(JournalError::Gone(self.from.0.clone())),
            _ => Ok(false),
        }
    }

    fn is_done_before_taking_back(&self) -> bool {
        let (from, to) = (exists(&self.from.0), exists(&self.to.0));
        match self.side {
            Side::Aside(_) => to,
            Side::Staged | Side::Renamed => to && !from,
        }
    }
}

impl Was {
    /// What lies at `path` now.
    pub fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::symlink_metadata(path)?;
        if metadata.is_dir() {
            return Ok(Was::Folder { fingerprint: fingerprint(path)? });
        }
        if metadata.is_symlink() {
            return Ok(Was::Link { target: std::fs::read_link(path)?.into() });
        }
        let stamp = FileStamp::of_path(path)?;
        Ok(Was::File { size: stamp.size, modified: stamp.modified })
    }
}

/// Hash of the relative path, size and time of the last change of everything in a folder, none of which a rename of the folder changes.
fn fingerprint(folder: &Path) -> io::Result<ObjectId> {
    let mut hasher = blake3::Hasher::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name() {
        let entry = entry?;
        let below = entry.path().strip_prefix(folder).map_err(io::Error::other)?;
        hasher.update(&crate::platform::paths::to_bytes(below)).update(&[0]);
        match entry.file_type() {
            kind if kind.is_dir() => hasher.update(b"folder"),
            kind if kind.is_symlink() => {
                hasher.update(&crate::platform::paths::to_bytes(&std::fs::read_link(entry.path())?))
            }
            _ => {
                let stamp = FileStamp::of_path(entry.path())?;
                hasher.update(&stamp.size.to_le_bytes()).update(&stamp.modified.to_le_bytes())
            }
        };
    }
    Ok(ObjectId(*hasher.finalize().as_bytes()))
}

/// True when there is something of that name, even a link that leads nowhere.
pub fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Renames, and refuses to replace what is there.
fn rename(from: &Path, to: &Path, faults: &Faults) -> Result<(), JournalError> {
    if exists(to) {
        return Err(JournalError::InTheWay(to.to_owned()));
    }
    faults.rename(from, to).map_err(|error| {
        let (blamed, error) = durable::blamed(from, error);
        let about = if durable::is_in_use(&error) { &blamed } else { to };
        io_error(about)(error)
    })
}

fn remove_all(path: &Path, faults: &Faults) -> io::Result<()> {
    if !exists(path) {
        return Ok(());
    }
    faults.before(Effect::Remove, path)?;
    durable::remove_folder(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with `a`, `b`, a node `n`, and a journal that replaces `a`, removes `b`, writes `sub/c` and disables `n`.
    fn prepared(folder: &Path) -> Journal {
        let private = folder.join(".comfrey-staging-1");
        std::fs::create_dir_all(&private).unwrap();
        for (name, text) in [("a", "old a"), ("b", "old b"), ("n", "node")] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        for (name, text) in [("s1", "new a"), ("s2", "new c")] {
            std::fs::write(private.join(name), text).unwrap();
        }
        let at = |name: &str| SystemPath(folder.join(name));
        let was = || Side::Aside(Was::File { size: 5, modified: 0 });
        let step = |from: SystemPath, to: SystemPath, side| Move { from, to, side };
        Journal {
            private: vec![private.clone().into()],
            made: vec![at("sub")],
            moves: vec![
                step(at("n"), at("n.disabled"), Side::Renamed),
                step(at("a"), private.join("o1").into(), was()),
                step(at("b"), private.join("o2").into(), was()),
                step(private.join("s1").into(), at("a"), Side::Staged),
                step(private.join("s2").into(), at("sub/c"), Side::Staged),
            ],
            phase: Phase::Ready,
            ..Journal::new("rollback v1")
        }
    }

    /// Every file with its content.
    fn content(folder: &Path) -> Vec<String> {
        let walk = walkdir::WalkDir::new(folder).sort_by_file_name();
        let files = walk.into_iter().map(|e| e.unwrap()).filter(|e| e.file_type().is_file());
        let text = |e: walkdir::DirEntry| {
            let name = e.path().strip_prefix(folder).unwrap().display().to_string();
            let name = name.replace(std::path::MAIN_SEPARATOR, "/");
            format!("{name}={}", std::fs::read_to_string(e.path()).unwrap())
        };
        files.map(text).collect()
    }

    const BEFORE: [&str; 3] = ["a=old a", "b=old b", "n=node"];
    const AFTER: [&str; 3] = ["a=new a", "n.disabled=node", "sub/c=new c"];

    #[test]
    fn a_journal_survives_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let journal = prepared(dir.path());
        assert!(Journal::read(dir.path()).unwrap().is_none());
        journal.write(dir.path(), &Faults::default()).unwrap();
        assert_eq!(Journal::read(dir.path()).unwrap(), Some(journal));
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        assert!(matches!(Journal::read(dir.path()), Err(JournalError::Unreadable { .. })));
    }

    #[test]
    fn from_every_step_it_goes_on_to_the_end_and_back_to_the_beginning() {
        let steps = {
            let dir = tempfile::tempdir().unwrap();
            let faults = Faults::default();
            prepared(dir.path()).carry_out(&faults).unwrap();
            faults.count()
        };
        for k in 1..=steps {
            for forward in [true, false] {
                let dir = tempfile::tempdir().unwrap();
                let journal = prepared(dir.path());
                assert!(journal.carry_out(&Faults::at(k)).is_err());
                if forward {
                    journal.carry_out(&Faults::default()).unwrap();
                } else {
                    journal.take_back(&Faults::default()).unwrap();
                }
                journal.write(dir.path(), &Faults::default()).unwrap();
                journal.sweep(dir.path(), &Faults::default()).unwrap();
                assert_eq!(content(dir.path()), if forward { AFTER } else { BEFORE }, "step {k}");
                assert_eq!(dir.path().join("sub").exists(), forward);
            }
        }
    }

    #[test]
    fn taking_back_can_be_interrupted_too() {
        for k in 1.. {
            let dir = tempfile::tempdir().unwrap();
            let journal = prepared(dir.path());
            journal.carry_out(&Faults::default()).unwrap();
            let failed = journal.take_back(&Faults::at(k)).is_err();
            journal.take_back(&Faults::default()).unwrap();
            std::fs::remove_dir_all(&journal.private[0].0).unwrap();
            assert_eq!(content(dir.path()), BEFORE, "step {k}");
            if !failed {
                break;
            }
        }
    }

    #[test]
    fn what_someone_put_in_the_way_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let journal = prepared(dir.path());
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(dir.path().join("sub/c"), "mine").unwrap();
        assert!(matches!(journal.carry_out(&Faults::default()), Err(JournalError::InTheWay(_))));
        journal.take_back(&Faults::default()).unwrap();
        std::fs::remove_dir_all(&journal.private[0].0).unwrap();
        assert_eq!(content(dir.path()), [&BEFORE[..], &["sub/c=mine"]].concat());
    }
}
