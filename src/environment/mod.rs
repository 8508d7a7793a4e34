//! Workspaces and environments: what a user's machine holds, and how it is brought from one state to another.
//!
//! - [`name`]: the name of an environment
//! - [`config`]: the settings in `comfrey.toml`
//! - [`workspace`]: the folder that holds the store and the environments
//! - [`environment`]: one ComfyUI installation and this machine's facts about it
//! - [`layout`]: where things lie in a ComfyUI installation, and how one is recognised
//! - [`git`]: what a git clone says of itself
//! - [`discover`]: the installations of a machine
//! - [`adopt`]: taking an installation as it lies
//! - [`lock`]: one writer an environment
//! - [`manifest`]: `.cec/pyproject.toml`, read and edited with its comments

pub mod adopt;
pub mod config;
pub mod discover;
#[allow(clippy::module_inception, reason = "the floor is named for its main concept, which has a room of its own")]
pub mod environment;
pub mod git;
pub mod layout;
pub mod lock;
pub mod manifest;
pub mod name;
pub mod workspace;

pub use environment::{Environment, EnvironmentError};
pub use name::EnvironmentName;
pub use workspace::{Search, Workspace, WorkspaceError};
