//! What differs between two trees, one change at a time.
//!
//! Equal subtrees are never read, so the cost is proportional to the difference and to the folders that lead to it (invariant H7).

use std::cmp::Ordering;
use std::fmt;
use std::iter::Peekable;
use std::vec::IntoIter;

use crate::object::{Entry, EntryKind, ObjectId, RelativePath, Tree};

use super::{Objects, Result};

/// How a path changed. Its letter stands in the output of `diff-tree`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChangeKind {
    Added,
    /// Other bytes, or the executable bit.
    Modified,
    Deleted,
    /// It is something else: file, symlink or model.
    TypeChanged,
}

/// One path that differs. Folders stand for themselves only where the other side has nothing and the folder is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub path: RelativePath,
    pub kind: ChangeKind,
    pub old: Option<Entry>,
    pub new: Option<Entry>,
}

impl ChangeKind {
    /// `A`, `M`, `D` or `T`.
    pub fn letter(self) -> char {
        match self {
            ChangeKind::Added => 'A',
            ChangeKind::Modified => 'M',
            ChangeKind::Deleted => 'D',
            ChangeKind::TypeChanged => 'T',
        }
    }

    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Added => "added",
            ChangeKind::Modified => "modified",
            ChangeKind::Deleted => "deleted",
            ChangeKind::TypeChanged => "type-changed",
        }
    }
}

/// `A`, `M`, `D` or `T`, a tab, the path.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}", self.kind.letter(), self.path)
    }
}

impl Change {
    /// A path that is new, or gone, or both when it was something else before.
    fn of(path: RelativePath, old: Option<Entry>, new: Option<Entry>) -> Self {
        let kind = match (&old, &new) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Deleted,
            (Some(old), Some(new)) if form(old.kind) == form(new.kind) => ChangeKind::Modified,
            _ => ChangeKind::TypeChanged,
        };
        Change { path, kind, old, new }
    }
}

/// What an entry is on disk, the executable bit aside.
fn form(kind: EntryKind) -> EntryKind {
    match kind {
        EntryKind::Executable => EntryKind::File,
        other => other,
    }
}

/// Entries of one folder on both sides, still to be compared.
struct Level {
    path: RelativePath,
    old: Peekable<IntoIter<Entry>>,
    new: Peekable<IntoIter<Entry>>,
    /// Handed out after everything in the folder.
    then: Option<Change>,
}

/// The changes from one tree to another, in the order of the trees' entries; where a folder became something else, what
/// was in it comes before what is there now.
///
/// `read` gives a tree by its id, so that the two may come from different places.
pub struct TreeDiff<R> {
    read: R,
    levels: Vec<Level>,
    /// Handed out before anything else.
    waiting: Option<Change>,
    /// Only what is below one of these, if any.
    below: Vec<RelativePath>,
}

enum Next {
    Change(Change),
    /// The two sides of one path.
    Pair(RelativePath, Option<Entry>, Option<Entry>),
}

impl<'a> TreeDiff<Box<dyn FnMut(&ObjectId) -> Result<Tree> + 'a>> {
    /// The changes between two trees of one place; `None` is a tree with nothing in it.
    pub fn new(objects: &'a dyn Objects, old: Option<ObjectId>, new: Option<ObjectId>) -> Result<Self> {
        Self::with(Box::new(move |id| objects.read(id)), old, new)
    }
}

impl<R: FnMut(&ObjectId) -> Result<Tree>> TreeDiff<R> {
    /// The changes between two trees that `read` gives.
    pub fn with(read: R, old: Option<ObjectId>, new: Option<ObjectId>) -> Result<Self> {
        let mut diff = TreeDiff { read, levels: Vec::new(), waiting: None, below: Vec::new() };
        if old != new {
            diff.enter(RelativePath::root(), old, new)?;
        }
        Ok(diff)
    }

    /// Only changes of these paths and below them; of everything if there are none. Other folders are not read.
    pub fn below(mut self, paths: Vec<RelativePath>) -> Self {
        self.below = paths;
        self
    }

    /// True when `path` is asked for, or leads to what is.
    fn is_wanted(&self, path: &RelativePath) -> bool {
        let mut wanted = self.below.iter();
        self.below.is_empty()
            || wanted.any(|below| path.strip_prefix(below).is_some() || below.strip_prefix(path).is_some())
    }

    /// Begins a folder; false when there is nothing in it on either side.
    fn enter(&mut self, path: RelativePath, old: Option<ObjectId>, new: Option<ObjectId>) -> Result<bool> {
        let mut entries = |id: Option<ObjectId>| -> Result<Peekable<IntoIter<Entry>>> {
            match id {
                Some(id) => Ok((self.read)(&id)?.into_entries().into_iter().peekable()),
                None => Ok(Vec::new().into_iter().peekable()),
            }
        };
        let (mut old, mut new) = (entries(old)?, entries(new)?);
        if old.peek().is_none() && new.peek().is_none() {
            return Ok(false);
        }
        self.levels.push(Level { path, old, new, then: None });
        Ok(true)
    }

