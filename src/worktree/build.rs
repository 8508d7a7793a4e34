//! Trees made of entries rather than of files: nested trees from a list of paths, and one entry put into a tree that is there.

use super::Error;
use super::tree_at::Trees;
use crate::object::{Encoded, Entry, EntryKind, EntryName, ObjectId, RelativePath, Tree};

/// Takes a tree that is to be kept and answers with its id, such as a store's writer.
pub trait KeepTree {
    fn keep(&self, tree: &Tree) -> Result<ObjectId, Error>;
}

/// Keeps nothing: for those who want only the id.
pub struct IdsOnly;

impl KeepTree for IdsOnly {
    fn keep(&self, tree: &Tree) -> Result<ObjectId, Error> {
        Ok(tree.id())
    }
}

impl KeepTree for crate::store::Writer {
    fn keep(&self, tree: &Tree) -> Result<ObjectId, Error> {
        Ok(self.put_value(tree)?)
    }
}

/// The nested trees that hold these entries at these paths, in any order. The last name of a path counts, not the entry's own. An entry
/// of kind tree is taken as it is, so that trees can be hung in whole.
///
/// Errors: a path that stands twice, or both as a file and as a folder; the empty path.
pub fn build_tree(
    keep: &(impl KeepTree + ?Sized),
    entries: impl IntoIterator<Item = (RelativePath, Entry)>,
) -> Result<(ObjectId, u64), Error> {
    let mut entries: Vec<(Vec<EntryName>, Entry)> =
        entries.into_iter().map(|(path, entry)| (path.names().collect(), entry)).collect();
    // By names, not by the joined text: `a.b` stands after `a/b`.
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let mut open = vec![Vec::new()];
    let mut names: Vec<EntryName> = Vec::new();
    for (path, mut entry) in entries {
        let Some((last, folders)) = path.split_last() else {
            return Err(Error::Tree { path: RelativePath::root(), source: crate::object::NameError::Empty.into() });
        };
        let shared = names.iter().zip(folders).take_while(|(a, b)| a == b).count();
        close(keep, &mut open, &mut names, shared)?;
        for name in &folders[shared..] {
            names.push(name.clone());
            open.push(Vec::new());
        }
        entry.name = last.clone();
        if let Some(innermost) = open.last_mut() {
            innermost.push(entry);
        }
    }
    close(keep, &mut open, &mut names, 0)?;
    finish(keep, &names, open.pop().unwrap_or_default())
}

/// Finishes the innermost folders until only `remaining` names are open.
fn close(
    keep: &(impl KeepTree + ?Sized),
    open: &mut Vec<Vec<Entry>>,
    names: &mut Vec<EntryName>,
    remaining: usize,
) -> Result<(), Error> {
    while names.len() > remaining {
        let entries = open.pop().unwrap_or_default();
        let (id, size) = finish(keep, names, entries)?;
        if let (Some(above), Some(name)) = (open.last_mut(), names.pop()) {
            above.push(Entry { name, kind: EntryKind::Tree, id, size });
        }
    }
    Ok(())
}

fn finish(keep: &(impl KeepTree + ?Sized), names: &[EntryName], entries: Vec<Entry>) -> Result<(ObjectId, u64), Error> {
    let tree = Tree::new(entries).map_err(|source| Error::Tree { path: joined(names), source })?;
    Ok((keep.keep(&tree)?, tree.size()))
}

fn joined(names: &[EntryName]) -> RelativePath {
    names.iter().fold(RelativePath::root(), |path, name| path.join(name))
}

/// The tree `root` (nothing stands for an empty one) with `entry` at `path`, or with nothing there. Folders on the way are made;
/// those that become empty stay. The entry's own name does not count.
///
/// Errors: a name on the way is no folder; the empty path.
pub fn graft(
    trees: &(impl Trees + ?Sized),
    keep: &(impl KeepTree + ?Sized),
    root: Option<&ObjectId>,
    path: &RelativePath,
    entry: Option<Entry>,
) -> Result<(ObjectId, u64), Error> {
    let names: Vec<EntryName> = path.names().collect();
    let Some((last, folders)) = names.split_last() else {
        return Err(Error::Tree { path: path.clone(), source: crate::object::NameError::Empty.into() });
    };
    // Down: the entries of each folder on the way, without the one that leads further.
    let mut folder = match root {
        Some(id) => trees.tree(id)?.into_entries(),
        None => Vec::new(),
    };
    let mut above = Vec::new();
    for (depth, name) in folders.iter().enumerate() {
        let inner = match take(&mut folder, name) {
            Some(Entry { kind: EntryKind::Tree, id, .. }) => trees.tree(&id)?.into_entries(),
            None => Vec::new(),
            Some(_) => return Err(Error::NotAFolderInTree { path: joined(&names[..=depth]) }),
        };
        above.push(std::mem::replace(&mut folder, inner));
    }
    take(&mut folder, last);
    folder.extend(entry.map(|entry| Entry { name: last.clone(), ..entry }));
    // And up again.
    let mut done = finish(keep, folders, folder)?;
    for (mut folder, name) in above.into_iter().zip(folders).rev() {
        folder.push(Entry { name: name.clone(), kind: EntryKind::Tree, id: done.0, size: done.1 });
        done = finish(keep, folders, folder)?;
    }
    Ok(done)
}

