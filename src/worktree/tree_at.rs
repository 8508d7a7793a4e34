//! Looking into trees: the entry at a path, and all entries in order.

use super::Error;
use crate::object::{Entry, EntryKind, ObjectId, RelativePath, Tree};
use crate::store::{self, Store};

/// Where trees are had from.
pub trait Trees {
    fn tree(&self, id: &ObjectId) -> Result<Tree, Error>;
}

/// The entry at `path` below the tree `root`; nothing if it is not there, if a name on the way is no folder, or for the root itself,
/// which is no entry of anything.
pub fn tree_at(trees: &(impl Trees + ?Sized), root: &ObjectId, path: &RelativePath) -> Result<Option<Entry>, Error> {
    let mut folder = *root;
    let mut found = None;
    for name in path.names() {
        match &found {
            None => {}
            Some(Entry { kind: EntryKind::Tree, id, .. }) => folder = *id,
            Some(_) => return Ok(None),
        }
        found = trees.tree(&folder)?.get(name.as_str()).cloned();
        if found.is_none() {
            return Ok(None);
        }
    }
    Ok(found)
}

/// All entries below a tree, a folder before what lies in it, in the order of their names.
///
/// Holds the trees on the way down and no others; depth costs no stack.
pub fn walk_tree<'a, T: Trees + ?Sized>(trees: &'a T, root: &ObjectId) -> WalkTree<'a, T> {
    WalkTree { trees, start: Some(*root), open: Vec::new() }
}

/// See [`walk_tree`]. After an error it ends.
pub struct WalkTree<'a, T: ?Sized> {
    trees: &'a T,
    start: Option<ObjectId>,
    open: Vec<(RelativePath, std::vec::IntoIter<Entry>)>,
}

impl<T: Trees + ?Sized> WalkTree<'_, T> {
    fn open(&mut self, path: RelativePath, id: &ObjectId) -> Result<(), Error> {
        self.open.push((path, self.trees.tree(id)?.into_entries().into_iter()));
        Ok(())
    }

    fn step(&mut self) -> Result<Option<(RelativePath, Entry)>, Error> {
        if let Some(root) = self.start.take() {
            self.open(RelativePath::root(), &root)?;
        }
        while let Some((path, entries)) = self.open.last_mut() {
            let Some(entry) = entries.next() else {
                self.open.pop();
                continue;
            };
            let path = path.join(&entry.name);
            if entry.kind == EntryKind::Tree {
                self.open(path.clone(), &entry.id)?;
            }
            return Ok(Some((path, entry)));
        }
        Ok(None)
    }
}

impl<T: Trees + ?Sized> Iterator for WalkTree<'_, T> {
    type Item = Result<(RelativePath, Entry), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.open.clear();
        }
        step.transpose()
    }
}

/// Whether a tree is whole without the bytes of its model entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    /// Weights too, as nobody else may have them.
    Everything,
    /// Models may be absent.
    AllButModels,
}

/// True when the store has a tree and what it needs below it. Nothing is read but trees.
///
/// # Errors
/// The store; a tree that is damaged.
pub fn is_held(store: &Store, tree: &ObjectId, needed: Needed) -> Result<bool, Error> {
    if store.info(tree)?.is_none() {
        return Ok(false);
    }
    let mut ids = Vec::new();
    for found in walk_tree(store, tree) {
        match found {
            Ok((_, Entry { kind: EntryKind::Tree, .. })) => {}
            Ok((_, Entry { kind: EntryKind::Model, .. })) if needed == Needed::AllButModels => {}
            Ok((_, entry)) => ids.push(entry.id),
            Err(Error::Store(store::Error::NotFound(_))) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(store.contains(&ids)?.into_iter().all(|there| there))
}

impl Trees for Store {
    fn tree(&self, id: &ObjectId) -> Result<Tree, Error> {
        Ok(self.read_as(id)?)
    }
}
