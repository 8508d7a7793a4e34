//! Files to trees and back.
//!
//! - [`mod@write_tree`]: a folder becomes a tree
//! - [`written`]: how, and what came of it
//! - [`witness`]: what a folder looked like, to see at once that nothing has changed
//! - [`weights`]: which files are models
//! - [`mod@check_out`]: a tree becomes a folder
//! - [`mod@tree_at`]: the entry at a path, and all entries in order
//! - [`build`]: trees made of entries rather than of files
//! - [`ignore`]: which files stay out of trees
//! - [`walk`]: a folder on disk, listed in parallel
//! - [`problem`]: what a walk could not take in, or took in with a doubt

pub mod build;
pub mod check_out;
pub mod error;
pub mod ignore;
pub mod problem;
pub mod tree_at;
pub mod walk;
pub mod weights;
pub mod witness;
pub mod write_tree;
pub mod written;

pub use build::{IdsOnly, KeepTree, build_tree, graft};
pub use check_out::{CheckOutOptions, CheckedOut, check_out};
pub use error::Error;
pub use ignore::IgnoreRules;
pub use problem::{Problem, Reason};
pub use tree_at::{Needed, Trees, is_held, tree_at, walk_tree};
pub use weights::Weights;
pub use write_tree::write_tree;
pub use written::{Mode, WriteOptions, Written};
