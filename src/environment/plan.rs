//! What a command will do to working files, as a value: it can be shown, tested, and thrown away.
//!
//! [`nodes`] decides about custom nodes as wholes: which are renamed to be enabled or disabled, and which pairs of
//! trees remain to be compared file by file. Everything else follows from comparing trees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::object::{Entry, EntryKind, RelativePath, Tree};
use crate::platform::git_clone::Stand;

use super::snapshot_tree::{DISABLED, NodeName, PARKED, node_name};

/// What happens to nodes that the target does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extra {
    /// Switched off by renaming, never deleted: `rollback`.
    #[default]
    Disable,
    /// Taken away, since the restore point holds them: `undo`, which brings back exactly what was.
    Remove,
}

/// One step. Paths are those of a snapshot (`nodes/x`), after the renames of nodes that come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A node disabled or enabled by its name.
    Rename { from: RelativePath, to: RelativePath, disables: bool },
    /// A file, folder or link that is not there now.
    Write { path: RelativePath, new: Entry },
    /// A file or link with other content, or something of another kind.
    Replace { path: RelativePath, old: Entry, new: Entry },
    /// Moved aside; the restore point holds it.
    Remove { path: RelativePath, old: Entry },
    /// A model file that is gone from disk and that the store still holds.
    BringBack {
        path: RelativePath,
        new: Entry,
        /// Where on this machine.
        to: PathBuf,
    },
    /// A model that neither the disk nor the store has.
    Missing { path: RelativePath, new: Entry, sources: Vec<String> },
    /// Differs, and stays as it is.
    LeftAlone { path: RelativePath, reason: &'static str },
    /// A node that is a git clone: git's view of it goes along with its files.
    Follow { path: RelativePath, from: Stand, to: Stand },
}

/// Everything a command will do to working files, in order: renames of nodes, then the rest by path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
}

impl Step {
    /// The path that it is about; of a rename the new one.
    pub fn path(&self) -> &RelativePath {
        match self {
            Step::Rename { to: path, .. }
            | Step::Write { path, .. }
            | Step::Replace { path, .. }
            | Step::Remove { path, .. }
            | Step::BringBack { path, .. }
            | Step::Missing { path, .. }
            | Step::LeftAlone { path, .. }
            | Step::Follow { path, .. } => path,
        }
    }

    /// True when it touches files.
    pub fn changes_files(&self) -> bool {
        !matches!(self, Step::Missing { .. } | Step::LeftAlone { .. } | Step::Follow { .. })
    }

    /// One word for JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Step::Rename { disables: true, .. } => "disable",
            Step::Rename { disables: false, .. } => "enable",
            Step::Write { .. } => "write",
            Step::Replace { .. } => "replace",
            Step::Remove { .. } => "remove",
            Step::BringBack { .. } => "bring-back",
            Step::Missing { .. } => "missing",
            Step::LeftAlone { .. } => "left-alone",
            Step::Follow { .. } => "follow",
        }
    }
}

impl Plan {
    /// True when no file is touched.
    pub fn is_empty(&self) -> bool {
        !self.steps.iter().any(Step::changes_files)
    }
}

/// What is decided about the things in `custom_nodes`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodePlan {
    /// Paths below `nodes/`.
    pub renames: Vec<Renaming>,
    /// What to compare, after the renames: the path below `nodes/`, what is there, what shall be.
    pub pairs: Vec<(RelativePath, Option<Entry>, Option<Entry>)>,
}

/// A node that gets another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renaming {
    pub from: RelativePath,
    pub to: RelativePath,
    pub disables: bool,
}

/// Something in `custom_nodes`.
pub(super) struct Slot {
    pub entry: Entry,
    pub name: Option<NodeName>,
}

/// Everything in `nodes/` and in its folder `.disabled`, by path below `nodes/`.
pub(super) fn slots(nodes: &Tree, parked: &Tree) -> BTreeMap<RelativePath, Slot> {
    let root = RelativePath::root();
    let at = |above: &RelativePath, entry: &Entry| {
        let path = above.join(&entry.name);
        let name = node_name(&path, entry.kind);
        (path, Slot { entry: entry.clone(), name })
    };
    let mut found: BTreeMap<_, _> =
        nodes.entries().iter().filter(|entry| !is_parking(entry)).map(|entry| at(&root, entry)).collect();
    if let Some(folder) = nodes.entries().iter().find(|entry| is_parking(entry)) {
        let above = root.join(&folder.name);
        found.extend(parked.entries().iter().map(|entry| at(&above, entry)));
    }
    found
}

