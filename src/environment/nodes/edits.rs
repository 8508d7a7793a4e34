//! What someone changed in a node since it came, and that put over another version of it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::environment::fresh_trees::FreshTrees;
use crate::environment::state::State;
use crate::object::{Entry, EntryKind, ObjectId, RelativePath};
use crate::observer::Observer;
use crate::store::{LinkPolicy, Writer};
use crate::worktree::{KeepTree, Trees, graft, walk_tree};

use super::error::NodeError;
use super::survey::Node;

/// Files that differ, with what they are now; nothing for one that is gone.
pub type Edited = BTreeMap<RelativePath, Option<Entry>>;

/// What is different in a node from the tree that it came as.
pub fn since(state: &State<'_>, node: &Node, came: &ObjectId) -> Result<Edited, NodeError> {
    between(&state.trees, came, &node.entry.id)
}

/// Files that differ in the second tree, with what they are there.
pub fn between(trees: &FreshTrees<'_>, before: &ObjectId, after: &ObjectId) -> Result<Edited, NodeError> {
    let changes = trees.changes(Some(*before), Some(*after))?;
    Ok(changes.into_iter().map(|change| (change.path, change.new)).collect())
}

/// A tree in which these paths are what they are in another one.
pub fn as_in<'p, T: Trees + KeepTree>(
    trees: &T,
    tree: &ObjectId,
    other: &ObjectId,
    paths: impl Iterator<Item = &'p RelativePath>,
) -> Result<ObjectId, NodeError> {
    let mut made = *tree;
    for path in paths {
        let entry = crate::worktree::tree_at(trees, other, path)?;
        if entry.is_some() || crate::worktree::tree_at(trees, &made, path)?.is_some() {
            (made, _) = graft(trees, trees, Some(&made), path, entry)?;
        }
    }
    Ok(made)
}

/// A tree with edits over it, and the paths of those that it had changed too: there the edit counts.
pub fn over<T: Trees + KeepTree>(
    trees: &T,
    came: &ObjectId,
    new: &ObjectId,
    edited: &Edited,
) -> Result<(ObjectId, u64, Vec<RelativePath>), NodeError> {
    let mut tree = *new;
    let mut size = trees.tree(new)?.size();
    let mut both = Vec::new();
    for (path, now) in edited {
        let at = |root: &ObjectId| crate::worktree::tree_at(trees, root, path);
        let id = |entry: Option<Entry>| entry.map(|entry| (entry.kind, entry.id));
        let (before, after) = (id(at(came)?), id(at(new)?));
        if before != after && after != id(now.clone()) {
            both.push(path.clone());
        }
        (tree, size) = graft(trees, trees, Some(&tree), path, now.clone())?;
    }
    Ok((tree, size, both))
}

/// Puts the trees that [`over`] made into the store, and the files of the node in `folder` that are in them; weights come there with the restore point.
pub fn keep(
    trees: &FreshTrees<'_>,
    tree: &ObjectId,
    edited: &Edited,
    folder: &Path,
    observer: &dyn Observer,
) -> Result<(), NodeError> {
    let writer = trees.store().writer()?;
    for (path, now) in edited {
        if now.as_ref().is_some_and(|now| matches!(now.kind, EntryKind::File | EntryKind::Executable)) {
            writer.put_file(&path.below(folder), LinkPolicy::Copy, observer)?;
        }
    }
    put_trees(&writer, trees, tree)?;
    Ok(writer.publish()?)
}

/// Puts a tree into the store, whose files are there.
pub fn keep_trees(trees: &FreshTrees<'_>, tree: &ObjectId) -> Result<(), NodeError> {
    let writer = trees.store().writer()?;
    put_trees(&writer, trees, tree)?;
    Ok(writer.publish()?)
}

fn put_trees(writer: &Writer, trees: &FreshTrees<'_>, tree: &ObjectId) -> Result<(), NodeError> {
    writer.put_value(&trees.tree(tree)?)?;
    for found in walk_tree(trees, tree) {
        let (_, entry) = found?;
        if entry.kind == EntryKind::Tree {
            writer.put_value(&trees.tree(&entry.id)?)?;
        }
    }
    Ok(())
}
