//! A new environment: a ComfyUI of its own, a manifest, a Python, the workspace's models, a first version.
//!
//! 1. The plan: name, port, models. Nothing is written.
//! 2. The environment is put together in the store's staging area; what its Python needs is resolved, so that a conflict ends it here.
//! 3. It gets its name, with a journal that says it is in the making: whoever comes after a crash from here on takes it away again.
//! 4. The virtual environment, which must be made where it is to stay; then one transaction that fills in what a snapshot brings and
//!    records the first version. With that it is an environment like any other.

use std::io;
use std::path::{Path, PathBuf};

use crate::catalog::Catalog;
use crate::environment::commit::{self, CommitError, Who};
use crate::environment::environment::{Environment, Facts};
use crate::environment::head::Head;
use crate::environment::launch::port;
use crate::environment::layout::Kind;
use crate::environment::lock::Waiting;
use crate::environment::manifest::{ComfyUiFacts, Manifest, ManifestError};
use crate::environment::name::EnvironmentName;
use crate::environment::python::requirements::{Refused, Requirements, Whose};
use crate::environment::python::trial::{self, TrialError};
use crate::environment::python::{Install, Project, Python, PythonError, TorchBackend};
use crate::environment::rollback::{self, RollbackError, Target};
use crate::environment::snapshot_tree::{COMFYUI, MANIFEST, Part, UV_LOCK, part};
use crate::environment::staging::{self, StagingError};
use crate::environment::state::{Keep, Surroundings};
use crate::environment::transaction::{Transaction, TransactionError};
use crate::environment::workspace::{Workspace, WorkspaceError};
use crate::environment::{model_roots, plan::Plan, recovery};
use crate::history;
use crate::object::{ObjectId, RelativePath, Snapshot, Tree};
use crate::observer::Observer;
use crate::worktree::{self, CheckOutOptions, check_out, tree_at};

use super::birth::{Birth, Staged};
use super::fetch::Release;
use super::folders::{self, Sharing};

