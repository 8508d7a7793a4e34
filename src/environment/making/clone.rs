//! A copy of an environment as it is now, uncommitted work included: its ComfyUI, nodes, workflows, settings, inputs, packages. What it has
//! put out stays behind, and its history: the copy begins with a version of its own.

use std::path::{Path, PathBuf};

use crate::environment::commit;
use crate::environment::environment::{Environment, Facts};
use crate::environment::layout::Kind;
use crate::environment::name::EnvironmentName;
use crate::environment::snapshot_tree::{MANIFEST, UV_LOCK};
use crate::environment::transaction::Transaction;
use crate::environment::workspace::Workspace;
use crate::models::extra_paths::FILE_NAME;
use crate::object::ObjectId;
use crate::worktree::ignore::RULE_FILES;

use super::copying::{Copied, copy};
use super::create::{self, CreateError, Creation, Making, io_error, make_python, name_and_fill};
use super::folders;

type Result<T, E = CreateError> = std::result::Result<T, E>;

/// An environment that was copied.
#[derive(Debug, Clone)]
pub struct Cloned {
    pub environment: Environment,
    pub snapshot: ObjectId,
    pub copied: Copied,
}

/// What of ComfyUI's folder stays behind: the history of the program, what it has put out, models, which are shared.
const STAYS: [&str; 6] = [".git", "output", "temp", "models", ".venv", FILE_NAME];

/// Finds out what copying to `name` would do.
///
/// # Errors
/// The name is taken, or all ports are.
pub fn plan(workspace: &Workspace, name: EnvironmentName) -> Result<Creation> {
    create::plan(workspace, name)
}

/// Makes the copy. Nobody else may write to `original` meanwhile.
///
/// # Errors
/// Nothing of it is left then; what cannot be taken away now, the next command takes away.
pub fn carry_out(
    creation: &Creation,
    workspace: &mut Workspace,
    original: &Environment,
    making: &Making<'_>,
) -> Result<Cloned> {
    let from = original.facts();
    let facts = Facts {
        comfyui: PathBuf::from("ComfyUI"),
        kind: Kind::Created,
        python: None,
        port: Some(creation.port),
        user: None,
        ..from.clone()
    };
    let staged = creation.birth.stage(workspace, &facts)?;
    let comfyui = staged.folder().join("ComfyUI");
    let copied = copy_all(&original.comfyui(), &comfyui, &STAYS, making)?;
    if from.user.is_some() {
        // It lay elsewhere.
        let user = comfyui.join("user");
        if user.exists() {
            std::fs::remove_dir_all(&user).map_err(io_error(&user))?;
        }
        copy_all(&original.user_dir(), &user, &[], making)?;
    }
    for folder in ["custom_nodes", "input", "output", "models", "user"] {
        let folder = comfyui.join(folder);
        std::fs::create_dir_all(&folder).map_err(io_error(&folder))?;
    }
    let is_linked = original.models_dir().is_symlink() || from.kind != Kind::Created;
    let wish = if is_linked { folders::Wish::Auto } else { folders::Wish::File };
    folders::share(&comfyui, &creation.shared, wish).map_err(io_error(&comfyui))?;
    for name in [MANIFEST, UV_LOCK].iter().chain(&RULE_FILES) {
        let (from, to) = (original.cec().join(name), staged.folder().join(".cec").join(name));
        if from.is_file() {
            std::fs::copy(&from, &to).map_err(io_error(&to))?;
        }
    }
    let wanted = original.venv().version();
    let (snapshot, environment, ()) = name_and_fill(&creation.birth, staged, workspace, making, |around| {
        if let Some(python) = making.python {
            make_python(around.environment, wanted.as_deref(), python, making.observer)?;
        }
        let transaction =
            Transaction::begin_with(commit::surroundings(around), &making.who.command, creation.birth.born());
        Ok((transaction, format!("Cloned from {}", original.name()), ()))
    })?;
    Ok(Cloned { environment, snapshot, copied })
}

fn copy_all(from: &Path, to: &Path, without: &[&str], making: &Making<'_>) -> Result<Copied> {
    copy(from, to, without, making.observer).map_err(|(path, source)| match source.kind() {
        std::io::ErrorKind::Interrupted => CreateError::Interrupted,
        _ => CreateError::Io { path, source },
    })
}
