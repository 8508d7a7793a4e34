//! Changing which packages an environment has: planned as a manifest, resolved before anything is touched, carried out as one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::environment::commit::{self, CommitError, Who, put_file, surroundings};
use crate::environment::environment::{FACTS, Facts, Interpreter};
use crate::environment::head::Head;
use crate::environment::journal::{Planned, RefEdit};
use crate::environment::manifest::{Manifest, group_of_node};
use crate::environment::restore_point::{self, Scope};
use crate::environment::rollback::RollbackError;
use crate::environment::snapshot_tree::{MANIFEST, UV_LOCK, node_name};
use crate::environment::state::{self, Keep, StateError, Surroundings};
use crate::environment::transaction::{Transaction, TransactionError};
use crate::object::{Encoded, EntryKind, RelativePath};

use super::installed::{self, Difference, Installed};
use super::lockfile::{self, Lock, Versions};
use super::requirements::{Refused, Requirements, Whose};
use super::seam::io_error;
use super::trial::{Trial, TrialError};
use super::{Project, Python, PythonError, TorchBackend};

#[derive(Debug, thiserror::Error)]
pub enum PackagesError {
    #[error(transparent)]
    Python(#[from] PythonError),
    #[error(transparent)]
    Trial(#[from] TrialError),
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    #[error(transparent)]
    Rollback(Box<RollbackError>),
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// The environment runs with a Python that someone else made.
    #[error("the Python of this environment is {}, which Comfrey did not make and does not change", .0.display())]
    Foreign(PathBuf),
    /// None is known, and none was asked for.
    #[error("this environment has no Python of its own yet")]
    NoPython,
    /// The facts of the machine cannot be written down.
    #[error("{}: {reason}", path.display())]
    Facts { path: PathBuf, reason: String },
}

impl From<RollbackError> for PackagesError {
    fn from(error: RollbackError) -> Self {
        PackagesError::Rollback(Box::new(error))
    }
}

impl From<CommitError> for PackagesError {
    fn from(error: CommitError) -> Self {
        RollbackError::from(error).into()
    }
}

impl From<StateError> for PackagesError {
    fn from(error: StateError) -> Self {
        RollbackError::from(error).into()
    }
}

/// What an environment is to have.
#[derive(Debug, Clone)]
pub struct Wish {
    pub manifest: Manifest,
    /// Packages whose locked version is not kept where a newer one is there.
    pub upgrade: Vec<String>,
    pub lock: LockWish,
    /// Makes the environment run with a virtual environment of its own from now on; with this Python, or any.
    pub own_python: Option<Option<String>>,
    /// Another build of torch for this machine from now on.
    pub torch: Option<TorchBackend>,
}

/// What becomes of the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockWish {
    /// Resolved again; what still fits stays.
    #[default]
    Resolve,
    /// Taken as it is.
    Frozen,
}

impl Wish {
    /// The manifest as it is on disk.
    pub fn of_manifest(manifest: Manifest) -> Self {
        Wish { manifest, upgrade: Vec::new(), lock: LockWish::default(), own_python: None, torch: None }
    }
}

/// What will be done: to be shown, then carried out or dropped. Nothing has been touched.
#[derive(Debug)]
pub struct Prepared {
    manifest: String,
    lock: String,
    facts: Option<Facts>,
    torch: TorchBackend,
    wanted: Option<String>,
    /// True where `.cec` gets another manifest or lock.
    pub rewrites: bool,
    /// What installing changes: packages that are not as the new lock says.
    pub packages: Vec<Difference>,
    /// True where a virtual environment has to be made.
    pub makes_venv: bool,
}

impl Prepared {
    /// True when everything is as it is wished to be.
    pub fn is_done(&self) -> bool {
        !self.rewrites && !self.makes_venv && self.packages.is_empty() && self.facts.is_none()
    }
}

/// The lock as it is on disk, if there is one.
pub fn lock_of(around: &Surroundings<'_>) -> Result<Option<String>, PackagesError> {
    let path = around.environment.cec().join(UV_LOCK);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(&path)(error).into()),
    }
}

