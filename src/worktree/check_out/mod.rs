//! A tree becomes a folder.
//!
//! Compare what is there with the tree, write what is missing or different into a staging folder beside the target, each object verified,
//! and only then move it into place. A failure before the last step has changed nothing; one during it is taken back
//! (invariant W3). Folders are opened relative to each other and never through a link (invariant W2). What is right already
//! is not touched.
//!
//! - [`compare`]: what is to be done, as a value
//! - [`stage`]: everything new, in a folder of its own
//! - [`mod@place`]: moving into place, and back if that fails
//! - [`leftover`]: what a killed check-out left, brought to its end by the next

pub mod compare;
pub mod leftover;
pub mod place;
pub mod stage;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use self::compare::{Comparison, Plan};
use self::place::place;
use self::stage::Stage;
use super::Error;
use super::ignore::IgnoreRules;
use crate::object::{EntryName, ObjectId, RelativePath};
use crate::observer::Observer;
use crate::platform::folder::Folder;
use crate::store::{LinkPolicy, Store};

/// What happens to files that the tree does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extra {
    #[default]
    Keep,
    /// They go, save what the ignore rules call nobody's work; bytecode goes with the folder it lies in.
    Displace,
}

/// What happens to files that differ from the tree's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Changed {
    #[default]
    Replace,
    /// They stop the work with [`Error::InTheWay`] before anything is written.
    Refuse,
}

/// Where goes what has to give way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Displaced {
    #[default]
    Removed,
    /// Into this folder, at the same path as before; on the same file system.
    MovedTo(PathBuf),
}

/// Whether the result must survive a power cut as soon as the work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The system writes in its own time, as after `git checkout`.
    #[default]
    Ordinary,
    Durable,
}

/// How a tree is checked out.
#[derive(Debug, Clone)]
pub struct CheckOutOptions {
    pub extra: Extra,
    pub changed: Changed,
    pub displaced: Displaced,
    pub durability: Durability,
    /// What in the target is nobody's work, and stays where it is.
    pub ignore: IgnoreRules,
    /// How large files come out of the store; they are edited, so never as a hard link.
    pub files: LinkPolicy,
    /// The same for `model` entries.
    pub models: LinkPolicy,
    /// More entries than this in one tree are taken for an attack: small trees can be nested into endless ones.
    pub most_entries: u64,
}

impl Default for CheckOutOptions {
    fn default() -> Self {
        CheckOutOptions {
            extra: Extra::default(),
            changed: Changed::default(),
            displaced: Displaced::default(),
            durability: Durability::default(),
            ignore: IgnoreRules::default(),
            files: LinkPolicy::Copy,
            models: LinkPolicy::Auto,
            most_entries: 10_000_000,
        }
    }
}

/// What became of a tree.
#[derive(Debug, Default)]
pub struct CheckedOut {
    /// Files and links written.
    pub written: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Files and links that were right already.
    pub unchanged: u64,
    /// Paths that gave way: replaced, and extra ones; a folder counts once.
    pub displaced: u64,
    /// Models that the store does not hold; nothing was written in their place.
    pub absent: Vec<AbsentModel>,
    /// A staging folder that could not be removed in the end.
    pub left_behind: Option<PathBuf>,
}

/// A model that is wanted at a path and not held by the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentModel {
    pub path: RelativePath,
    pub id: ObjectId,
    pub size: u64,
}

/// Makes `dir` hold what the tree holds. `dir` may be absent, with folders above it; if it is a link to a folder, the folder is meant.
///
/// What a check-out that was killed left there is ended first.
///
/// Errors: an object is missing or damaged; something is in the way; the file system refuses. Nothing has changed then.
pub fn check_out(
    store: &Store,
    tree: &ObjectId,
    dir: &Path,
    options: &CheckOutOptions,
    observer: &dyn Observer,
) -> Result<CheckedOut, Error> {
    let mut target = Target::find(dir)?;
    leftover::end_all(&target, observer);
    if target.existing.is_none() {
        // It may be there now.
        target = Target::find(dir)?;
    }
    let plan = Comparison { store, options, observer, target: &target }.plan(tree)?;
    carry_out(store, &target, &plan, options, observer)
}

/// What [`check_out`] would do.
pub fn plan(
    store: &Store,
    tree: &ObjectId,
    dir: &Path,
    options: &CheckOutOptions,
    observer: &dyn Observer,
) -> Result<Plan, Error> {
    let target = Target::find(dir)?;
    Comparison { store, options, observer, target: &target }.plan(tree)
}

