//! The working state made equal to a target, as changes still to be committed; and undone again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::history::{self, Objects, Refs, undo::Step as UndoStep};
use crate::models::Sources;
use crate::object::{Encoded, Entry, EntryKind, Kind, ObjectId, RelativePath, Snapshot, Tree};
use crate::store::Writer;
use crate::worktree::{Trees, graft};

use super::clones;
use super::commit::{self, CommitError, Who, copies, surroundings};
use super::compare::{self, Facts, ModelPlace};
use super::draft::DraftError;
use super::environment::Interpreter;
use super::head::{self, Head};
use super::journal::{Planned, RefEdit};
use super::manifest::Manifest;
use super::model_place;
use super::plan::{Extra, Plan, Step};
use super::python::installed::Difference;
use super::python::{Python, PythonError, Trial, TrialError};
use super::restore_point::{self, Beside, Links, Scope};
use super::snapshot_tree::{MANIFEST, MODELS, Part, UV_LOCK, part};
use super::staging::{self, StagingError};
use super::state::{self, Keep, State, StateError, Surroundings};
use super::transaction::{Transaction, TransactionError};

#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Staging(#[from] StagingError),
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    #[error(transparent)]
    History(#[from] history::Error),
    #[error(transparent)]
    Worktree(#[from] crate::worktree::Error),
    #[error("the working files changed meanwhile")]
    Changed,
    #[error(transparent)]
    Trial(#[from] TrialError),
    #[error(transparent)]
    Python(#[from] PythonError),
    /// All was done, and something is not as it was to be.
    #[error("{} did not become what it was to be{}", .0.first().map(ToString::to_string).unwrap_or_default(), more(.0.len()))]
    NotReached(Vec<RelativePath>),
}

fn more(paths: usize) -> String {
    match paths.saturating_sub(1) {
        0 => String::new(),
        more => format!(", nor {more} more"),
    }
}

impl From<DraftError> for RollbackError {
    fn from(error: DraftError) -> Self {
        RollbackError::Commit(error.into())
    }
}

/// What the working files are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// What they are.
    AsTheyAre,
    /// Those of this root tree.
    Tree(ObjectId),
    /// What they are, but for these paths of a snapshot: the entry that shall be there, or nothing. Objects are in the store already.
    Edited(Vec<(RelativePath, Option<Entry>)>),
}

/// What shall be brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub goal: Goal,
    pub extra: Extra,
    pub scope: Scope,
    /// The refs after it.
    pub refs: RefEdit,
    /// The root tree of the version that is current after it, if that is another one.
    pub version: Option<Option<ObjectId>>,
    pub undoes: Option<ObjectId>,
    /// Folders that go with all that lies in them, of which no snapshot holds everything.
    pub whole: Vec<RelativePath>,
    /// Clones that follow edits, as [`Step::Follow`].
    pub follows: Vec<Step>,
    /// Nodes that were links to folders elsewhere, and are to be links again where the folder is still there; and where clones stood.
    pub beside: Beside,
}

impl Target {
    /// The files of a version; history stays as it is.
    pub fn version(snapshot: &Snapshot) -> Self {
        Target {
            goal: Goal::Tree(snapshot.tree),
            extra: Extra::Disable,
            scope: Scope::Files,
            refs: RefEdit::Nothing,
            version: None,
            undoes: None,
            whole: Vec::new(),
            follows: Vec::new(),
            beside: Beside::default(),
        }
    }

    /// The working files with some of them changed; history stays.
    pub fn edited(edits: Vec<(RelativePath, Option<Entry>)>) -> Self {
        Target {
            goal: Goal::Edited(edits),
            // Nothing goes but what is said to.
            extra: Extra::Remove,
            scope: Scope::Files,
            refs: RefEdit::Nothing,
            version: None,
            undoes: None,
            whole: Vec::new(),
            follows: Vec::new(),
            beside: Beside::default(),
        }
    }

    /// The files of the version that a branch is at; `refs` are those after it, in which the branch is current.
    pub fn branch(environment: &str, snapshot: &Snapshot, now: &Head, refs: &Refs) -> Self {
        Target {
            refs: take(environment, refs),
            version: (now.tree() != Some(snapshot.tree)).then_some(Some(snapshot.tree)),
            ..Target::version(snapshot)
        }
    }

    /// What was before an operation, refs and uncommitted files included.
    pub fn before(around: &Surroundings<'_>, step: &UndoStep) -> Result<Self, RollbackError> {
        let objects: &dyn Objects = around.store;
        let environment = around.environment.name().as_str();
        let restore = step.restore.get(environment).map(|id| objects.read::<Snapshot>(id)).transpose()?;
        let now = Head::of(around.store, environment)?;
        let then = Head::in_refs(around.store, environment, &step.refs, None)?;
        Ok(Target {
            goal: restore.as_ref().map_or(Goal::AsTheyAre, |snapshot| Goal::Tree(snapshot.tree)),
            extra: Extra::Remove,
            scope: restore.as_ref().map_or(Scope::Manifest, restore_point::scope),
            refs: take(environment, &step.refs),
            version: (now.tree() != then.tree()).then(|| then.tree()),
            undoes: Some(step.operation),
            whole: Vec::new(),
            follows: Vec::new(),
            beside: restore.as_ref().map(restore_point::beside).unwrap_or_default(),
        })
    }
}

fn take(environment: &str, refs: &Refs) -> RefEdit {
    RefEdit::Take { environment: environment.to_owned(), refs: head::of_environment(refs, environment) }
}

/// What will be done: to be shown, then carried out or dropped.
pub struct Prepared<'a> {
    pub plan: Plan,
    /// The working state as it is.
    pub state: State<'a>,
    /// Packages that are not as the target's lock says, in the virtual environment that Comfrey made.
    pub packages: Vec<Difference>,
    /// True where the environment's own virtual environment is not there and has to be made.
    pub makes_venv: bool,
    current: Tree,
}

