//! Two trees and the one that both came from: what of theirs comes to ours, and what both changed.

use std::collections::BTreeSet;

use crate::object::{Entry, EntryKind, EntryName, ObjectId, RelativePath, Tree};

use super::Result;
use super::three_way::{Pick, Side, pick};

/// One path in three versions; nothing where a version does not have it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Versions {
    pub base: Option<Entry>,
    pub ours: Option<Entry>,
    pub theirs: Option<Entry>,
}

/// What a merge of trees comes to, by path and in the order of paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreeMerge {
    /// What only they changed: the entry that is to be there, or nothing. Folders that we do not have are one entry.
    pub taken: Vec<(RelativePath, Option<Entry>)>,
    /// What both changed, and not alike: files, or what is a folder on one side alone.
    pub both: Vec<(RelativePath, Versions)>,
}

/// Merges what stands at `path`. Equal folders are not read; `read` gives a tree by its id.
///
/// # Errors
/// Those of `read`.
pub fn merge_trees(
    mut read: impl FnMut(&ObjectId) -> Result<Tree>,
    path: RelativePath,
    versions: Versions,
) -> Result<TreeMerge> {
    let mut found = TreeMerge::default();
    let mut open = vec![(path, versions)];
    while let Some((path, versions)) = open.pop() {
        match pick(&what(&versions.base), &what(&versions.ours), &what(&versions.theirs)) {
            Pick::Same | Pick::From(Side::Ours) => continue,
            Pick::From(Side::Theirs) => {
                found.taken.push((path, versions.theirs));
                continue;
            }
            Pick::Both => {}
        }
        let all = [&versions.base, &versions.ours, &versions.theirs];
        let is_file = |entry: &&Option<Entry>| entry.as_ref().is_some_and(|entry| entry.kind != EntryKind::Tree);
        // A folder that one of us has no more is a folder with nothing in it, as long as the other has it.
        if all.iter().any(is_file) {
            found.both.push((path, versions));
            continue;
        }
        let mut tree = |entry: &Option<Entry>| match entry {
            Some(entry) => read(&entry.id),
            None => Ok(Tree::default()),
        };
        let (base, ours, theirs) = (tree(&versions.base)?, tree(&versions.ours)?, tree(&versions.theirs)?);
        let names: BTreeSet<&EntryName> =
            [&base, &ours, &theirs].iter().flat_map(|tree| tree.entries()).map(|entry| &entry.name).collect();
        // The last that is put there is looked at first.
        for name in names.into_iter().rev() {
            let of = |tree: &Tree| tree.get(name.as_str()).cloned();
            open.push((path.join(name), Versions { base: of(&base), ours: of(&ours), theirs: of(&theirs) }));
        }
    }
    Ok(found)
}