fn carry_out(
    store: &Store,
    target: &Target,
    plan: &Plan,
    options: &CheckOutOptions,
    observer: &dyn Observer,
) -> Result<CheckedOut, Error> {
    let mut done = CheckedOut { unchanged: plan.unchanged, ..CheckedOut::default() };
    if plan.is_empty() {
        return Ok(done);
    }
    let mut stage = Stage::new(store, target, options, observer)?;
    let outcome = stage.fill(target, plan).and_then(|staged| {
        let flush = |folder: &Folder| match options.durability {
            Durability::Ordinary => Ok(()),
            Durability::Durable => {
                folder.flush_file_system().map_err(|source| Error::Io { path: target.path.clone(), source })
            }
        };
        leftover::note(target, plan, &stage, &staged, options)
            .map_err(|source| Error::Io { path: stage.path.clone(), source })?;
        flush(&stage.folder)?;
        // Before this moment nobody but us could write to what was staged: see `KnownFiles`.
        let known = store.known_files();
        let displaced = place(target, plan, &stage, &staged, options)?;
        // What was done stands, whether the disk confirms it or not; but then it must not be called durable.
        flush(&stage.folder)?;
        // Remembering only saves time later.
        drop(known.remember(Stage::known(&staged)));
        Ok((staged, displaced))
    });
    match outcome {
        Ok((staged, displaced)) => {
            done.written = staged.written;
            done.bytes = staged.bytes;
            done.absent = staged.absent;
            done.absent.sort_by(|a, b| a.path.cmp(&b.path));
            done.displaced = displaced;
            done.left_behind = stage.remove().err().map(|_| stage.path);
            Ok(done)
        }
        // What could not be put back must not be thrown away, nor be taken for what a killed check-out left.
        Err(error @ Error::NotTakenBack { .. }) => {
            stage.keep();
            Err(error)
        }
        Err(error) => {
            drop(stage.remove());
            Err(error)
        }
    }
}

/// The folder that is to hold the tree, or the place where it is to be.
pub struct Target {
    /// As the user named it, for messages.
    pub path: PathBuf,
    /// The folder itself, if it is there.
    pub existing: Option<Folder>,
    /// The nearest folder above that is there.
    pub above: Folder,
    pub above_path: PathBuf,
    /// The names that lead from `above` to the target; one, unless folders on the way are absent.
    pub names: Vec<OsString>,
}

impl Target {
    fn find(dir: &Path) -> Result<Target, Error> {
        let fail = |source| Error::Io { path: dir.to_owned(), source };
        let open = |path: &Path| Folder::open(path).map_err(|source| Error::Io { path: path.to_owned(), source });
        match crate::platform::paths::full(dir) {
            Ok(full) => {
                let existing = Some(Folder::open(&full).map_err(fail)?);
                let above_path = full.parent().unwrap_or(&full).to_owned();
                let names = full.file_name().map(|name| vec![name.to_owned()]).unwrap_or_default();
                Ok(Target { path: dir.to_owned(), existing, above: open(&above_path)?, above_path, names })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if std::fs::symlink_metadata(dir).is_ok() {
                    return Err(fail(io::Error::new(io::ErrorKind::NotFound, "a link that leads nowhere")));
                }
                let full = std::path::absolute(dir).map_err(fail)?;
                let mut names = Vec::new();
                let mut above = full.as_path();
                while std::fs::symlink_metadata(above).is_err() {
                    let name = above.file_name().ok_or_else(|| fail(io::ErrorKind::NotFound.into()))?;
                    let text = name.to_str().ok_or_else(|| fail(io::ErrorKind::InvalidInput.into()))?;
                    EntryName::new(text).map_err(|e| fail(io::Error::new(io::ErrorKind::InvalidInput, e)))?;
                    names.push(name.to_owned());
                    above = above.parent().ok_or_else(|| fail(io::ErrorKind::NotFound.into()))?;
                }
                names.reverse();
                let above_path = crate::platform::paths::full(above).map_err(fail)?;
                // A file in the place of a folder: some systems say so only now.
                let above = Folder::open(&above_path).map_err(fail)?;
                Ok(Target { path: dir.to_owned(), existing: None, above, above_path, names })
            }
            Err(error) => Err(fail(error)),
        }
    }

    /// Opens a folder of the existing target.
    pub fn open(&self, path: &Path) -> io::Result<Folder> {
        match &self.existing {
            Some(folder) => folder.open_below(path),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
