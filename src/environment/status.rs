//! What is different now from the last commit, and what does not fit together.
//!
//! Costs one `stat` a file where nothing changed: folders are compared by their trees' ids, workflows are read only when they are
//! new, changed, or had open questions.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use crate::catalog::Catalog;
use crate::history::{Change, ChangeKind};
use crate::models::index::Depth;
use crate::models::{Inventory, ModelIndex, Sources};
use crate::object::{Entry, EntryKind, ObjectId, RelativePath, Tree};
use crate::resolve::{Automatic, Installed, KnownNodes, Status as ResolutionStatus, is_question, resolve_nodes};
use crate::store::RecordTable;
use crate::worktree::{Problem, Trees, walk_tree};

use super::compare::ModelPlace;
use super::draft::{comfyui_facts, workflow_bytes};
use super::environment::Interpreter;
use super::head::Head;
use super::manifest::{Answer, ComfyUiFacts, Manifest, ModelFacts, NodeFacts};
use super::model_place;
use super::nodes::{Origin, installed};
use super::python::in_step::lock_follows;
use super::rollback::{RollbackError, manifest_in};
use super::snapshot_tree::{COMFYUI, MANIFEST, MODELS, NODES, PARKED, UV_LOCK, node_name, workflow_key};
use super::state::{self, FoundWorkflow, Keep, State, Surroundings};
use super::{
    readings,
    uses::{self, Meaning},
};

/// The answer of `status`; its fields are those of `--json`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Status {
    pub environment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadShape>,
    /// True when a commit would find nothing changed in ComfyUI's folder.
    pub clean: bool,
    pub workflows: Workflows,
    pub nodes: Nodes,
    pub models: Models,
    pub unresolved: Vec<Unresolved>,
    pub missing_nodes: Vec<MissingNode>,
    /// Files with a workflow's name that are none.
    pub unreadable: Vec<Unreadable>,
    pub python: Python,
    pub comfyui: ComfyUi,
    /// Why the manifest cannot be read: in its place that of the last version is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest_error: Option<String>,
    /// What could not be read.
    pub problems: Vec<ProblemShape>,
    /// True when something of that is left out of snapshots.
    pub incomplete: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct HeadShape {
    pub id: ObjectId,
    /// Such as `v3`.
    pub version: String,
}

/// Paths as in a snapshot.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Workflows {
    pub added: Vec<String>,
    pub modified: Vec<String>,
    pub deleted: Vec<String>,
}

