//! Answers for workflows: found, remembered in the manifest, and, if that is wished, written into the workflows, as one transaction that
//! `undo` takes back.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use crate::models::index::Depth;
use crate::models::{Inventory, ModelIndex};
use crate::object::{ObjectId, RelativePath};
use crate::resolve::{Choose, NodeChoice, Rule, Slot, Status, is_question, listed_value};
use crate::workflow::RewriteError;

use super::commit::{self, Who, put_file, surroundings};
use super::draft::{DraftError, facts_of, workflow_bytes};
use super::head::Head;
use super::journal::{Planned, RefEdit};
use super::manifest::{Answer, Manifest, ModelFacts, WorkflowFacts};
use super::nodes::installed;
use super::readings::{self, Reading};
use super::restore_point::{self, Scope};
use super::rollback::{RollbackError, model_entry};
use super::snapshot_tree::MANIFEST;
use super::state::{self, FoundWorkflow, Keep, State, StateError, Surroundings};
use super::transaction::Transaction;
use super::uses::{self, Ask, Asking, Meaning, Use, Uses, WorkflowUses};

#[derive(Debug, thiserror::Error)]
pub enum ResolvingError {
    #[error(transparent)]
    Working(Box<RollbackError>),
    #[error("{path}: {source}")]
    Rewrite { path: RelativePath, source: RewriteError },
    /// No workflow of the environment has this name.
    #[error("this environment has no workflow `{name}`")]
    NoWorkflow { name: String, known: Vec<String> },
}

macro_rules! through_working {
    ($($error:ty),*) => { $(impl From<$error> for ResolvingError {
        fn from(error: $error) -> Self {
            ResolvingError::Working(Box::new(error.into()))
        }
    })* };
}

through_working!(
    RollbackError,
    StateError,
    DraftError,
    crate::store::Error,
    crate::history::Error,
    crate::worktree::Error,
    super::commit::CommitError,
    super::transaction::TransactionError
);

impl From<crate::models::Error> for ResolvingError {
    fn from(error: crate::models::Error) -> Self {
        DraftError::from(error).into()
    }
}

/// What is to be done.
pub struct Wish<'a> {
    /// Workflows by name, key or path; none: all.
    pub workflows: &'a [String],
    /// Whether values in workflows become what ComfyUI lists here.
    pub rewrite: bool,
}

/// What was found, and what is to be written.
pub struct Resolved<'a> {
    pub state: State<'a>,
    pub uses: Uses,
    /// By the workflow's key.
    pub rewritings: BTreeMap<String, Rewriting>,
    /// How many answers the manifest remembers that it did not have.
    pub remembered: usize,
    /// The manifest's new text, if it changes.
    manifest: Option<String>,
}

/// New values for one workflow.
#[derive(Debug, Clone)]
pub struct Rewriting {
    pub found: FoundWorkflow,
    pub values: Vec<NewValue>,
    /// Values that stand for several references, which would need different ones.
    pub disputed: Vec<NewValue>,
    bytes: Vec<u8>,
}

/// A value in a workflow that is to say something else.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NewValue {
    pub scope: Vec<String>,
    pub node: String,
    pub old: String,
    pub new: String,
}

impl Resolved<'_> {
    /// True when nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.manifest.is_none() && self.rewritings.values().all(|rewriting| rewriting.values.is_empty())
    }

    /// How many references and node types are open.
    pub fn open(&self) -> usize {
        let models = self.uses.models().filter(|(_, found)| is_question(&found.reference, &found.resolution)).count();
        let nodes = self.uses.workflows.values().flat_map(|uses| &uses.nodes);
        models + nodes.filter(|(_, found)| found.status.is_open()).count()
    }
}

/// Finds answers. With [`Keep::Stored`] the state goes into the store, for [`carry_out`].
pub fn find<'a>(
    around: &Surroundings<'a>,
    keep: Keep<'_>,
    wish: &Wish<'_>,
    choose: &mut dyn Choose,
) -> Result<Resolved<'a>, ResolvingError> {
    let state = state::read(around, keep)?;
    let keys = selected(&state, wish.workflows)?;
    let before = around.environment.manifest().map_err(DraftError::from)?;
    let index = ModelIndex::new(around.store);
    let inventory = Inventory::new(index.update(&around.models, Depth::Quick, around.observer)?.files);
    let wanted = state.workflows.iter().filter(|(key, _)| keys.contains(key.as_str()));
    let readings = readings::read_all(wanted, workflow_bytes, &around.catalog);
    let types: HashSet<String> = readings.iter().flat_map(|(.., reading)| unknown_types(reading)).collect();
    let installed = installed(&around.environment.custom_nodes_dir(), &types.iter().map(String::as_str).collect());
    let asking = Asking {
        before: &before,
        inventory: &inventory,
        index: &index,
        catalog: &around.catalog,
        installed: &installed,
        observer: around.observer,
        ask: Ask::All,
    };
    let mut uses = uses::find(readings, &asking, choose).map_err(DraftError::from)?;
    prove(&mut uses, &index, around)?;
    let mut resolved = Resolved { state, uses, rewritings: BTreeMap::new(), remembered: 0, manifest: None };
    if wish.rewrite {
        resolved.rewrite()?;
    }
    resolved.remember(before);
    Ok(resolved)
}

