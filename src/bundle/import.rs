//! A bundle becomes an environment: what would be done as a value ([`plan`]), then done ([`carry_out`]).
//!
//! Only what is not there is added to ComfyUI's folder, as one transaction; a file or node of the same name with other content is a conflict,
//! found before anything is changed (invariant B5).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::lock::{LockedFile, LockedModel, LockedNode};
use super::opened::Opened;
use crate::catalog::{Reference, references};
use crate::environment::commit::{self, CommitError, Who};
use crate::environment::head::Head;
use crate::environment::journal::Born;
use crate::environment::manifest::{Manifest, ManifestError, Slot};
use crate::environment::restore_point::{self, Scope};
use crate::environment::snapshot_tree::{MANIFEST, UV_LOCK};
use crate::environment::state::{self, Keep, StateError, Surroundings};
use crate::environment::transaction::{Transaction, TransactionError};
use crate::models::index::Depth;
use crate::models::{IndexedFile, Inventory, ModelIndex, ModelRoot};
use crate::object::{Entry, EntryKind, EntryName, NameError, ObjectId, RelativePath};
use crate::platform::folder::HAS_EXECUTABLE_FILES;
use crate::resolve::rewriting::listed_value;
use crate::store;
use crate::workflow::rewrite::{RewriteError, rewrite};
use crate::worktree::{self, IgnoreRules, Mode, Needed, Weights, WriteOptions, is_held, write_tree};
use crate::{history, models, workflow};

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("pyproject.toml of the bundle, {0}")]
    Manifest(#[from] ManifestError),
    #[error("{} of its files {} in the way, the first is {}: {}", .0.len(), if .0.len() == 1 { "has something" } else { "have something" }, .0[0].0.display(), .0[0].1)]
    Conflicts(Vec<(PathBuf, String)>),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}")]
    Rewrite { path: RelativePath, source: RewriteError },
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Worktree(#[from] worktree::Error),
    #[error(transparent)]
    Models(#[from] models::Error),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    History(#[from] history::Error),
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("interrupted")]
    Interrupted,
}

type Result<T, E = ImportError> = std::result::Result<T, E>;

/// What becomes of a file or node of the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Added from the bundle.
    Added,
    /// Added from the store, which has it already.
    FromStore,
    /// The same is there.
    Identical,
    /// Not in the bundle and not here; its sources say where it can be had.
    Missing,
    /// Something else is there.
    Conflict,
}

impl Fate {
    pub fn as_str(self) -> &'static str {
        match self {
            Fate::Added => "added",
            Fate::FromStore => "from-store",
            Fate::Identical => "identical",
            Fate::Missing => "missing",
            Fate::Conflict => "conflict",
        }
    }
}

/// A workflow, or a file beside workflows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    pub path: RelativePath,
    pub place: PathBuf,
    pub fate: Fate,
    /// Values in it that are to say something else here: node, old, new.
    pub rewritten: Vec<(String, String, String)>,
    /// Its bytes where they are not those in the bundle.
    bytes: Option<Vec<u8>>,
    id: ObjectId,
    size: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedNode {
    pub node: LockedNode,
    pub place: PathBuf,
    pub fate: Fate,
    kind: EntryKind,
}

/// What becomes of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// Here already, at this place below the folders into which this ComfyUI looks, perhaps under another name.
    Found(String),
    /// To be put at its path, from the bundle or the store.
    Put { place: PathBuf, fate: Fate },
    /// On this machine in a file that the index knows, where this ComfyUI does not look.
    Elsewhere(PathBuf),
    /// Nowhere here.
    Missing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedModel {
    pub model: LockedModel,
    pub whereabouts: Whereabouts,
}

/// What an import would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    pub files: Vec<PlannedFile>,
    pub nodes: Vec<PlannedNode>,
    pub models: Vec<PlannedModel>,
}

impl Plan {
    /// True when a node or model of the bundle is not there, or not where ComfyUI looks, once all this is done.
    pub fn is_incomplete(&self) -> bool {
        let absent =
            |model: &PlannedModel| matches!(model.whereabouts, Whereabouts::Missing | Whereabouts::Elsewhere(_));
        self.models.iter().any(absent) || self.nodes.iter().any(|node| node.fate == Fate::Missing)
    }

