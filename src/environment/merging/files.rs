//! Workflows, and all else that is merged by path.

use std::collections::{BTreeMap, BTreeSet};

use crate::environment::layout::WORKFLOW_INDEX;
use crate::environment::snapshot_tree::{COMFYUI, MANIFEST, MODELS, NODES, UV_LOCK, workflow_key};
use crate::history::tree_merge::{Versions, merge_trees};
use crate::history::{self, Side};
use crate::object::{Entry, EntryKind, EntryName, ObjectId, RelativePath, Tree};

use crate::workflow::merge::{self as workflow, About, Beyond};

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
    /// Workflows that are made of both; they are among the edits.
    pub both: Vec<Both>,
}

/// A workflow that is made of both.
#[derive(Debug)]
pub struct Both {
    pub path: RelativePath,
    pub merged: Vec<u8>,
    pub ours: Vec<u8>,
    pub theirs: Vec<u8>,
    /// Nodes of theirs by the id in the merged file: the id that they have there.
    pub ids: BTreeMap<String, String>,
}

/// Where trees and files are had from.
pub trait Contents {
    fn tree(&self, id: &ObjectId) -> history::Result<Tree>;
    fn text(&self, id: &ObjectId) -> history::Result<Vec<u8>>;
}

/// Merges everything by path.
///
/// # Errors
/// Those of `contents`.
pub fn merge(
    contents: &dyn Contents,
    roots: &RootTrees<'_>,
    deciding: &mut Deciding<'_>,
) -> history::Result<FilesMerge> {
    let mut found = FilesMerge::default();
    let all = [roots.base, roots.ours, roots.theirs];
    let names: BTreeSet<&EntryName> = all.iter().flat_map(|tree| tree.entries()).map(|entry| &entry.name).collect();
    for name in names.into_iter().filter(|name| !ELSEWHERE.contains(&name.as_str())) {
        let of = |tree: &Tree| tree.get(name.as_str()).cloned();
        let versions = Versions { base: of(roots.base), ours: of(roots.ours), theirs: of(roots.theirs) };
        let merged = merge_trees(|id| contents.tree(id), RelativePath::root().join(name), versions)?;
        found.edits.extend(merged.taken);
        for (path, versions) in merged.both {
            if is_index(&path) {
                // ComfyUI's own list of bookmarks is no work of anybody's.
                continue;
            }
            if let Some((both, entry)) = by_node(contents, &path, &versions, deciding)? {
                if entry.id != ObjectId::of_blob(&both.ours) {
                    found.edits.push((path, Some(entry)));
                }
                found.both.push(both);
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

/// A workflow merged by node and widget; nothing for what is none in all three versions, or where that cannot be done.
fn by_node(
    contents: &dyn Contents,
    path: &RelativePath,
    versions: &Versions,
    deciding: &mut Deciding<'_>,
) -> history::Result<Option<(Both, Entry)>> {
    let is_file = |entry: &&Entry| matches!(entry.kind, EntryKind::File | EntryKind::Executable);
    let file = |entry: &'_ Option<Entry>| entry.as_ref().filter(is_file).cloned();
    let all = (file(&versions.base), file(&versions.ours), file(&versions.theirs));
    let ((Some(base), Some(ours), Some(theirs)), Some(_)) = (all, workflow_key(path)) else { return Ok(None) };
    let (base, mine, theirs) = (contents.text(&base.id)?, contents.text(&ours.id)?, contents.text(&theirs.id)?);
    let before = deciding.conflicts.len();
    match workflow::merge(&base, &mine, &theirs, &mut |conflict| deciding.decide(about(path, conflict))) {
        Ok(workflow::Merged { bytes, ids }) => {
            let entry = Entry { id: ObjectId::of_blob(&bytes), size: bytes.len() as u64, ..ours };
            Ok(Some((Both { path: path.clone(), merged: bytes, ours: mine, theirs, ids }, entry)))
        }
        Err(Beyond) => {
            deciding.conflicts.truncate(before);
            Ok(None)
        }
    }
}

/// A conflict within a workflow, by its path.
fn about(path: &RelativePath, conflict: workflow::Conflict) -> Conflict {
    let name = format!("{path}#{}", conflict.name());
    let workflow::Conflict { node, about, base, ours, theirs, .. } = conflict;
    let (kind, widget) = match about {
        About::Value(widget) => (Kind::Value, Some(widget)),
        About::Input(input) => (Kind::Input, Some(input)),
        About::Whole => (Kind::WorkflowNode, None),
    };
    let (node, class, title) = match node {
        Some((node, class, title)) => (Some(node), Some(class), title),
        None => (None, None, None),
    };
    Conflict { node, class, title, widget, base, ours, theirs, ..Conflict::of(kind, name, [None, None, None]) }
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
