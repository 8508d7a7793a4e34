//! Workflows, and all else that is merged by path.

use std::collections::BTreeSet;

use crate::environment::layout::WORKFLOW_INDEX;
use crate::environment::snapshot_tree::{COMFYUI, MANIFEST, MODELS, NODES, UV_LOCK, workflow_key};
use crate::history::tree_merge::{Versions, merge_trees};
use crate::history::{self, Side};
use crate::object::{Entry, EntryKind, EntryName, ObjectId, RelativePath, Tree};

use super::conflict::{Conflict, Deciding, Kind};

/// Parts of a snapshot that are merged in another way.
const ELSEWHERE: [&str; 5] = [MANIFEST, UV_LOCK, NODES, MODELS, COMFYUI];

/// The root trees of the three versions.
pub struct RootTrees<'t> {
    pub base: &'t Tree,
    pub ours: &'t Tree,
    pub theirs: &'t Tree,
}

/// What the merge comes to.
#[derive(Debug, Default)]
pub struct FilesMerge {
    /// What is to be another than we have.
    pub edits: Vec<(RelativePath, Option<Entry>)>,
}

/// Merges everything by path.
///
/// # Errors
/// Those of `read`.
pub fn merge(
    mut read: impl FnMut(&ObjectId) -> history::Result<Tree>,
    roots: &RootTrees<'_>,
    deciding: &mut Deciding<'_>,
) -> history::Result<FilesMerge> {
    let mut found = FilesMerge::default();
    let all = [roots.base, roots.ours, roots.theirs];
    let names: BTreeSet<&EntryName> = all.iter().flat_map(|tree| tree.entries()).map(|entry| &entry.name).collect();
    for name in names.into_iter().filter(|name| !ELSEWHERE.contains(&name.as_str())) {
        let of = |tree: &Tree| tree.get(name.as_str()).cloned();
        let versions = Versions { base: of(roots.base), ours: of(roots.ours), theirs: of(roots.theirs) };
        let merged = merge_trees(&mut read, RelativePath::root().join(name), versions)?;
        found.edits.extend(merged.taken);
        for (path, versions) in merged.both {
            if is_index(&path) {
                // ComfyUI's own list of bookmarks is no work of anybody's.
                continue;
            }
            if whole(&path, &versions, deciding) == Side::Theirs {
                found.edits.push((path, versions.theirs));
            }
        }
    }
    Ok(found)
}

fn is_index(path: &RelativePath) -> bool {
    path.names().last().is_some_and(|name| name.as_str() == WORKFLOW_INDEX)
}

/// The file as one.
fn whole(path: &RelativePath, versions: &Versions, deciding: &mut Deciding<'_>) -> Side {
    let kind = if workflow_key(path).is_some() { Kind::Workflow } else { Kind::File };
    let told = |entry: &Option<Entry>| entry.as_ref().map(told);
    let versions = [told(&versions.base), told(&versions.ours), told(&versions.theirs)];
    deciding.decide(Conflict::of(kind, path.as_str(), versions))
}

/// A version of a file in a few words.
fn told(entry: &Entry) -> String {
    let what = match entry.kind {
        EntryKind::Tree => "folder",
        EntryKind::File => "file",
        EntryKind::Executable => "executable file",
        EntryKind::Symlink => "link",
        EntryKind::Model => "model",
    };
    format!("{what} {}", entry.id.short())
}