fn take(entries: &mut Vec<Entry>, name: &EntryName) -> Option<Entry> {
    let at = entries.iter().position(|entry| entry.name == *name)?;
    Some(entries.remove(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worktree::tree_at::{tree_at, walk_tree};
    use proptest::prelude::*;
    use std::cell::RefCell;
    use std::collections::{BTreeMap, HashMap};

    #[derive(Default)]
    struct Memory(RefCell<HashMap<ObjectId, Tree>>);

    impl Trees for Memory {
        fn tree(&self, id: &ObjectId) -> Result<Tree, Error> {
            Ok(self.0.borrow()[id].clone())
        }
    }

    impl KeepTree for Memory {
        fn keep(&self, tree: &Tree) -> Result<ObjectId, Error> {
            self.0.borrow_mut().insert(tree.id(), tree.clone());
            Ok(tree.id())
        }
    }

    fn path(text: &str) -> RelativePath {
        RelativePath::new(text).unwrap()
    }

    fn file(text: &str) -> Entry {
        let id = ObjectId::of_blob(text.as_bytes());
        Entry { name: EntryName::new("any").unwrap(), kind: EntryKind::File, id, size: text.len() as u64 }
    }

    fn files(memory: &Memory, root: &ObjectId) -> BTreeMap<String, ObjectId> {
        let all = walk_tree(memory, root).map(Result::unwrap);
        all.filter(|(_, e)| e.kind == EntryKind::File).map(|(path, entry)| (path.to_string(), entry.id)).collect()
    }

    #[test]
    fn nested_trees_come_of_paths_in_any_order() {
        let memory = Memory::default();
        let entries = ["b/c/d", "a.b", "a/b", "b/c.x", "b/a"].map(|text| (path(text), file(text)));
        let (root, size) = build_tree(&memory, entries).unwrap();
        assert_eq!(size, 19);
        let order: Vec<_> = walk_tree(&memory, &root).map(|item| item.unwrap().0.to_string()).collect();
        assert_eq!(order, ["a", "a/b", "a.b", "b", "b/a", "b/c", "b/c/d", "b/c.x"]);
        assert_eq!(tree_at(&memory, &root, &path("b/c/d")).unwrap().unwrap().id, file("b/c/d").id);
        assert_eq!(tree_at(&memory, &root, &path("b/c/d/e")).unwrap(), None);
        assert_eq!(tree_at(&memory, &root, &path("b/x")).unwrap(), None);
    }

    #[test]
    fn a_path_that_is_both_file_and_folder_is_refused() {
        for pair in [["a", "a/b"], ["a/b/c", "a/b"], ["a", "a"]] {
            let entries = pair.map(|text| (path(text), file(text)));
            assert!(matches!(build_tree(&IdsOnly, entries), Err(Error::Tree { .. })), "{pair:?}");
        }
    }

    #[test]
    fn grafting_replaces_adds_and_takes_away() {
        let memory = Memory::default();
        let (root, _) = build_tree(&memory, ["a/b", "c"].map(|text| (path(text), file(text)))).unwrap();
        let (root, _) = graft(&memory, &memory, Some(&root), &path("x/y/z"), Some(file("new"))).unwrap();
        let (root, _) = graft(&memory, &memory, Some(&root), &path("c"), Some(file("other"))).unwrap();
        let (root, _) = graft(&memory, &memory, Some(&root), &path("a/b"), None).unwrap();
        assert_eq!(files(&memory, &root), [("c".into(), file("other").id), ("x/y/z".into(), file("new").id)].into());
        let refused = graft(&memory, &memory, Some(&root), &path("c/d"), Some(file("")));
        assert!(matches!(refused, Err(Error::NotAFolderInTree { path }) if path.as_str() == "c"));
        assert_eq!(graft(&memory, &memory, None, &path("a"), None).unwrap().0, Tree::default().id());
    }

    #[test]
    fn ten_thousand_levels_cost_no_stack() {
        let memory = Memory::default();
        let deep = path(&vec!["d"; 10_000].join("/"));
        let (root, _) = build_tree(&memory, [(deep.clone(), file("x"))]).unwrap();
        assert_eq!(tree_at(&memory, &root, &deep).unwrap().unwrap().id, file("x").id);
        let (grafted, _) = graft(&memory, &memory, None, &deep, Some(file("x"))).unwrap();
        assert_eq!(grafted, root);
    }

    proptest! {
        #[test]
        fn building_is_grafting_one_by_one(texts in prop::collection::btree_set("[abc](/[abc]){0,3}", 0..12)) {
            let memory = Memory::default();
            let entries: Vec<_> = texts.iter().map(|text| (path(text), file(text))).collect();
            if let Ok((built, _)) = build_tree(&memory, entries.clone()) {
                let mut root = memory.keep(&Tree::default()).unwrap();
                for (path, entry) in entries {
                    root = graft(&memory, &memory, Some(&root), &path, Some(entry)).unwrap().0;
                }
                prop_assert_eq!(built, root);
                prop_assert_eq!(files(&memory, &root).len(), texts.len());
            }
        }
    }
}
