//! Custom nodes, each as a whole: its files are those of one version, never of two.

use std::collections::{BTreeMap, BTreeSet};

use crate::environment::manifest::{Manifest, NodeSource};
use crate::environment::plan::{NodeTrees, slots};
use crate::environment::snapshot_tree::{NODES, NodeName};
use crate::history::three_way::{Pick, Side, pick};
use crate::object::{Entry, EntryKind, EntryName, ObjectId, RelativePath};

use super::conflict::{Conflict, Deciding, Kind};

/// What stands where under one name: mostly one folder.
type Unit = BTreeMap<RelativePath, Held>;

#[derive(Debug, Clone)]
struct Held {
    entry: Entry,
    name: Option<NodeName>,
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        (self.entry.kind, self.entry.id) == (other.entry.kind, other.entry.id)
    }
}

/// A node of the merged version, and where the manifest speaks of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its place in the merged version: `nodes/NAME`.
    pub path: RelativePath,
    /// Whose files it has; nothing where both have the same.
    pub side: Option<Side>,
    /// Its place in the version of that side.
    pub was: RelativePath,
}

/// What the merge comes to.
#[derive(Debug, Default)]
pub struct NodesMerge {
    /// What of `nodes/` is to be another than we have.
    pub edits: Vec<(RelativePath, Option<Entry>)>,
    pub chosen: Vec<Chosen>,
}

/// The trees of the three versions with their manifests.
pub struct Version<'v> {
    pub trees: NodeTrees,
    pub manifest: &'v Manifest,
}

/// Merges nodes. Paths are those of a snapshot.
pub fn merge(base: &Version<'_>, ours: &Version<'_>, theirs: &Version<'_>, deciding: &mut Deciding<'_>) -> NodesMerge {
    let [of_base, of_ours, of_theirs] = [base, ours, theirs].map(|version| units(&version.trees));
    let names: BTreeSet<&String> = of_base.keys().chain(of_ours.keys()).chain(of_theirs.keys()).collect();
    let nothing = Unit::new();
    let mut found = NodesMerge::default();
    for name in names {
        let [b, o, t] = [&of_base, &of_ours, &of_theirs].map(|units| units.get(name).unwrap_or(&nothing));
        let merged = one(b, o, t, |place| {
            let versions = [(b, base), (o, ours), (t, theirs)].map(|(unit, version)| told(unit, version.manifest));
            deciding.decide(Conflict::of(Kind::Node, format!("{NODES}/{place}"), versions))
        });
        for path in o.keys().filter(|path| !merged.iter().any(|(_, chosen)| chosen.path == **path)) {
            found.edits.push((path.clone(), None));
        }
        for (entry, chosen) in merged {
            if o.get(&chosen.path).is_none_or(|held| (held.entry.kind, held.entry.id) != (entry.kind, entry.id)) {
                found.edits.push((chosen.path.clone(), Some(entry)));
            }
            found.chosen.push(chosen);
        }
    }
    found
}

/// Nodes by their name without the signs of being off, whatever its case; other files by their path.
fn units(trees: &NodeTrees) -> BTreeMap<String, Unit> {
    let above = EntryName::new(NODES).map(|name| RelativePath::root().join(&name)).unwrap_or_default();
    let mut units: BTreeMap<String, Unit> = BTreeMap::new();
    for (below, slot) in slots(&trees.nodes, &trees.parked) {
        let key = slot.name.as_ref().map_or_else(|| below.to_string(), |name| name.base.to_lowercase());
        let held = Held { entry: slot.entry, name: slot.name };
        units.entry(key).or_default().insert(above.join_path(&below), held);
    }
    units
}

fn is_off(unit: &Unit) -> bool {
    unit.values().all(|held| held.name.as_ref().is_some_and(|name| name.disabled))
}

/// One node. `decide` is given the name that a conflict has.
fn one(base: &Unit, ours: &Unit, theirs: &Unit, decide: impl FnOnce(&str) -> Side) -> Vec<(Entry, Chosen)> {
    let all = |unit: &Unit, side: Option<Side>| -> Vec<(Entry, Chosen)> {
        let chosen = |path: &RelativePath| Chosen { path: path.clone(), side, was: path.clone() };
        unit.iter().map(|(path, held)| (held.entry.clone(), chosen(path))).collect()
    };
    match pick(base, ours, theirs) {
        Pick::Same => return all(ours, None),
        Pick::From(Side::Ours) => return all(ours, Some(Side::Ours)),
        Pick::From(Side::Theirs) => return all(theirs, Some(Side::Theirs)),
        Pick::Both => {}
    }
    // Going to another branch switches off what that does not have, and the next commit records it so: that nobody asked for.
    if base.is_empty() && is_off(ours) != is_off(theirs) {
        return match is_off(ours) {
            true => all(theirs, Some(Side::Theirs)),
            false => all(ours, Some(Side::Ours)),
        };
    }
    if base.is_empty() && is_off(ours) {
        return all(ours, Some(Side::Ours));
    }
    if let (Some(was), Some(is), Some(other)) = (single(base), single(ours), single(theirs)) {
        // Whether it is on, and which files it has, are two questions.
        let side = match pick(was.1, is.1, other.1) {
            Pick::Same => Some(None),
            Pick::From(side) => Some(Some(side)),
            Pick::Both => None,
        };
        if let (Some(side), place @ (Pick::Same | Pick::From(_))) = (side, pick(was.0, is.0, other.0)) {
            let path = if place == Pick::From(Side::Theirs) { other.0 } else { is.0 };
            let (from, held) = if side == Some(Side::Theirs) { other } else { is };
            return vec![(held.entry.clone(), Chosen { path: path.clone(), side, was: from.clone() })];
        }
    }
    // One took it away, the other only switched it off: it is not wanted either way.
    let only_off = |unit: &Unit| match (single(base), single(unit)) {
        (Some(was), Some(is)) => is_off(unit) && was.1 == is.1,
        _ => false,
    };
    if (ours.is_empty() && only_off(theirs)) || (theirs.is_empty() && only_off(ours)) {
        return all(ours, Some(Side::Ours));
    }
    let named = [ours, theirs, base].into_iter().flat_map(BTreeMap::iter).next();
    let name = named.map(|(path, held)| match &held.name {
        Some(name) => name.base.clone(),
        None => path.names().last().map(|name| name.to_string()).unwrap_or_default(),
    });
    match decide(&name.unwrap_or_default()) {
        Side::Ours => all(ours, Some(Side::Ours)),
        Side::Theirs => all(theirs, Some(Side::Theirs)),
    }
}

