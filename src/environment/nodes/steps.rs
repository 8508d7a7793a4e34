//! What is to be done with nodes, as steps: decided from what is there and what is wanted, without touching anything.

use std::path::Path;

use crate::environment::manifest::{NodeFacts, NodeSource};
use crate::environment::snapshot_tree::{DISABLED, NODES};
use crate::net::comfy_registry::client::same_version;
use crate::object::{Entry, EntryKind, EntryName, ObjectId, RelativePath};

use super::change::Step;
use super::error::NodeError;
use super::fetch::Fetched;
use super::placed::{in_the_way, may_be_called};
use super::request::Request;
use super::survey::Node;

/// Whether what is wanted is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Present<'n> {
    No,
    /// It is, and on.
    On(&'n Node),
    /// It is, and off.
    Off(&'n Node),
}

/// Looks whether a node that is wanted is there already, before anything is fetched.
///
/// # Errors
/// It is there in another version, or another node has its folder.
pub fn present<'n>(nodes: &'n [Node], request: &Request) -> Result<Present<'n>, NodeError> {
    let Some(word) = request.word() else { return Ok(Present::No) };
    let called = || nodes.iter().filter(|node| is_same(node, word));
    let fits = |node: &Node| match request {
        Request::Registry { version: Some(wanted), .. } => {
            node.origin.version.as_deref().is_some_and(|version| same_version(version, wanted))
        }
        Request::Git { reference: Some(wanted), .. } => match &node.origin.source {
            NodeSource::Git { reference: Some(reference), .. } if reference == wanted => true,
            NodeSource::Git { commit: Some(commit), .. } => commit.starts_with(&wanted.to_ascii_lowercase()),
            _ => false,
        },
        _ => true,
    };
    if let Some(on) = called().find(|node| !node.name.disabled) {
        return if fits(on) { Ok(Present::On(on)) } else { Err(already(on, request)) };
    }
    match called().find(|node| fits(node)).or_else(|| called().next()) {
        Some(off) if fits(off) => Ok(Present::Off(off)),
        Some(off) => Err(already(off, request)),
        None => Ok(Present::No),
    }
}

/// True where the word, an id or a repository, is that of the node itself; a folder's name alone is not enough.
fn is_same(node: &Node, word: &str) -> bool {
    if !node.is_called(word) {
        return false;
    }
    let by_source = Node { name: Default::default(), key: String::new(), ..node.clone() }.is_called(word);
    // A folder of that name of which nobody knows more is taken for it.
    by_source || matches!(node.origin.source, NodeSource::Manual | NodeSource::Development)
}

fn already(node: &Node, request: &Request) -> NodeError {
    let version = match &node.origin.source {
        NodeSource::Git { commit: Some(commit), .. } => Some(commit.chars().take(10).collect()),
        _ => node.origin.version.clone(),
    };
    let reference = match request {
        Request::Registry { version, .. } => version.clone(),
        Request::Git { reference, .. } => reference.clone(),
        _ => None,
    };
    NodeError::AlreadyThere {
        wanted: request.to_string(),
        reference,
        key: node.key.clone(),
        version,
        disabled: node.name.disabled,
    }
}

/// A node that was fetched comes to its place. `folder` is the name that it shall have there.
///
/// # Errors
/// Another node has that folder, or something that is none; case does not count, as it does not on every system. Or no folder may have that name.
pub fn add(nodes: &[Node], custom_nodes: &Path, fetched: &Fetched, folder: &str) -> Result<Step, NodeError> {
    if !may_be_called(folder) {
        return Err(NodeError::BadFolder(folder.to_owned()));
    }
    let path = below_nodes(folder)?;
    taken(nodes, folder, None)?;
    if let Some(path) = in_the_way(custom_nodes, folder) {
        return Err(NodeError::InTheWay(path));
    }
    let facts = facts_of(fetched, &path);
    Ok(Step { from: None, to: Some((path, entry(folder, fetched)?)), facts: Some(facts) })
}

/// A link to a folder in which someone works. `read` is that folder as it is now.
pub fn link(
    nodes: &[Node],
    custom_nodes: &Path,
    target: &str,
    read: &Fetched,
    folder: &str,
) -> Result<Step, NodeError> {
    let step = add(nodes, custom_nodes, read, folder)?;
    let name = EntryName::new(folder)?;
    let id = ObjectId::of_blob(target.as_bytes());
    let link = Entry { name, kind: EntryKind::Symlink, id, size: target.len() as u64 };
    let to = step.to.map(|(path, _)| (path, link));
    let facts = step.facts.map(|facts| NodeFacts { source: NodeSource::Development, ..facts });
    Ok(Step { to, facts, ..step })
}