/// Names of nodes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Nodes {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub modified: Vec<String>,
    pub changed_version: Vec<VersionChange>,
    /// Off now, and at the last commit on or not there.
    pub disabled: Vec<String>,
    /// Off at the last commit, on now.
    pub enabled: Vec<String>,
    /// Files in `custom_nodes` that belong to no node.
    pub files: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct VersionChange {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Models of the last commit that are not as they were.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Models {
    pub missing: Vec<ModelShape>,
    /// Another file has the name now.
    pub changed: Vec<ModelShape>,
    /// Found elsewhere in the models folders.
    pub moved: Vec<MovedModel>,
}

#[derive(Debug, Clone, Serialize)]
pub struct MovedModel {
    /// Where it was, below the models folder.
    pub path: String,
    /// Where it is now.
    pub to: String,
    pub id: ObjectId,
    /// Bytes.
    pub size: u64,
}

/// A type of node that workflows use and that this environment has not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingNode {
    #[serde(rename = "type")]
    pub node_type: String,
    pub workflows: Vec<String>,
    /// `resolved` where the package is known, else `ambiguous` or `missing`.
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The version that the workflow was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Packages that may be meant.
    pub candidates: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ModelShape {
    /// Below the models folder.
    pub path: String,
    pub id: ObjectId,
    /// Bytes.
    pub size: u64,
    /// True when `rollback` could bring it back.
    pub in_store: bool,
    pub sources: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unresolved {
    pub workflow: String,
    pub scope: Vec<String>,
    pub node: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub node_type: Option<String>,
    pub value: String,
    pub status: String,
    pub candidates: Vec<String>,
    pub sources: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Unreadable {
    pub path: String,
    pub reason: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Python {
    /// False when `sync` has something to do.
    pub in_sync: bool,
    /// True when someone edited the manifest since the last commit.
    pub manifest_edited: bool,
    /// True when uv's lock is another one than that of the last commit.
    pub lock_changed: bool,
    /// False when the manifest asks for something else than what uv's lock was made for, or there is none.
    pub lock_follows: bool,
    /// Whose Python it is.
    pub owner: PythonOwner,
    /// Packages in the environment's own Python that are not as the lock says.
    pub packages: Vec<PackageState>,
}

/// Whose Python an environment runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PythonOwner {
    /// Made by Comfrey.
    Own,
    /// Made by someone else, and left alone.
    Foreign,
    /// None is known.
    Unknown,
}

/// A package that is not as the lock says.
#[derive(Debug, Clone, Serialize)]
pub struct PackageState {
    pub package: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed: Option<String>,
}

impl Default for Python {
    fn default() -> Self {
        Python {
            in_sync: true,
            manifest_edited: false,
            lock_changed: false,
            lock_follows: true,
            owner: PythonOwner::Unknown,
            packages: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct ComfyUi {
    pub changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ProblemShape {
    pub path: String,
    pub reason: String,
    pub message: String,
}

impl From<&Problem> for ProblemShape {
    fn from(problem: &Problem) -> Self {
        ProblemShape {
            path: problem.path.to_string_lossy().into_owned(),
            reason: problem.reason.as_str().to_owned(),
            message: problem.to_string(),
        }
    }
}

/// Finds out what is different now.
pub fn status(around: &Surroundings<'_>, head: &Head) -> Result<Status, RollbackError> {
    let state = state::read(around, Keep::IdsOnly)?;
    let before = match head.tree() {
        Some(tree) => state.trees.tree(&tree)?,
        None => Tree::default(),
    };
    let manifest = manifest_in(around, &before)?;
    let mut status = Status {
        environment: around.environment.name().to_string(),
        branch: head.branch.clone(),
        problems: state.problems.iter().map(ProblemShape::from).collect(),
        incomplete: state.problems.iter().any(|problem| problem.reason.left_out()),
        ..Status::default()
    };
    if let Some(id) = head.id() {
        status.head = Some(HeadShape { id, version: format!("v{}", head.version(around.store)?) });
    }
    // What was said since the last commit counts too.
    let on_disk = match around.environment.manifest() {
        Ok(manifest) => manifest,
        Err(error) => {
            status.manifest_error = Some(error.to_string());
            manifest.clone()
        }
    };
    let files = OnceCell::new();
    let mut look = Look {
        around,
        state: &state,
        before: &before,
        manifest: &manifest,
        on_disk: &on_disk,
        catalog: &around.catalog,
        files: &files,
        status: &mut status,
    };
    let touched = look.workflows()?;
    look.nodes()?;
    look.models()?;
    look.references(&touched)?;
    look.packages()?;
    look.python()?;
    look.comfyui(head);
    status.clean = is_clean(&status);
    Ok(status)
}

fn is_clean(status: &Status) -> bool {
    let Workflows { added, modified, deleted } = &status.workflows;
    let Nodes { added: new, removed, modified: changed, changed_version, disabled, enabled, files } = &status.nodes;
    let lists = [added, modified, deleted, new, removed, changed, disabled, enabled, files];
    status.head.is_some()
        && lists.iter().all(|list| list.is_empty())
        && changed_version.is_empty()
        && status.manifest_error.is_none()
        && !status.python.manifest_edited
        && !status.python.lock_changed
        && !status.comfyui.changed
}

struct Look<'s, 'a> {
    around: &'s Surroundings<'a>,
    state: &'s State<'a>,
    /// The root tree of the last commit.
    before: &'s Tree,
    manifest: &'s Manifest,
    /// The manifest as it is now.
    on_disk: &'s Manifest,
    catalog: &'s Catalog,
    /// The model files, looked for when first asked for.
    files: &'s OnceCell<Inventory>,
    status: &'s mut Status,
}

impl Look<'_, '_> {
    fn changes(&self, part: &str) -> Result<Vec<Change>, RollbackError> {
        let id = |entry: Option<&Entry>| entry.map(|entry| entry.id);
        Ok(self.state.trees.changes(id(self.before.get(part)), id(self.state.entries.get(part)))?)
    }

    /// Lists what changed, and answers with the keys of the workflows that are to be read.
    fn workflows(&mut self) -> Result<BTreeSet<String>, RollbackError> {
        let mut touched = BTreeSet::new();
        for part in [super::snapshot_tree::WORKFLOWS, super::snapshot_tree::USERS] {
            let Ok(above) = RelativePath::new(part) else { continue };
            for change in self.changes(part)? {
                let path = above.join_path(&change.path);
                touched.extend(workflow_key(&path));
                let list = match change.kind {
                    ChangeKind::Added => &mut self.status.workflows.added,
                    ChangeKind::Deleted => &mut self.status.workflows.deleted,
                    ChangeKind::Modified | ChangeKind::TypeChanged => &mut self.status.workflows.modified,
                };
                list.push(path.to_string());
            }
        }
        Ok(touched)
    }

    fn nodes(&mut self) -> Result<(), RollbackError> {
        let (old, new) = (self.before.get(NODES), self.state.entries.get(NODES));
        if old.map(|entry| entry.id) == new.map(|entry| entry.id) {
            return Ok(());
        }
        let (old, new) = (self.slots(old)?, self.slots(new)?);
        let known = self.manifest.nodes();
        let paths: BTreeSet<&RelativePath> = old.keys().chain(new.keys()).collect();
        let partner = |of: &BTreeMap<RelativePath, Slot>, others: &BTreeMap<RelativePath, Slot>, slot: &Slot| {
            let name = slot.name.clone()?;
            let found = of.iter().find(|(path, other)| {
                !others.contains_key(*path)
                    && other
                        .name
                        .as_ref()
                        .is_some_and(|other| other.0.eq_ignore_ascii_case(&name.0) && other.1 != name.1)
            });
            found.map(|(path, _)| path.clone())
        };
        let mut taken = BTreeSet::new();
        for path in paths {
            match (old.get(path), new.get(path)) {
                (Some(a), Some(b)) if (a.kind, a.id) == (b.kind, b.id) => {}
                (Some(a), Some(_)) => match &a.name {
                    Some((name, _)) => self.modified(name, path, &known),
                    None => self.status.nodes.files.push(path.to_string()),
                },
                (None, Some(b)) if !taken.contains(path) => match &b.name {
                    None => self.status.nodes.files.push(path.to_string()),
                    Some((name, disabled)) => match partner(&old, &new, b) {
                        // The other name of it was there before.
                        Some(other) => {
                            taken.insert(other);
                            let list = if *disabled {
                                &mut self.status.nodes.disabled
                            } else {
                                &mut self.status.nodes.enabled
                            };
                            list.push(name.clone());
                        }
                        None if *disabled => self.status.nodes.disabled.push(name.clone()),
                        None => self.status.nodes.added.push(name.clone()),
                    },
                },
                (Some(a), None) => match &a.name {
                    None => self.status.nodes.files.push(path.to_string()),
                    Some((name, _)) if partner(&new, &old, a).is_none() => self.status.nodes.removed.push(name.clone()),
                    Some(_) => {}
                },
                _ => {}
            }
        }
        Ok(())
    }

    /// A node whose files changed: another version of it, or edited.
    fn modified(&mut self, name: &str, path: &RelativePath, known: &BTreeMap<String, NodeFacts>) {
        let place = format!("{NODES}/{path}");
        let before = known.values().find(|facts| facts.path == place);
        let remembered = self.on_disk.nodes();
        let remembered = remembered.values().find(|facts| facts.path == place);
        let origin = Origin::of(&path.below(&self.around.environment.custom_nodes_dir())).or_remembered(remembered);
        let (source, version) = (origin.source, origin.version);
        let short = |version: Option<String>, source: &super::manifest::NodeSource| match (version, source) {
            (_, super::manifest::NodeSource::Git { commit: Some(commit), .. }) => {
                Some(commit.chars().take(10).collect())
            }
            (version, _) => version,
        };
        let (from, to) =
            (before.and_then(|facts| short(facts.version.clone(), &facts.source)), short(version, &source));
        if before.is_some() && from != to {
            self.status.nodes.changed_version.push(VersionChange { name: name.to_owned(), from, to });
        } else {
            self.status.nodes.modified.push(name.to_owned());
        }
    }

    fn slots(&self, nodes: Option<&Entry>) -> Result<BTreeMap<RelativePath, Slot>, RollbackError> {
        let mut found = BTreeMap::new();
        let Some(nodes) = nodes else { return Ok(found) };
        let mut open = vec![(RelativePath::root(), self.state.trees.tree(&nodes.id)?)];
        while let Some((above, tree)) = open.pop() {
            for entry in tree.entries() {
                let path = above.join(&entry.name);
                if entry.name.as_str() == PARKED && entry.kind == EntryKind::Tree && above.is_root() {
                    open.push((path, self.state.trees.tree(&entry.id)?));
                    continue;
                }
                let name = node_name(&path, entry.kind).map(|name| (name.base, name.disabled));
                found.insert(path, Slot { kind: entry.kind, id: entry.id, name });
            }
        }
        Ok(found)
    }

    fn models(&mut self) -> Result<(), RollbackError> {
        let Some(models) = self.before.get(MODELS) else { return Ok(()) };
        let known = self.manifest.models();
        let named = Sources::new(self.around.store).all()?;
        for found in walk_tree(&self.state.trees, &models.id) {
            let (path, entry) = found?;
            if entry.kind == EntryKind::Tree {
                continue;
            }
            let place = model_place::of(self.around, path.as_str(), &entry.id, entry.size);
            if place == ModelPlace::There {
                continue;
            }
            if let Some(to) = self.moved_to(&entry, known.get(&entry.id))? {
                let (path, id, size) = (path.to_string(), entry.id, entry.size);
                self.status.models.moved.push(MovedModel { path, to, id, size });
                continue;
            }
            let list = match place {
                ModelPlace::Other => &mut self.status.models.changed,
                _ => &mut self.status.models.missing,
            };
            let mut sources = known.get(&entry.id).map(|facts| facts.sources.clone()).unwrap_or_default();
            for url in named.get(&entry.id).into_iter().flatten() {
                if !sources.contains(url) {
                    sources.push(url.clone());
                }
            }
            list.push(ModelShape {
                path: path.to_string(),
                id: entry.id,
                size: entry.size,
                in_store: self.around.store.open_object(&entry.id).is_ok(),
                sources,
            });
        }
        Ok(())
    }

    /// The model files as they are now. A store that cannot be written to still has the rows of the last time.
    fn files(&self) -> Result<&Inventory, RollbackError> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let index = ModelIndex::new(self.around.store);
        let files = match index.update(&self.around.models, Depth::Quick, self.around.observer) {
            Ok(updated) => Inventory::new(updated.files),
            Err(crate::models::Error::Interrupted) => return Err(state::StateError::Interrupted.into()),
            Err(_) => index.inventory(&self.around.models).map_err(super::draft::DraftError::from)?,
        };
        Ok(self.files.get_or_init(|| files))
    }

    /// Where a model that is not at its place lies now, proven by its bytes.
    fn moved_to(&self, entry: &Entry, facts: Option<&ModelFacts>) -> Result<Option<String>, RollbackError> {
        let quick = facts.and_then(|facts| facts.quick.as_deref()?.parse().ok());
        let index = ModelIndex::new(self.around.store);
        let found = index.find(self.files()?, &entry.id, entry.size, quick, self.around.observer);
        Ok(found.map_err(super::draft::DraftError::from)?.map(|file| file.place()))
    }

    fn readings<'w>(
        &self,
        workflows: impl IntoIterator<Item = (&'w String, &'w FoundWorkflow)>,
    ) -> Result<Vec<readings::Read<'w>>, RollbackError> {
        let environment = self.around.environment.name().as_str();
        Ok(readings::cached(self.around.store, environment, workflows, workflow_bytes, self.catalog)?)
    }

    /// Questions that are open: asked again where a workflow is new or changed or had any.
    fn references(&mut self, touched: &BTreeSet<String>) -> Result<(), RollbackError> {
        let known = self.on_disk.workflows();
        let is_open = |key: &String| {
            let models = known.get(key).map(|facts| &facts.models);
            models.is_none_or(|models| models.iter().any(|found| matches!(found.answer, Answer::Open { .. })))
        };
        let read = self.state.workflows.iter().filter(|(key, _)| touched.contains(*key) || is_open(key));
        let readings = self.readings(read)?;
        // Without a reference to a model no file need be looked for.
        let asks =
            |(.., reading): &readings::Read<'_>| reading.as_ref().is_ok_and(|reading| !reading.models.is_empty());
        let none = Inventory::default();
        let inventory = if readings.iter().any(asks) { self.files()? } else { &none };
        let index = ModelIndex::new(self.around.store);
        let installed = Installed::default();
        let asking = uses::Asking {
            before: self.on_disk,
            inventory,
            index: &index,
            catalog: self.catalog,
            installed: &installed,
            observer: self.around.observer,
            ask: uses::Ask::All,
        };
        let uses = uses::find(readings, &asking, &mut Automatic).map_err(super::draft::DraftError::from)?;
        for unreadable in uses.unreadable {
            self.status.unreadable.push(Unreadable { path: unreadable.path, reason: unreadable.reason });
        }
        for (key, found) in uses.workflows {
            let Some(workflow) = self.state.workflows.get(&key) else { continue };
            for found in found.models {
                if !is_question(&found.reference, &found.resolution) {
                    continue;
                }
                let Meaning::Open { status, sources, candidates } = found.meaning else { continue };
                self.status.unresolved.push(Unresolved {
                    workflow: workflow.path.to_string(),
                    scope: found.reference.scope,
                    node: found.reference.node,
                    node_type: Some(found.reference.node_type),
                    value: found.reference.value,
                    status: status.as_str().to_owned(),
                    candidates,
                    sources,
                });
            }
        }
        Ok(())
    }

    /// Types of nodes that are not here. The answer is kept as long as nothing that it depends on has changed: workflows, nodes, what
    /// was said of them.
    fn packages(&mut self) -> Result<(), RollbackError> {
        let rows = self.around.store.records(RecordTable::Caches);
        let key = format!("missing nodes\0{}", self.around.environment.name()).into_bytes();
        let parts = [super::snapshot_tree::WORKFLOWS, super::snapshot_tree::USERS, NODES, MANIFEST];
        let ids = parts.map(|part| self.state.entries.get(part).map(|entry| entry.id.to_hex()).unwrap_or_default());
        let now = format!("{} {} {}", env!("CARGO_PKG_VERSION"), self.catalog.stamp(), ids.join(" "));
        let kept: Option<(String, Vec<MissingNode>)> =
            rows.get(&key)?.and_then(|row| serde_json::from_slice(&row).ok());
        if let Some((_, missing)) = kept.filter(|(of, _)| *of == now) {
            self.status.missing_nodes = missing;
            return Ok(());
        }
        let readings = self.readings(&self.state.workflows)?;
        let types: HashSet<String> =
            readings.iter().flat_map(|(.., reading)| super::resolving::unknown_types(reading)).collect();
        let custom_nodes = self.around.environment.custom_nodes_dir();
        let installed = installed(&custom_nodes, &types.iter().map(String::as_str).collect());
        let known = KnownNodes { packages: self.catalog, installed: &installed };
        let facts = self.on_disk.workflows();
        let mut missing: BTreeMap<(String, Option<String>), MissingNode> = BTreeMap::new();
        for (key, found, reading) in &readings {
            let Ok(reading) = reading else { continue };
            let said = facts.get(*key).map(|facts| facts.nodes.clone()).unwrap_or_default();
            for found_node in resolve_nodes(&reading.nodes, &said, known) {
                let is_here = found_node.status == ResolutionStatus::Resolved && found_node.installed;
                if is_here || found_node.status == ResolutionStatus::Skipped {
                    continue;
                }
                let of = (found_node.node_type.clone(), found_node.package.clone());
                let entry = missing.entry(of).or_insert_with(|| MissingNode {
                    node_type: found_node.node_type.clone(),
                    workflows: Vec::new(),
                    status: found_node.status.as_str().to_owned(),
                    package: found_node.package.clone(),
                    version: found_node.version.clone(),
                    candidates: found_node.candidates.iter().map(|candidate| candidate.package.clone()).collect(),
                });
                let path = found.path.to_string();
                if !entry.workflows.contains(&path) {
                    entry.workflows.push(path);
                }
            }
        }
        self.status.missing_nodes = missing.into_values().collect();
        if let Ok(row) = serde_json::to_vec(&(now, &self.status.missing_nodes)) {
            // A store that cannot be written to has only lost time.
            drop(rows.apply(vec![(key, Some(row))]));
        }
        Ok(())
    }

    /// Manifest, lock and virtual environment against each other; nothing is run. A Python that someone else made is not looked into.
    fn python(&mut self) -> Result<(), RollbackError> {
        let id = |entry: Option<&Entry>| entry.map(|entry| entry.id);
        let differs = |name: &str| id(self.before.get(name)) != id(self.state.entries.get(name));
        let interpreter = self.around.environment.interpreter();
        let has_lock = self.state.entries.contains_key(UV_LOCK);
        let mut python = Python {
            manifest_edited: differs(MANIFEST),
            lock_changed: differs(UV_LOCK),
            owner: match interpreter {
                Interpreter::Own(_) => PythonOwner::Own,
                Interpreter::Foreign(_) => PythonOwner::Foreign,
                Interpreter::Unknown => PythonOwner::Unknown,
            },
            // Of a manifest that cannot be read nothing is said but that.
            lock_follows: self.status.manifest_error.is_some() || lock_follows(self.around, self.state, self.on_disk)?,
            ..Python::default()
        };
        if let (Interpreter::Own(venv), true) = (&interpreter, has_lock) {
            let path = self.around.environment.cec().join(UV_LOCK);
            let text = std::fs::read_to_string(&path).map_err(|source| state::StateError::Io { path, source })?;
            let found = venv.differences(&text, &self.around.environment.facts().torch)?;
            python.packages = found
                .into_iter()
                .map(|found| PackageState { package: found.package, locked: found.locked, installed: found.installed })
                .collect();
            python.in_sync = python.lock_follows && python.packages.is_empty() && venv.is_present();
        } else if has_lock {
            python.in_sync = python.lock_follows;
        } else if let Interpreter::Own(_) = interpreter {
            (python.lock_follows, python.in_sync) = (false, false);
        }
        self.status.python = python;
        Ok(())
    }

    fn comfyui(&mut self, head: &Head) {
        let Some(before) = self.manifest.comfyui().filter(|_| head.snapshot.is_some()) else { return };
        let now = comfyui_facts(self.around, self.on_disk);
        let said = |facts: &ComfyUiFacts| match (&facts.version, &facts.commit) {
            (Some(version), Some(commit)) => Some(format!("{version} ({})", commit.get(..10).unwrap_or(commit))),
            (version, commit) => version.clone().or_else(|| commit.clone()),
        };
        let id = |entry: Option<&Entry>| entry.map(|entry| entry.id);
        let (old, new) = (id(self.before.get(COMFYUI)), id(self.state.entries.get(COMFYUI)));
        let is_edited = old.is_some() && new.is_some() && old != new;
        if (&before.version, &before.commit) != (&now.version, &now.commit) || is_edited {
            self.status.comfyui = ComfyUi { changed: true, from: said(&before), to: said(&now) };
        }
    }
}

struct Slot {
    kind: EntryKind,
    id: ObjectId,
    /// Its name, and whether it is off.
    name: Option<(String, bool)>,
}
