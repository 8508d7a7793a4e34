//! Every node of a working state, with what is known of it: one place where draft, status and the commands for nodes look.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::package::repository_name;
use crate::environment::manifest::{NodeFacts, NodeSource};
use crate::environment::snapshot_tree::{NODES, NodeName, PARKED, node_name};
use crate::environment::state::{State, StateError, Surroundings};
use crate::net::comfy_registry::client::same_id;
use crate::object::{Entry, EntryKind, ObjectId, RelativePath};
use crate::worktree::Trees;

use super::origin::Origin;

/// A node that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name in the manifest.
    pub key: String,
    /// Its place in a snapshot, such as `nodes/ComfyUI-Impact-Pack`.
    pub path: RelativePath,
    pub name: NodeName,
    /// What it is now.
    pub entry: Entry,
    pub origin: Origin,
    /// What the manifest says of it, if it does.
    pub known: Option<NodeFacts>,
    /// True where its folder is a link to one elsewhere.
    pub linked: bool,
}

/// Whether someone edited a node since it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edits {
    None,
    /// The tree as it came.
    Since(ObjectId),
    /// Nobody knows what it was.
    Unknown,
}

impl Node {
    /// Whether its files are still those that its source gave.
    pub fn edits(&self) -> Edits {
        let Some(known) = &self.known else { return Edits::Unknown };
        match known.installed.or(known.fetched).unwrap_or(known.tree) {
            came if came == self.entry.id => Edits::None,
            came => Edits::Since(came),
        }
    }

    /// What the manifest is to say of it.
    pub fn facts(&self) -> NodeFacts {
        NodeFacts {
            path: self.path.to_string(),
            source: self.origin.source.clone(),
            version: self.origin.version.clone(),
            disabled: self.name.disabled,
            tree: self.entry.id,
            fetched: self.fetched(),
            installed: self.known.as_ref().filter(|known| self.is_still(known)).and_then(|known| known.installed),
        }
    }

    /// The tree as its source gave it, where that is known and is another one: remembered from when it came until another version of it is there.
    fn fetched(&self) -> Option<ObjectId> {
        let known = self.known.as_ref().filter(|known| self.is_still(known))?;
        known.fetched.or(Some(known.tree)).filter(|came| *came != self.entry.id)
    }

    /// True where it is the version that the manifest knows, of a source that could give it again.
    fn is_still(&self, known: &NodeFacts) -> bool {
        let is_ours = !matches!(self.origin.source, NodeSource::Manual | NodeSource::Development);
        is_ours && known.source.gives_the_same(&self.origin.source) && known.version == self.origin.version
    }

    /// True when `text` names it: its key, its folder, its id in the registry, its repository.
    pub fn is_called(&self, text: &str) -> bool {
        let repository = |url: &str| repository_name(url).map(|name| name.to_ascii_lowercase());
        let by_repository = || {
            let wanted = repository(text)?;
            Some(self.origin.repository().and_then(repository)? == wanted)
        };
        self.name.base.eq_ignore_ascii_case(text)
            || self.key.eq_ignore_ascii_case(text)
            || self.path.as_str() == text
            || self.origin.id().is_some_and(|id| same_id(id, text))
            || by_repository().unwrap_or(false)
    }
}

/// Every node of the state, in the order of their keys. `known` is what the manifest says of them.
pub fn survey(
    around: &Surroundings<'_>,
    state: &State<'_>,
    known: &BTreeMap<String, NodeFacts>,
) -> Result<Vec<Node>, StateError> {
    let custom_nodes = around.environment.custom_nodes_dir();
    let mut found = Vec::new();
    if let Some(nodes) = state.entries.get(NODES) {
        let nodes = state.trees.tree(&nodes.id)?;
        let parked = nodes.get(PARKED).filter(|entry| entry.kind == EntryKind::Tree);
        let parked = parked.map(|entry| state.trees.tree(&entry.id)).transpose()?.unwrap_or_default();
        let folder = RelativePath::new(PARKED).map_err(StateError::from)?;
        let top = nodes.entries().iter().map(|entry| (RelativePath::root().join(&entry.name), entry));
        let inner = parked.entries().iter().map(|entry| (folder.join(&entry.name), entry));
        for (path, entry) in top.chain(inner) {
            if let Some(name) = node_name(&path, entry.kind) {
                found.push((path, name, entry.clone()));
            }
        }
    }
    // Enabled ones take their name first; what is off under the same name keeps its whole name.
    found.sort_by_key(|(path, name, _)| (name.disabled, path.clone()));
    let above = RelativePath::new(NODES).map_err(StateError::from)?;
    let mut taken = BTreeSet::new();
    let mut nodes = Vec::new();
    for (below, name, entry) in found {
        let key = if taken.insert(name.base.clone()) { name.base.clone() } else { below.to_string() };
        let path = above.join_path(&below);
        // What was switched on or off under another name is still the node that it was.
        let facts = known.values().find(|facts| facts.path == path.as_str()).or_else(|| {
            let same = |facts: &&NodeFacts| facts.tree == entry.id || !is_there(state, &facts.path);
            known.get(&key).filter(same)
        });
        let origin = Origin::of(&below.below(&custom_nodes)).or_remembered(facts);
        let linked = state.linked.contains_key(&path);
        nodes.push(Node { key, path, name, entry, origin, known: facts.cloned(), linked });
    }
    nodes.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(nodes)
}

