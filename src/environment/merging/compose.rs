//! All parts of a snapshot merged, and put together as one tree.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::environment::fresh_trees::FreshTrees;
use crate::environment::manifest::Manifest;
use crate::environment::nodes::required::Keeper;
use crate::environment::plan::NodeTrees;
use crate::environment::python::lockfile;
use crate::environment::rollback::{RollbackError, manifest_in};
use crate::environment::snapshot_tree::{COMFYUI, MANIFEST, MODELS, NODES, PARKED, UV_LOCK};
use crate::environment::state::Surroundings;
use crate::history::three_way::{Pick, pick};
use crate::history::{self, Objects, Side};
use crate::object::{
    Encoded, Entry, EntryKind, EntryName, Kind as ObjectKind, NameError, ObjectId, RelativePath, Tree,
};
use crate::store::{Store, Writer};
use crate::worktree::{self, KeepTree, Trees, build_tree, graft, tree_at, walk_tree};

use super::conflict::{Choices, Conflict, Deciding, Kind};
use super::files::{self, Both, Contents, RootTrees};
use super::manifest::{Chosens, Manifests, WorkflowFrom};
use super::models;
use super::nodes::{self, Version, files_told};
use super::references::{self, Known};

#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    #[error(transparent)]
    History(#[from] history::Error),
    #[error(transparent)]
    Worktree(#[from] worktree::Error),
    #[error(transparent)]
    Rollback(Box<RollbackError>),
    #[error(transparent)]
    Name(#[from] NameError),
}

impl std::convert::From<RollbackError> for MergeError {
    fn from(error: RollbackError) -> Self {
        MergeError::Rollback(Box::new(error))
    }
}

/// Root trees of what is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roots {
    /// What both came from; nothing where they have nothing in common.
    pub base: Option<ObjectId>,
    pub ours: ObjectId,
    pub theirs: ObjectId,
}

/// What becomes of uv's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lock {
    /// One of those that are there fits what is asked for; or there is none.
    Taken(Option<Entry>),
    /// None fits: it has to be made for the merged manifest.
    Anew,
}

/// A path that is not as we had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MergedPath {
    pub path: RelativePath,
    pub from: From,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// As they have it.
    Theirs,
    /// Made of both.
    Both,
}

/// What the merge comes to. Nothing of it is in the store yet.
pub struct Merged<'a> {
    /// The entries of the root tree but uv's lock.
    entries: BTreeMap<String, Entry>,
    trees: FreshTrees<'a>,
    texts: Vec<Vec<u8>>,
    pub manifest: Manifest,
    pub lock: Lock,
    /// Workflows, nodes and ComfyUI itself; the manifest, the lock and models go with them.
    pub paths: Vec<MergedPath>,
    pub conflicts: Vec<Conflict>,
}

impl Merged<'_> {
    /// Conflicts that nobody decided.
    pub fn open(&self) -> impl Iterator<Item = &Conflict> {
        self.conflicts.iter().filter(|conflict| conflict.taken.is_none())
    }

    /// Puts the merged version into the store and answers with its root tree. `lock` is the one that was made for it, where none was there.
    ///
    /// # Errors
    /// The store.
    pub fn keep(&self, writer: &Writer, lock: Option<&str>) -> Result<ObjectId, MergeError> {
        self.trees.each(|tree| writer.put_value(tree).map(drop))?;
        for text in &self.texts {
            writer.put(ObjectKind::Blob, text)?;
        }
        let mut entries = self.entries.clone();
        match (&self.lock, lock) {
            (_, Some(text)) => {
                writer.put(ObjectKind::Blob, text.as_bytes())?;
                entries.insert(UV_LOCK.to_owned(), blob(UV_LOCK, text.as_bytes())?);
            }
            (Lock::Taken(entry), None) => {
                entries.extend(entry.clone().map(|entry| (UV_LOCK.to_owned(), entry)));
            }
            (Lock::Anew, None) => {}
        }
        let tree = Tree::new(entries.into_values().collect())
            .map_err(|source| worktree::Error::Tree { path: RelativePath::root(), source })?;
        let id = writer.put_value(&tree)?;
        writer.publish()?;
        Ok(id)
    }
}

fn blob(name: &str, bytes: &[u8]) -> Result<Entry, NameError> {
    let size = bytes.len() as u64;
    Ok(Entry { name: EntryName::new(name)?, kind: EntryKind::File, id: ObjectId::of_blob(bytes), size })
}

