//! Merging two versions of an environment: what each part of a snapshot becomes, and what a person has to decide.
//!
//! All of it is decided before anything is touched, from three root trees alone: [`compose()`] answers with a tree and with the conflicts.
//! The tree is then brought about as any other is, by [`super::rollback`]. `revert` is the same with the version that is taken back in the place of the
//! common one.
//!
//! - [`conflict`]: what both changed, and who decided it
//! - [`nodes`]: custom nodes, each as a whole
//! - [`files`]: workflows, and all else that is merged by path
//! - [`references`]: what a workflow that is made of both refers to
//! - [`manifest`]: what the manifest says of what was chosen
//! - [`models`]: the models that the merged workflows use
//! - [`mod@compose`]: all of them together

pub mod compose;
pub mod conflict;
mod files;
mod manifest;
mod models;
mod nodes;
mod references;

pub use compose::{Lock, MergeError, Merged, MergedPath, Roots, compose};
pub use conflict::{Choices, Conflict, Kind};
