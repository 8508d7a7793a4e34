//! Objects as pure values, and the one encoding of each.
//!
//! - [`id`]: object ids and prefixes of them
//! - [`name`]: names that may stand in a tree, and relative paths made of them
//! - [`tree`]: a directory as a value
//! - [`snapshot`]: a commit as a value
//! - [`operation`]: one command's change to refs and working files
//! - [`time`]: a moment with its UTC offset
//! - [`quote`]: names in lines of text
//! - [`encoding`]: values to bytes and back, and their ids

pub mod encoding;
#[cfg(test)]
mod golden;
pub mod id;
pub mod name;
pub mod operation;
pub mod quote;
pub mod snapshot;
pub mod time;
pub mod tree;

pub use encoding::{DecodeError, Encoded, Kind};
pub use id::{IdPrefix, ObjectId};
pub use name::{EntryName, NameError, RelativePath};
pub use operation::{Operation, RefTarget};
pub use snapshot::Snapshot;
pub use time::Time;
pub use tree::{Entry, EntryKind, Tree, TreeError};
