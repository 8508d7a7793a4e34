//! What the workflows use: references read, answered by rules and by whoever decides, and the answers of before kept where the file is gone.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Catalog, Reference};
use crate::models::{IndexedFile, Inventory, ModelIndex};
use crate::object::ObjectId;
use crate::observer::Observer;
use crate::resolve::{
    Choose, ChooseError, Installed, Known, KnownNodes, Memory, NodeChoice, NodeNeed, NodeResolution, NodeRule,
    Resolution, Rule, Said, Status, resolve_models, resolve_nodes, settle_models, settle_nodes,
};

use super::manifest::{self, Answer, Manifest, ModelUse, Slot, WorkflowFacts};
use super::readings::Reading;
use super::state::FoundWorkflow;

#[derive(Debug, thiserror::Error)]
pub enum UsesError {
    #[error(transparent)]
    Models(#[from] crate::models::Error),
    #[error(transparent)]
    Choose(#[from] ChooseError),
}

/// A file with a workflow's name that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// In the snapshot.
    pub path: String,
    /// Line or reason.
    pub reason: String,
}

/// What some workflows refer to.
#[derive(Debug, Default)]
pub struct Uses {
    /// By the workflow's key. Files that are no workflows are not among them.
    pub workflows: BTreeMap<String, WorkflowUses>,
    pub unreadable: Vec<Unreadable>,
}

/// What one workflow refers to.
#[derive(Debug, Clone, Default)]
pub struct WorkflowUses {
    pub models: Vec<Use>,
    /// Types of nodes that are no part of ComfyUI itself, each with its need.
    pub nodes: Vec<(NodeNeed, NodeResolution)>,
}

/// A reference and what it was found to mean.
#[derive(Debug, Clone)]
pub struct Use {
    pub reference: Reference,
    pub meaning: Meaning,
    /// What the rules said, or whoever was asked.
    pub resolution: Resolution,
    /// True when the user chose it, now or before.
    pub chosen: bool,
}

#[derive(Debug, Clone)]
pub enum Meaning {
    /// A file on this machine.
    File(Box<IndexedFile>),
    /// A folder of model files, at this path below `models/`.
    Folder(String, Vec<IndexedFile>),
    /// A model that was meant here before and that is on no disk now.
    Remembered(ObjectId),
    /// Nothing, or not one thing.
    Open { status: Status, sources: Vec<String>, candidates: Vec<String> },
}

/// About which open references a strategy is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Those that the manifest does not have as open already.
    New,
    All,
}

/// What answers are found with.
pub struct Asking<'a> {
    /// The manifest of the last commit.
    pub before: &'a Manifest,
    pub inventory: &'a Inventory,
    pub index: &'a ModelIndex<'a>,
    pub catalog: &'a Catalog,
    pub installed: &'a Installed,
    pub observer: &'a dyn Observer,
    pub ask: Ask,
}

impl Use {
    /// How the manifest has it; `id` is that of the file, once it is known.
    pub fn to_manifest(&self, id: Option<ObjectId>) -> ModelUse {
        let name = || self.reference.value.clone();
        let model = |model: ObjectId| {
            if self.chosen { Answer::Chosen { model, name: name() } } else { Answer::Model(model) }
        };
        let answer = match (&self.meaning, id) {
            (Meaning::Remembered(id), _) => model(*id),
            (Meaning::File(_), Some(id)) => model(id),
            (Meaning::File(_), None) => Answer::Open { status: Status::Missing.as_str().to_owned(), name: name() },
            (Meaning::Folder(place, _), _) => Answer::Folder(place.clone()),
            (Meaning::Open { status, .. }, _) => Answer::Open { status: status.as_str().to_owned(), name: name() },
        };
        let Reference { scope, node, .. } = &self.reference;
        ModelUse { scope: scope.clone(), node: node.clone(), slot: Slot::of(&self.reference), answer }
    }

    fn new(reference: Reference, resolution: Resolution, memory: &Memory) -> Self {
        let recalled = matches!(memory.recall(&reference), Some(Said::Chosen { .. }));
        let chosen = resolution.rule == Some(Rule::Chosen) || recalled && resolution.rule == Some(Rule::Manifest);
        let meaning = match (resolution.status, &resolution.chosen, &resolution.folder, resolution.wanted) {
            (Status::Resolved, Some(chosen), ..) => Meaning::File(Box::new(chosen.file.clone())),
            (Status::Resolved, None, Some(folder), _) => Meaning::Folder(folder.local.clone(), folder.files.clone()),
            (Status::Missing | Status::Downloadable, .., Some(wanted)) => Meaning::Remembered(wanted),
            (status, ..) => Meaning::Open {
                status,
                sources: resolution.sources.clone(),
                candidates: resolution.candidates.iter().map(|candidate| candidate.local()).collect(),
            },
        };
        Use { reference, meaning, resolution, chosen }
    }
}

