//! What both changed in a workflow, and not alike.

use crate::history::Side;

/// What of a workflow a conflict is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A value: a widget, `mode`, `title`, a key of the file with points.
    Value(String),
    /// What feeds an input.
    Input(String),
    /// The node itself, or a whole subgraph: one side took it away.
    Whole,
}

/// A conflict.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// The subgraph's name; nothing at the root.
    pub graph: Option<String>,
    /// The node's id, its class and title; nothing for what the graph has.
    pub node: Option<(String, String, Option<String>)>,
    pub about: About,
    /// What each has; nothing where it has nothing.
    pub base: Option<serde_json::Value>,
    pub ours: Option<serde_json::Value>,
    pub theirs: Option<serde_json::Value>,
}

impl Conflict {
    /// What it is called within its file: `3:steps`, `Style/2:lora_name`, `extra.key`.
    pub fn name(&self) -> String {
        let graph = self.graph.as_ref().map(|graph| format!("{graph}/")).unwrap_or_default();
        let node = self.node.as_ref().map(|(id, ..)| id.as_str()).unwrap_or_default();
        match &self.about {
            About::Value(part) | About::Input(part) if self.node.is_some() => format!("{graph}{node}:{part}"),
            About::Value(part) | About::Input(part) => format!("{graph}{part}"),
            About::Whole if self.node.is_some() => format!("{graph}{node}"),
            About::Whole => graph.trim_end_matches('/').to_owned(),
        }
    }
}

/// Who decides: asked of each conflict, it answers with the side to go on with.
pub type Decide<'d> = &'d mut dyn FnMut(Conflict) -> Side;

/// Changes that the merge does not understand: the file is one conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the changes cannot be put together")]
pub struct Beyond;