impl Prepared<'_> {
    /// True when neither a file nor a package is touched.
    pub fn is_empty(&self) -> bool {
        self.plan.is_empty() && !self.installs()
    }

    /// True when packages have to be installed or taken away.
    pub fn installs(&self) -> bool {
        self.makes_venv || !self.packages.is_empty()
    }
}

/// Compares the working state with the target. With [`Keep::Stored`] the state is in the store and published.
pub fn prepare<'a>(
    around: &Surroundings<'a>,
    head: &Head,
    target: &Target,
    keep: Keep<'_>,
) -> Result<Prepared<'a>, RollbackError> {
    let state = state::read(around, keep)?;
    let models = model_entry(&state, head)?;
    let current = state.root(models.as_ref())?;
    let id = match keep {
        Keep::Stored(writer) => commit::keep(writer, &current)?,
        Keep::IdsOnly => crate::worktree::KeepTree::keep(&state.trees, &current)?,
    };
    let mut plan = Plan::default();
    let goal = match &target.goal {
        Goal::AsTheyAre => None,
        Goal::Tree(tree) => Some(*tree),
        Goal::Edited(edits) => {
            let edit = |tree: ObjectId, (path, entry): &(RelativePath, Option<Entry>)| {
                graft(&state.trees, &state.trees, Some(&tree), path, entry.clone()).map(|(id, _)| id)
            };
            // Trees on the way are looked at and not kept: what is written are the entries.
            Some(edits.iter().try_fold(crate::worktree::KeepTree::keep(&state.trees, &current)?, edit)?)
        }
    };
    if let Some(tree) = &goal {
        let facts = OnDisk::new(around, &state, tree)?;
        plan = compare::between(&state.trees, &facts, &id, tree, target.extra)?;
        for step in &mut plan.steps {
            if let Step::Remove { path, old } = step
                && target.whole.contains(path)
            {
                // Moved aside as one thing, as a link is.
                old.kind = EntryKind::Symlink;
            }
            if let Step::Write { path, new } = step
                && let Some(link) = target.beside.links.get(path)
                && around.environment.custom_nodes_dir().join(link).is_dir()
            {
                *new = Entry {
                    name: new.name.clone(),
                    kind: EntryKind::Symlink,
                    id: ObjectId::of_blob(link.as_bytes()),
                    size: link.len() as u64,
                };
            }
        }
        plan.steps.extend(match &target.goal {
            Goal::Tree(_) => {
                let (after, places) = (state.trees.tree(tree)?, around.places());
                let nodes = manifest_in(around, &after)?.nodes();
                let then = clones::Then { stands: &target.beside.clones, nodes: &nodes };
                clones::following(&state.trees, |path| places.of(path), &current, &after, &plan.steps, &then)?
            }
            _ => target.follows.clone(),
        });
        if target.scope == Scope::Manifest {
            plan.steps.retain(|step| part(step.path()) == Part::Project);
        }
    }
    let (packages, makes_venv) = match &goal {
        Some(tree) => packages(around, lock_in(&state.trees, tree, &target.goal)?)?,
        None => (Vec::new(), false),
    };
    Ok(Prepared { plan, state, packages, makes_venv, current })
}

