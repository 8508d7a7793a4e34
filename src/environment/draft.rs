//! What a commit would record: the working state, the models that its workflows use, and the manifest that says so.

use std::collections::BTreeMap;
use std::path::Path;

use crate::models::index::Depth;
use crate::models::{IndexedFile, Inventory, ModelIndex, Sources};
use crate::object::{Encoded, Entry, EntryKind, EntryName, Kind, ObjectId, RelativePath, Tree};
use crate::resolve::{Choose, ChooseError, Installed};
use crate::worktree::{self, build_tree};

use super::layout;
use super::manifest::{ComfyUiFacts, Manifest, ModelFacts, NodeFacts, ReadError as ManifestReadError, WorkflowFacts};
use super::nodes;
use super::python::in_step::lock_follows;
use super::readings;
use super::snapshot_tree::{MANIFEST, MODELS};
use super::state::{self, FoundWorkflow, Keep, State, StateError, Surroundings};
use super::uses::{self, Asking, Meaning, Uses, UsesError};

#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    #[error(transparent)]
    Worktree(#[from] worktree::Error),
    #[error(transparent)]
    Models(#[from] crate::models::Error),
    #[error(transparent)]
    Choose(#[from] ChooseError),
    #[error(transparent)]
    Manifest(#[from] ManifestReadError),
}

impl From<UsesError> for DraftError {
    fn from(error: UsesError) -> Self {
        match error {
            UsesError::Models(error) => error.into(),
            UsesError::Choose(error) => error.into(),
        }
    }
}

/// Everything that a commit made now would record.
pub struct Draft<'a> {
    pub state: State<'a>,
    pub uses: Uses,
    /// The manifest's new text.
    pub manifest: String,
    /// The root tree with the new manifest.
    pub tree: Tree,
    /// The root tree with the manifest as it is on disk; the restore point.
    pub tree_before: Tree,
    /// Models that could not be read, with the reason.
    pub unread: Vec<(String, String)>,
    /// False where `uv.lock` was made for other dependencies than those of the manifest.
    pub lock_follows: bool,
}

/// Finds out what a commit made now would record. With [`Keep::Stored`] everything but the root tree is put into the store and published.
/// What the rules leave open, and was not left open before, is asked of `choose`.
pub fn draft<'a>(around: &Surroundings<'a>, keep: Keep<'_>, choose: &mut dyn Choose) -> Result<Draft<'a>, DraftError> {
    let mut state = state::read(around, keep)?;
    let mut manifest = around.environment.manifest()?;
    let index = ModelIndex::new(around.store);
    let inventory = match index.update(&around.models, Depth::Quick, around.observer) {
        Ok(updated) => Inventory::new(updated.files),
        Err(crate::models::Error::Interrupted) => return Err(StateError::Interrupted.into()),
        Err(error) => return Err(error.into()),
    };
    let environment = around.environment.name().as_str();
    let readings = readings::cached(around.store, environment, &state.workflows, workflow_bytes, &around.catalog)?;
    // A commit records what the user said of node types, and looks nothing up.
    let installed = Installed::default();
    let asking = Asking {
        before: &manifest,
        inventory: &inventory,
        index: &index,
        catalog: &around.catalog,
        installed: &installed,
        observer: around.observer,
        ask: uses::Ask::New,
    };
    let uses = uses::find(readings, &asking, choose)?;
    let mut draft = Models { around, keep, index, files: BTreeMap::new(), unread: Vec::new() };
    for file in uses.files() {
        draft.take(file)?;
    }
    let Models { files, unread, .. } = draft;
    let models = models_of(&uses, &files, &manifest, &Sources::new(around.store).all()?);
    manifest.set_environment(&comfyui_facts(around, &manifest), python_version(around).as_deref());
    manifest.set_nodes(&node_facts(around, &state, &manifest.nodes())?);
    manifest.set_workflows(&workflow_facts(&state, &uses, &files));
    manifest.set_models(&models.iter().map(|(_, id, facts)| (*id, facts.clone())).collect());
    let models = model_entry(keep, &state, &models)?;
    let tree_before = state.root(models.as_ref())?;
    let text = manifest.to_string();
    let entry = Entry {
        name: EntryName::new(MANIFEST).map_err(StateError::from)?,
        kind: EntryKind::File,
        id: ObjectId::of_blob(text.as_bytes()),
        size: text.len() as u64,
    };
    state.entries.insert(MANIFEST, entry);
    if let Keep::Stored(writer) = keep {
        writer.put(Kind::Blob, text.as_bytes())?;
        writer.publish()?;
    }
    let tree = state.root(models.as_ref())?;
    let lock_follows = lock_follows(around, &state, &manifest)?;
    Ok(Draft { state, uses, manifest: text, tree, tree_before, unread, lock_follows })
}

impl Draft<'_> {
    /// True when a commit would record nothing that `head`'s root tree does not have.
    pub fn is_in(&self, head: &ObjectId) -> bool {
        self.tree.id() == *head
    }
}

/// The bytes that were hashed a moment ago.
pub fn workflow_bytes(found: &FoundWorkflow) -> Result<Vec<u8>, String> {
    let bytes = std::fs::read(&found.file).map_err(|error| error.to_string())?;
    if ObjectId::of_blob(&bytes) == found.id { Ok(bytes) } else { Err("changed while it was read".to_owned()) }
}

/// A model that is used: its place below `models/`, its id, what the manifest says of it.
type UsedModel = (String, ObjectId, ModelFacts);

struct Models<'r, 'a> {
    around: &'r Surroundings<'a>,
    keep: Keep<'r>,
    index: ModelIndex<'a>,
    /// By the file's place below `models/`.
    files: BTreeMap<String, IndexedFile>,
    unread: Vec<(String, String)>,
}

impl Models<'_, '_> {
    /// Finds out the file's id, and with that puts it into the store as the policy says.
    fn take(&mut self, file: &IndexedFile) -> Result<(), DraftError> {
        let (path, place) = (file.file(), file.place());
        if let Keep::Stored(writer) = self.keep {
            match writer.put_file(&path, self.around.policy, self.around.observer) {
                Ok(_) => {}
                Err(crate::store::Error::Interrupted) => return Err(StateError::Interrupted.into()),
                Err(error @ (crate::store::Error::ChangedWhileRead(_) | crate::store::Error::NotAFile(_))) => {
                    self.unread.push((place, error.to_string()));
                    return Ok(());
                }
                Err(crate::store::Error::Io { path: failed, source }) if failed == path => {
                    self.unread.push((place, source.to_string()));
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        match self.index.ensure_id(file, self.around.observer) {
            Ok(known) => {
                self.files.insert(place, known);
            }
            Err(crate::models::Error::Interrupted) => return Err(StateError::Interrupted.into()),
            Err(error @ (crate::models::Error::Io { .. } | crate::models::Error::Digest(_))) => {
                self.unread.push((place, error.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Every model in use, and those that someone pinned; `named` are sources beside those that workflows declare.
fn models_of(
    uses: &Uses,
    files: &BTreeMap<String, IndexedFile>,
    before: &Manifest,
    named: &BTreeMap<ObjectId, Vec<String>>,
) -> Vec<UsedModel> {
    let known = before.models();
    let mut models: BTreeMap<(String, ObjectId), ModelFacts> = BTreeMap::new();
    let mut add = |place: String, id: ObjectId, mut facts: ModelFacts| {
        let declared = std::mem::take(&mut facts.sources);
        facts.sources = named.get(&id).into_iter().flatten().cloned().chain(declared).collect();
        let there = models.entry((place, id)).or_insert_with(|| ModelFacts { sources: Vec::new(), ..facts.clone() });
        for source in facts.sources {
            if !there.sources.contains(&source) {
                there.sources.push(source);
            }
        }
    };
    for (_, found) in uses.models() {
        let declared = || found.reference.declared.iter().filter_map(|declared| declared.url.clone());
        for file in found.meaning.files() {
            let Some((file, id)) = files.get(&file.place()).and_then(|file| Some((file, file.id?))) else { continue };
            // A URL is that of one file.
            let is_one = matches!(found.meaning, Meaning::File(_));
            let sources = declared().filter(|_| is_one).collect();
            add(file.place(), id, ModelFacts { sources, ..facts_of(file) });
        }
        if let Meaning::Remembered(id) = &found.meaning
            && let Some(mut facts) = known.get(id).cloned()
        {
            facts.sources.extend(declared());
            add(facts.path.clone(), *id, facts);
        }
    }
    for (id, facts) in known {
        if facts.pinned && !facts.path.is_empty() {
            models.entry((facts.path.clone(), id)).or_insert(facts);
        }
    }
    models.into_iter().map(|((place, id), facts)| (place, id, facts)).collect()
}

pub(super) fn facts_of(file: &IndexedFile) -> ModelFacts {
    ModelFacts {
        filename: file.name().to_owned(),
        path: file.place(),
        size: file.size(),
        quick: file.quick.as_ref().map(ToString::to_string),
        sha256: file.sha256.as_ref().map(ToString::to_string),
        sources: Vec::new(),
        pinned: false,
    }
}

/// `models/` as an entry of the root; nothing when no model is used.
fn model_entry(keep: Keep<'_>, state: &State<'_>, models: &[UsedModel]) -> Result<Option<Entry>, DraftError> {
    let name = EntryName::new(MODELS).map_err(StateError::from)?;
    let mut entries: BTreeMap<RelativePath, Entry> = BTreeMap::new();
    for (place, id, facts) in models {
        // A place that no tree can hold is in the manifest alone. One place has one model: the first.
        let Ok(path) = RelativePath::new(place.as_str()) else { continue };
        let entry = Entry { name: name.clone(), kind: EntryKind::Model, id: *id, size: facts.size };
        entries.entry(path).or_insert(entry);
    }
    if entries.is_empty() {
        return Ok(None);
    }
    let (id, size) = match keep {
        Keep::Stored(writer) => build_tree(writer, entries)?,
        Keep::IdsOnly => build_tree(&state.trees, entries)?,
    };
    Ok(Some(Entry { name, kind: EntryKind::Tree, id, size }))
}

fn workflow_facts(
    state: &State<'_>,
    uses: &Uses,
    files: &BTreeMap<String, IndexedFile>,
) -> BTreeMap<String, WorkflowFacts> {
    let id = |found: &uses::Use| match &found.meaning {
        Meaning::File(file) => files.get(&file.place()).and_then(|file| file.id),
        _ => None,
    };
    let facts = |(key, found): (&String, &uses::WorkflowUses)| {
        let path = state.workflows.get(key)?.path.to_string();
        let models = found.models.iter().map(|found| found.to_manifest(id(found))).collect();
        Some((key.clone(), WorkflowFacts { path, models, nodes: found.node_choices() }))
    };
    uses.workflows.iter().filter_map(facts).collect()
}

/// Every node of the state with where it came from, by its key in the manifest. `known` is what that says of them so far.
pub fn node_facts(
    around: &Surroundings<'_>,
    state: &State<'_>,
    known: &BTreeMap<String, NodeFacts>,
) -> Result<BTreeMap<String, NodeFacts>, DraftError> {
    let found = nodes::survey(around, state, known)?;
    Ok(found.into_iter().map(|node| (node.key.clone(), node.facts())).collect())
}

/// Where this environment's ComfyUI came from. Of one that Comfrey made the manifest says it.
pub fn comfyui_facts(around: &Surroundings<'_>, manifest: &Manifest) -> ComfyUiFacts {
    let version = around.environment.version();
    if around.environment.facts().kind == layout::Kind::Created
        && let Some(facts) = manifest.comfyui()
    {
        return ComfyUiFacts { version: version.number, ..facts };
    }
    let git = version.git.as_ref();
    ComfyUiFacts {
        source: if git.is_some() { "git" } else { "folder" }.to_owned(),
        url: git.and_then(|git| git.url.clone()),
        reference: git.and_then(|git| git.branch.clone()),
        commit: git.and_then(|git| git.commit.clone()),
        version: version.number,
    }
}

/// `3.11` of the Python that the environment runs with, as its `pyvenv.cfg` says; nothing is run.
fn python_version(around: &Surroundings<'_>) -> Option<String> {
    let python = around.environment.python()?;
    let value = super::python::venv::version_of(python.parent().and_then(Path::parent)?)?;
    let mut numbers = value.split('.');
    Some(format!("{}.{}", numbers.next()?, numbers.next()?))
}
