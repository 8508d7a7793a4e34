//! Who decides what the rules leave open: nobody, a person, or a file of answers.

use std::collections::HashMap;

use crate::catalog::{Need, Reference};
use crate::models::IndexedFile;

use super::known::Known;
use super::model::{Resolution, Rule, Status};
use super::node::{NodeResolution, PackageCandidate};
use super::rules::reads;

/// Decides what the rules leave open. What is certain is never asked.
pub trait Choose {
    /// Which model is meant?
    fn model(&mut self, question: &ModelQuestion<'_>) -> Result<ModelAnswer, ChooseError>;

    /// Which package has this node type?
    fn node(&mut self, question: &NodeQuestion<'_>) -> Result<NodeAnswer, ChooseError>;

    /// Sees every reference of a workflow with its answer before questions are asked.
    fn look(&mut self, workflow: &str, references: &[Reference], resolutions: &[Resolution]) {
        let _ = (workflow, references, resolutions);
    }

    /// The same for node types.
    fn look_at_nodes(&mut self, workflow: &str, resolutions: &[NodeResolution]) {
        let _ = (workflow, resolutions);
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    /// Whoever was asked has left.
    #[error("no answer was given; nothing was changed after the last one")]
    Ended,
    #[error("{0}")]
    Failed(String),
}

/// A reference that is open.
pub struct ModelQuestion<'q> {
    /// In a snapshot, as `workflows/portrait.json`.
    pub workflow: &'q str,
    pub reference: &'q Reference,
    pub resolution: &'q Resolution,
    pub known: &'q Known<'q>,
}

/// What becomes of an open reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelAnswer {
    /// It stays open.
    Leave,
    /// It is not needed.
    Skip,
    Use(Box<IndexedFile>),
}

/// A node type whose package is open.
pub struct NodeQuestion<'q> {
    pub workflow: &'q str,
    pub resolution: &'q NodeResolution,
    /// Packages for what a person types.
    pub search: &'q dyn Fn(&str) -> Vec<PackageCandidate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeAnswer {
    Leave,
    /// It is not needed.
    Skip,
    /// This package, by its id.
    Use(String),
}

impl<'q> ModelQuestion<'q> {
    /// Files to choose from: those that fit equally, else those whose names are like it and which its loader reads.
    pub fn options(&self) -> Vec<&'q IndexedFile> {
        let candidates = self.resolution.candidates.iter().map(|candidate| &candidate.file);
        let similar = self.resolution.similar.iter().map(|similar| &similar.candidate.file);
        candidates.chain(similar.filter(|file| reads(self.reference, file))).collect()
    }

    /// Files that its loader reads and whose paths hold every word of `text`, else those whose names are like it; at most
    /// `most`.
    pub fn search(&self, text: &str, most: usize) -> Vec<&'q IndexedFile> {
        let words: Vec<String> = text.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let fits = |file: &&IndexedFile| {
            let place = file.place().to_lowercase();
            file.is_present() && words.iter().all(|word| place.contains(word)) && reads(self.reference, file)
        };
        let mut found: Vec<&IndexedFile> = self.known.inventory.files().iter().filter(fits).take(most).collect();
        if found.is_empty() {
            let like = self.known.like(text, 0.4).into_iter().map(|(file, _)| file);
            found = like.filter(|file| reads(self.reference, file)).take(most).collect();
        }
        found
    }
}

/// Chooses nothing: what is not certain stays open.
#[derive(Debug, Default, Clone, Copy)]
pub struct Automatic;

impl Choose for Automatic {
    fn model(&mut self, _: &ModelQuestion<'_>) -> Result<ModelAnswer, ChooseError> {
        Ok(ModelAnswer::Leave)
    }

    fn node(&mut self, _: &NodeQuestion<'_>) -> Result<NodeAnswer, ChooseError> {
        Ok(NodeAnswer::Leave)
    }
}

/// Asks what another strategy is asked, but each thing only once: the same value in the same folders has the same answer, in
/// whichever workflow it stands.
pub struct Once<'c> {
    inner: &'c mut dyn Choose,
    models: HashMap<(String, Vec<String>), ModelAnswer>,
    nodes: HashMap<String, NodeAnswer>,
}

impl<'c> Once<'c> {
    pub fn new(inner: &'c mut dyn Choose) -> Self {
        Once { inner, models: HashMap::new(), nodes: HashMap::new() }
    }
}

impl Choose for Once<'_> {
    fn model(&mut self, question: &ModelQuestion<'_>) -> Result<ModelAnswer, ChooseError> {
        let key = (question.reference.path.clone(), question.reference.folders.clone());
        if let Some(answer) = self.models.get(&key) {
            return Ok(answer.clone());
        }
        let answer = self.inner.model(question)?;
        self.models.insert(key, answer.clone());
        Ok(answer)
    }

    fn node(&mut self, question: &NodeQuestion<'_>) -> Result<NodeAnswer, ChooseError> {
        if let Some(answer) = self.nodes.get(&question.resolution.node_type) {
            return Ok(answer.clone());
        }
        let answer = self.inner.node(question)?;
        self.nodes.insert(question.resolution.node_type.clone(), answer.clone());
        Ok(answer)
    }

    fn look(&mut self, workflow: &str, references: &[Reference], resolutions: &[Resolution]) {
        self.inner.look(workflow, references, resolutions);
    }

    fn look_at_nodes(&mut self, workflow: &str, resolutions: &[NodeResolution]) {
        self.inner.look_at_nodes(workflow, resolutions);
    }
}

/// True for what is open and has to be settled before the workflow can do its work: not for a name that a node only repeats, nor for a
/// file that a node fetches itself.
pub fn is_question(reference: &Reference, resolution: &Resolution) -> bool {
    let settles_itself = reference.need == Need::Fetched && resolution.status != Status::Ambiguous;
    resolution.status.is_open() && reference.need != Need::Echo && !settles_itself
}

/// Asks about every reference of a workflow that is open and that `ask` lets through, and puts the answers into `resolutions`.
pub fn settle_models(
    workflow: &str,
    references: &[Reference],
    resolutions: &mut [Resolution],
    known: &Known<'_>,
    choose: &mut dyn Choose,
    ask: impl Fn(&Reference) -> bool,
) -> Result<(), ChooseError> {
    choose.look(workflow, references, resolutions);
    for (reference, resolution) in references.iter().zip(resolutions.iter_mut()) {
        if !is_question(reference, resolution) || !ask(reference) {
            continue;
        }
        let answer = choose.model(&ModelQuestion { workflow, reference, resolution, known })?;
        match answer {
            ModelAnswer::Leave => {}
            ModelAnswer::Skip => *resolution = Resolution::of(Status::Skipped, Some(Rule::Chosen)),
            ModelAnswer::Use(file) => *resolution = Resolution::resolved(Rule::Chosen, &file),
        }
    }
    Ok(())
}
