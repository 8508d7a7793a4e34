//! Which models the workflows use: references read, answered, and the answers of before kept where the file is gone.

use std::collections::{BTreeMap, BTreeSet};

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::catalog::{Catalog, Reference, references};
use crate::models::{IndexedFile, Inventory, ModelIndex};
use crate::object::ObjectId;
use crate::observer::Observer;
use crate::resolve::{Resolution, Status, resolve_models};

use super::manifest::{Answer, Manifest, ModelUse, Slot, WorkflowFacts};
use super::state::FoundWorkflow;

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
    pub workflows: BTreeMap<String, Vec<Use>>,
    pub unreadable: Vec<Unreadable>,
}

/// A reference and what it was found to mean.
#[derive(Debug, Clone)]
pub struct Use {
    pub reference: Reference,
    pub meaning: Meaning,
}

#[derive(Debug, Clone)]
pub enum Meaning {
    /// A file on this machine.
    File(Box<IndexedFile>),
    /// A model that an earlier commit found and that is on no disk now.
    Remembered(ObjectId),
    /// Nothing, or not one thing.
    Open { status: Status, sources: Vec<String>, candidates: Vec<String> },
}

impl Use {
    /// The place in the workflow, as the manifest names it.
    pub fn slot(&self) -> Slot {
        slot(&self.reference)
    }

    /// How the manifest has it; `id` is that of the file, once it is known.
    pub fn to_manifest(&self, id: Option<ObjectId>) -> ModelUse {
        let answer = match (&self.meaning, id) {
            (Meaning::Remembered(id), _) => Answer::Model(*id),
            (Meaning::File(_), Some(id)) => Answer::Model(id),
            (Meaning::File(_), None) => open(Status::Missing, &self.reference),
            (Meaning::Open { status, .. }, _) => open(*status, &self.reference),
        };
        ModelUse { scope: self.reference.scope.clone(), node: self.reference.node.clone(), slot: self.slot(), answer }
    }
}

fn open(status: Status, reference: &Reference) -> Answer {
    Answer::Open { status: word(status).to_owned(), name: reference.value.clone() }
}

/// The word that the manifest and JSON have for a status.
pub fn word(status: Status) -> &'static str {
    match status {
        Status::Resolved => "resolved",
        Status::Ambiguous => "ambiguous",
        Status::Downloadable => "downloadable",
        Status::Missing => "missing",
        Status::Skipped => "skipped",
    }
}

fn slot(reference: &Reference) -> Slot {
    match (reference.widget.and_then(|at| i64::try_from(at).ok()), &reference.input) {
        (Some(at), _) => Slot::Widget(at),
        (None, input) => Slot::Input(input.clone().unwrap_or_default()),
    }
}

/// Reads `workflows`, whose bytes `read` gives, and answers every reference. `before` is the manifest of the last commit.
///
/// # Errors
/// The store; a wish to stop.
pub fn find<'w>(
    workflows: impl IntoIterator<Item = (&'w String, &'w FoundWorkflow)>,
    read: impl Fn(&FoundWorkflow) -> Result<Vec<u8>, String> + Sync,
    before: &Manifest,
    inventory: &Inventory,
    index: &ModelIndex<'_>,
    observer: &dyn Observer,
) -> Result<Uses, crate::models::Error> {
    let catalog = Catalog::built_in();
    let workflows: Vec<_> = workflows.into_iter().collect();
    let parse = |found: &FoundWorkflow| -> Result<Vec<Reference>, String> {
        let bytes = read(found)?;
        let workflow = crate::workflow::read(&bytes).map_err(|error| error.to_string())?;
        Ok(references(&workflow, &catalog))
    };
    let parsed: Vec<_> = workflows.par_iter().map(|(key, found)| (*key, *found, parse(found))).collect();
    let known = Known::of(before);
    let mut uses = Uses::default();
    for (key, found, parsed) in parsed {
        let references = match parsed {
            Ok(references) => references,
            Err(reason) => {
                uses.unreadable.push(Unreadable { path: found.path.to_string(), reason });
                continue;
            }
        };
        let resolutions = resolve_models(&references, inventory, index, observer)?;
        let answered = references.into_iter().zip(resolutions).map(|(reference, resolution)| {
            let meaning = known.meaning(key, &reference, resolution);
            Use { reference, meaning }
        });
        uses.workflows.insert(key.clone(), answered.collect());
    }
    Ok(uses)
}

/// What the manifest of the last commit says, to be looked up by place.
struct Known {
    workflows: BTreeMap<String, WorkflowFacts>,
    names: BTreeMap<ObjectId, String>,
}

impl Known {
    fn of(manifest: &Manifest) -> Self {
        let names = manifest.models().into_iter().map(|(id, facts)| (id, facts.filename)).collect();
        Known { workflows: manifest.workflows(), names }
    }

    fn meaning(&self, key: &str, reference: &Reference, resolution: Resolution) -> Meaning {
        if let (Status::Resolved, Some(chosen)) = (resolution.status, &resolution.chosen) {
            return Meaning::File(Box::new(chosen.file.clone()));
        }
        let before = self.workflows.get(key).and_then(|facts| {
            facts
                .models
                .iter()
                .find(|old| (&old.scope, &old.node, &old.slot) == (&reference.scope, &reference.node, &slot(reference)))
        });
        match before.map(|old| &old.answer) {
            // The same place still says the same name, so the same model is meant, wherever it has gone.
            Some(Answer::Model(id)) if self.names.get(id).is_some_and(|name| *name == reference.name) => {
                Meaning::Remembered(*id)
            }
            // What the user said of it once need not be said again.
            Some(Answer::Open { status, name }) if status == "skipped" && *name == reference.value => {
                Meaning::Open { status: Status::Skipped, sources: resolution.sources, candidates: Vec::new() }
            }
            _ => Meaning::Open {
                status: resolution.status,
                sources: resolution.sources,
                candidates: resolution.candidates.iter().map(|candidate| candidate.local()).collect(),
            },
        }
    }
}

impl Uses {
    /// Every file that is used, once.
    pub fn files(&self) -> Vec<&IndexedFile> {
        let mut seen = BTreeSet::new();
        let all = self.workflows.values().flatten();
        all.filter_map(|found| match &found.meaning {
            Meaning::File(file) if seen.insert(file.file()) => Some(file.as_ref()),
            _ => None,
        })
        .collect()
    }
}