fn what(entry: &Option<Entry>) -> Option<(EntryKind, ObjectId)> {
    entry.as_ref().map(|entry| (entry.kind, entry.id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::objects::{Objects, map::Map};
    use super::*;

    fn folder(map: &Map, files: &[(&str, &str)]) -> Option<Entry> {
        let id = map.tree(files);
        Some(Entry { name: EntryName::new("w").unwrap(), kind: EntryKind::Tree, id, size: 0 })
    }

    fn merge(map: &Map, base: &[(&str, &str)], ours: &[(&str, &str)], theirs: &[(&str, &str)]) -> TreeMerge {
        let versions = Versions { base: folder(map, base), ours: folder(map, ours), theirs: folder(map, theirs) };
        merge_trees(|id| (map as &dyn Objects).read(id), RelativePath::root(), versions).unwrap()
    }

    fn told(found: &TreeMerge) -> Vec<String> {
        let sign = |entry: &Option<Entry>| if entry.is_some() { '+' } else { '-' };
        let taken = found.taken.iter().map(|(path, entry)| format!("{}{path}", sign(entry)));
        taken.chain(found.both.iter().map(|(path, _)| format!("!{path}"))).collect()
    }

    #[test]
    fn each_path_is_merged_by_itself() {
        let map = Map::default();
        let base = [("a", "1"), ("b", "1"), ("c/x", "1"), ("c/y", "1"), ("d", "1"), ("e/x", "1")];
        let ours = [("a", "2"), ("b", "1"), ("c/x", "2"), ("c/y", "1"), ("d", "2"), ("e/x", "1"), ("n/ours", "1")];
        let theirs = [("a", "1"), ("b", "2"), ("c/x", "1"), ("d", "3"), ("n/theirs", "1"), ("m/x", "1")];
        assert_eq!(told(&merge(&map, &base, &ours, &theirs)), ["+b", "-c/y", "-e", "+m", "+n/theirs", "!d"]);
    }

    #[test]
    fn what_was_removed_by_one_and_changed_by_the_other_is_for_a_person_to_decide() {
        let map = Map::default();
        let (base, changed) = ([("a", "1"), ("f/x", "1"), ("f/y", "1")], [("a", "2"), ("f/x", "2"), ("f/y", "1")]);
        assert_eq!(told(&merge(&map, &base, &changed, &[])), ["-f/y", "!a", "!f/x"]);
        assert_eq!(told(&merge(&map, &base, &[], &changed)), ["!a", "!f/x"]);
        // A file on one side, a folder on the other.
        assert_eq!(told(&merge(&map, &[], &[("a", "1")], &[("a/b", "1")])), ["!a"]);
    }

    fn applied(map: &Map, ours: &[(&str, &str)], found: &TreeMerge) -> BTreeMap<String, ObjectId> {
        let mut files: BTreeMap<String, ObjectId> =
            ours.iter().map(|(path, content)| ((*path).to_owned(), ObjectId::of_blob(content.as_bytes()))).collect();
        for (path, entry) in &found.taken {
            let is_below = |known: &str| path.as_str().is_empty() || known.starts_with(&format!("{path}/"));
            files.retain(|known, _| known != path.as_str() && !is_below(known));
            let Some(entry) = entry else { continue };
            if entry.kind != EntryKind::Tree {
                files.insert(path.to_string(), entry.id);
                continue;
            }
            for change in super::super::tree_diff(map, None, Some(entry.id)).unwrap() {
                files.insert(path.join_path(&change.path).to_string(), change.new.unwrap().id);
            }
        }
        files
    }

    proptest! {
        /// Where nothing is in conflict, it does not matter who merges whom; and a side that changed nothing gives the other.
        #[test]
        fn it_commutes(
            base in prop::collection::btree_map("[ab](/[ab]){0,1}", "[12]", 0..6),
            ours in prop::collection::btree_map("[ab](/[ab]){0,1}", "[12]", 0..6),
            theirs in prop::collection::btree_map("[ab](/[ab]){0,1}", "[12]", 0..6),
        ) {
            fn possible(files: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
                let below = |path: &str| path.match_indices('/').any(|(at, _)| files.contains_key(&path[..at]));
                files.iter().filter(|(path, _)| !below(path)).map(|(p, c)| (p.as_str(), c.as_str())).collect()
            }
            let map = Map::default();
            let (base, ours, theirs) = (possible(&base), possible(&ours), possible(&theirs));
            let (there, back) = (merge(&map, &base, &ours, &theirs), merge(&map, &base, &theirs, &ours));
            let places = |found: &TreeMerge| found.both.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
            prop_assert_eq!(places(&there), places(&back));
            if there.both.is_empty() {
                prop_assert_eq!(applied(&map, &ours, &there), applied(&map, &theirs, &back));
            }
            let theirs_alone = merge(&map, &base, &base, &theirs);
            prop_assert!(theirs_alone.both.is_empty());
            let plain: BTreeMap<String, ObjectId> =
                theirs.iter().map(|(p, c)| ((*p).to_owned(), ObjectId::of_blob(c.as_bytes()))).collect();
            prop_assert_eq!(applied(&map, &base, &theirs_alone), plain);
            prop_assert_eq!(merge(&map, &base, &ours, &ours), TreeMerge::default());
        }
    }
}