/// True for the folder that holds disabled nodes.
pub fn is_parking(entry: &Entry) -> bool {
    entry.name.as_str() == PARKED && entry.kind == EntryKind::Tree
}

/// The two trees that hold nodes: `nodes/` itself and its folder `.disabled` (empty when absent).
#[derive(Debug, Clone, Default)]
pub struct NodeTrees {
    pub nodes: Tree,
    pub parked: Tree,
}

/// Decides about nodes, from the trees that are there and those that shall be.
pub fn nodes(current: &NodeTrees, target: &NodeTrees, extra: Extra) -> NodePlan {
    let mut here = slots(&current.nodes, &current.parked);
    let there = slots(&target.nodes, &target.parked);
    let mut plan = NodePlan::default();
    for (path, wanted) in &there {
        if here.contains_key(path) {
            continue;
        }
        let Some(name) = &wanted.name else { continue };
        let spare = spare_node(&here, &there, name, wanted, extra);
        if let Some(from) = spare {
            rename(&mut here, &mut plan, from, path.clone(), name.disabled);
        }
    }
    for path in here.keys().cloned().collect::<Vec<_>>() {
        let Some(slot) = here.get(&path) else { continue };
        let (Some(name), false) = (&slot.name, there.contains_key(&path)) else { continue };
        if extra == Extra::Remove {
            continue;
        }
        if name.disabled {
            // It is off already, and nobody asked for it to go.
            here.remove(&path);
        } else {
            let to = free_name(&path, &here, &there);
            rename(&mut here, &mut plan, path, to.clone(), true);
            here.remove(&to);
        }
    }
    let paths: BTreeSet<_> = here.keys().chain(there.keys()).cloned().collect();
    for path in paths {
        let (old, new) = (here.get(&path).map(|slot| &slot.entry), there.get(&path).map(|slot| &slot.entry));
        let same = old.zip(new).is_some_and(|(old, new)| (old.kind, old.id) == (new.kind, new.id));
        if !same {
            plan.pairs.push((path, old.cloned(), new.cloned()));
        }
    }
    plan
}

/// A node that is there under another name and that nobody wants under that: the same files first, and where the name alone is
/// enough (to be disabled, or to be exactly what it was) any with the name.
fn spare_node(
    here: &BTreeMap<RelativePath, Slot>,
    there: &BTreeMap<RelativePath, Slot>,
    name: &NodeName,
    wanted: &Slot,
    extra: Extra,
) -> Option<RelativePath> {
    let candidates = || {
        here.iter().filter(|(path, slot)| {
            !there.contains_key(*path)
                && slot.entry.kind == wanted.entry.kind
                && slot
                    .name
                    .as_ref()
                    .is_some_and(|other| other.base.eq_ignore_ascii_case(&name.base) && other.disabled != name.disabled)
        })
    };
    let same = candidates().find(|(_, slot)| slot.entry.id == wanted.entry.id);
    let by_name = || (name.disabled || extra == Extra::Remove).then(|| candidates().next()).flatten();
    same.or_else(by_name).map(|(path, _)| path.clone())
}

fn rename(
    here: &mut BTreeMap<RelativePath, Slot>,
    plan: &mut NodePlan,
    from: RelativePath,
    to: RelativePath,
    disables: bool,
) {
    if let Some(slot) = here.remove(&from) {
        here.insert(to.clone(), slot);
        plan.renames.push(Renaming { from, to, disables });
    }
}

