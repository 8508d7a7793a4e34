//! A custom node as it is told of: in JSON, and in the words of the commands for nodes.

use serde::Serialize;

use crate::environment::manifest::NodeSource;
use crate::environment::nodes::steps::told;
use crate::environment::nodes::{Edits, Node};
use crate::object::ObjectId;

/// A node in JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Shape {
    pub name: String,
    pub path: String,
    pub enabled: bool,
    /// `registry`, `git`, `development` or `manual`.
    pub source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// What an update follows.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `as-it-came`, `edited` or `unknown`.
    pub files: &'static str,
    /// True where its folder is a link to one elsewhere.
    pub linked: bool,
    /// Bytes.
    pub size: u64,
    pub tree: ObjectId,
}

impl From<&Node> for Shape {
    fn from(node: &Node) -> Self {
        let (source, id, url) = match &node.origin.source {
            NodeSource::Registry { id } => ("registry", Some(id.clone()), None),
            NodeSource::Git { url, .. } => ("git", None, Some(url.clone())),
            NodeSource::Archive { url } => ("manual", None, Some(url.clone())),
            NodeSource::Development => ("development", None, None),
            NodeSource::Manual => ("manual", None, None),
        };
        let (reference, commit) = match &node.origin.source {
            NodeSource::Git { reference, commit, .. } => (reference.clone(), commit.clone()),
            _ => (None, None),
        };
        Shape {
            name: node.key.clone(),
            path: node.path.to_string(),
            enabled: !node.name.disabled,
            source,
            id,
            url,
            commit,
            reference,
            version: node.origin.version.clone(),
            files: match node.edits() {
                Edits::None => "as-it-came",
                Edits::Since(_) => "edited",
                Edits::Unknown => "unknown",
            },
            linked: node.linked,
            size: node.entry.size,
            tree: node.entry.id,
        }
    }
}

/// A version as a person reads it: its number, or the beginning of its commit.
pub fn version(node: &Node) -> String {
    let commit = match &node.origin.source {
        NodeSource::Git { commit: Some(commit), .. } => Some(commit.chars().take(10).collect()),
        _ => None,
    };
    node.origin.version.clone().or(commit).unwrap_or_default()
}

/// Where a node came from as a person reads it.
pub fn source(node: &Node) -> String {
    told(&node.origin.source)
}
