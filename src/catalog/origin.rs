//! Where a node's class comes from.

use serde::{Deserialize, Serialize};

/// Where a node's class comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// ComfyUI itself.
    Builtin,
    /// A custom node package.
    Custom,
    /// The editor, or a script that a package adds to it: never run, so nothing needs to be installed for it.
    Frontend,
    /// An instance of a subgraph.
    Subgraph,
    /// An instance of a group.
    Group,
    Unknown,
}

/// Classes of the editor itself.
const FRONTEND: [&str; 4] = ["MarkdownNote", "Note", "PrimitiveNode", "Reroute"];

impl super::Catalog {
    /// Where `class` comes from.
    pub fn origin(&self, class: &str) -> Origin {
        if FRONTEND.contains(&class.trim()) { Origin::Frontend } else { Origin::Unknown }
    }
}
