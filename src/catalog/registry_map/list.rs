//! The lists that are known, told apart by what is in them, and taken in.

use serde_json::Value;

use super::gathered::Gathered;
use super::{comfygit, manager};

/// The lists that can be read, in the order in which they should be taken in: those that describe packages before those
/// that add to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListKind {
    ManagerPackages,
    ManagerNodes,
    ManagerAlternatives,
    ManagerModels,
    ManagerStars,
    ComfyGit,
}

impl ListKind {
    /// Every kind, in that order.
    pub const ALL: [ListKind; 6] = [
        ListKind::ManagerPackages,
        ListKind::ManagerNodes,
        ListKind::ManagerAlternatives,
        ListKind::ManagerModels,
        ListKind::ManagerStars,
        ListKind::ComfyGit,
    ];

    /// The name of the file as its authors call it, without the ending.
    pub fn name(self) -> &'static str {
        match self {
            ListKind::ManagerNodes => "extension-node-map",
            ListKind::ManagerPackages => "custom-node-list",
            ListKind::ManagerAlternatives => "alter-list",
            ListKind::ManagerModels => "model-list",
            ListKind::ManagerStars => "github-stats",
            ListKind::ComfyGit => "node_mappings",
        }
    }

    /// Told by the content: a file may have any name.
    pub fn of(list: &Value) -> Option<Self> {
        let object = list.as_object()?;
        let has = |key: &str| object.get(key).is_some_and(|value| value.is_array() || value.is_object());
        if has("mappings") && has("packages") {
            return Some(ListKind::ComfyGit);
        }
        for (key, kind) in [
            ("custom_nodes", ListKind::ManagerPackages),
            ("models", ListKind::ManagerModels),
            ("items", ListKind::ManagerAlternatives),
        ] {
            if object.get(key).is_some_and(Value::is_array) {
                return Some(kind);
            }
        }
        // The other two are keyed by addresses: the first entries tell, a few may be malformed.
        let mut first = object.values().take(20);
        if first.clone().any(|entry| entry.get(0).is_some_and(Value::is_array)) {
            return Some(ListKind::ManagerNodes);
        }
        first.any(|entry| entry.get("stars").is_some()).then_some(ListKind::ManagerStars)
    }
}

/// A list that was read and found to be one.
#[derive(Debug)]
pub struct List {
    kind: ListKind,
    value: Value,
}

impl List {
    pub fn parse(bytes: &[u8]) -> Result<Self, ListError> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| ListError::Syntax(error.to_string()))?;
        let kind = ListKind::of(&value).ok_or(ListError::Unknown)?;
        Ok(List { kind, value })
    }

    pub fn kind(&self) -> ListKind {
        self.kind
    }
}

/// Why a list cannot be used as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    #[error("is not JSON: {0}")]
    Syntax(String),
    #[error("is none of the lists that are known")]
    Unknown,
    #[error("holds no entry that can be used")]
    Empty,
}

/// How much of a list was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub kind: ListKind,
    pub entries: usize,
    /// Entries that do not have the form they should have.
    pub skipped: usize,
}

impl Gathered {
    /// Takes in a list. An entry that does not have the form it should have is left out and counted.
    pub fn take(&mut self, list: &List) -> Result<Taken, ListError> {
        let List { kind, value } = list;
        let (entries, skipped) = match kind {
            ListKind::ManagerNodes => manager::take_nodes(self, value),
            ListKind::ManagerPackages => manager::take_packages(self, value),
            ListKind::ManagerAlternatives => manager::take_alternatives(self, value),
            ListKind::ManagerModels => manager::take_models(self, value),
            ListKind::ManagerStars => manager::take_stars(self, value),
            ListKind::ComfyGit => comfygit::take(self, value),
        };
        if entries == 0 {
            return Err(ListError::Empty);
        }
        Ok(Taken { kind: *kind, entries, skipped })
    }
}