/// Merges three versions. Nothing is written, and of what lies on disk nothing is looked at.
///
/// # Errors
/// The store, and what is missing or damaged in it.
pub fn compose<'a>(around: &Surroundings<'a>, roots: &Roots, choices: &Choices) -> Result<Merged<'a>, MergeError> {
    let objects: &dyn Objects = around.store;
    let trees = FreshTrees::new(around.store);
    let root = |id: Option<ObjectId>| id.map_or_else(|| Ok(Tree::default()), |id| objects.read::<Tree>(&id));
    let base = root(roots.base)?;
    let (ours, theirs) = (root(Some(roots.ours))?, root(Some(roots.theirs))?);
    let manifests = Manifests {
        base: manifest_in(around, &base)?,
        ours: manifest_in(around, &ours)?,
        theirs: manifest_in(around, &theirs)?,
    };
    let mut deciding = Deciding::new(choices);
    let of_roots = RootTrees { base: &base, ours: &ours, theirs: &theirs };
    let by_path = files::merge(&Stored(around.store), &of_roots, &mut deciding)?;
    let version = |tree: &Tree, manifest| Ok::<_, MergeError>(Version { trees: node_trees(&trees, tree)?, manifest });
    let nodes = nodes::merge(
        &version(&base, &manifests.base)?,
        &version(&ours, &manifests.ours)?,
        &version(&theirs, &manifests.theirs)?,
        &mut deciding,
    );
    let program = program(&base, &ours, &theirs, &manifests, &mut deciding);
    let mut paths: Vec<MergedPath> = Vec::new();
    let mut tree = trees.keep(&ours)?;
    let program_edit = (program == Some(Side::Theirs)).then(|| theirs.get(COMFYUI).cloned());
    let program_edit =
        program_edit.map(|entry| Ok::<_, NameError>((RelativePath::new(COMFYUI)?, entry))).transpose()?;
    for (path, entry) in by_path.edits.iter().chain(&nodes.edits).chain(&program_edit) {
        tree = graft(&trees, &trees, Some(&tree), path, entry.clone())?.0;
        let from = if by_path.both.iter().any(|both| both.path == *path) { From::Both } else { From::Theirs };
        paths.push(MergedPath { path: path.clone(), from });
    }
    let workflows = workflows(around, &trees, &manifests, roots, (&tree, &by_path.both))?;
    let chosen = Chosens { nodes: &nodes.chosen, workflows: &workflows, program };
    let mut manifest = super::manifest::merge(&manifests, &chosen, &mut deciding);
    let places = |tree: &Tree| model_places(&trees, tree);
    let versions = models::Versions { base: places(&base)?, ours: places(&ours)?, theirs: places(&theirs)? };
    let places = models::merge(&mut manifest, &manifests, &versions, &mut deciding);
    let lock = lock(around, &manifest, [&base, &ours, &theirs]);
    // A side that changed nothing gives the other, to the byte.
    let whole = match (roots.base == Some(roots.ours), roots.base == Some(roots.theirs)) {
        (true, _) => Some((theirs, manifests.theirs)),
        (_, true) => Some((ours, manifests.ours)),
        _ => None,
    };
    if let Some((whole, manifest)) = whole {
        let lock = Lock::Taken(whole.get(UV_LOCK).cloned());
        let entries = by_name(whole);
        let conflicts = Vec::new();
        return Ok(Merged { entries, trees, texts: Vec::new(), manifest, lock, paths, conflicts });
    }
    let mut entries = by_name(trees.tree(&tree)?);
    // Folders that became empty are none.
    entries.retain(|_, entry| entry.kind != EntryKind::Tree || entry.id != Tree::default().id());
    let text = manifest.to_string().into_bytes();
    entries.insert(MANIFEST.to_owned(), blob(MANIFEST, &text)?);
    entries.remove(MODELS);
    if !places.is_empty() {
        let (id, size) = build_tree(&trees, places)?;
        let entry = Entry { name: EntryName::new(MODELS)?, kind: EntryKind::Tree, id, size };
        entries.insert(MODELS.to_owned(), entry);
    }
    let conflicts = deciding.conflicts;
    let texts = by_path.both.into_iter().map(|both| both.merged).chain([text]).collect();
    Ok(Merged { entries, trees, texts, manifest, lock, paths, conflicts })
}

/// What a store has.
struct Stored<'s>(&'s Store);

impl Contents for Stored<'_> {
    fn tree(&self, id: &ObjectId) -> history::Result<Tree> {
        (self.0 as &dyn Objects).read(id)
    }

    fn text(&self, id: &ObjectId) -> history::Result<Vec<u8>> {
        Ok(self.0.read_text(id)?)
    }
}

/// The entries of a root tree but uv's lock.
fn by_name(tree: Tree) -> BTreeMap<String, Entry> {
    let entries = tree.into_entries().into_iter().filter(|entry| entry.name.as_str() != UV_LOCK);
    entries.map(|entry| (entry.name.to_string(), entry)).collect()
}