impl WorkflowUses {
    /// What the manifest is to remember of node types: what was said before of types that are still there, what was said now, and
    /// what is open.
    pub fn node_choices(&self) -> BTreeMap<String, NodeChoice> {
        let said = |(need, found): &(NodeNeed, NodeResolution)| {
            let by_user = matches!(found.rule, Some(NodeRule::Manifest | NodeRule::Chosen));
            if found.status.is_open() {
                return Some((need.node_type.clone(), NodeChoice::Open));
            }
            let choice = match (found.status, &found.package) {
                (Status::Skipped, _) => NodeChoice::Skipped,
                (_, package) => NodeChoice::Package(package.clone()?),
            };
            by_user.then(|| (need.node_type.clone(), choice))
        };
        self.nodes.iter().filter_map(said).collect()
    }
}

/// Answers every reference of workflows that were read. What the rules leave open is asked of `choose`.
///
/// # Errors
/// The store; a wish to stop; whoever was asked has left.
pub fn find<'w>(
    workflows: impl IntoIterator<Item = (&'w String, &'w FoundWorkflow, Result<Reading, String>)>,
    asking: &Asking<'_>,
    choose: &mut dyn Choose,
) -> Result<Uses, UsesError> {
    let models = asking.before.models();
    let facts = asking.before.workflows();
    let sources = manifest::sources(&models);
    let known = Known::new(asking.inventory, &sources).and_catalog(asking.catalog);
    let nodes = KnownNodes { packages: asking.catalog, installed: asking.installed };
    let mut uses = Uses::default();
    for (key, found, reading) in workflows {
        let path = found.path.to_string();
        let Reading { models: references, nodes: needs } = match reading {
            Ok(reading) => reading,
            Err(reason) => {
                uses.unreadable.push(Unreadable { path, reason });
                continue;
            }
        };
        let facts = facts.get(key);
        let memory = facts.map(|facts| facts.memory(&models)).unwrap_or_default();
        let mut resolutions = resolve_models(&references, Some(&memory), &known, asking.index, asking.observer)?;
        let is_new =
            |reference: &Reference| asking.ask == Ask::All || !facts.is_some_and(|facts| is_open(facts, reference));
        settle_models(&path, &references, &mut resolutions, &known, choose, is_new)?;
        let said = facts.map(|facts| facts.nodes.clone()).unwrap_or_default();
        let mut packages = resolve_nodes(&needs, &said, nodes);
        let is_new = |need: &NodeNeed| asking.ask == Ask::All || said.get(&need.node_type) != Some(&NodeChoice::Open);
        settle_nodes(&path, &needs, &mut packages, nodes, choose, is_new)?;
        let models = references.into_iter().zip(resolutions);
        let models = models.map(|(reference, resolution)| Use::new(reference, resolution, &memory)).collect();
        uses.workflows.insert(key.clone(), WorkflowUses { models, nodes: needs.into_iter().zip(packages).collect() });
    }
    Ok(uses)
}

/// True for a reference that the manifest has as open, with the same value.
fn is_open(facts: &WorkflowFacts, reference: &Reference) -> bool {
    let slot = Slot::of(reference);
    facts.models.iter().any(|old| {
        let here = (&old.scope, &old.node, &old.slot) == (&reference.scope, &reference.node, &slot);
        here && matches!(&old.answer, Answer::Open { name, .. } if *name == reference.value)
    })
}

impl Uses {
    /// Every use of a model, with the key of its workflow.
    pub fn models(&self) -> impl Iterator<Item = (&String, &Use)> {
        self.workflows.iter().flat_map(|(key, uses)| uses.models.iter().map(move |found| (key, found)))
    }

    /// Every file that is used, once.
    pub fn files(&self) -> Vec<&IndexedFile> {
        let mut seen = BTreeSet::new();
        let files = self.models().flat_map(|(_, found)| found.meaning.files());
        files.filter(|file| seen.insert(file.file())).collect()
    }
}

impl Meaning {
    /// The files on this machine that are meant.
    pub fn files(&self) -> Vec<&IndexedFile> {
        match self {
            Meaning::File(file) => vec![file],
            Meaning::Folder(_, files) => files.iter().collect(),
            Meaning::Remembered(_) | Meaning::Open { .. } => Vec::new(),
        }
    }
}
