//! What lies in `custom_nodes`: every node, wherever ComfyUI or ComfyUI-Manager put it, and what it says of itself.

use std::path::{Path, PathBuf};

use crate::environment::snapshot_tree::{DISABLED, NodeName, PARKED, node_name};
use crate::object::{EntryKind, EntryName, RelativePath};

use super::origin::Origin;

/// A node on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    pub path: PathBuf,
    /// The same below `custom_nodes`.
    pub below: RelativePath,
    pub name: NodeName,
    pub origin: Origin,
}

/// Every node in `custom_nodes` and in its folder `.disabled`, in the order of their paths. A folder that cannot be read has none.
pub fn placed(custom_nodes: &Path) -> Vec<Placed> {
    let mut found = listed(custom_nodes, &RelativePath::root());
    if let Ok(parked) = EntryName::new(PARKED) {
        found.extend(listed(&custom_nodes.join(PARKED), &RelativePath::root().join(&parked)));
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// True for a name that every system can have for a folder, and that ComfyUI would load a node from.
pub fn may_be_called(name: &str) -> bool {
    EntryName::new(name).is_ok()
        && crate::platform::names::hazard(name).is_none()
        && !name.starts_with('.')
        && !name.starts_with("__pycache__")
        && !name.ends_with(DISABLED)
}

/// What is no node and has the name that a node is to have; case does not count, as it does not on every system.
pub fn in_the_way(custom_nodes: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(custom_nodes).into_iter().flatten().flatten();
    let is_it = |entry: &std::fs::DirEntry| {
        entry.file_name().to_str().is_some_and(|other| other.eq_ignore_ascii_case(name)) && !entry.path().is_dir()
    };
    entries.into_iter().find(is_it).map(|entry| entry.path())
}

fn listed(folder: &Path, at: &RelativePath) -> Vec<Placed> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let node = |entry: std::fs::DirEntry| {
        let path = entry.path();
        // A link is what it leads to.
        let kind = if path.is_dir() { EntryKind::Tree } else { EntryKind::File };
        let name = EntryName::new(entry.file_name().to_str()?).ok()?;
        if name.as_str().starts_with("__pycache__") || name.as_str() == ".git" {
            return None;
        }
        let below = at.join(&name);
        let name = node_name(&below, kind)?;
        let origin = Origin::of(&path);
        Some(Placed { path, below, name, origin })
    };
    entries.filter_map(node).collect()
}
