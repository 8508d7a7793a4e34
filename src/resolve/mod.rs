//! From what a workflow says to files on disk.
//!
//! - [`model`]: the rules, as a pure function of a reference and what is known of files
//! - [`choice`]: the same with ids looked up where the answer depends on them
//! - [`rewriting`]: what a workflow must say so that ComfyUI finds the file

pub mod choice;
pub mod model;
pub mod rewriting;

pub use choice::resolve_models;
pub use model::{Candidate, Resolution, Rule, Status, resolve_model};
pub use rewriting::{changes, listed_value};