/// uv's lock in a root tree. An edit that says nothing of it leaves Python alone.
fn lock_in(trees: &dyn Trees, root: &ObjectId, goal: &Goal) -> Result<Option<ObjectId>, RollbackError> {
    let says = match goal {
        Goal::Edited(edits) => edits.iter().any(|(path, _)| path.as_str() == UV_LOCK),
        Goal::Tree(_) => true,
        Goal::AsTheyAre => false,
    };
    if !says {
        return Ok(None);
    }
    Ok(trees.tree(root)?.get(UV_LOCK).map(|entry| entry.id))
}

/// What there is to install so that the environment's own Python holds what a lock says. A version without a lock says nothing of Python,
/// and a Python that someone else made is left alone.
fn packages(around: &Surroundings<'_>, lock: Option<ObjectId>) -> Result<(Vec<Difference>, bool), RollbackError> {
    let (Interpreter::Own(venv), Some(lock)) = (around.environment.interpreter(), lock) else {
        return Ok((Vec::new(), false));
    };
    if !venv.is_present() {
        return Ok((Vec::new(), true));
    }
    let path = around.environment.cec().join(UV_LOCK);
    let on_disk = std::fs::read(&path).ok().filter(|bytes| ObjectId::of_blob(bytes) == lock);
    let bytes = match on_disk {
        Some(bytes) => bytes,
        None => around.store.read_text(&lock)?,
    };
    let lock = String::from_utf8_lossy(&bytes);
    Ok((venv.differences(&lock, &around.environment.facts().torch)?, false))
}

/// The models of the version that is current: a rollback takes none away, so they are still meant.
pub(super) fn model_entry(state: &State<'_>, head: &Head) -> Result<Option<Entry>, RollbackError> {
    let Some(tree) = head.tree() else { return Ok(None) };
    Ok(state.trees.tree(&tree)?.get(MODELS).cloned())
}

/// Makes the working state equal to the target, as one transaction with a restore point. The environment's lock must be held. Returns
/// the plan as carried out. Packages are installed by `python`; without it Python is left as it is.
///
/// # Errors
/// Everything is as before then, save with [`TransactionError::Halfway`].
pub fn carry_out<'a>(
    around: &Surroundings<'a>,
    head: &Head,
    target: &Target,
    who: &Who,
    python: Option<&dyn Python>,
) -> Result<Prepared<'a>, RollbackError> {
    carry_out_with(around, head, target, who, python, |_| Ok(()))
}

/// The same, with `between` done once the files are in place and the packages installed: where it fails, all is put back.
///
/// # Errors
/// The same, and those of `between`.
pub fn carry_out_with<'a, E: From<RollbackError>>(
    around: &Surroundings<'a>,
    head: &Head,
    target: &Target,
    who: &Who,
    python: Option<&dyn Python>,
    between: impl FnOnce(&Prepared<'a>) -> Result<(), E>,
) -> Result<Prepared<'a>, E> {
    let Staged { prepared, mut transaction, planned } = stage(around, head, target, who)?;
    match python.filter(|_| prepared.installs()) {
        Some(python) => {
            let Surroundings { environment, observer, .. } = *around;
            let wanted = wanted_python(around, target)?;
            let torch = &environment.facts().torch;
            let trial = Trial { python, environment, torch, wanted: wanted.as_deref(), observer };
            trial.run(&mut transaction).map_err(RollbackError::from)?;
        }
        None if !transaction.is_empty() => transaction.try_out().map_err(RollbackError::from)?,
        None => {}
    }
    // An edit puts entries into place that are other ones when they are read again, such as links to folders.
    if matches!(target.goal, Goal::Tree(_)) && !prepared.plan.is_empty() {
        verify(around, head, target)?;
    }
    between(&prepared)?;
    transaction.carry_out(planned).map_err(RollbackError::from)?;
    Ok(prepared)
}

/// All that is needed, beside the files that it is for.
struct Staged<'r, 'a> {
    prepared: Prepared<'a>,
    transaction: Transaction<'r>,
    planned: Planned,
}

