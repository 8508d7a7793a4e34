//! The differences of two workflows, as a value.

use serde::Serialize;

use crate::workflow::{DefinitionKind, Mode};

/// What differs between two workflows.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct WorkflowDiff {
    /// Graphs that differ: the root first, then subgraphs and groups in the order of the new file, then those that are gone.
    pub graphs: Vec<GraphDiff>,
    /// Packages of nodes whose versions differ, or that only one of the two uses, as the files recorded them.
    pub packages: Vec<PackageDiff>,
}

impl WorkflowDiff {
    /// True when nothing differs that counts.
    pub fn is_empty(&self) -> bool {
        self.graphs.is_empty() && self.packages.is_empty()
    }

    /// How many nodes were added, removed and changed.
    pub fn counts(&self) -> [usize; 3] {
        let nodes = || self.graphs.iter().flat_map(|graph| &graph.nodes);
        [Change::Added, Change::Removed, Change::Changed]
            .map(|change| nodes().filter(|node| node.change == change).count())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    Added,
    Removed,
    Changed,
}

/// One graph that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GraphDiff {
    /// Nothing for the root.
    pub subgraph: Option<Subgraph>,
    pub change: Change,
    /// In the order of the new file, then those that are gone. Of a graph that is added or removed, all of its nodes.
    pub nodes: Vec<NodeDiff>,
    /// What a subgraph hands out, by the name of its output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<InputDiff>,
    /// How many nodes have another id and are the same otherwise.
    pub renumbered: usize,
    /// Groups, reroutes and what was in view.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layout: Vec<ValueDiff>,
}

/// A subgraph or group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subgraph {
    pub id: String,
    pub name: String,
    #[serde(serialize_with = "kind")]
    pub kind: DefinitionKind,
}

fn kind<S: serde::Serializer>(kind: &DefinitionKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match kind {
        DefinitionKind::Subgraph => "subgraph",
        DefinitionKind::Group => "group",
    })
}

/// One node that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeDiff {
    pub change: Change,
    /// In the new file; of a node that is gone, in the old one.
    pub node: String,
    /// In the old file, where it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// The class; of an instance the name of its subgraph.
    #[serde(rename = "type")]
    pub class: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Of an added node all its values, of a removed one none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueDiff>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputDiff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<ModeDiff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub titles: Option<TitleDiff>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layout: Vec<ValueDiff>,
}

/// A value that differs. `old` or `new` is absent where there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ValueDiff {
    /// The widget, where the file tells its name, else its position; below it keys of an object, with points.
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<serde_json::Value>,
}

/// An input that is fed by something else. `old` or `new` is absent where nothing feeds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputDiff {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Fed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Fed>,
}

/// What feeds an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fed {
    /// Absent for an input of the subgraph around the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Its class; absent where the file does not hold the node.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    pub slot: usize,
    /// The name of the output, or of the subgraph's input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ModeDiff {
    #[serde(serialize_with = "mode")]
    pub old: Mode,
    #[serde(serialize_with = "mode")]
    pub new: Mode,
}

fn mode<S: serde::Serializer>(mode: &Mode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(mode_word(*mode))
}

/// A mode as the editor's menu has it.
pub(super) fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Always => "always",
        Mode::OnEvent => "on-event",
        Mode::Muted => "muted",
        Mode::OnTrigger => "on-trigger",
        Mode::Bypassed => "bypassed",
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TitleDiff {
    pub old: Option<String>,
    pub new: Option<String>,
}

/// A package whose versions differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageDiff {
    pub change: Change,
    /// The registry's id, or `owner/repository`.
    pub package: String,
    /// Versions that nodes of the old file were saved with, sorted.
    pub old: Vec<String>,
    pub new: Vec<String>,
}
