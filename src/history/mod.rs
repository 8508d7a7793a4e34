//! Refs, revisions, operations, and the difference of trees. Works on objects of the store and knows nothing of
//! files or environments; an environment is a name here, the first word of its refs.
//!
//! - [`objects`]: what history asks of the store
//! - [`ref_name`]: names of refs, checked
//! - [`mod@refs`]: all refs at one moment, as a value
//! - [`mod@operations`]: the log of operations; a change of refs as a transaction
//! - [`undo`]: which operation `undo` takes back and `redo` brings back
//! - [`syntax`]: the text of a revision, parsed
//! - [`revision`]: a revision looked up
//! - [`version`]: first parents, and the numbers v1, v2, … along them
//! - [`walk`]: snapshots, children before parents
//! - [`reachable`]: trees and blobs that snapshots need
//! - [`mod@tree_diff`]: what differs between two trees
//! - [`merge_base`]: what two snapshots have in common
//! - [`three_way`]: whose version of a thing a merge takes
//! - [`tree_merge`]: that for the paths of trees
//! - [`error`]: what can go wrong

pub mod error;
pub mod merge_base;
pub mod objects;
pub mod operations;
pub mod reachable;
pub mod ref_name;
pub mod refs;
pub mod revision;
pub mod syntax;
pub mod three_way;
pub mod tree_diff;
pub mod tree_merge;
pub mod undo;
pub mod version;
pub mod walk;

pub use error::{Error, Result};
pub use merge_base::merge_bases;
pub use objects::Objects;
pub use operations::{Record, operations, refs, transact};
pub use ref_name::RefName;
pub use refs::{RefChange, Refs};
pub use revision::{Resolved, View, resolve};
pub use three_way::Side;
pub use tree_diff::{Change, ChangeKind, TreeDiff, tree_diff};
pub use version::first_parents;