/// Switches a node on.
pub fn enable(nodes: &[Node], node: &Node) -> Result<Step, NodeError> {
    let folder = &node.name.base;
    taken(nodes, folder, Some(node))?;
    moved(node, below_nodes(folder)?)
}

/// Switches a node off, by a name that ComfyUI passes over.
pub fn disable(nodes: &[Node], node: &Node) -> Result<Step, NodeError> {
    let base = &node.name.base;
    let names = (1..).map(|n| if n == 1 { format!("{base}{DISABLED}") } else { format!("{base}.{n}{DISABLED}") });
    let is_free =
        |path: &RelativePath| !nodes.iter().any(|other| other.path.as_str().eq_ignore_ascii_case(path.as_str()));
    for name in names.take(nodes.len() + 1) {
        let path = below_nodes(&name)?;
        if is_free(&path) {
            return moved(node, path);
        }
    }
    moved(node, below_nodes(&format!("{base}{DISABLED}"))?)
}

/// Takes a node away.
pub fn remove(node: &Node) -> Step {
    Step { from: Some(node.path.clone()), to: None, facts: None }
}

/// Other files in the same place: of another version, or as they were.
pub fn replace(node: &Node, entry: Entry, facts: NodeFacts) -> Step {
    Step { from: Some(node.path.clone()), to: Some((node.path.clone(), entry)), facts: Some(facts) }
}

/// What the manifest is to say of a node that was fetched.
pub fn facts_of(fetched: &Fetched, path: &RelativePath) -> NodeFacts {
    NodeFacts {
        path: path.to_string(),
        source: fetched.source.clone(),
        version: fetched.kept.version.clone(),
        disabled: false,
        tree: fetched.kept.tree,
        fetched: None,
        installed: None,
    }
}

/// A node that was fetched, as an entry of a tree.
pub fn entry(folder: &str, fetched: &Fetched) -> Result<Entry, NodeError> {
    let kept = &fetched.kept;
    Ok(Entry { name: EntryName::new(folder)?, kind: kept.kind(), id: kept.tree, size: kept.size })
}

fn moved(node: &Node, to: RelativePath) -> Result<Step, NodeError> {
    let facts = node.known.clone().unwrap_or_else(|| node.facts());
    Ok(Step { from: Some(node.path.clone()), to: Some((to, node.entry.clone())), facts: Some(facts) })
}

/// The place in a snapshot of a node of this name.
pub fn below_nodes(name: &str) -> Result<RelativePath, NodeError> {
    Ok(RelativePath::new(NODES)?.join(&EntryName::new(name)?))
}

fn taken(nodes: &[Node], folder: &str, but: Option<&Node>) -> Result<(), NodeError> {
    let other = nodes.iter().find(|node| {
        but.is_none_or(|but| but.path != node.path)
            && node.path.as_str().strip_prefix("nodes/").is_some_and(|name| name.eq_ignore_ascii_case(folder))
    });
    match other {
        None => Ok(()),
        Some(node) => Err(NodeError::FolderTaken {
            folder: folder.to_owned(),
            key: node.key.clone(),
            from: told(&node.origin.source),
        }),
    }
}

/// Where a node came from, in a few words.
pub fn told(source: &NodeSource) -> String {
    match source {
        NodeSource::Registry { id } => format!("{id} of the registry"),
        NodeSource::Git { url, reference: Some(reference), commit } if Some(reference) != commit.as_ref() => {
            format!("from {url}@{reference}")
        }
        NodeSource::Git { url, .. } => format!("from {url}"),
        NodeSource::Archive { url } => format!("from {url}"),
        NodeSource::Development => "someone's working folder".to_owned(),
        NodeSource::Manual => "put there by hand".to_owned(),
    }
}