/// Types whose package the file does not name: the files of installed packages may.
pub fn unknown_types(reading: &Result<Reading, String>) -> Vec<String> {
    let needs = reading.iter().flat_map(|reading| &reading.nodes);
    needs.filter(|need| need.cnr_id.is_none() && need.aux_id.is_none()).map(|need| need.node_type.clone()).collect()
}

/// The keys of the workflows that are named.
fn selected<'s>(state: &'s State<'_>, names: &[String]) -> Result<HashSet<&'s str>, ResolvingError> {
    if names.is_empty() {
        return Ok(state.workflows.keys().map(String::as_str).collect());
    }
    let key = |name: &String| {
        key_of(state, name).ok_or_else(|| ResolvingError::NoWorkflow {
            name: name.clone(),
            known: state.workflows.keys().cloned().collect(),
        })
    };
    names.iter().map(key).collect()
}

/// The key of a workflow named by its key, its path in a snapshot, its file's name, or the file itself.
fn key_of<'s>(state: &'s State<'_>, name: &str) -> Option<&'s str> {
    let file = std::path::Path::new(name).canonicalize().ok();
    let named = |(key, found): &(&String, &FoundWorkflow)| {
        let path = found.path.as_str();
        **key == name || path == name || path.strip_prefix("workflows/") == Some(name)
    };
    let same_file = |(_, found): &(&String, &FoundWorkflow)| file.is_some() && found.file.canonicalize().ok() == file;
    let found = state.workflows.iter().find(named).or_else(|| state.workflows.iter().find(same_file));
    found.map(|(key, _)| key.as_str())
}

/// Finds out the ids of files that were chosen just now: the manifest remembers ids.
fn prove(uses: &mut Uses, index: &ModelIndex<'_>, around: &Surroundings<'_>) -> Result<(), ResolvingError> {
    let all = uses.workflows.values_mut().flat_map(|uses| uses.models.iter_mut());
    for found in all.filter(|found| found.chosen) {
        if let Meaning::File(file) = &mut found.meaning
            && file.id.is_none()
        {
            **file = index.ensure_id(file, around.observer)?;
            if let Some(chosen) = &mut found.resolution.chosen {
                chosen.file = (**file).clone();
            }
        }
    }
    Ok(())
}

impl Resolved<'_> {
    fn rewrite(&mut self) -> Result<(), ResolvingError> {
        for (key, uses) in &mut self.uses.workflows {
            let Some(found) = self.state.workflows.get(key) else { continue };
            let (mut changes, mut disputed) = new_values(uses);
            changes.retain(|(place, _)| !disputed.iter().any(|(other, _)| place == other));
            if changes.is_empty() && disputed.is_empty() {
                continue;
            }
            let bytes = workflow_bytes(found).map_err(|reason| {
                let source = std::io::Error::other(reason);
                StateError::Io { path: found.file.clone(), source }
            })?;
            let texts: Vec<_> = changes.iter().map(|(place, value)| (place.clone(), value.new.clone())).collect();
            let rewritten = crate::workflow::rewrite(&bytes, &texts);
            let rewritten = rewritten.map_err(|source| ResolvingError::Rewrite { path: found.path.clone(), source })?;
            // A choice is remembered for the value that will stand there.
            for found in &mut uses.models {
                if let Some((_, value)) = changes.iter().find(|(place, _)| *place == found.reference.place) {
                    found.reference.value = value.new.clone();
                }
            }
            let values = changes.into_iter().map(|(_, value)| value).collect();
            let disputed = disputed.drain(..).map(|(_, value)| value).collect();
            self.rewritings.insert(key.clone(), Rewriting { found: found.clone(), values, disputed, bytes: rewritten });
        }
        Ok(())
    }

    /// Writes what the user chose into the manifest.
    fn remember(&mut self, before: Manifest) {
        let (known, facts) = (before.models(), before.workflows());
        let mut manifest = before.clone();
        for (key, uses) in &self.uses.workflows {
            let Some(found) = self.state.workflows.get(key) else { continue };
            let mut new = facts.get(key).cloned().unwrap_or_else(|| WorkflowFacts {
                path: found.path.to_string(),
                models: Vec::new(),
                nodes: BTreeMap::new(),
            });
            let mut models: BTreeMap<ObjectId, ModelFacts> = BTreeMap::new();
            let mut changed = false;
            for found in uses.models.iter().filter(|found| is_said(found)) {
                let id = match &found.meaning {
                    Meaning::File(file) => file.id,
                    _ => None,
                };
                let entry = found.to_manifest(id);
                if new.models.contains(&entry) {
                    continue;
                }
                let place = entry.place();
                let (name, old) = (&found.reference.value, found.resolution.rule == Some(Rule::Chosen));
                self.remembered += usize::from(old);
                let same = |other: &super::manifest::ModelUse| {
                    let about = match &other.answer {
                        Answer::Chosen { name: other, .. } | Answer::Open { name: other, .. } => other == name,
                        Answer::Model(id) => known.get(id).is_some_and(|facts| facts.filename == found.reference.name),
                        Answer::Folder(_) => true,
                    };
                    // What was said of a value that has gone says nothing any more.
                    let stale = !uses.models.iter().any(|still| {
                        still.reference.node == other.node
                            && still.reference.scope == other.scope
                            && Slot::of(&still.reference) == other.slot
                            && matches!(&other.answer, Answer::Chosen { name, .. } | Answer::Open { name, .. } if *name == still.reference.value)
                    });
                    other.place() == place && (about || stale)
                };
                new.models.retain(|other| !same(other));
                new.models.push(entry);
                changed = true;
                if let (Meaning::File(file), Some(id)) = (&found.meaning, id) {
                    models.insert(id, facts_of(file));
                }
            }
            let choices = uses.node_choices();
            if new.nodes != choices {
                let said = |(key, choice): &(&String, &NodeChoice)| {
                    **choice != NodeChoice::Open && new.nodes.get(*key) != Some(*choice)
                };
                let answers = choices.iter().filter(said).count();
                self.remembered += answers;
                // That a type is open is written by a commit.
                changed |= answers > 0 || new.nodes.keys().any(|key| !choices.contains_key(key));
                new.nodes = choices;
            }
            if changed {
                manifest.set_workflow(key, &new);
                manifest.add_models(&models);
            }
        }
        let text = manifest.to_string();
        self.manifest = (text != before.to_string()).then_some(text);
    }
}

