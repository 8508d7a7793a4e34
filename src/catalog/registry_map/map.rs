//! The file that holds what the lists tell, asked.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use regex::Regex;
use serde::de::DeserializeOwned;

use crate::catalog::container::{Container, ContainerError, Table};
use crate::catalog::package::{KnownModel, Owner, Owners, Package, PackageId};
use crate::catalog::signature::Signature;

use super::gathered::Gathered;
use super::list::{ListKind, Taken};
use super::name;
use super::record::{self, ModelRecord, OwnerRecord, PackageRecord, SourceRecord, meta, table};

/// Its name in the catalog's folder.
pub const FILE: &str = "registry.map";

/// ComfyUI itself stands among the packages of the lists.
const COMFYUI: [&str; 2] = ["comfyanonymous/comfyui", "comfy-org/comfyui"];

/// What the lists tell, in place in the file's bytes.
pub struct RegistryMap {
    container: Container,
    /// Compiled when a class is asked for that no list names.
    patterns: OnceLock<Vec<(Regex, u32)>>,
}

/// Where facts of the map were taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub kind: ListKind,
    /// The address or path.
    pub from: String,
    /// When it was fetched or last found unchanged, in milliseconds since 1970.
    pub fetched: i64,
    pub entries: u64,
    /// Entries that could not be used.
    pub skipped: u64,
}

impl Source {
    pub fn new(taken: Taken, from: impl Into<String>, fetched: i64) -> Self {
        let (entries, skipped) = (taken.entries as u64, taken.skipped as u64);
        Source { kind: taken.kind, from: from.into(), fetched, entries, skipped }
    }
}

/// How much a map holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub classes: usize,
    pub packages: usize,
    pub models: usize,
    /// Bytes of the file.
    pub size: usize,
}