fn single(unit: &Unit) -> Option<(&RelativePath, &Held)> {
    if unit.len() == 1 { unit.iter().next() } else { None }
}

/// A version of a node in a few words: what the manifest calls it, and the first digits of its files' id, which tell edited ones apart.
fn told(unit: &Unit, manifest: &Manifest) -> Option<String> {
    let nodes = manifest.nodes();
    let one = |(path, held): (&RelativePath, &Held)| {
        let facts = nodes.values().find(|facts| facts.path == path.as_str());
        let commit = facts.and_then(|facts| match &facts.source {
            NodeSource::Git { commit, .. } => commit.as_ref().map(|commit| commit.chars().take(10).collect()),
            _ => None,
        });
        let version = facts.and_then(|facts| facts.version.clone()).or(commit);
        let off = if held.name.as_ref().is_some_and(|name| name.disabled) { ", off" } else { "" };
        let files = files_told(held.entry.kind, &held.entry.id);
        match version {
            Some(version) => format!("{version} ({files}{off})"),
            None => format!("{files}{off}"),
        }
    };
    let told: Vec<String> = unit.iter().map(one).collect();
    (!told.is_empty()).then(|| told.join(" and "))
}

/// `files 1a2b3c4d5e`, of something whose content is known by its id.
pub fn files_told(kind: EntryKind, id: &ObjectId) -> String {
    let what = if kind == EntryKind::Tree { "files" } else { "file" };
    format!("{what} {}", id.short())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::snapshot_tree::node_name;

    fn unit(slots: &[(&str, &str)]) -> Unit {
        let slot = |(path, content): &(&str, &str)| {
            let path = RelativePath::new(*path).unwrap();
            let entry = Entry {
                name: path.names().last().unwrap(),
                kind: EntryKind::Tree,
                id: ObjectId::of_blob(content.as_bytes()),
                size: 1,
            };
            (path.clone(), Held { name: node_name(&path, entry.kind), entry })
        };
        slots.iter().map(slot).collect()
    }

    /// The places and contents of the merged node, or the name of the conflict.
    fn merged(base: &[(&str, &str)], ours: &[(&str, &str)], theirs: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let mut asked = None;
        let found = one(&unit(base), &unit(ours), &unit(theirs), |name| {
            asked = Some(name.to_owned());
            Side::Ours
        });
        let content =
            |id: ObjectId| ["1", "2", "3"].into_iter().find(|c| ObjectId::of_blob(c.as_bytes()) == id).unwrap();
        let told = found.iter().map(|(entry, chosen)| format!("{} {}", chosen.path, content(entry.id))).collect();
        asked.map_or(Ok(told), Err)
    }

    #[test]
    fn whether_a_node_is_on_and_which_files_it_has_are_two_questions() {
        let base = [("A", "1")];
        let some = |text: &str| Ok(vec![text.to_owned()]);
        assert_eq!(merged(&base, &base, &[("A", "2")]), some("A 2"));
        assert_eq!(merged(&base, &[("A.disabled", "1")], &[("A", "2")]), some("A.disabled 2"));
        assert_eq!(merged(&base, &[("A", "2")], &[("A.disabled", "1")]), some("A.disabled 2"));
        assert_eq!(merged(&base, &[("A", "2")], &[("A", "3")]), Err("A".into()));
        assert_eq!(merged(&base, &[], &[("A", "2")]), Err("A".into()));
        assert_eq!(merged(&base, &[], &base), Ok(vec![]));
        assert_eq!(merged(&base, &[("A.disabled", "1")], &[]), some("A.disabled 1"));
        assert_eq!(merged(&base, &[], &[("A.disabled", "1")]), Ok(vec![]));
    }

    #[test]
    fn a_node_that_going_to_another_branch_switched_off_comes_back_with_that_branch() {
        let some = |text: &str| Ok(vec![text.to_owned()]);
        assert_eq!(merged(&[], &[("A.disabled", "1")], &[("A", "1")]), some("A 1"));
        assert_eq!(merged(&[], &[("A.disabled", "1")], &[("A", "2")]), some("A 2"));
        assert_eq!(merged(&[], &[("A", "2")], &[("A.disabled", "1")]), some("A 2"));
        assert_eq!(merged(&[], &[("A", "1")], &[("A", "2")]), Err("A".into()));
    }
}
