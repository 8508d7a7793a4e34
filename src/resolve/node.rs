//! The answer for a node type: which package has it.

use serde::{Deserialize, Serialize};

use super::model::Status;

/// A node type that a workflow uses, with what its nodes say of their package. Nodes that say the same are one need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeNeed {
    pub node_type: String,
    /// True for what ComfyUI itself has: its own nodes, those that exist in the browser alone, subgraphs, groups.
    pub built_in: bool,
    /// The registry's id, as the editor recorded it.
    pub cnr_id: Option<String>,
    /// A version or a git commit.
    pub ver: Option<String>,
    /// `owner/repository` of a package outside the registry.
    pub aux_id: Option<String>,
    /// Inputs as `name:TYPE` joined by `|` and hashed (8 hex digits), where the file tells them all.
    pub signature: Option<String>,
}

/// Which package has a node type.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeResolution {
    #[serde(skip)]
    pub node_type: String,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<NodeRule>,
    /// How sure, from 0 to 1.
    pub score: f64,
    /// The registry's id, or `owner/repository`; absent for what needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The version that the workflow was made with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// True when the package is in this environment and switched on, or none is needed.
    pub installed: bool,
    /// Where its files can be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// What there is to choose from, the likeliest first.
    pub candidates: Vec<PackageCandidate>,
}

/// Which rule found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeRule {
    /// ComfyUI itself has it.
    BuiltIn,
    /// The user said so before.
    Manifest,
    /// The user said so just now.
    Chosen,
    /// A package that is installed has it.
    Installed,
    /// The workflow names the package by its registry id.
    CnrId,
    /// The workflow names the repository.
    AuxId,
    /// A package that owns the name outright.
    Preemption,
    /// The only package with a node of this type and these inputs.
    Signature,
    /// The only package with a node of this type.
    Type,
    /// The likeliest of several packages with a node of this type.
    Ranked,
    /// The type's name is of the form of a package's names.
    Pattern,
    /// A package with a name or with types like it.
    Similar,
}

impl NodeRule {
    pub(super) fn score(self) -> f64 {
        match self {
            NodeRule::BuiltIn | NodeRule::Manifest | NodeRule::Chosen | NodeRule::Installed | NodeRule::CnrId => 1.0,
            NodeRule::AuxId => 0.98,
            NodeRule::Preemption => 0.95,
            NodeRule::Signature => 0.92,
            NodeRule::Type => 0.9,
            NodeRule::Ranked => 0.8,
            NodeRule::Pattern => 0.7,
            NodeRule::Similar => 0.6,
        }
    }
}

/// A package that may be meant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PackageCandidate {
    pub package: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    pub rule: NodeRule,
    pub score: f64,
    /// On GitHub, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stars: Option<u64>,
    pub installed: bool,
}

/// What was said of a node type in a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeChoice {
    Package(String),
    /// It is not needed.
    Skipped,
    /// Nobody knew; in a commit nobody is asked again.
    Open,
}

impl NodeResolution {
    pub(super) fn of(need: &NodeNeed, status: Status, rule: Option<NodeRule>) -> Self {
        NodeResolution {
            node_type: need.node_type.clone(),
            status,
            rule,
            score: rule.map_or(0.0, NodeRule::score),
            package: None,
            version: None,
            installed: false,
            repository: None,
            candidates: Vec::new(),
        }
    }
}