impl fmt::Debug for RegistryMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryMap").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl RegistryMap {
    /// Opens the file at `path`; nothing if there is none.
    pub fn open(path: &Path) -> Result<Option<Self>, ContainerError> {
        let container = Container::open(path)?;
        Ok(container.map(|container| RegistryMap { container, patterns: OnceLock::new() }))
    }

    /// Puts a map of these facts in place of the file at `path`, as a whole or not at all.
    pub fn write(path: &Path, gathered: Gathered, sources: &[Source]) -> Result<(), ContainerError> {
        let sources: Vec<SourceRecord> = sources
            .iter()
            .map(|source| SourceRecord {
                name: source.kind.name().to_owned(),
                from: source.from.clone(),
                fetched: source.fetched,
                entries: source.entries,
                skipped: source.skipped,
            })
            .collect();
        let tables = record::tables(gathered, &sources)
            .map_err(|error| ContainerError::Io { path: path.to_owned(), source: std::io::Error::other(error) })?;
        Container::write(path, tables)
    }

    fn table(&self, number: usize) -> Table<'_> {
        self.container.table(number)
    }

    pub fn sources(&self) -> Vec<Source> {
        let records: Vec<SourceRecord> =
            self.table(table::META).get(meta::SOURCES).and_then(decode).unwrap_or_default();
        let source = |record: SourceRecord| {
            Some(Source {
                kind: record.kind()?,
                from: record.from,
                fetched: record.fetched,
                entries: record.entries,
                skipped: record.skipped,
            })
        };
        records.into_iter().filter_map(source).collect()
    }

    pub fn counts(&self) -> Counts {
        Counts {
            classes: self.table(table::CLASSES).len(),
            packages: self.table(table::PACKAGES).len(),
            models: self
                .table(table::MODELS)
                .rows()
                .filter_map(|(_, row)| decode::<Vec<ModelRecord>>(row))
                .flatten()
                .count(),
            size: self.container.size(),
        }
    }

    /// See [`Catalog::owners`](crate::catalog::Catalog::owners). Patterns are tried only for a class that no list names.
    pub(in crate::catalog) fn owners(&self, class: &str, signature: Option<Signature>, owners: &mut Owners) {
        let records: Vec<OwnerRecord> =
            self.table(table::CLASSES).get(class.as_bytes()).and_then(decode).unwrap_or_default();
        let mut some = false;
        for record in records {
            let Some(package) = self.package_at(record.package).filter(|package| !is_comfyui(package)) else {
                continue;
            };
            some = true;
            let owner = Owner {
                package: package.id,
                layer: record::layer_of(record.layer),
                stars: package.stars,
                rank: record.rank,
                versions: record.versions,
            };
            let fits = signature.is_some_and(|signature| signature.bytes() == record.signature);
            match record.by {
                1 if fits => owners.by_signature.push(owner.clone()),
                2 => owners.preempted.push(owner.clone()),
                _ => {}
            }
            match owners.by_class.iter_mut().find(|known| known.package == owner.package) {
                // With other inputs the same package: what is said of it is said once.
                Some(known) => known.rank = known.rank.into_iter().chain(owner.rank).min(),
                None => owners.by_class.push(owner),
            }
        }
        if !some {
            self.owners_by_pattern(class, owners);
        }
    }

    fn owners_by_pattern(&self, class: &str, owners: &mut Owners) {
        let patterns = self.patterns.get_or_init(|| {
            let written: Vec<(String, u32)> =
                self.table(table::META).get(meta::PATTERNS).and_then(decode).unwrap_or_default();
            // The lists are written for another language; what this one cannot express matches nothing.
            written.into_iter().filter_map(|(text, package)| Some((Regex::new(&text).ok()?, package))).collect()
        });
        for (_, package) in patterns.iter().filter(|(pattern, _)| pattern.is_match(class)) {
            let Some(package) = self.package_at(*package) else { continue };
            if owners.by_pattern.iter().all(|known| known.package != package.id) {
                let Package { id, layer, stars, .. } = package;
                owners.by_pattern.push(Owner { package: id, layer, stars, rank: None, versions: Vec::new() });
            }
        }
    }

    /// True when ComfyUI is the only one that the lists know to have the class: one that is newer than this program.
    pub(in crate::catalog) fn is_comfyuis_alone(&self, class: &str) -> bool {
        let records: Vec<OwnerRecord> =
            self.table(table::CLASSES).get(class.as_bytes()).and_then(decode).unwrap_or_default();
        !records.is_empty()
            && records.iter().all(|record| self.package_at(record.package).is_some_and(|package| is_comfyui(&package)))
    }

    fn package_at(&self, number: u32) -> Option<Package> {
        decode::<PackageRecord>(self.table(table::PACKAGES).row(number as usize)?.1)?.package()
    }

    pub(in crate::catalog) fn package(&self, id: &PackageId) -> Option<Package> {
        let kinds: &[&str] = match id.is_repository() {
            true => &[name::REPOSITORY],
            false => &[name::ID, name::SHORT, name::ALIAS],
        };
        let names = self.table(table::NAMES);
        let found = kinds.iter().find_map(|kind| names.get(format!("{kind} {}", id.key()).as_bytes()))?;
        self.package_at(u32::from_le_bytes(found.try_into().ok()?))
    }

    pub(in crate::catalog) fn packages(&self) -> impl Iterator<Item = Package> + '_ {
        let rows = self.table(table::PACKAGES).rows();
        rows.filter_map(|(_, row)| decode::<PackageRecord>(row)?.package()).filter(|package| !is_comfyui(package))
    }

    /// Every class that the lists name, with the packages that have it. Only those of which `wanted` is true are decoded.
    pub(in crate::catalog) fn classes(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (&str, Vec<Package>)> {
        let rows = self.table(table::CLASSES).rows();
        rows.filter_map(move |(class, row)| {
            let class = std::str::from_utf8(class).ok().filter(|class| wanted(class))?;
            let mut owners: Vec<u32> = decode::<Vec<OwnerRecord>>(row)?.iter().map(|owner| owner.package).collect();
            owners.dedup();
            let packages = owners.into_iter().filter_map(|at| self.package_at(at));
            Some((class, packages.filter(|package| !is_comfyui(package)).collect()))
        })
    }

    pub(in crate::catalog) fn models(&self, file_name: &str) -> Vec<KnownModel> {
        let row = self.table(table::MODELS).get(file_name.to_lowercase().as_bytes());
        let records: Vec<ModelRecord> = row.and_then(decode).unwrap_or_default();
        records.into_iter().map(ModelRecord::model).collect()
    }
}

fn is_comfyui(package: &Package) -> bool {
    COMFYUI.iter().any(|name| package.id.as_str().eq_ignore_ascii_case(name))
}

/// A row that cannot be decoded tells nothing. The hash in front of the file makes sure that this is not for damage.
fn decode<T: DeserializeOwned>(row: &[u8]) -> Option<T> {
    postcard::from_bytes(row).ok()
}