    /// What stands in the way, with the reason.
    pub fn conflicts(&self) -> Vec<(PathBuf, String)> {
        let files = self.files.iter().filter(|file| file.fate == Fate::Conflict);
        let files = files.map(|file| (file.place.clone(), "a file with other content is there".to_owned()));
        let nodes = self.nodes.iter().filter(|node| node.fate == Fate::Conflict);
        let nodes = nodes.map(|node| (node.place.clone(), "a node with other files is there".to_owned()));
        let models = self.models.iter().filter_map(|model| match &model.whereabouts {
            Whereabouts::Put { place, fate: Fate::Conflict } => {
                Some((place.clone(), "another model is there".to_owned()))
            }
            _ => None,
        });
        files.chain(nodes).chain(models).collect()
    }
}

/// Finds out what importing the bundle into the environment would do. Changes nothing. `seen` are the folders into which its ComfyUI
/// looks by itself; `around` may name more.
pub fn plan(opened: &Opened, around: &Surroundings<'_>, seen: &[ModelRoot]) -> Result<Plan> {
    let manifest = manifest(opened)?;
    let index = ModelIndex::new(around.store);
    index.update(&around.models, Depth::Quick, around.observer)?;
    let inventory = Inventory::new(index.update(seen, Depth::Quick, around.observer)?.files);
    // Of folders that were ever indexed, those included of which this environment knows nothing.
    let whole = index.whole_inventory()?;
    let mut planning = Planning { opened, around, index, inventory, whole, whereabouts: BTreeMap::new() };
    let models = planning.models()?;
    let files = planning.files(&manifest)?;
    let nodes = planning.nodes()?;
    Ok(Plan { files, nodes, models })
}

fn manifest(opened: &Opened) -> Result<Manifest> {
    let bytes = opened.texts.get(&RelativePath::new(MANIFEST)?);
    match bytes {
        Some(bytes) => Ok(Manifest::parse(&String::from_utf8_lossy(bytes))?),
        None => Ok(Manifest::new(&opened.lock.snapshot.environment)),
    }
}

struct Planning<'p, 'a> {
    opened: &'p Opened,
    around: &'p Surroundings<'a>,
    index: ModelIndex<'a>,
    /// What this ComfyUI sees.
    inventory: Inventory,
    whole: Inventory,
    /// By id, the place below the models folders at which the model is or will be.
    whereabouts: BTreeMap<ObjectId, String>,
}

impl Planning<'_, '_> {
    fn models(&mut self) -> Result<Vec<PlannedModel>> {
        let places = self.around.places();
        let mut planned = Vec::new();
        for model in &self.opened.lock.models {
            // Those inside nodes come and go with their node.
            let Some(place) = places.of(&model.path).filter(|_| model.path.as_str().starts_with("models/")) else {
                continue;
            };
            let whereabouts = match self.find(&self.inventory, model)? {
                Some(file) => {
                    self.whereabouts.insert(model.id, file.place());
                    Whereabouts::Found(file.place())
                }
                None => {
                    let store = self.around.store;
                    let is_stored = store.contains(&[model.id])?[0] && store.open_object(&model.id).is_ok();
                    let fate = match (is_taken(&place), model.bundled, is_stored) {
                        (true, true, _) | (true, _, true) => Fate::Conflict,
                        (_, true, _) => Fate::Added,
                        (_, _, true) => Fate::FromStore,
                        _ => Fate::Missing,
                    };
                    if fate == Fate::Missing {
                        match self.find(&self.whole, model)? {
                            Some(file) => Whereabouts::Elsewhere(file.file()),
                            None => Whereabouts::Missing,
                        }
                    } else {
                        let below = model.path.as_str().trim_start_matches("models/");
                        self.whereabouts.insert(model.id, below.to_owned());
                        Whereabouts::Put { place, fate }
                    }
                }
            };
            planned.push(PlannedModel { model: model.clone(), whereabouts });
        }
        Ok(planned)
    }

    fn find(&self, among: &Inventory, model: &LockedModel) -> Result<Option<IndexedFile>> {
        let quick = model.quick.as_deref().and_then(|text| text.parse().ok());
        Ok(self.index.find(among, &model.id, model.size, quick, self.around.observer)?)
    }

