//! Which files of a ComfyUI folder are ComfyUI itself, and which are its user's.
//!
//! The folders that ComfyUI fills are those of its `folder_paths.py`; what its repository puts there is so little that it is named.

use crate::environment::draft::comfyui_facts;
use crate::environment::layout::Kind;
use crate::environment::manifest::ComfyUiFacts;
use crate::environment::rollback::{RollbackError, manifest_in};
use crate::environment::state::Surroundings;
use crate::object::ObjectId;
use crate::worktree::{IgnoreRules, Trees, Weights, WriteOptions};

/// What a release brings: the program, and the few files that it has in its user's folders.
const RELEASE: &str = "\
/user
/temp
/models/*/*
!/models/*/put_*
!/models/configs/*
/input/*
!/input/example.png
/output/*
!/output/_output_images_will_be_put_here
/custom_nodes/*
!/custom_nodes/example_node.py.example
!/custom_nodes/websocket_image_save.py
/extra_model_paths.yaml
/venv
/*.log
";

/// The program alone, as a snapshot of an environment holds it beside nodes and workflows.
const PROGRAM: &str = "\
/user
/temp
/models
/input
/output
/custom_nodes
/extra_model_paths.yaml
/venv
/*.log
";

/// How the files of a release are read from a folder of it, which may be in use.
pub fn release() -> WriteOptions {
    options(RELEASE)
}

/// How the program of an environment is read.
pub fn program() -> WriteOptions {
    options(PROGRAM)
}

fn options(lines: &str) -> WriteOptions {
    // Rules that lie in a source are its author's.
    let ignore = IgnoreRules { rule_files: false, ..IgnoreRules::default() }.with_lines(lines);
    WriteOptions { ignore, weights: Weights::AsFiles, ..WriteOptions::default() }
}

/// ComfyUI as it is and as a version had it, where the two differ and it is not ours to change: the program of an adopted environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    pub now: ComfyUiFacts,
    pub then: ComfyUiFacts,
}

/// Which other ComfyUI the version with this root tree had.
pub fn other(around: &Surroundings<'_>, tree: &ObjectId) -> Result<Option<Other>, RollbackError> {
    if around.environment.facts().kind == Kind::Created {
        return Ok(None);
    }
    let manifest = manifest_in(around, &around.store.tree(tree)?)?;
    let Some(then) = manifest.comfyui() else { return Ok(None) };
    let now = comfyui_facts(around, &manifest);
    let differs = match (&then.commit, &now.commit) {
        (Some(then), Some(now)) => then != now,
        _ => then.version.is_some() && then.version != now.version,
    };
    Ok(differs.then_some(Other { now, then }))
}