    /// The next path that has an entry on either side and is not the same on both, or a change that was put off.
    fn pair(&mut self) -> Option<Next> {
        loop {
            if let Some(change) = self.waiting.take() {
                return Some(Next::Change(change));
            }
            let level = self.levels.last_mut()?;
            let order = match (level.old.peek(), level.new.peek()) {
                (Some(old), Some(new)) => old.name.cmp(&new.name),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => {
                    self.waiting = self.levels.pop().and_then(|level| level.then);
                    continue;
                }
            };
            let old = if order.is_le() { level.old.next() } else { None };
            let new = if order.is_ge() { level.new.next() } else { None };
            let name = old.as_ref().or(new.as_ref()).map(|entry| &entry.name)?;
            let same =
                old.as_ref().zip(new.as_ref()).is_some_and(|(old, new)| (old.kind, old.id) == (new.kind, new.id));
            if same {
                continue;
            }
            let path = level.path.join(name);
            if self.is_wanted(&path) {
                return Some(Next::Pair(path, old, new));
            }
        }
    }

    fn step(&mut self) -> Result<Option<Change>> {
        let folder = |entry: &Option<Entry>| entry.as_ref().filter(|e| e.kind == EntryKind::Tree).map(|e| e.id);
        while let Some(next) = self.pair() {
            let (path, old, new) = match next {
                Next::Change(change) => return Ok(Some(change)),
                Next::Pair(path, old, new) => (path, old, new),
            };
            match (folder(&old), folder(&new)) {
                (None, None) => return Ok(Some(Change::of(path, old, new))),
                (Some(id), None) if new.is_some() => {
                    let then = Change::of(path.clone(), None, new);
                    if self.enter(path.clone(), Some(id), None)? {
                        self.levels.last_mut().map(|level| level.then.insert(then));
                        continue;
                    }
                    self.waiting = Some(then);
                    return Ok(Some(Change::of(path, old, None)));
                }
                (None, Some(id)) if old.is_some() => {
                    if !self.enter(path.clone(), None, Some(id))? {
                        self.waiting = Some(Change::of(path.clone(), None, new));
                    }
                    return Ok(Some(Change::of(path, old, None)));
                }
                (before, after) => {
                    if !self.enter(path.clone(), before, after)? {
                        return Ok(Some(Change::of(path, old, new)));
                    }
                }
            }
        }
        Ok(None)
    }
}

impl<R: FnMut(&ObjectId) -> Result<Tree>> Iterator for TreeDiff<R> {
    type Item = Result<Change>;

    /// After an error there is no next change.
    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.levels.clear();
            self.waiting = None;
        }
        step.transpose()
    }
}