/// True for what the user decided, now or before.
fn is_said(found: &Use) -> bool {
    found.chosen || found.resolution.status == Status::Skipped && found.resolution.rule == Some(Rule::Chosen)
}

type Change = (Range<usize>, NewValue);

/// Values that are to say what ComfyUI lists here: those to write, and those that would have to say several things at once.
fn new_values(uses: &WorkflowUses) -> (Vec<Change>, Vec<Change>) {
    let (mut changes, mut disputed): (Vec<Change>, Vec<Change>) = (Vec::new(), Vec::new());
    for found in &uses.models {
        let reference = &found.reference;
        if found.resolution.status != Status::Resolved || reference.place.is_empty() {
            continue;
        }
        let listed = found.resolution.local().and_then(|local| listed_value(&local, reference));
        let new = listed.unwrap_or_else(|| reference.value.clone());
        let value = NewValue {
            scope: reference.scope.clone(),
            node: reference.node.clone(),
            old: reference.value.clone(),
            new,
        };
        match changes.iter().find(|(place, _)| *place == reference.place) {
            Some((_, other)) if other.new == value.new => {}
            Some(_) => disputed.push((reference.place.clone(), value)),
            None => changes.push((reference.place.clone(), value)),
        }
    }
    changes.retain(|(_, value)| value.old != value.new);
    (changes, disputed)
}

/// Writes it: workflows and manifest in one transaction, with a restore point. The environment's lock must be held, and
/// `resolved` have been found with [`Keep::Stored`].
///
/// # Errors
/// Everything is as before then, save with [`super::transaction::TransactionError::Halfway`].
pub fn carry_out(
    around: &Surroundings<'_>,
    head: &Head,
    resolved: &Resolved<'_>,
    who: &Who,
) -> Result<(), ResolvingError> {
    if resolved.is_empty() {
        return Ok(());
    }
    let writer = around.store.writer()?;
    let models = model_entry(&resolved.state, head)?;
    let root = commit::keep(&writer, &resolved.state.root(models.as_ref())?)?;
    let rewritten = || resolved.rewritings.values().filter(|rewriting| !rewriting.values.is_empty());
    let scope = if rewritten().next().is_some() { Scope::Files } else { Scope::Manifest };
    let environment = around.environment.name().as_str();
    let identity = (who.author.as_str(), who.time);
    let restore = restore_point::snapshot(root, head.id(), environment, identity, &who.command, scope);
    let restore = commit::keep(&writer, &restore)?;
    drop(writer);
    let mut transaction = Transaction::begin(surroundings(around), &who.command);
    for Rewriting { found, bytes, .. } in rewritten() {
        put_file(&mut transaction, bytes, &found.file)?;
    }
    if let Some(text) = &resolved.manifest {
        put_file(&mut transaction, text.as_bytes(), &around.environment.cec().join(MANIFEST))?;
    }
    // What staging saw of the files counts only if they are still what the restore point holds.
    let again = state::read(around, Keep::IdsOnly)?;
    if again.entries != resolved.state.entries {
        return Err(RollbackError::Changed.into());
    }
    transaction.carry_out(Planned {
        command: who.command.clone(),
        author: who.author.clone(),
        time: who.time,
        restore_points: [(environment.to_owned(), restore)].into(),
        undoes: None,
        base: head.operation,
        refs: RefEdit::Nothing,
    })?;
    Ok(())
}