/// What is installed in the environment's own Python; nothing in one that someone else made.
pub fn installed_of(around: &Surroundings<'_>) -> Result<Installed, PackagesError> {
    match around.environment.interpreter() {
        Interpreter::Own(venv) => Ok(installed::of(&venv)?),
        Interpreter::Foreign(_) | Interpreter::Unknown => Ok(Installed::new()),
    }
}

/// What the lock has for this machine.
pub fn locked_of(around: &Surroundings<'_>) -> Result<Versions, PackagesError> {
    let lock = lock_of(around)?.and_then(|text| Lock::parse(&text).ok());
    let version =
        around.environment.venv().version().or_else(|| Some(around.environment.manifest().ok()?.python()? + ".0"));
    let machine = version.and_then(|version| lockfile::this_machine(&version));
    Ok(lock.zip(machine).map(|(lock, machine)| lock.wanted(&machine)).unwrap_or_default())
}

/// What changed between two looks, as [`Difference`]s to what is there now.
pub fn changes(before: &Installed, now: &Installed) -> Vec<Difference> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
    changed
        .map(|name| Difference {
            package: name.clone(),
            locked: now.get(name).cloned(),
            installed: before.get(name).cloned(),
        })
        .collect()
}

/// When requirements are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    /// Those of ComfyUI and of nodes that the manifest has nothing of yet: what someone changed there by hand stays.
    New,
    /// All.
    All,
}

/// Makes the manifest's requirements those of ComfyUI and of the nodes that are enabled. Answers with what was not taken over, by who
/// asked for it: nothing for ComfyUI.
pub fn take_requirements(
    around: &Surroundings<'_>,
    manifest: &mut Manifest,
    scan: Scan,
) -> Vec<(Option<String>, Refused)> {
    let mut refused = Vec::new();
    if scan == Scan::All || manifest.comfyui_requirements().is_empty() {
        let found = Requirements::of(&around.environment.comfyui(), Whose::ComfyUi);
        if !found.accepted.is_empty() {
            manifest.set_comfyui_requirements(&found.texts());
        }
        refused.extend(found.refused.into_iter().map(|refused| (None, refused)));
    }
    let nodes = enabled_nodes(&around.environment.custom_nodes_dir());
    let gone = manifest
        .groups()
        .into_keys()
        .filter(|group| group.starts_with("node-") && !nodes.keys().any(|node| group_of_node(node) == *group));
    for group in gone.collect::<Vec<_>>() {
        manifest.remove_group(&group);
    }
    for (node, folder) in nodes {
        if scan == Scan::New && manifest.has_group(&group_of_node(&node)) {
            continue;
        }
        let found = Requirements::of(&folder, Whose::Node);
        if !found.accepted.is_empty() || manifest.has_group(&group_of_node(&node)) {
            manifest.set_node_requirements(&node, &found.texts());
        }
        refused.extend(found.refused.into_iter().map(|refused| (Some(node.clone()), refused)));
    }
    refused
}

/// The folders of the nodes that ComfyUI loads, by their keys in a manifest.
fn enabled_nodes(custom_nodes: &Path) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(custom_nodes).into_iter().flatten().flatten();
    let node = |entry: std::fs::DirEntry| {
        let path = entry.path();
        let name = entry.file_name().into_string().ok()?;
        let name = node_name(&RelativePath::new(name).ok()?, EntryKind::Tree)?;
        (path.is_dir() && !name.disabled && name.base != "__pycache__").then_some((name.base, path))
    };
    entries.filter_map(node).collect()
}