fn is_there(state: &State<'_>, path: &str) -> bool {
    let find = || {
        let below = RelativePath::new(path.strip_prefix("nodes/")?).ok()?;
        let nodes = state.entries.get(NODES)?;
        crate::worktree::tree_at(&state.trees, &nodes.id, &below).ok()?
    };
    find().is_some()
}

/// What became of looking for a node by a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'n> {
    One(&'n Node),
    /// Those that the word may mean.
    Many(Vec<&'n Node>),
    /// The name that was meant, perhaps.
    None(Option<String>),
}

/// The node that `text` names. One that is on comes before one that is off.
pub fn find<'n>(nodes: &'n [Node], text: &str) -> Found<'n> {
    let is_at = |node: &Node| node.path.as_str() == text || node.path.as_str().strip_prefix("nodes/") == Some(text);
    if let Some(exact) = nodes.iter().find(|node| node.key == text).or_else(|| nodes.iter().find(|node| is_at(node))) {
        return Found::One(exact);
    }
    let mut called: Vec<&Node> = nodes.iter().filter(|node| node.is_called(text)).collect();
    if called.iter().any(|node| !node.name.disabled) {
        called.retain(|node| !node.name.disabled);
    }
    match called[..] {
        [] => {
            let score = |name: &str| strsim::jaro_winkler(&text.to_lowercase(), &name.to_lowercase());
            let names = nodes.iter().flat_map(|node| [Some(node.key.as_str()), node.origin.id()]).flatten();
            let near = names.clone().map(|name| (score(name), name)).filter(|(score, _)| *score >= 0.8);
            let near = near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name);
            // Or a part of a long name.
            let part =
                || names.clone().find(|name| text.len() > 1 && name.to_lowercase().contains(&text.to_lowercase()));
            Found::None(near.or_else(part).map(str::to_owned))
        }
        [one] => Found::One(one),
        _ => Found::Many(called),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::EntryName;

    fn node(folder: &str, disabled: bool, id: Option<&str>, url: Option<&str>) -> Node {
        let source = match (id, url) {
            (Some(id), _) => NodeSource::Registry { id: id.into() },
            (_, Some(url)) => NodeSource::Git { url: url.into(), reference: None, commit: None },
            _ => NodeSource::Manual,
        };
        let path = if disabled { format!("nodes/{folder}.disabled") } else { format!("nodes/{folder}") };
        Node {
            key: if disabled { format!("{folder}.disabled") } else { folder.to_owned() },
            path: RelativePath::new(path).unwrap(),
            name: NodeName { base: folder.to_owned(), disabled },
            entry: Entry {
                name: EntryName::new(folder).unwrap(),
                kind: EntryKind::Tree,
                id: ObjectId::of_blob(b"now"),
                size: 1,
            },
            origin: Origin { source, version: Some("1.0.0".into()), project: None },
            known: None,
            linked: false,
        }
    }

    #[test]
    fn a_node_is_found_by_folder_id_and_repository() {
        let nodes = [
            node("Impact", false, Some("comfyui-impact-pack"), None),
            node("Impact", true, Some("comfyui-impact-pack"), None),
            node("KJ", true, None, Some("https://github.com/kijai/ComfyUI-KJNodes.git")),
        ];
        let key = |text| match find(&nodes, text) {
            Found::One(node) => node.key.clone(),
            other => format!("{other:?}"),
        };
        for text in ["impact", "nodes/Impact", "ComfyUI_Impact_Pack"] {
            assert_eq!(key(text), "Impact", "{text}");
        }
        assert_eq!(key("Impact.disabled"), "Impact.disabled");
        assert_eq!(key("KJ.disabled"), "KJ.disabled");
        for text in ["kj", "kijai/comfyui-kjnodes", "git@github.com:Kijai/ComfyUI-KJNodes"] {
            assert_eq!(key(text), "KJ.disabled", "{text}");
        }
        assert_eq!(find(&nodes, "comfyui-inpact-pack"), Found::None(Some("comfyui-impact-pack".into())));
        assert_eq!(find(&nodes, "pack"), Found::None(Some("comfyui-impact-pack".into())));
        assert_eq!(find(&nodes, "zzz"), Found::None(None));
    }

    #[test]
    fn an_edit_is_seen_after_a_commit_too_until_another_version_is_there() {
        let (came, now) = (ObjectId::of_blob(b"came"), ObjectId::of_blob(b"now"));
        let mut found = node("Impact", false, Some("comfyui-impact-pack"), None);
        assert_eq!((found.edits(), found.facts().fetched), (Edits::Unknown, None));
        found.known = Some(NodeFacts { tree: came, fetched: None, ..found.facts() });
        assert_eq!((found.edits(), found.facts().fetched), (Edits::Since(came), Some(came)));
        found.known = Some(NodeFacts { tree: now, fetched: Some(came), ..found.facts() });
        assert_eq!((found.edits(), found.facts().fetched), (Edits::Since(came), Some(came)));
        found.origin.version = Some("1.1.0".into());
        assert_eq!(found.facts().fetched, None);
        let mut own = node("mine", false, None, None);
        own.known = Some(NodeFacts { tree: came, ..own.facts() });
        assert_eq!(own.facts().fetched, None, "what nobody gave has no other form");
    }
}
