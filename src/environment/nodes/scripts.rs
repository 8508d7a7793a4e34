//! Scripts of a node that run by themselves: named, and run only with consent.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::environment::draft::DraftError;
use crate::environment::manifest::NodeFacts;
use crate::environment::python::PythonError;
use crate::environment::python::outside;
use crate::environment::state::{self, Keep, Surroundings};
use crate::object::{EntryKind, ObjectId, RelativePath};
use crate::observer::Observer;
use crate::platform::durable;
use crate::worktree::{Trees, tree_at};

use super::edits;
use super::error::{NodeError, io_error};

/// Run once after installing, by ComfyUI-Manager and by us.
pub const INSTALL: &str = "install.py";
/// Run by ComfyUI itself at every start.
pub const AT_START: &str = "prestartup_script.py";

/// How many of its last lines an error has.
const LAST_LINES: usize = 12;

/// The scripts that a node has, of those above.
pub fn scripts(trees: &(impl Trees + ?Sized), tree: &ObjectId) -> Result<Vec<&'static str>, NodeError> {
    let mut found = Vec::new();
    for name in [INSTALL, AT_START] {
        let path = crate::object::RelativePath::new(name)?;
        let entry = tree_at(trees, tree, &path)?;
        if entry.is_some_and(|entry| matches!(entry.kind, EntryKind::File | EntryKind::Executable)) {
            found.push(name);
        }
    }
    Ok(found)
}

/// Where a script is run.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The node's key, for messages.
    pub key: &'a str,
    /// Its folder.
    pub folder: &'a Path,
    /// The Python that ComfyUI runs with, if one is known.
    pub python: Option<&'a Path>,
    pub comfyui: &'a Path,
    /// Takes what the script says.
    pub log: &'a Path,
}

/// Notes in the manifest on disk which files the node has now that its install script has run, so that those which the script made are no edits. `kept` are paths at which what
/// someone edited was kept: there the node is what it was before that, in the tree `base`. The files come into the store. The environment's lock must be held.
pub fn note_installed<'p>(
    around: &Surroundings<'_>,
    path: &RelativePath,
    kept: impl Iterator<Item = &'p RelativePath>,
    base: &ObjectId,
) -> Result<(), NodeError> {
    let writer = around.store.writer()?;
    let state = state::read(around, Keep::Stored(&writer))?;
    writer.publish()?;
    let mut manifest = around.environment.manifest().map_err(DraftError::from)?;
    let nodes = manifest.nodes();
    let Some((key, facts)) = nodes.into_iter().find(|(_, facts)| facts.path == path.as_str()) else { return Ok(()) };
    let root = state.root(None)?;
    let root = crate::worktree::KeepTree::keep(&state.trees, &root)?;
    let Some(entry) = tree_at(&state.trees, &root, path)? else { return Ok(()) };
    let installed = edits::as_in(&state.trees, &entry.id, base, kept)?;
    if entry.id == facts.tree && facts.installed.is_none() {
        return Ok(());
    }
    edits::keep_trees(&state.trees, &installed)?;
    let fetched = facts.fetched.or(Some(facts.tree));
    manifest.set_node(&key, &NodeFacts { tree: entry.id, fetched, installed: Some(installed), ..facts });
    let place = around.environment.manifest_path();
    let above = place.parent().unwrap_or(&place);
    let write = || -> std::io::Result<()> {
        let mut file = durable::new_aside(above, ".comfrey-")?;
        file.write_all(manifest.to_string().as_bytes())?;
        file.as_file().sync_all()?;
        let aside = file.into_temp_path().keep().map_err(|error| error.error)?;
        durable::rename(&aside, &place)
    };
    write().map_err(io_error(&place))
}

/// Runs a node's install script as ComfyUI-Manager does: in its folder, by ComfyUI's Python, with `COMFYUI_PATH` set.
pub fn run_install(place: &Place<'_>, observer: &dyn Observer) -> Result<(), NodeError> {
    let script = || INSTALL.to_owned();
    let key = || place.key.to_owned();
    let Some(python) = place.python else {
        let reason = "no Python of this environment is known".to_owned();
        return Err(NodeError::NoScript { key: key(), script: script(), reason });
    };
    let mut command = Command::new(python);
    command.arg(INSTALL).current_dir(place.folder);
    command.env("COMFYUI_PATH", place.comfyui).env("COMFYUI_FOLDERS_BASE_PATH", place.comfyui);
    let ended = match outside::run(&mut command, "running install.py", Some(place.log), observer) {
        Ok(ended) => ended,
        Err(PythonError::Interrupted) => return Err(NodeError::Interrupted),
        Err(PythonError::Unstartable { program, source }) => {
            let reason = format!("{}: {source}", program.display());
            return Err(NodeError::NoScript { key: key(), script: script(), reason });
        }
        Err(error) => return Err(error.into()),
    };
    match ended.status.success() {
        true => Ok(()),
        false => Err(NodeError::Script {
            key: key(),
            script: script(),
            code: ended.status.code(),
            lines: ended.last_lines(LAST_LINES),
        }),
    }
}