    fn files(&self, manifest: &Manifest) -> Result<Vec<PlannedFile>> {
        let places = self.around.places();
        let uses = manifest.workflows();
        let uses: BTreeMap<&str, _> = uses.values().map(|facts| (facts.path.as_str(), &facts.models)).collect();
        let mut planned = Vec::new();
        for (path, file) in &self.opened.lock.files {
            let is_ours = path.as_str().starts_with("workflows/") || path.as_str().starts_with("users/");
            let (LockedFile::File { size, id, .. }, true) = (file, is_ours) else { continue };
            let Some(place) = places.of(path) else { continue };
            let mut found = PlannedFile {
                path: path.clone(),
                place,
                fate: Fate::Added,
                rewritten: Vec::new(),
                bytes: None,
                id: *id,
                size: *size,
            };
            if let (Some(bytes), Some(uses)) = (self.opened.texts.get(path), uses.get(path.as_str()))
                && let Ok(workflow) = workflow::read(bytes)
            {
                let mut changes = Vec::new();
                for reference in references(&workflow, &self.around.catalog) {
                    let meant = uses.iter().find(|found| {
                        (&found.scope, &found.node) == (&reference.scope, &reference.node)
                            && is_slot(&found.slot, &reference)
                    });
                    let Some(id) = meant.and_then(|found| found.answer.model()) else { continue };
                    let Some(place) = self.whereabouts.get(&id) else { continue };
                    let Some(value) = listed_value(place, &reference) else { continue };
                    // Instances of one subgraph may share a value, which can say one thing only: that of the first.
                    if value != reference.value && !changes.iter().any(|(place, _)| *place == reference.place) {
                        found.rewritten.push((reference.node, reference.value, value.clone()));
                        changes.push((reference.place, value));
                    }
                }
                if !changes.is_empty() {
                    let new = rewrite(bytes, &changes);
                    let new = new.map_err(|source| ImportError::Rewrite { path: path.clone(), source })?;
                    found.bytes = Some(new);
                }
            }
            found.fate = self.fate_of_file(&found)?;
            planned.push(found);
        }
        Ok(planned)
    }

    fn fate_of_file(&self, file: &PlannedFile) -> Result<Fate> {
        if !is_taken(&file.place) {
            return Ok(Fate::Added);
        }
        let wanted = file.bytes.as_deref().map_or(file.id, ObjectId::of_blob);
        let same = std::fs::read(&file.place).is_ok_and(|there| ObjectId::of_blob(&there) == wanted);
        Ok(if same { Fate::Identical } else { Fate::Conflict })
    }

    fn nodes(&self) -> Result<Vec<PlannedNode>> {
        let places = self.around.places();
        let mut planned = Vec::new();
        for node in &self.opened.lock.nodes {
            let Some(place) = places.of(&node.path) else { continue };
            let file = self.opened.lock.files.get(&node.path);
            let kind = match file {
                Some(LockedFile::File { executable: true, .. }) => EntryKind::Executable,
                Some(LockedFile::File { .. }) => EntryKind::File,
                Some(_) => EntryKind::Symlink,
                None => EntryKind::Tree,
            };
            let fate = match (is_taken(&place), node.bundled, node.tree) {
                (true, bundled, tree) => {
                    if tree.is_some() && self.tree_there(&place, kind, tree)? == tree {
                        Fate::Identical
                    } else if bundled {
                        Fate::Conflict
                    } else {
                        // Another version of a node that the bundle only names: the user's own stays.
                        Fate::Missing
                    }
                }
                (false, true, _) => Fate::Added,
                (false, false, Some(tree)) if is_held(self.around.store, &tree, Needed::AllButModels)? => {
                    Fate::FromStore
                }
                _ => Fate::Missing,
            };
            planned.push(PlannedNode { node: node.clone(), place, fate, kind });
        }
        Ok(planned)
    }

    /// The id of what is at `place`, read as a commit would that has `wanted` before it.
    fn tree_there(&self, place: &Path, kind: EntryKind, wanted: Option<ObjectId>) -> Result<Option<ObjectId>> {
        if kind != EntryKind::Tree || !place.is_dir() {
            return Ok(std::fs::read(place).ok().map(|bytes| ObjectId::of_blob(&bytes)));
        }
        let options = WriteOptions {
            ignore: IgnoreRules::default(),
            weights: Weights::IN_NODES,
            models: self.around.policy,
            executable_as_in: wanted.filter(|_| !HAS_EXECUTABLE_FILES),
            ..WriteOptions::default()
        };
        let written = write_tree(self.around.store, Mode::HashOnly, place, &options, self.around.observer)?;
        Ok((!written.is_incomplete()).then_some(written.id))
    }
}