fn node_trees(trees: &dyn Trees, root: &Tree) -> Result<NodeTrees, MergeError> {
    let tree = |entry: Option<&Entry>| match entry {
        Some(entry) if entry.kind == EntryKind::Tree => trees.tree(&entry.id),
        _ => Ok(Tree::default()),
    };
    let nodes = tree(root.get(NODES))?;
    let parked = tree(nodes.get(PARKED))?;
    Ok(NodeTrees { nodes, parked })
}

fn model_places(trees: &dyn Trees, root: &Tree) -> Result<models::Places, MergeError> {
    let mut places = models::Places::new();
    if let Some(models) = root.get(MODELS) {
        for found in walk_tree(trees, &models.id) {
            let (path, entry) = found?;
            if entry.kind != EntryKind::Tree {
                places.insert(path, entry);
            }
        }
    }
    Ok(places)
}

/// ComfyUI's own program, as a whole.
fn program(
    base: &Tree,
    ours: &Tree,
    theirs: &Tree,
    manifests: &Manifests,
    deciding: &mut Deciding<'_>,
) -> Option<Side> {
    let of = |tree: &Tree| tree.get(COMFYUI).map(|entry| (entry.kind, entry.id));
    match pick(&of(base), &of(ours), &of(theirs)) {
        Pick::Same => None,
        Pick::From(side) => Some(side),
        Pick::Both => {
            let told = |tree: &Tree, manifest: &Manifest| {
                let (kind, id) = of(tree)?;
                let version = manifest.comfyui().and_then(|facts| facts.version.or(facts.commit));
                let files = files_told(kind, &id);
                Some(version.map_or_else(|| files.clone(), |version| format!("{version} ({files})")))
            };
            let versions = [told(base, &manifests.base), told(ours, &manifests.ours), told(theirs, &manifests.theirs)];
            Some(deciding.decide(Conflict::of(Kind::Comfyui, COMFYUI, versions)))
        }
    }
}

/// Whose entry in the manifest each workflow of the merged tree has.
fn workflows(
    around: &Surroundings<'_>,
    trees: &dyn Trees,
    manifests: &Manifests,
    roots: &Roots,
    (merged, both): (&ObjectId, &[Both]),
) -> Result<BTreeMap<String, WorkflowFrom>, MergeError> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for manifest in [&manifests.ours, &manifests.theirs] {
        known.extend(manifest.workflows().into_iter().map(|(key, facts)| (key, facts.path)));
    }
    let said = [&manifests.base, &manifests.ours, &manifests.theirs].map(Manifest::workflows);
    let mut found = BTreeMap::new();
    for (key, path) in known {
        let Ok(path) = RelativePath::new(path) else { continue };
        let at = |root: &ObjectId| Ok::<_, MergeError>(tree_at(trees, root, &path)?.map(|entry| entry.id));
        let Some(id) = at(merged)? else { continue };
        let (is_ours, is_theirs) = (at(&roots.ours)? == Some(id), at(&roots.theirs)? == Some(id));
        let made = both.iter().find(|both| both.path == path);
        let from = match (is_ours, is_theirs) {
            (false, false) if let Some(both) = made => {
                let [base, ours, theirs] = said.each_ref().map(|said| said.get(&key));
                WorkflowFrom::Both(references::facts(both, &Known { base, ours, theirs }, &around.catalog))
            }
            (true, true) => WorkflowFrom::Same,
            (true, false) => WorkflowFrom::Side(Side::Ours),
            _ => WorkflowFrom::Side(Side::Theirs),
        };
        found.insert(key, from);
    }
    Ok(found)
}

/// The lock of the side whose requirements are the merged ones.
fn lock(around: &Surroundings<'_>, manifest: &Manifest, versions: [&Tree; 3]) -> Lock {
    let [base, ours, theirs] = versions.map(|tree| tree.get(UV_LOCK).cloned());
    let follows = |entry: &Option<Entry>| {
        let text = entry.as_ref().and_then(|entry| around.store.read_text(&entry.id).ok());
        let lock = text.and_then(|text| lockfile::Lock::parse(&String::from_utf8_lossy(&text)).ok());
        lock.is_some_and(|lock| lock.follows(manifest))
    };
    let id = |entry: &Option<Entry>| entry.as_ref().map(|entry| entry.id);
    let (first, second) = match pick(&id(&base), &id(&ours), &id(&theirs)) {
        Pick::Same => return Lock::Taken(ours),
        Pick::From(Side::Theirs) => (theirs, ours),
        Pick::From(Side::Ours) | Pick::Both => (ours, theirs),
    };
    // Nobody installs by a lock where the Python is someone else's, so none is made for it.
    if follows(&first) || Keeper::of(around) == Keeper::Other {
        Lock::Taken(first)
    } else if follows(&second) {
        Lock::Taken(second)
    } else {
        Lock::Anew
    }
}
