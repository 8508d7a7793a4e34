//! Trees that were just made and are in no store, before those that are.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::history;
use crate::object::{Encoded, ObjectId, Tree};
use crate::store::Store;
use crate::worktree::{Error, KeepTree, Trees};

/// Trees in memory over those of a store.
pub struct FreshTrees<'a> {
    store: &'a Store,
    fresh: Mutex<HashMap<ObjectId, Tree>>,
}

impl<'a> FreshTrees<'a> {
    pub fn new(store: &'a Store) -> Self {
        FreshTrees { store, fresh: Mutex::default() }
    }

    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// The changes between two trees; `None` is a tree with nothing in it.
    pub fn changes(
        &self,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
    ) -> Result<Vec<history::Change>, history::Error> {
        let read = |id: &ObjectId| match self.fresh(id) {
            Some(tree) => Ok(tree),
            None => (self.store as &dyn history::Objects).read(id),
        };
        history::TreeDiff::with(read, old, new)?.collect()
    }

    /// Hands out each tree in memory.
    ///
    /// # Errors
    /// Those of `with`.
    pub fn each<E>(&self, with: impl FnMut(&Tree) -> Result<(), E>) -> Result<(), E> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).values().try_for_each(with)
    }

    /// The trees in memory.
    pub fn into_fresh(self) -> HashMap<ObjectId, Tree> {
        self.fresh.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, id: &ObjectId) -> Option<Tree> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

impl Trees for FreshTrees<'_> {
    fn tree(&self, id: &ObjectId) -> Result<Tree, Error> {
        match self.fresh(id) {
            Some(tree) => Ok(tree),
            None => self.store.tree(id),
        }
    }
}

impl KeepTree for FreshTrees<'_> {
    fn keep(&self, tree: &Tree) -> Result<ObjectId, Error> {
        let id = tree.id();
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).insert(id, tree.clone());
        Ok(id)
    }
}