/// Why no environment was made. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("the {what} is no manifest: {source}")]
    Manifest { what: &'static str, source: ManifestError },
    #[error(transparent)]
    Python(#[from] PythonError),
    #[error(transparent)]
    Trial(#[from] TrialError),
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    #[error(transparent)]
    Worktree(#[from] worktree::Error),
    #[error(transparent)]
    History(#[from] history::Error),
    #[error(transparent)]
    Rollback(Box<RollbackError>),
    #[error(transparent)]
    Staging(#[from] StagingError),
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    NoFreePort(#[from] port::NoFreePort),
    #[error("interrupted")]
    Interrupted,
}

impl std::convert::From<RollbackError> for CreateError {
    fn from(error: RollbackError) -> Self {
        CreateError::Rollback(Box::new(error))
    }
}

type Result<T, E = CreateError> = std::result::Result<T, E>;

pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> CreateError + use<> {
    let path = path.to_owned();
    move |source| CreateError::Io { path, source }
}

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// A version such as `3.11` or an interpreter's path; nothing leaves the choice to uv.
    pub python: Option<String>,
    pub torch: TorchBackend,
    pub models: folders::Wish,
    /// The text of a manifest to begin with.
    pub template: Option<String>,
    /// A version whose nodes, workflows, manifest and lock are brought along.
    pub from: Option<From>,
}

/// The version that an environment is made from.
#[derive(Debug, Clone)]
pub struct From {
    pub id: ObjectId,
    pub snapshot: Snapshot,
    /// Whether its ComfyUI is wanted too, rather than another that was named.
    pub program: bool,
}

/// What making the environment would do.
#[derive(Debug, Clone)]
pub struct Creation {
    pub birth: Birth,
    pub port: u16,
    /// The workspace's models folders, the first of which may be new.
    pub shared: Vec<PathBuf>,
}

/// An environment that was made.
#[derive(Debug, Clone)]
pub struct Created {
    pub environment: Environment,
    /// Its first version.
    pub snapshot: ObjectId,
    pub sharing: Sharing,
    /// What the snapshot brought.
    pub brought: Plan,
    /// What ComfyUI asks for and was not taken over.
    pub refused: Vec<Refused>,
}

/// Who makes it, and with what.
pub struct Making<'a> {
    pub who: &'a Who,
    pub waiting: Waiting<'a>,
    pub catalog: Catalog,
    pub observer: &'a dyn Observer,
    /// Nothing leaves the environment without a Python of its own.
    pub python: Option<&'a dyn Python>,
}

/// Where models go in a workspace that lists no folder for them.
const MODELS: &str = "models";

/// Finds out what making `name` would do.
///
/// # Errors
/// The name is taken, or all ports are.
pub fn plan(workspace: &Workspace, name: EnvironmentName) -> Result<Creation> {
    let mut birth = Birth::new(workspace, name)?;
    let mut shared = workspace.model_folders();
    if shared.is_empty() {
        birth.new_model_folder = Some(PathBuf::from(MODELS));
        shared.push(workspace.root().join(MODELS));
    }
    Ok(Creation { birth, port: port::choose(&port::given(workspace))?, shared })
}

/// Makes the environment.
///
/// # Errors
/// Nothing of it is left then; what cannot be taken away now, the next command takes away.
pub fn carry_out(
    creation: &Creation,
    workspace: &mut Workspace,
    wish: &Wish,
    release: &Release,
    making: &Making<'_>,
) -> Result<Created> {
    let Prepared { staged, sharing, refused } = stage(creation, workspace, wish, release, making)?;
    let (snapshot, environment, brought) = name_and_fill(&creation.birth, staged, workspace, making, |around| {
        if let Some(python) = making.python {
            make_python(around.environment, wish.python.as_deref(), python, making.observer)?;
        }
        let mut transaction =
            Transaction::begin_with(commit::surroundings(around), &making.who.command, creation.birth.born());
        let mut brought = Plan::default();
        if let Some(from) = &wish.from {
            brought = bring(&mut transaction, around, from)?;
        }
        let message = match &wish.from {
            Some(from) => format!("Created from {} of {}", from.id.short(), from.snapshot.environment),
            None => format!("Created with ComfyUI {}", told(&release.facts)),
        };
        Ok((transaction, message, brought))
    })?;
    Ok(Created { environment, snapshot, sharing, brought, refused })
}

/// Gives a staged environment its name, lets `fill` put into it what is missing, and records its first version. What fails takes the
/// environment with it.
pub(super) fn name_and_fill<T>(
    birth: &Birth,
    staged: Staged,
    workspace: &mut Workspace,
    making: &Making<'_>,
    fill: impl for<'t> FnOnce(&Surroundings<'t>) -> Result<(Transaction<'t>, String, T)>,
) -> Result<(ObjectId, Environment, T)> {
    let done = staged
        .publish_unfilled(workspace, &making.who.command, &making.waiting)
        .map_err(CreateError::from)
        .and_then(|(environment, _lock)| {
            let around = Surroundings {
                environment: &environment,
                store: workspace.store(),
                models: model_roots::of(workspace, Some(&environment)).roots,
                policy: workspace.config().settings().store_models.unwrap_or_default(),
                observer: making.observer,
                catalog: making.catalog.clone(),
            };
            let (mut transaction, message, told) = fill(&around)?;
            transaction.try_out()?;
            let head = Head::of(around.store, birth.name.as_str())?;
            let snapshot = commit::commit_with(transaction, &around, &head, None, &message, making.who)?;
            Ok((snapshot, environment, told))
        });
    if done.is_err() {
        // What cannot be taken back now is taken back by the next command, which says so.
        let pending = recovery::pending(workspace.root());
        drop(recovery::recover(workspace.root(), &pending, workspace.store(), &making.waiting));
    }
    done
}

/// An environment put together, without a name.
struct Prepared {
    staged: Staged,
    sharing: Sharing,
    refused: Vec<Refused>,
}

/// Puts the environment together where nobody sees it.
fn stage(
    creation: &Creation,
    workspace: &Workspace,
    wish: &Wish,
    release: &Release,
    making: &Making<'_>,
) -> Result<Prepared> {
    let store = workspace.store();
    let facts = Facts {
        comfyui: PathBuf::from("ComfyUI"),
        kind: Kind::Created,
        python: None,
        port: Some(creation.port),
        arguments: Vec::new(),
        torch: wish.torch.clone(),
        user: None,
    };
    let staged = creation.birth.stage(workspace, &facts)?;
    let comfyui = staged.folder().join("ComfyUI");
    check_out(store, &release.tree, &comfyui, &CheckOutOptions::default(), making.observer)?;
    for folder in ["custom_nodes", "input", "output", "models", "user"] {
        let folder = comfyui.join(folder);
        std::fs::create_dir_all(&folder).map_err(io_error(&folder))?;
    }
    make_models(creation, &comfyui)?;
    let sharing = folders::share(&comfyui, &creation.shared, wish.models).map_err(io_error(&comfyui))?;
    let (manifest, lock, refused) = project(creation, workspace, wish, release, &comfyui)?;
    let cec = staged.folder().join(".cec");
    let write = |name: &str, text: &str| {
        let path = cec.join(name);
        std::fs::write(&path, text).map_err(io_error(&path))
    };
    write(MANIFEST, &manifest)?;
    let lock = match (making.python, lock) {
        // What a version was locked to is had as it was.
        (_, Some(lock)) => Some(lock),
        (None, None) => None,
        (Some(python), None) => {
            let wanted = wish.python.as_deref();
            let project =
                Project { folder: staged.folder(), manifest: &manifest, lock: None, python: wanted, upgrade: &[] };
            Some(python.resolve(&project, making.observer)?)
        }
    };
    if let Some(lock) = lock {
        write(UV_LOCK, &lock)?;
    }
    Ok(Prepared { staged, sharing, refused })
}

/// A models folder for the workspace, with the folders that ComfyUI has, where none was listed.
fn make_models(creation: &Creation, comfyui: &Path) -> Result<()> {
    let (Some(_), Some(folder)) = (&creation.birth.new_model_folder, creation.shared.first()) else { return Ok(()) };
    if !folder.exists() {
        let own = comfyui.join("models");
        std::fs::rename(&own, folder).map_err(io_error(folder))?;
        std::fs::create_dir(&own).map_err(io_error(&own))?;
    }
    Ok(())
}

/// The manifest and the lock to begin with, and what ComfyUI asks for and was not taken over.
fn project(
    creation: &Creation,
    workspace: &Workspace,
    wish: &Wish,
    release: &Release,
    comfyui: &Path,
) -> Result<(String, Option<String>, Vec<Refused>)> {
    let store = workspace.store();
    let text_of = |tree: &ObjectId, name: &str| -> Result<Option<String>> {
        let Ok(path) = RelativePath::new(name) else { return Ok(None) };
        let Some(entry) = tree_at(store, tree, &path)? else { return Ok(None) };
        Ok(Some(String::from_utf8_lossy(&store.read_text(&entry.id)?).into_owned()))
    };
    let parse = |what, text: &str| Manifest::parse(text).map_err(|source| CreateError::Manifest { what, source });
    let from = wish.from.as_ref();
    let brought = match from {
        Some(from) => text_of(&from.snapshot.tree, MANIFEST)?,
        None => None,
    };
    let mut manifest = match (&brought, &wish.template) {
        (Some(text), _) => parse("pyproject.toml of that version", text)?,
        (None, Some(text)) => parse("template", text)?,
        (None, None) => Manifest::new(creation.birth.name.as_str()),
    };
    let keeps = brought.is_some() && from.is_some_and(|from| from.program);
    let mut refused = Vec::new();
    if !keeps {
        let requirements = Requirements::of(comfyui, Whose::ComfyUi);
        manifest.set_environment(&release.facts, None);
        manifest.merge_comfyui_requirements(&requirements.texts(), from.is_some());
        refused = requirements.refused;
    }
    let lock = match from.filter(|_| keeps) {
        Some(from) => text_of(&from.snapshot.tree, UV_LOCK)?,
        None => None,
    };
    Ok((manifest.to_string(), lock, refused))
}

/// The virtual environment of an environment whose `.cec` is complete.
pub(super) fn make_python(
    environment: &Environment,
    wanted: Option<&str>,
    python: &dyn Python,
    observer: &dyn Observer,
) -> Result<()> {
    let (venv, cec) = (environment.venv(), environment.cec());
    python.make_venv(&venv, wanted, observer)?;
    if !cec.join(UV_LOCK).exists() {
        return Ok(());
    }
    let install = Install { project: &cec, venv: &venv, torch: &environment.facts().torch };
    Ok(trial::install(python, &install, observer)?)
}

/// Stages what a version holds: nodes, workflows, its ComfyUI if that is wanted, models that only the store has.
fn bring(transaction: &mut Transaction<'_>, around: &Surroundings<'_>, from: &From) -> Result<Plan> {
    let head = Head::of(around.store, around.environment.name().as_str())?;
    let target = Target::version(&from.snapshot);
    let mut prepared = rollback::prepare(around, &head, &target, Keep::IdsOnly)?;
    prepared.plan.steps.retain(|step| match part(step.path()) {
        Part::Project => false,
        Part::ComfyUi => from.program,
        _ => true,
    });
    staging::stage(transaction, &prepared.state.trees, &around.places(), &prepared.plan)?;
    Ok(prepared.plan)
}

/// The ComfyUI that a version holds or names, for one that is made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// Its files are in the version.
    Held(Release),
    /// The manifest says where it came from.
    Named(ComfyUiFacts),
    Unknown,
}

/// Which ComfyUI a version was made with.
pub fn program_of(workspace: &Workspace, snapshot: &Snapshot) -> Result<Program> {
    let store = workspace.store();
    let root: Tree = store.read_as(&snapshot.tree)?;
    let manifest = root.get(MANIFEST).map(|entry| store.read_text(&entry.id)).transpose()?;
    let manifest = manifest.and_then(|bytes| Manifest::parse(&String::from_utf8_lossy(&bytes)).ok());
    let facts = manifest.and_then(|manifest| manifest.comfyui());
    Ok(match (root.get(COMFYUI), facts) {
        (Some(entry), facts) => {
            Program::Held(Release { tree: entry.id, facts: facts.unwrap_or_default(), how: super::fetch::How::Known })
        }
        (None, Some(facts)) => Program::Named(facts),
        (None, None) => Program::Unknown,
    })
}

/// `0.3.64 (a125cd84)`, as far as it is known.
pub fn told(facts: &ComfyUiFacts) -> String {
    let commit = facts.commit.as_deref().map(|commit| commit.get(..8).unwrap_or(commit));
    match (&facts.version, commit) {
        (Some(version), Some(commit)) => format!("{version} ({commit})"),
        (Some(version), None) => version.clone(),
        (None, Some(commit)) => commit.to_owned(),
        (None, None) => "of unknown version".to_owned(),
    }
}
