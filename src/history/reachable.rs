//! Trees and blobs that snapshots need, each once.

use std::collections::HashSet;

use crate::object::{EntryKind, Kind, ObjectId, RelativePath, Snapshot, Tree};
use crate::observer::Observer;

use super::{Error, Objects, Result};

/// Whether the blobs of `model` entries are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Models {
    /// They are large, may be absent, and can be had elsewhere.
    #[default]
    LeaveOut,
    Include,
}

/// An object that a snapshot needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    pub id: ObjectId,
    pub kind: Kind,
    /// Where it was met first; the root for a snapshot's own tree.
    pub path: RelativePath,
    /// True for the blob of a `model` entry.
    pub model: bool,
}

/// What has been listed already.
pub struct Reachable<'a> {
    objects: &'a dyn Objects,
    observer: &'a dyn Observer,
    models: Models,
    seen: HashSet<ObjectId>,
}

impl<'a> Reachable<'a> {
    pub fn new(objects: &'a dyn Objects, models: Models, observer: &'a dyn Observer) -> Self {
        Reachable { objects, observer, models, seen: HashSet::new() }
    }

    /// Takes everything that `snapshot` needs for listed.
    pub fn skip_snapshot(&mut self, snapshot: &ObjectId) -> Result<()> {
        self.snapshot(snapshot, |_| Ok::<(), Error>(()))
    }

    /// Hands the tree of `snapshot` and all below it to `sink`, in the order of their paths, what was handed out before left out.
    /// A model's blob that was left out as one is still handed out where it is an ordinary file.
    pub fn snapshot<E: From<Error>>(
        &mut self,
        snapshot: &ObjectId,
        sink: impl FnMut(Needed) -> Result<(), E>,
    ) -> Result<(), E> {
        let tree = self.objects.read::<Snapshot>(snapshot)?.tree;
        self.tree(tree, sink)
    }

    /// As [`Reachable::snapshot`] for a tree.
    pub fn tree<E: From<Error>>(
        &mut self,
        root: ObjectId,
        mut sink: impl FnMut(Needed) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut open = vec![Needed { id: root, kind: Kind::Tree, path: RelativePath::root(), model: false }];
        while let Some(needed) = open.pop() {
            if self.observer.interrupted() {
                return Err(Error::Interrupted.into());
            }
            if !self.seen.insert(needed.id) {
                continue;
            }
            if needed.kind == Kind::Tree {
                let tree: Tree = self.objects.read(&needed.id)?;
                // The last pushed is popped first.
                for entry in tree.into_entries().into_iter().rev() {
                    let model = entry.kind == EntryKind::Model;
                    if (model && self.models == Models::LeaveOut) || self.seen.contains(&entry.id) {
                        continue;
                    }
                    let kind = if entry.kind == EntryKind::Tree { Kind::Tree } else { Kind::Blob };
                    open.push(Needed { id: entry.id, kind, path: needed.path.join(&entry.name), model });
                }
            }
            sink(needed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::objects::map::Map;
    use super::*;
    use crate::object::{Entry, EntryName};
    use crate::observer::Silent;

    fn paths(reachable: &mut Reachable<'_>, snapshot: &ObjectId) -> Vec<String> {
        let mut paths = Vec::new();
        reachable
            .snapshot(snapshot, |needed| {
                paths.push(needed.path.to_string());
                Ok::<_, Error>(())
            })
            .unwrap();
        paths
    }

    #[test]
    fn each_object_is_listed_once_with_the_path_where_it_was_met() {
        let map = Map::default();
        let first = map.snapshot(map.tree(&[("a/x", "1"), ("b", "1"), ("c/y", "2")]), &[], 0);
        let second = map.snapshot(map.tree(&[("a/x", "1"), ("b", "3"), ("c/y", "2")]), &[first], 1);
        let mut reachable = Reachable::new(&map, Models::LeaveOut, &Silent);
        assert_eq!(paths(&mut reachable, &first), ["", "a", "a/x", "c", "c/y"]);
        assert_eq!(paths(&mut reachable, &second), ["", "b"]);
        let mut reachable = Reachable::new(&map, Models::LeaveOut, &Silent);
        reachable.skip_snapshot(&first).unwrap();
        assert_eq!(paths(&mut reachable, &second), ["", "b"]);
    }

    #[test]
    fn models_are_left_out_unless_asked_for() {
        let map = Map::default();
        let entry = |name: &str, kind| Entry {
            name: EntryName::new(name).unwrap(),
            kind,
            id: ObjectId::of_blob(name.as_bytes()),
            size: 1,
        };
        let tree = Tree::new(vec![entry("m", EntryKind::Model), entry("f", EntryKind::File)]).unwrap();
        let snapshot = map.snapshot((&map as &dyn Objects).put_value(&tree).unwrap(), &[], 0);
        assert_eq!(paths(&mut Reachable::new(&map, Models::LeaveOut, &Silent), &snapshot), ["", "f"]);
        assert_eq!(paths(&mut Reachable::new(&map, Models::Include, &Silent), &snapshot), ["", "f", "m"]);
    }
}
