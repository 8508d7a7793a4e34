//! Which files of a ComfyUI folder are ComfyUI itself, and which are its user's.
//!
//! The folders that ComfyUI fills are those of its `folder_paths.py`; what its repository puts there is so little that it is named.

use crate::worktree::{IgnoreRules, Weights, WriteOptions};

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