/// Finds out what the wish comes to. Nothing is touched.
///
/// # Errors
/// The wish cannot be fulfilled: [`PythonError::Conflict`] names who disagrees.
pub fn prepare(around: &Surroundings<'_>, wish: &Wish, python: &dyn Python) -> Result<Prepared, PackagesError> {
    let Surroundings { environment, observer, .. } = *around;
    let venv = environment.venv();
    let mut facts = environment.facts().clone();
    match (environment.interpreter(), &wish.own_python) {
        (Interpreter::Foreign(path), None) => return Err(PackagesError::Foreign(path)),
        (Interpreter::Unknown, None) => return Err(PackagesError::NoPython),
        (Interpreter::Own(_), _) => {}
        (_, Some(_)) => {
            let python = venv.python();
            // Relative, so that the environment's folder can move.
            facts.python = Some(python.strip_prefix(environment.folder()).map(Path::to_owned).unwrap_or(python));
        }
    }
    if let Some(torch) = &wish.torch {
        facts.torch = torch.clone();
    }
    let wanted = wish.own_python.clone().flatten();
    let before = (manifest_text(around), lock_of(around)?);
    let manifest = wish.manifest.to_string();
    let interpreter = venv.is_present().then(|| venv.python().to_string_lossy().into_owned());
    let lock = match (wish.lock, &before.1) {
        (LockWish::Frozen, Some(lock)) => lock.clone(),
        _ => {
            let project = Project {
                folder: environment.folder(),
                manifest: &manifest,
                lock: before.1.as_deref(),
                python: interpreter.as_deref().or(wanted.as_deref()),
                upgrade: &wish.upgrade,
            };
            python.resolve(&project, observer).map_err(|error| match error {
                PythonError::Conflict(conflict) => {
                    let nodes = enabled_nodes(&environment.custom_nodes_dir());
                    PythonError::Conflict(Box::new(conflict.naming(nodes.keys().map(String::as_str))))
                }
                error => error,
            })?
        }
    };
    let packages = match venv.is_present() {
        true => venv.differences(&lock, &facts.torch)?,
        false => Vec::new(),
    };
    Ok(Prepared {
        rewrites: before != (Some(manifest.clone()), Some(lock.clone())),
        torch: facts.torch.clone(),
        facts: Some(facts).filter(|facts| facts != environment.facts()),
        makes_venv: !venv.is_present(),
        packages,
        manifest,
        lock,
        wanted,
    })
}

fn manifest_text(around: &Surroundings<'_>) -> Option<String> {
    std::fs::read_to_string(around.environment.manifest_path()).ok()
}

/// Does it, as one transaction with a restore point: manifest and lock in place, packages installed and verified. The environment's lock
/// must be held.
///
/// # Errors
/// Everything is as before then, save with [`TransactionError::Halfway`].
pub fn carry_out(
    around: &Surroundings<'_>,
    head: &Head,
    who: &Who,
    prepared: &Prepared,
    python: &dyn Python,
) -> Result<(), PackagesError> {
    let environment = around.environment;
    let cec = environment.cec();
    let writer = around.store.writer()?;
    let restore = restore_point(around, head, who, &writer)?;
    let mut transaction = Transaction::begin(surroundings(around), &who.command);
    put_file(&mut transaction, prepared.manifest.as_bytes(), &cec.join(MANIFEST))?;
    put_file(&mut transaction, prepared.lock.as_bytes(), &cec.join(UV_LOCK))?;
    if let Some(facts) = &prepared.facts {
        let path = environment.folder().join(FACTS);
        let text = facts.to_text().map_err(|reason| PackagesError::Facts { path: path.clone(), reason })?;
        put_file(&mut transaction, text.as_bytes(), &path)?;
    }
    if prepared.makes_venv || !prepared.packages.is_empty() {
        let (torch, wanted) = (&prepared.torch, prepared.wanted.as_deref());
        Trial { python, environment, torch, wanted, observer: around.observer }.run(&mut transaction)?;
    }
    transaction.carry_out(Planned {
        command: who.command.clone(),
        author: who.author.clone(),
        time: who.time,
        restore_points: [(environment.name().to_string(), restore)].into(),
        undoes: None,
        base: head.operation,
        refs: RefEdit::Nothing,
    })?;
    Ok(())
}

/// The state before it, of which `undo` brings back the manifest and the lock.
fn restore_point(
    around: &Surroundings<'_>,
    head: &Head,
    who: &Who,
    writer: &crate::store::Writer,
) -> Result<crate::object::ObjectId, PackagesError> {
    let state = state::read(around, Keep::Stored(writer))?;
    let models = crate::environment::rollback::model_entry(&state, head)?;
    let current = state.root(models.as_ref())?;
    let tree = commit::keep(writer, &current)?;
    debug_assert_eq!(tree, current.id());
    let identity = (who.author.as_str(), who.time);
    let environment = around.environment.name().as_str();
    let restore = restore_point::snapshot(tree, head.id(), environment, identity, &who.command, Scope::Manifest);
    Ok(commit::keep(writer, &restore)?)
}
