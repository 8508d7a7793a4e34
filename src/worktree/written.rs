//! How a folder is to become a tree, and what came of it.

use super::build::KeepTree;
use super::ignore::IgnoreRules;
use super::problem::Problem;
use super::weights::Weights;
use crate::object::ObjectId;
use crate::store::{LinkPolicy, Writer};

/// Whether what is read is kept.
#[derive(Clone, Copy)]
pub enum Mode<'a> {
    /// Objects go to this writer; the caller publishes before it shows an id.
    Store(&'a Writer),
    /// Only ids are made; nothing but the digests of files is remembered, and that only if it can be.
    HashOnly,
    /// The same, and trees are handed to this, so that they can be looked into.
    Trees(&'a (dyn KeepTree + Sync)),
}

/// How a tree is made.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    pub ignore: IgnoreRules,
    pub weights: Weights,
    /// How the store comes to large files. A user edits these, so the default is a copy of its own (a reflink where possible).
    pub files: LinkPolicy,
    /// The same for `model` entries, which are many times larger and are not edited in place.
    pub models: LinkPolicy,
    /// A tree whose executable files are executable in the new one too, for a system on which no file is: what was made elsewhere is then
    /// still the same (invariant W8).
    pub executable_as_in: Option<ObjectId>,
}

impl Default for WriteOptions {
    fn default() -> Self {
        WriteOptions {
            ignore: IgnoreRules::default(),
            weights: Weights::default(),
            files: LinkPolicy::Copy,
            models: LinkPolicy::Auto,
            executable_as_in: None,
        }
    }
}

/// What became of a folder.
#[derive(Debug)]
pub struct Written {
    /// The root tree.
    pub id: ObjectId,
    /// Bytes of all files and link targets.
    pub size: u64,
    pub counts: Counts,
    /// Sorted by path. See [`Reason::left_out`](super::problem::Reason::left_out).
    pub problems: Vec<Problem>,
}

/// How many of each kind a tree holds, and how many files had to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Files of any kind, models too.
    pub files: u64,
    pub models: u64,
    pub links: u64,
    /// Without the root.
    pub folders: u64,
    /// Files whose digest was not known.
    pub read: u64,
}

impl Written {
    /// True when something that no rule ignores is missing in the tree.
    pub fn is_incomplete(&self) -> bool {
        self.problems.iter().any(|problem| problem.reason.left_out())
    }
}