/// What lies in a node's folder that its tree does not hold and that nobody makes anew: a repository, ignored files. At most a handful of names.
pub fn not_kept(folder: &Path, tree: &crate::object::Tree, trees: &dyn crate::worktree::Trees) -> Vec<String> {
    const ENOUGH: usize = 20;
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), tree.clone(), String::new())];
    while let Some((folder, tree, above)) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let shown = format!("{above}{}", name.to_string_lossy());
            match name.to_str().and_then(|name| tree.get(name)) {
                Some(entry) if entry.kind == EntryKind::Tree => match trees.tree(&entry.id) {
                    Ok(inner) => open.push((folder.join(&name), inner, format!("{shown}/"))),
                    Err(_) => found.push(shown),
                },
                Some(_) => {}
                None if crate::worktree::ignore::is_bytecode(&name, is_folder) => {}
                None => found.push(shown),
            }
            if found.len() >= ENOUGH {
                return found;
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::super::kept::Kept;
    use super::super::origin::Origin;
    use super::*;
    use crate::environment::snapshot_tree::NodeName;

    fn node(path: &str, source: NodeSource, version: Option<&str>) -> Node {
        let below = RelativePath::new(path.strip_prefix("nodes/").unwrap()).unwrap();
        let name: NodeName = crate::environment::snapshot_tree::node_name(&below, EntryKind::Tree).unwrap();
        Node {
            key: name.base.clone(),
            path: RelativePath::new(path).unwrap(),
            name,
            entry: Entry {
                name: EntryName::new("x").unwrap(),
                kind: EntryKind::Tree,
                id: ObjectId::of_blob(b"now"),
                size: 1,
            },
            origin: Origin { source, version: version.map(str::to_owned), project: None },
            known: None,
            linked: false,
        }
    }

    fn request(text: &str) -> Request {
        Request::parse(text, Path::new("/nowhere")).unwrap()
    }

    fn registry(id: &str) -> NodeSource {
        NodeSource::Registry { id: id.into() }
    }

    #[test]
    fn a_node_that_is_there_is_seen_by_id_and_repository_on_or_off() {
        let url = "https://github.com/kijai/ComfyUI-KJNodes";
        let git = NodeSource::Git { url: url.into(), reference: Some("dev".into()), commit: Some("ab".repeat(20)) };
        let nodes = [
            node("nodes/Impact", registry("comfyui-impact-pack"), Some("8.22.2")),
            node("nodes/Off.disabled", registry("off"), Some("1.0")),
            node("nodes/KJ", git, None),
            node("nodes/byhand", NodeSource::Manual, None),
        ];
        let on = |text: &str| matches!(present(&nodes, &request(text)), Ok(Present::On(_)));
        assert!(on("comfyui_impact_pack") && on("comfyui-impact-pack@v8.22.2") && on(&format!("{url}.git")));
        assert!(on("kijai/comfyui-kjnodes@ababab") && on("kijai/comfyui-kjnodes@dev") && on("byhand"));
        assert!(matches!(present(&nodes, &request("off")), Ok(Present::Off(_))));
        assert!(matches!(present(&nodes, &request("else")), Ok(Present::No)));
        for text in ["comfyui-impact-pack@9", "off@2.0", "kijai/comfyui-kjnodes@main"] {
            assert!(matches!(present(&nodes, &request(text)), Err(NodeError::AlreadyThere { .. })), "{text}");
        }
        assert!(matches!(present(&nodes, &request("KJ")), Ok(Present::No)), "a folder's name is not an id");
    }

    #[test]
    fn a_folder_belongs_to_one_node_whatever_the_case() {
        let nodes = [node("nodes/Impact", registry("a"), None), node("nodes/x.disabled", registry("b"), None)];
        let kept = Kept {
            tree: ObjectId::of_blob(b"new"),
            is_file: false,
            size: 1,
            folder: "impact".into(),
            version: None,
            commit: None,
        };
        let fetched = Fetched { kept, source: registry("c"), from_store: false, warnings: vec![] };
        let nowhere = Path::new("/nowhere");
        let refused = add(&nodes, nowhere, &fetched, "impact").unwrap_err();
        assert!(matches!(refused, NodeError::FolderTaken { .. }), "{refused}");
        assert_eq!(add(&nodes, nowhere, &fetched, "x").unwrap().to.unwrap().0.as_str(), "nodes/x");
    }

    #[test]
    fn a_node_is_switched_off_by_a_free_name_and_on_by_its_own() {
        let nodes = [node("nodes/a", registry("a"), None), node("nodes/a.disabled", registry("a"), None)];
        let to = |step: Step| step.to.unwrap().0.to_string();
        assert_eq!(to(disable(&nodes, &nodes[0]).unwrap()), "nodes/a.2.disabled");
        assert_eq!(to(disable(&nodes[..1], &nodes[0]).unwrap()), "nodes/a.disabled");
        assert!(matches!(enable(&nodes, &nodes[1]), Err(NodeError::FolderTaken { .. })));
        assert_eq!(to(enable(&nodes[1..], &nodes[1]).unwrap()), "nodes/a");
        let parked = node("nodes/.disabled/b@1_2", registry("b"), None);
        assert_eq!(to(enable(&nodes, &parked).unwrap()), "nodes/b");
    }
}