fn stage<'r, 'a>(
    around: &'r Surroundings<'a>,
    head: &Head,
    target: &Target,
    who: &Who,
) -> Result<Staged<'r, 'a>, RollbackError> {
    let writer: Writer = around.store.writer()?;
    let prepared = prepare(around, head, target, Keep::Stored(&writer))?;
    if !prepared.plan.is_empty() {
        prepared.state.all_read()?;
    }
    let environment = around.environment.name().as_str();
    let identity = (who.author.as_str(), who.time);
    let tree = prepared.current.id();
    let restore = restore_point::snapshot(tree, head.id(), environment, identity, &who.command, target.scope);
    let places = around.places();
    let clones = clones::stands(&prepared.state.trees, &prepared.current, |path| places.of(path))?;
    let restore = restore_point::with(restore, &Beside { links: prepared.state.linked.clone(), clones });
    let restore = commit::keep(&writer, &restore)?;
    for link in target.beside.links.values() {
        writer.put(Kind::Blob, link.as_bytes())?;
    }
    writer.publish()?;
    let mut transaction = Transaction::begin(surroundings(around), &who.command);
    staging::stage(&mut transaction, &prepared.state.trees, &around.places(), &prepared.plan)?;
    if let Some(version) = &target.version {
        let tree = version.map(|id| prepared.state.trees.tree(&id)).transpose()?;
        copies(&mut transaction, around, tree.as_ref(), &around.environment.cec())?;
    }
    if !prepared.plan.is_empty() {
        // What staging saw of the files counts only if they are still what the restore point holds.
        let again = state::read(around, Keep::IdsOnly)?;
        if again.entries != prepared.state.entries {
            return Err(RollbackError::Changed);
        }
    }
    let planned = Planned {
        command: who.command.clone(),
        author: who.author.clone(),
        time: who.time,
        restore_points: [(environment.to_owned(), restore)].into(),
        undoes: target.undoes,
        base: head.operation,
        refs: target.refs.clone(),
    };
    Ok(Staged { prepared, transaction, planned })
}

/// Compares what is on disk now with what was asked for.
fn verify(around: &Surroundings<'_>, head: &Head, target: &Target) -> Result<(), RollbackError> {
    let left = prepare(around, head, target, Keep::IdsOnly)?.plan;
    let differing: Vec<RelativePath> =
        left.steps.iter().filter(|step| step.changes_files()).map(|step| step.path().clone()).collect();
    if differing.is_empty() { Ok(()) } else { Err(RollbackError::NotReached(differing)) }
}

/// The Python version that the target's manifest names, for a virtual environment that has to be made.
fn wanted_python(around: &Surroundings<'_>, target: &Target) -> Result<Option<String>, RollbackError> {
    let Goal::Tree(tree) = &target.goal else { return Ok(None) };
    let root: Tree = (around.store as &dyn Objects).read(tree)?;
    Ok(manifest_in(around, &root)?.python())
}

/// Facts of this machine.
struct OnDisk<'s, 'a> {
    around: &'s Surroundings<'a>,
    linked: &'s Links,
    sources: BTreeMap<ObjectId, Vec<String>>,
}

impl<'s, 'a> OnDisk<'s, 'a> {
    fn new(around: &'s Surroundings<'a>, state: &'s State<'a>, target: &ObjectId) -> Result<Self, RollbackError> {
        let manifest = manifest_in(around, &state.trees.tree(target)?)?;
        let mut sources: BTreeMap<ObjectId, Vec<String>> =
            manifest.models().into_iter().map(|(id, facts)| (id, facts.sources)).collect();
        // Named since that version was committed.
        for (id, named) in Sources::new(around.store).all()? {
            let known = sources.entry(id).or_default();
            known.extend(named.into_iter().filter(|url| !known.contains(url)).collect::<Vec<_>>());
        }
        Ok(OnDisk { around, linked: &state.linked, sources })
    }
}

/// The manifest in a root tree; an empty one where there is none that can be read.
pub fn manifest_in(around: &Surroundings<'_>, root: &Tree) -> Result<Manifest, RollbackError> {
    let empty = || Manifest::new(around.environment.name().as_str());
    let Some(entry) = root.get(MANIFEST) else { return Ok(empty()) };
    let bytes = around.store.read_text(&entry.id)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(Manifest::parse(&text).unwrap_or_else(|_| empty()))
}

impl Facts for OnDisk<'_, '_> {
    fn holds(&self, id: &ObjectId) -> bool {
        // Opened, not only looked up: a reference leads to a user's file, which may be gone.
        self.around.store.open_observed(id, self.around.observer).is_ok()
    }

    fn is_linked(&self, node: &RelativePath) -> bool {
        self.linked.contains_key(node)
    }

    fn model(&self, path: &RelativePath, entry: &Entry) -> ModelPlace {
        model_place::of(self.around, path.as_str(), &entry.id, entry.size)
    }

    fn model_home(&self, path: &RelativePath) -> PathBuf {
        model_place::home(self.around, path.as_str())
    }

    fn sources(&self, id: &ObjectId) -> Vec<String> {
        self.sources.get(id).cloned().unwrap_or_default()
    }
}
