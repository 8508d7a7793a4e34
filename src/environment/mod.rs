//! Workspaces and environments: what a user's machine holds, and how it is brought from one state to another.
//!
//! The folder and who works on it:
//!
//! - [`name`]: the name of an environment
//! - [`config`]: the settings in `comfrey.toml`
//! - [`workspace`]: the folder that holds the store and the environments
//! - [`environment`]: one ComfyUI installation and this machine's facts about it
//! - [`layout`]: where things lie in a ComfyUI installation, and how one is recognised
//! - [`program`]: which files of it are ComfyUI itself
//! - [`git`]: what a git clone says of itself
//! - [`discover`]: the installations of a machine
//! - [`making`]: getting a ComfyUI and making an environment of it; copies; the trash
//! - [`adopt`]: taking an installation as it lies
//! - [`lock`]: one writer an environment
//! - [`launch`]: its ComfyUI as a running program
//! - [`doctor`]: what is wrong with it, how that is known, and what mends it
//!
//! From files to a snapshot:
//!
//! - [`snapshot_tree`]: what stands where in a snapshot, and where that lies on disk
//! - [`state`]: the working state as a value
//! - [`fresh_trees`]: its trees, before they are in a store
//! - [`readings`]: what workflows say
//! - [`uses`]: what they use: models and packages
//! - [`needs`]: what workflows need, and whether it is here
//! - [`nodes`]: custom nodes: where they came from, what they are, and how they come, change and go
//! - [`manifest`]: `.cec/pyproject.toml`, read and edited with its comments
//! - [`draft`]: what a commit would record
//! - [`resolving`]: answers for workflows, remembered and, if wished, written into them
//! - [`status`]: what is different now from the last commit
//! - [`head`]: the version that an environment is at
//! - [`commit`]: the draft becomes a snapshot
//! - [`python`]: the packages that ComfyUI and its nodes want, and a virtual environment that has them
//!
//! And back:
//!
//! - [`compare`]: from two snapshots' trees to the steps between them
//! - [`plan`]: what a command will do to working files, as a value
//! - [`clones`]: git clones among the nodes, which follow their files
//! - [`restore_point`]: the working state just before
//! - [`staging`]: a plan turned into staged files and renames
//! - [`journal`]: the renames, and how far they are
//! - [`transaction`]: all of it as one step
//! - [`recovery`]: what a killed command left, brought to its end
//! - [`rollback`]: the working state made equal to a version, or to what was before an operation
//! - [`merging`]: two versions made one, before it is brought about
//! - [`other_comfyui`]: another ComfyUI than a version had, where it is its user's
//! - [`model_roots`]: where an environment's ComfyUI finds models
//! - [`model_place`]: what lies where a model should be
//! - [`copies`]: files outside the store that may hold an object's bytes

pub mod adopt;
pub mod clones;
pub mod commit;
pub mod compare;
pub mod config;
pub mod copies;
pub mod discover;
pub mod doctor;
pub mod draft;
#[allow(clippy::module_inception, reason = "the floor is named for its main concept, which has a room of its own")]
pub mod environment;
pub mod fresh_trees;
pub mod git;
pub mod head;
pub mod journal;
pub mod launch;
pub mod layout;
pub mod lock;
pub mod making;
pub mod manifest;
pub mod merging;
pub mod model_place;
pub mod model_roots;
pub mod name;
pub mod needs;
pub mod nodes;
pub mod other_comfyui;
pub mod plan;
pub mod program;
pub mod python;
pub mod readings;
pub mod recovery;
pub mod resolving;
pub mod restore_point;
pub mod rollback;
pub mod snapshot_tree;
pub mod staging;
pub mod state;
pub mod status;
pub mod transaction;
pub mod uses;
pub mod workspace;

pub use environment::{Environment, EnvironmentError};
pub use name::EnvironmentName;
pub use workspace::{Search, Workspace, WorkspaceError};