/// `NAME.disabled`, or with a number before the suffix when that is taken.
fn free_name(
    path: &RelativePath,
    here: &BTreeMap<RelativePath, Slot>,
    there: &BTreeMap<RelativePath, Slot>,
) -> RelativePath {
    let names = (1..).map(|n| if n == 1 { format!("{path}{DISABLED}") } else { format!("{path}.{n}{DISABLED}") });
    names
        .filter_map(|name| RelativePath::new(name).ok())
        .find(|name| !here.contains_key(name) && !there.contains_key(name))
        .unwrap_or_else(|| path.clone()) // a valid name with a suffix is valid, and only so many are taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{EntryName, ObjectId};

    fn entry(name: &str, content: &str, kind: EntryKind) -> Entry {
        Entry { name: EntryName::new(name).unwrap(), kind, id: ObjectId::of_blob(content.as_bytes()), size: 1 }
    }

    /// `name content` pairs; names in `.disabled/` go to the second tree.
    fn trees(nodes: &[(&str, &str)]) -> NodeTrees {
        let kind =
            |name: &str| if name.contains(".py") || name.ends_with(".md") { EntryKind::File } else { EntryKind::Tree };
        let mut top = Vec::new();
        let mut parked = Vec::new();
        for (name, content) in nodes {
            match name.strip_prefix(".disabled/") {
                Some(name) => parked.push(entry(name, content, kind(name))),
                None => top.push(entry(name, content, kind(name))),
            }
        }
        if !parked.is_empty() {
            top.push(entry(".disabled", "parked", EntryKind::Tree));
        }
        NodeTrees { nodes: Tree::new(top).unwrap(), parked: Tree::new(parked).unwrap() }
    }

    /// `from>to` for renames, `+x`, `-x`, `~x` for pairs.
    fn summary(current: &[(&str, &str)], target: &[(&str, &str)], extra: Extra) -> Vec<String> {
        let plan = nodes(&trees(current), &trees(target), extra);
        let renames = plan.renames.iter().map(|r| format!("{}>{}", r.from, r.to));
        let pairs = plan.pairs.iter().map(|(path, old, new)| match (old, new) {
            (None, _) => format!("+{path}"),
            (_, None) => format!("-{path}"),
            _ => format!("~{path}"),
        });
        renames.chain(pairs).collect()
    }

    #[test]
    fn equal_nodes_need_nothing() {
        let both = [("a", "1"), ("b.disabled", "2"), (".disabled/c@1_0", "3"), ("README.md", "x")];
        assert!(summary(&both, &both, Extra::Disable).is_empty());
    }

    #[test]
    fn an_extra_node_is_disabled_and_a_missing_one_written() {
        assert_eq!(summary(&[("a", "1")], &[("b", "2")], Extra::Disable), ["a>a.disabled", "+b"]);
        assert_eq!(summary(&[("one.py", "1")], &[], Extra::Disable), ["one.py>one.py.disabled"]);
        let taken = [("a", "1"), ("a.disabled", "old")];
        assert_eq!(summary(&taken, &[], Extra::Disable), ["a>a.2.disabled"]);
    }

    #[test]
    fn a_disabled_node_with_the_same_files_is_enabled_again() {
        assert_eq!(summary(&[("a.disabled", "1")], &[("a", "1")], Extra::Disable), ["a.disabled>a"]);
        assert_eq!(summary(&[(".disabled/A@1_0", "1")], &[("a", "1")], Extra::Disable), [".disabled/A@1_0>a"]);
        // Another version stays parked, and the wanted one is written beside it.
        assert_eq!(summary(&[("a.disabled", "2")], &[("a", "1")], Extra::Disable), ["+a"]);
    }

    #[test]
    fn a_node_that_was_off_is_switched_off_in_place() {
        assert_eq!(summary(&[("a", "2")], &[("a.disabled", "1")], Extra::Disable), ["a>a.disabled", "~a.disabled"]);
    }

    #[test]
    fn undo_is_exact() {
        assert_eq!(summary(&[("a.disabled", "edited")], &[("a", "1")], Extra::Remove), ["a.disabled>a", "~a"]);
        assert_eq!(summary(&[("a", "1"), ("b.disabled", "2")], &[], Extra::Remove), ["-a", "-b.disabled"]);
    }

    #[test]
    fn two_versions_that_change_places_are_rewritten_in_place() {
        let (current, target) = ([("a", "2"), ("a.disabled", "1")], [("a", "1"), ("a.disabled", "2")]);
        assert_eq!(summary(&current, &target, Extra::Disable), ["~a", "~a.disabled"]);
    }

    #[test]
    fn what_is_no_node_is_an_ordinary_file() {
        assert_eq!(summary(&[("README.md", "1")], &[], Extra::Disable), ["-README.md"]);
    }
}
