//! `.cec/pyproject.toml`: what an environment is made of, as a file that a person edits and uv accepts.
//!
//! What uv does not know stands in `[tool.comfrey.*]`. An edit changes the values that differ and nothing else, so that
//! comments, order and unknown keys survive (invariant E20). New entries go to their place in the order of
//! names, so that the same facts give the same text (invariant E21).
//!
//! - [`document`]: the file as a whole
//! - [`facts`]: what it says, as values
//! - [`comfyui`], [`nodes`], [`workflows`], [`models`]: its parts, read and set
//! - [`requirements`]: what uv resolves
//! - [`merge`]: two manifests and the one that both came from
//! - [`shape`]: what may stand where
//! - [`error`]: why a text is no manifest
//! - [`edit`]: how a value is changed so that all else stays

mod comfyui;
pub mod document;
mod edit;
mod error;
pub mod facts;
mod merge;
mod models;
mod nodes;
pub mod requirements;
mod shape;
#[cfg(test)]
mod tests;
mod workflows;

pub use crate::resolve::Slot;
pub use document::{Manifest, project_name};
pub use error::{ManifestError, ReadError};
pub use facts::{Answer, ComfyUiFacts, ModelFacts, ModelUse, NodeFacts, NodeSource, WorkflowFacts, sources};
pub use merge::Clash;
pub use requirements::{ADDED, group_of_node};
