//! One command's change to refs and working files.
//!
//! An operation holds all refs after it, so that refs and their history are objects like everything else: the
//! index only points at the newest operation, and losing the index loses no name.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ObjectId, Time};

/// What a ref points at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RefTarget {
    /// A snapshot.
    Snapshot(ObjectId),
    /// Another ref, by its full name; `HEAD` points at a branch this way.
    Symbolic(String),
}

/// One command's change, and all refs after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The operation before; absent only for a workspace's first.
    pub parent: Option<ObjectId>,
    /// The command line as a person would type it, such as `commit -m "first"`.
    pub command: String,
    pub author: String,
    pub time: Time,
    /// Every ref by its full name: `ENVIRONMENT/HEAD`, `ENVIRONMENT/heads/main`, `ENVIRONMENT/tags/x`.
    pub refs: BTreeMap<String, RefTarget>,
    /// By environment, a snapshot of its working state just before the command rewrote files.
    pub restore_points: BTreeMap<String, ObjectId>,
    /// The operation whose effect this one took back.
    pub undoes: Option<ObjectId>,
}

impl fmt::Display for RefTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RefTarget::Snapshot(id) => write!(f, "{id}"),
            RefTarget::Symbolic(name) => write!(f, "-> {name}"),
        }
    }
}

/// The text form: a header line a field, then `ref NAME TARGET` and `restore NAME ID` lines, an empty line, the command.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = &self.parent {
            writeln!(f, "parent {parent}")?;
        }
        writeln!(f, "author {}", self.author)?;
        writeln!(f, "time {}", self.time)?;
        if let Some(undone) = &self.undoes {
            writeln!(f, "undoes {undone}")?;
        }
        for (name, target) in &self.refs {
            writeln!(f, "ref {name} {target}")?;
        }
        for (environment, id) in &self.restore_points {
            writeln!(f, "restore {environment} {id}")?;
        }
        writeln!(f, "\n{}", self.command)
    }
}