/// All changes between two trees; `None` is a tree with nothing in it.
pub fn tree_diff(objects: &dyn Objects, old: Option<ObjectId>, new: Option<ObjectId>) -> Result<Vec<Change>> {
    TreeDiff::new(objects, old, new)?.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::objects::map::Map;
    use super::*;
    use crate::object::EntryName;

    fn shown(map: &Map, old: ObjectId, new: ObjectId) -> Vec<String> {
        tree_diff(map, Some(old), Some(new)).unwrap().iter().map(|c| c.to_string().replace('\t', " ")).collect()
    }

    #[test]
    fn added_modified_deleted_and_folders_that_became_files() {
        let map = Map::default();
        let old = map.tree(&[("a", "1"), ("b/x", "1"), ("b/y", "1"), ("c", "1"), ("d/e/f", "1")]);
        let new = map.tree(&[("a", "2"), ("b", "1"), ("c/z", "1"), ("d/e/f", "1"), ("d/g", "1")]);
        assert_eq!(shown(&map, old, new), ["M a", "D b/x", "D b/y", "A b", "D c", "A c/z", "A d/g"]);
        assert!(shown(&map, old, old).is_empty());
        let all: Vec<_> = tree_diff(&map, None, Some(old)).unwrap().iter().map(|c| c.kind).collect();
        assert_eq!(all, [ChangeKind::Added; 5]);
    }

    #[test]
    fn an_empty_folder_is_a_change_too() {
        let map = Map::default();
        let empty = map.tree(&[]);
        let folder = Entry { name: EntryName::new("d").unwrap(), kind: EntryKind::Tree, id: empty, size: 0 };
        let with = (&map as &dyn Objects).put_value(&Tree::new(vec![folder]).unwrap()).unwrap();
        assert_eq!(shown(&map, empty, with), ["A d"]);
        assert_eq!(shown(&map, with, empty), ["D d"]);
        let filled = map.tree(&[("d/x", "1")]);
        assert_eq!(shown(&map, with, filled), ["A d/x"]);
        let file = map.tree(&[("d", "1")]);
        assert_eq!(shown(&map, with, file), ["D d", "A d"]);
        assert_eq!(shown(&map, file, with), ["D d", "A d"]);
    }

    #[test]
    fn the_executable_bit_is_a_modification_and_a_symlink_is_another_type() {
        let map = Map::default();
        let of = |kind| {
            let entry = Entry { name: EntryName::new("a").unwrap(), kind, id: ObjectId::of_blob(b"x"), size: 1 };
            (&map as &dyn Objects).put_value(&Tree::new(vec![entry]).unwrap()).unwrap()
        };
        let file = of(EntryKind::File);
        assert_eq!(shown(&map, file, of(EntryKind::Executable)), ["M a"]);
        assert_eq!(shown(&map, file, of(EntryKind::Symlink)), ["T a"]);
        assert_eq!(shown(&map, file, of(EntryKind::Model)), ["T a"]);
    }

    #[test]
    fn equal_folders_are_not_read() {
        let map = Map::default();
        let many: Vec<(String, &str)> = (0..200).map(|n| (format!("d{n}/x"), "1")).collect();
        let mut files: Vec<(&str, &str)> = many.iter().map(|(path, content)| (path.as_str(), *content)).collect();
        let old = map.tree(&files);
        files[77].1 = "2";
        let new = map.tree(&files);
        map.reads.set(0);
        assert_eq!(shown(&map, old, new), ["M d77/x"]);
        assert_eq!(map.reads.get(), 4, "two roots and the one folder that differs on both sides");
    }

    #[test]
    fn only_what_is_asked_for_is_compared() {
        let map = Map::default();
        let old = map.tree(&[("a/b/c", "1"), ("a/bc", "1"), ("d", "1")]);
        let paths = |paths: &[&str]| -> Vec<String> {
            let below = paths.iter().map(|path| RelativePath::new(*path).unwrap()).collect();
            let diff = TreeDiff::new(&map, None, Some(old)).unwrap().below(below);
            diff.map(|change| change.unwrap().path.to_string()).collect()
        };
        assert_eq!(paths(&["a/b"]), ["a/b/c"]);
        assert_eq!(paths(&["a", "d"]), ["a/b/c", "a/bc", "d"]);
        assert_eq!(paths(&["", "x"]).len(), 3);
        assert!(paths(&["d/x", "y"]).len() == 1, "a file where a folder was asked for is said to be there");
    }

    #[test]
    fn a_missing_tree_ends_the_changes_with_an_error() {
        let map = Map::default();
        let old = map.tree(&[("a", "1")]);
        let gone = ObjectId::of_blob(b"no tree");
        assert!(tree_diff(&map, Some(old), Some(gone)).is_err());
    }

    proptest! {
        /// The changes, applied to the old files, give the new ones.
        #[test]
        fn changes_lead_from_one_tree_to_the_other(
            old in prop::collection::btree_map("[ab](/[ab]){0,3}", "[12]", 0..12),
            new in prop::collection::btree_map("[ab](/[ab]){0,3}", "[12]", 0..12),
        ) {
            /// Leaves out files that lie below another file.
            fn possible(files: &BTreeMap<String, String>) -> BTreeMap<String, String> {
                let below = |path: &str| path.match_indices('/').any(|(at, _)| files.contains_key(&path[..at]));
                files.iter().filter(|(path, _)| !below(path)).map(|(p, c)| (p.clone(), c.clone())).collect()
            }
            let (old, new) = (possible(&old), possible(&new));
            let map = Map::default();
            let tree = |files: &BTreeMap<String, String>| {
                let files: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
                map.tree(&files)
            };
            let mut files: BTreeMap<String, ObjectId> =
                old.iter().map(|(path, content)| (path.clone(), ObjectId::of_blob(content.as_bytes()))).collect();
            for change in tree_diff(&map, Some(tree(&old)), Some(tree(&new))).unwrap() {
                let path = change.path.to_string();
                prop_assert_eq!(files.get(&path).copied(), change.old.map(|entry| entry.id));
                match change.new {
                    Some(entry) => files.insert(path, entry.id),
                    None => files.remove(&path),
                };
            }
            let wanted: BTreeMap<String, ObjectId> =
                new.iter().map(|(path, content)| (path.clone(), ObjectId::of_blob(content.as_bytes()))).collect();
            prop_assert_eq!(files, wanted);
        }
    }
}
