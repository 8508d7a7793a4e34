//! Facts of many lists, put together. Two lists speak of one package if they name one repository.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::catalog::package::{KnownModel, Layer, Package, PackageId, repository_name};
use crate::catalog::signature::Signature;

use super::name::key_of_repository;

/// All facts, put together.
#[derive(Debug, Default)]
pub struct Gathered {
    pub(super) packages: Vec<Package>,
    /// Keys by which packages are found: see [`key_of_id`](super::name::key_of_id) and [`key_of_repository`].
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

/// The text of a field, if it is there and not empty.
pub(super) fn text(entry: &Value, field: &str) -> Option<String> {
    let text = entry.get(field)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The texts of a field that is a list.
pub(super) fn texts<'v>(entry: &'v Value, field: &str) -> impl Iterator<Item = &'v str> {
    entry.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
