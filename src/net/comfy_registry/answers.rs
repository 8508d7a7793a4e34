//! What the registry says, as values. What is absent, null or of an unknown kind is left out: the registry grows.

use serde::{Deserialize, Deserializer};

/// Whether a package or version may be installed, in the registry's words without their prefix (`NodeVersionStatus`, `NodeStatus`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Standing {
    #[default]
    Active,
    /// Not looked at yet.
    Pending,
    /// Something was found that may be harmful.
    Flagged,
    Banned,
    Deleted,
    /// A word of a later registry.
    Other(String),
}

impl Standing {
    fn of(text: &str) -> Self {
        let word = ["NodeVersionStatus", "NodeStatus"].iter().find_map(|prefix| text.strip_prefix(prefix));
        match word.unwrap_or(text) {
            "Active" => Standing::Active,
            "Pending" => Standing::Pending,
            "Flagged" => Standing::Flagged,
            "Banned" => Standing::Banned,
            "Deleted" => Standing::Deleted,
            other => Standing::Other(other.to_owned()),
        }
    }

    /// The word for it in JSON.
    pub fn word(&self) -> &str {
        match self {
            Standing::Active => "active",
            Standing::Pending => "pending",
            Standing::Flagged => "flagged",
            Standing::Banned => "banned",
            Standing::Deleted => "deleted",
            Standing::Other(word) => word,
        }
    }

    /// True for what the registry has taken back.
    pub fn is_withdrawn(&self) -> bool {
        matches!(self, Standing::Banned | Standing::Deleted)
    }
}

impl<'de> Deserialize<'de> for Standing {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        Ok(text.map_or(Standing::Active, |text| Standing::of(&text)))
    }
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Node {
    /// Its id, as the registry spells it.
    pub id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub author: String,
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    /// The address of its repository; may be empty.
    #[serde(default, deserialize_with = "or_default")]
    pub repository: String,
    #[serde(default)]
    pub status: Standing,
    #[serde(default, deserialize_with = "or_default")]
    pub status_detail: String,
    #[serde(default, deserialize_with = "or_default")]
    pub downloads: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub github_stars: u64,
    #[serde(default)]
    pub publisher: Option<Publisher>,
    #[serde(default)]
    pub latest_version: Option<NodeVersion>,
}

/// Who publishes a package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Publisher {
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
}

/// A version of a package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NodeVersion {
    pub version: String,
    /// The package's id; some answers leave it out.
    #[serde(default, deserialize_with = "or_default")]
    pub node_id: String,
    #[serde(default)]
    pub status: Standing,
    #[serde(default, deserialize_with = "or_default")]
    pub status_reason: String,
    /// A `.zip`; may be empty.
    #[serde(default, rename = "downloadUrl", deserialize_with = "or_default")]
    pub download_url: String,
    /// Python requirements, a line each.
    #[serde(default, deserialize_with = "or_default")]
    pub dependencies: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub deprecated: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub changelog: String,
    /// When it was published, as the registry writes it.
    #[serde(default, rename = "createdAt", deserialize_with = "or_default")]
    pub created: String,
}

/// One page of a list of packages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Page {
    pub nodes: Vec<Node>,
    #[serde(default, deserialize_with = "or_default")]
    pub total: u64,
}

/// `null` means the same as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_and_what_is_absent_are_nothing_and_new_fields_do_no_harm() {
        let text = r#"{"id":"x","name":null,"downloads":null,"license":"{\"file\": \"L\"}","status":"NodeStatusActive",
            "latest_version":{"version":"1.0.0","status":"NodeVersionStatusFlagged","dependencies":null,"new":[{}]}}"#;
        let node: Node = serde_json::from_str(text).unwrap();
        assert_eq!((node.status, node.downloads, node.name.as_str()), (Standing::Active, 0, ""));
        let version = node.latest_version.unwrap();
        assert_eq!((version.status, version.dependencies.len()), (Standing::Flagged, 0));
    }

    #[test]
    fn every_standing_is_read() {
        for (text, standing, withdrawn) in [
            ("NodeVersionStatusActive", Standing::Active, false),
            ("NodeVersionStatusPending", Standing::Pending, false),
            ("NodeVersionStatusFlagged", Standing::Flagged, false),
            ("NodeVersionStatusBanned", Standing::Banned, true),
            ("NodeStatusBanned", Standing::Banned, true),
            ("NodeVersionStatusDeleted", Standing::Deleted, true),
            ("NodeVersionStatusNew", Standing::Other("New".into()), false),
        ] {
            let read: Standing = serde_json::from_value(text.into()).unwrap();
            assert_eq!((read.is_withdrawn(), read), (withdrawn, standing));
        }
    }
}
