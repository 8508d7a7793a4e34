//! Facts of many lists, put together. Two lists speak of one package if they name one repository.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::catalog::package::{KnownModel, Layer, Package, PackageId, repository_name};
use crate::catalog::signature::Signature;

use super::record::name;
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

/// All facts, put together.
#[derive(Debug, Default)]
pub struct Gathered {
    pub(super) packages: Vec<Package>,
    /// Keys by which packages are found: see [`key_of_id`] and [`key_of_repository`].
    pub(super) keys: HashMap<String, usize>,
    pub(super) classes: BTreeMap<String, Vec<Ownership>>,
    /// A regular expression over class names, and the package.
    pub(super) patterns: Vec<(String, usize)>,
    pub(super) models: Vec<KnownModel>,
}

/// That a package has a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ownership {
    pub package: usize,
    pub layer: Layer,
    pub by: By,
    pub rank: Option<u32>,
    pub versions: Vec<String>,
}

/// How much is said of the class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Name,
    Signature(Signature),
    /// It is this package's own, whoever else has one of this name.
    Preemption,
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

    /// The package of a repository, made if it is new. Nothing if the address names none.
    pub(super) fn of_repository(&mut self, address: &str, layer: Layer) -> Option<usize> {
        let name = repository_name(address)?;
        let key = key_of_repository(&name);
        if let Some(known) = self.keys.get(&key) {
            return Some(*known);
        }
        let id: PackageId = name.parse().ok()?;
        let at = self.add(Package::named(id, layer));
        self.keys.insert(key, at);
        Some(at)
    }

    pub(super) fn add(&mut self, package: Package) -> usize {
        self.packages.push(package);
        self.packages.len() - 1
    }

    pub(super) fn own(&mut self, class: &str, ownership: Ownership) {
        let owners = self.classes.entry(class.to_owned()).or_default();
        let known = owners.iter_mut().find(|known| known.package == ownership.package && known.by == ownership.by);
        match known {
            // A registry knows ranks and versions; a plain list adds nothing to that.
            Some(known) if ownership.rank.is_some() => *known = ownership,
            Some(_) => {}
            None => owners.push(ownership),
        }
    }

    /// How many classes, packages, models.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.classes.len(), self.packages.len(), self.models.len())
    }
}

/// The key of an id of a registry.
pub(super) fn key_of_id(id: &PackageId) -> String {
    format!("{} {}", name::ID, id.key())
}

/// The key of a repository, from [`repository_name`].
pub(super) fn key_of_repository(repository: &str) -> String {
    format!("{} {}", name::REPOSITORY, repository.to_ascii_lowercase())
}

/// The text of a field, if it is there and not empty.
pub(super) fn text(entry: &Value, field: &str) -> Option<String> {
    let text = entry.get(field)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The texts of a field that is a list.
pub(super) fn texts<'v>(entry: &'v Value, field: &str) -> impl Iterator<Item = &'v str> {
    entry.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