fn is_slot(slot: &Slot, reference: &Reference) -> bool {
    match slot {
        Slot::Widget(at) => reference.widget.and_then(|widget| i64::try_from(widget).ok()) == Some(*at),
        Slot::Input(input) => reference.input.as_ref() == Some(input),
    }
}

/// True when something is there, a dangling link included.
fn is_taken(place: &Path) -> bool {
    std::fs::symlink_metadata(place).is_ok()
}

/// Writes the manifest and uv's lock into the folder `.cec` of an environment in the making.
pub fn prepare(opened: &Opened, cec: &Path) -> Result<()> {
    for name in [MANIFEST, UV_LOCK] {
        if let Some(bytes) = opened.texts.get(&RelativePath::new(name)?) {
            let path = cec.join(name);
            std::fs::write(&path, bytes).map_err(|source| ImportError::Io { path, source })?;
        }
    }
    Ok(())
}

/// Adds everything to ComfyUI's folder and records the first version, whose id it returns: one step, which `undo` takes back. The
/// environment is published unfilled and its lock held.
///
/// # Errors
/// What was added is taken away again then, or by the next command, and the environment with it.
pub fn carry_out(
    opened: Opened,
    plan: &Plan,
    around: &Surroundings<'_>,
    born: Born,
    message: &str,
    who: &Who,
) -> Result<ObjectId> {
    let conflicts = plan.conflicts();
    if !conflicts.is_empty() {
        return Err(ImportError::Conflicts(conflicts));
    }
    opened.quarantine.release(around.observer)?;
    let environment = around.environment.name().as_str();
    let head = Head::of(around.store, environment)?;
    let restore = {
        let writer = around.store.writer()?;
        let before = state::read(around, Keep::Stored(&writer))?;
        let tree = commit::keep(&writer, &before.root(None)?)?;
        let identity = (who.author.as_str(), who.time);
        let restore = restore_point::snapshot(tree, head.id(), environment, identity, &who.command, Scope::Files);
        commit::keep(&writer, &restore)?
    };
    let mut transaction = Transaction::begin_with(commit::surroundings(around), &who.command, born);
    stage(&mut transaction, plan)?;
    transaction.try_out()?;
    Ok(commit::commit_with(transaction, around, &head, Some(restore), message, who)?)
}

/// Stages everything that is to be added.
fn stage(transaction: &mut Transaction<'_>, plan: &Plan) -> Result<()> {
    let name = EntryName::new("x")?;
    let mut folders = BTreeSet::new();
    let is_added = |fate: Fate| matches!(fate, Fate::Added | Fate::FromStore);
    let mut room = |transaction: &mut Transaction<'_>, place: &Path| {
        if let Some(above) = place.parent()
            && folders.insert(above.to_owned())
        {
            transaction.make_folder(above);
        }
    };
    for file in plan.files.iter().filter(|file| is_added(file.fate)) {
        room(transaction, &file.place);
        match &file.bytes {
            Some(bytes) => transaction.put_bytes(bytes, &file.place)?,
            None => {
                let entry = Entry { name: name.clone(), kind: EntryKind::File, id: file.id, size: file.size };
                transaction.put(&entry, &file.place)?;
            }
        }
    }
    for node in plan.nodes.iter().filter(|node| is_added(node.fate)) {
        let Some(id) = node.node.tree else { continue };
        room(transaction, &node.place);
        transaction.put(&Entry { name: name.clone(), kind: node.kind, id, size: node.node.size }, &node.place)?;
    }
    let mut seen = BTreeSet::new();
    for PlannedModel { model, whereabouts } in &plan.models {
        let Whereabouts::Put { place, fate } = whereabouts else { continue };
        if is_added(*fate) && seen.insert(place.clone()) {
            room(transaction, place);
            let entry = Entry { name: name.clone(), kind: EntryKind::Model, id: model.id, size: model.size };
            transaction.put(&entry, place)?;
        }
    }
    Ok(())
}
