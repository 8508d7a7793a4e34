//! A commit as a value.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ObjectId, Time};

/// The state of an environment at a moment: its root tree, what came before, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub tree: ObjectId,
    /// First the snapshot that this one follows, then those merged into it.
    pub parents: Vec<ObjectId>,
    /// The environment's name when the snapshot was made; empty for one made by plumbing outside any.
    pub environment: String,
    pub author: String,
    pub time: Time,
    pub message: String,
    /// The program that made it, such as `comfrey 0.1.0`.
    pub tool: String,
}

impl Snapshot {
    /// What the running program writes into `tool`.
    pub const TOOL: &'static str = concat!("comfrey ", env!("CARGO_PKG_VERSION"));

    /// The first line of the message.
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or("")
    }
}

/// The text form: a header line a field, an empty line, the message.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "tree {}", self.tree)?;
        for parent in &self.parents {
            writeln!(f, "parent {parent}")?;
        }
        writeln!(f, "environment {}", self.environment)?;
        writeln!(f, "author {}", self.author)?;
        writeln!(f, "time {}", self.time)?;
        writeln!(f, "tool {}", self.tool)?;
        writeln!(f, "\n{}", self.message)
    }
}
