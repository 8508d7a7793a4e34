//! A plan turned into staged files and renames.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::object::{Entry, EntryKind, RelativePath, Tree};
use crate::worktree::Trees;

use super::journal::exists;
use super::plan::{Plan, Step};
use super::snapshot_tree::Places;
use super::transaction::{Transaction, TransactionError};

#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    #[error(transparent)]
    Worktree(#[from] crate::worktree::Error),
    /// Something that no snapshot holds, such as an ignored file, has a name that is needed.
    #[error("{} is in the way: it is in no snapshot, so it is not touched", .0.display())]
    InTheWay(PathBuf),
}

/// Stages everything that `plan` needs. Nothing of the user's is touched.
///
/// Errors: an object that the store cannot hand out; something in the way.
pub fn stage(
    transaction: &mut Transaction<'_>,
    trees: &dyn Trees,
    places: &Places,
    plan: &Plan,
) -> Result<(), StagingError> {
    let mut staging = Staging { transaction, trees, places, renamed: Vec::new() };
    plan.steps.iter().try_for_each(|step| staging.step(step))
}

struct Staging<'a, 'b> {
    transaction: &'a mut Transaction<'b>,
    trees: &'a dyn Trees,
    places: &'a Places,
    /// New path and the path before, of each renamed node.
    renamed: Vec<(RelativePath, RelativePath)>,
}

impl Staging<'_, '_> {
    fn step(&mut self, step: &Step) -> Result<(), StagingError> {
        let Some(place) = self.places.of(step.path()) else { return Ok(()) };
        match step {
            Step::Rename { from, to, .. } => {
                if let Some(now) = self.places.of(from) {
                    if let Some(above) = place.parent() {
                        self.transaction.make_folder(above);
                    }
                    self.transaction.rename(&now, &place);
                    self.renamed.push((to.clone(), from.clone()));
                }
                Ok(())
            }
            Step::Write { path, new } => self.write(&self.now(path), &place, new),
            Step::BringBack { new, to, .. } => self.write(to, to, new),
            Step::Replace { path, old, new } => {
                let now = self.now(path);
                if old.kind == EntryKind::Tree && !self.is_all(&now, &self.trees.tree(&old.id)?)? {
                    return Err(StagingError::InTheWay(now));
                }
                self.transaction.set_aside(&now, &place)?;
                Ok(self.transaction.put(new, &place)?)
            }
            Step::Remove { path, old } => self.remove(&self.now(path), &place, old),
            Step::Follow { from, to, .. } => {
                self.transaction.follow(&place, from, to);
                Ok(())
            }
            Step::Missing { .. } | Step::LeftAlone { .. } => Ok(()),
        }
    }

    /// Where a path lies before the renames.
    fn now(&self, path: &RelativePath) -> PathBuf {
        let before = self.renamed.iter().find_map(|(to, from)| Some(from.join_path(&path.strip_prefix(to)?)));
        // Every step's path has a place: `step` looked.
        self.places.of(before.as_ref().unwrap_or(path)).unwrap_or_default()
    }

    fn write(&mut self, now: &Path, place: &Path, new: &Entry) -> Result<(), StagingError> {
        if !exists(now) {
            if let Some(above) = place.parent()
                && !now.parent().is_some_and(Path::is_dir)
            {
                self.transaction.make_folder(above);
            }
            return Ok(self.transaction.put(new, place)?);
        }
        if new.kind != EntryKind::Tree || !now.is_dir() {
            return Err(StagingError::InTheWay(now.to_owned()));
        }
        // A folder with nothing in it that a snapshot holds, such as caches alone.
        for entry in self.trees.tree(&new.id)?.entries() {
            self.write(&now.join(&entry.name), &place.join(&entry.name), entry)?;
        }
        Ok(())
    }

    fn remove(&mut self, now: &Path, place: &Path, old: &Entry) -> Result<(), StagingError> {
        if old.kind != EntryKind::Tree {
            return Ok(self.transaction.set_aside(now, place)?);
        }
        let tree = self.trees.tree(&old.id)?;
        if self.is_all(now, &tree)? {
            return Ok(self.transaction.set_aside(now, place)?);
        }
        // What no snapshot holds (a `.git`, ignored files) stays, with the folders that lead to it.
        for entry in tree.entries() {
            self.remove(&now.join(&entry.name), &place.join(&entry.name), entry)?;
        }
        self.transaction.remove_if_empty(place);
        Ok(())
    }

    /// True when a folder holds nothing but what the tree names, and caches that Python makes again.
    fn is_all(&self, folder: &Path, tree: &Tree) -> Result<bool, StagingError> {
        let io_error = |source| TransactionError::Io { path: folder.to_owned(), source };
        for found in std::fs::read_dir(folder).map_err(io_error)? {
            let found = found.map_err(io_error)?;
            let name = found.file_name();
            let all = match name.to_str().and_then(|name| tree.get(name)) {
                Some(entry) if entry.kind == EntryKind::Tree => {
                    self.is_all(&found.path(), &self.trees.tree(&entry.id)?)?
                }
                Some(_) => true,
                None => is_cache(&name),
            };
            if !all {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Bytecode: made again from the source that it lies beside.
fn is_cache(name: &OsStr) -> bool {
    let extension = Path::new(name).extension().and_then(OsStr::to_str);
    name == "__pycache__" || matches!(extension, Some("pyc" | "pyo"))
}
