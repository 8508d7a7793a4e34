//! What nodes require of Python: read from the files that came, taken into the manifest, and resolved together with everything else before
//! anything is touched.

use crate::environment::environment::Interpreter;
use crate::environment::manifest::Manifest;
use crate::environment::python::packages::{PackagesError, lock_of};
use crate::environment::python::requirements::{Requirements, Whose};
use crate::environment::python::{Project, Python};
use crate::environment::state::Surroundings;
use crate::object::{EntryKind, ObjectId};
use crate::store::Store;
use crate::store::staging::Staging;
use crate::worktree::walk_tree;

use super::error::{NodeError, io_error};

/// Larger files are no lists of requirements.
const LARGEST: u64 = 1 << 20;

/// What the node with this tree requires. Nothing of it is run.
pub fn of_tree(store: &Store, tree: &ObjectId) -> Result<Requirements, NodeError> {
    let staging = Staging::new(store.dir(), "requirements")?;
    for found in walk_tree(store, tree) {
        let (path, entry) = found?;
        let is_file = matches!(entry.kind, EntryKind::File | EntryKind::Executable);
        if !is_file || entry.size > LARGEST || !may_say(path.as_str()) {
            continue;
        }
        let place = path.below(staging.folder());
        let above = place.parent().unwrap_or(staging.folder());
        std::fs::create_dir_all(above).map_err(io_error(above))?;
        std::fs::write(&place, store.read_text(&entry.id)?).map_err(io_error(&place))?;
    }
    Ok(Requirements::of(staging.folder(), Whose::Node))
}

/// True for names of files that list requirements, or that such files may include.
fn may_say(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(name, "pyproject.toml" | "setup.py" | "setup.cfg") || name.ends_with(".txt") || name.ends_with(".in")
}

/// Whose Python the environment's ComfyUI runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// Comfrey's: what is in the manifest is installed.
    Comfrey,
    /// Someone else's: nothing in it is changed.
    Other,
}

impl Keeper {
    pub fn of(around: &Surroundings<'_>) -> Self {
        match around.environment.interpreter() {
            Interpreter::Own(_) => Keeper::Comfrey,
            Interpreter::Foreign(_) | Interpreter::Unknown => Keeper::Other,
        }
    }
}

/// The lock for a manifest: versions that fit all of it. Nothing is touched.
///
/// # Errors
/// There are none; then two who disagree are named.
pub fn resolve(around: &Surroundings<'_>, manifest: &Manifest, python: &dyn Python) -> Result<String, PackagesError> {
    let venv = around.environment.venv();
    let interpreter = venv.is_present().then(|| venv.python().to_string_lossy().into_owned());
    let wanted = manifest.python();
    let lock = lock_of(around)?;
    let project = Project {
        folder: around.environment.folder(),
        manifest: &manifest.to_string(),
        lock: lock.as_deref(),
        python: interpreter.as_deref().or(wanted.as_deref()),
        upgrade: &[],
    };
    Ok(python.resolve(&project, around.observer)?)
}
