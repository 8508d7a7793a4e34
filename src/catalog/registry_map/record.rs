//! The rows of the file, and how facts become rows. `docs/formats.md` describes them.

use serde::{Deserialize, Serialize};

use crate::catalog::container::TableBuilder;
use crate::catalog::package::{KnownModel, Layer, Package, PackageId, PackageVersion};

use super::gathered::{By, Gathered};
use super::list::ListKind;
use super::name;

/// The tables of the file, in its order.
pub(super) mod table {
    /// Key: one byte, see [`super::meta`].
    pub const META: usize = 0;
    /// Key: the package's number, 4 bytes, big-endian. Value: [`super::PackageRecord`].
    pub const PACKAGES: usize = 1;
    /// Key: a letter, a space and a name; see [`super::super::name`]. Value: the package's number, 4 bytes, little-endian.
    pub const NAMES: usize = 2;
    /// Key: a class. Value: a list of [`super::OwnerRecord`].
    pub const CLASSES: usize = 3;
    /// Key: a file's name in lower case. Value: a list of [`super::ModelRecord`].
    pub const MODELS: usize = 4;
}

/// Keys of the first table.
pub(super) mod meta {
    /// Value: a list of [`super::SourceRecord`].
    pub const SOURCES: &[u8] = b"s";
    /// Value: a list of a regular expression and a package's number.
    pub const PATTERNS: &[u8] = b"p";
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PackageRecord {
    id: String,
    title: Option<String>,
    author: Option<String>,
    description: Option<String>,
    repository: Option<String>,
    files: Vec<String>,
    install: Option<String>,
    aliases: Vec<String>,
    tags: Vec<String>,
    stars: Option<u64>,
    updated: Option<String>,
    versions: Vec<(String, Option<String>, bool)>,
    classes: u32,
    layer: u8,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OwnerRecord {
    pub package: u32,
    pub layer: u8,
    /// 0: the name, 1: the name and these inputs, 2: outright.
    pub by: u8,
    pub signature: [u8; 4],
    pub rank: Option<u32>,
    pub versions: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ModelRecord {
    name: String,
    directory: Option<String>,
    url: String,
    sha256: Option<String>,
    size: Option<u64>,
    kind: Option<String>,
    base: Option<String>,
    layer: u8,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SourceRecord {
    pub name: String,
    pub from: String,
    pub fetched: i64,
    pub entries: u64,
    pub skipped: u64,
}

const LAYERS: [Layer; 4] = [Layer::BuiltIn, Layer::Manager, Layer::ComfyGit, Layer::Learned];

fn number_of(layer: Layer) -> u8 {
    LAYERS.iter().position(|known| *known == layer).unwrap_or_default() as u8
}

/// The layer of this number; one that is not known counts as the program's own lists.
pub(super) fn layer_of(number: u8) -> Layer {
    LAYERS.get(usize::from(number)).copied().unwrap_or(Layer::Manager)
}

impl PackageRecord {
    fn of(package: &Package, classes: u32) -> Self {
        let Package { id, title, author, description, repository, files, install, aliases, tags, .. } = package.clone();
        let versions = package.versions.iter().cloned();
        PackageRecord {
            id: id.to_string(),
            title,
            author,
            description,
            repository,
            files,
            install,
            aliases,
            tags,
            stars: package.stars,
            updated: package.updated.clone(),
            versions: versions.map(|version| (version.version, version.download, version.deprecated)).collect(),
            classes,
            layer: number_of(package.layer),
        }
    }

    /// Nothing if its id is none.
    pub(super) fn package(self) -> Option<Package> {
        let id: PackageId = self.id.parse().ok()?;
        let version = |(version, download, deprecated)| PackageVersion { version, download, deprecated };
        Some(Package {
            id,
            title: self.title,
            author: self.author,
            description: self.description,
            repository: self.repository,
            files: self.files,
            install: self.install,
            aliases: self.aliases,
            tags: self.tags,
            stars: self.stars,
            updated: self.updated,
            versions: self.versions.into_iter().map(version).collect(),
            classes: self.classes as usize,
            layer: layer_of(self.layer),
        })
    }
}

impl ModelRecord {
    fn of(model: &KnownModel) -> Self {
        let KnownModel { name, directory, url, sha256, size, kind, base, layer } = model.clone();
        ModelRecord { name, directory, url, sha256, size, kind, base, layer: number_of(layer) }
    }

    pub(super) fn model(self) -> KnownModel {
        let ModelRecord { name, directory, url, sha256, size, kind, base, layer } = self;
        KnownModel { name, directory, url, sha256, size, kind, base, layer: layer_of(layer) }
    }
}

/// The file's tables.
pub(super) fn tables(mut gathered: Gathered, sources: &[SourceRecord]) -> Result<Vec<TableBuilder>, postcard::Error> {
    for package in &mut gathered.packages {
        for list in [&mut package.aliases, &mut package.tags] {
            list.sort_unstable();
            list.dedup();
        }
    }
    let [mut meta, mut packages, mut classes, mut models] = [(); 4].map(|()| TableBuilder::default());
    meta.put(meta::SOURCES, postcard::to_stdvec(sources)?);
    let patterns: Vec<(&str, u32)> = gathered.patterns.iter().map(|(text, at)| (text.as_str(), *at as u32)).collect();
    meta.put(meta::PATTERNS, postcard::to_stdvec(&patterns)?);

    let mut owned = vec![0_u32; gathered.packages.len()];
    for (class, owners) in &gathered.classes {
        let mut records = Vec::with_capacity(owners.len());
        let mut counted = Vec::new();
        for owner in owners {
            let (by, signature) = match owner.by {
                By::Name => (0, [0; 4]),
                By::Signature(signature) => (1, signature.bytes()),
                By::Preemption => (2, [0; 4]),
            };
            if !counted.contains(&owner.package) {
                counted.push(owner.package);
                owned[owner.package] += 1;
            }
            records.push(OwnerRecord {
                package: owner.package as u32,
                layer: number_of(owner.layer),
                by,
                signature,
                rank: owner.rank,
                versions: owner.versions.clone(),
            });
        }
        classes.put(class.as_bytes(), postcard::to_stdvec(&records)?);
    }
    for (at, package) in gathered.packages.iter().enumerate() {
        packages.put((at as u32).to_be_bytes(), postcard::to_stdvec(&PackageRecord::of(package, owned[at]))?);
    }
    let mut by_name: std::collections::BTreeMap<String, Vec<ModelRecord>> = Default::default();
    for model in &gathered.models {
        by_name.entry(model.name.to_lowercase()).or_default().push(ModelRecord::of(model));
    }
    for (name, records) in by_name {
        models.put(name, postcard::to_stdvec(&records)?);
    }
    Ok(vec![meta, packages, names(&gathered), classes, models])
}

fn names(gathered: &Gathered) -> TableBuilder {
    let mut names = TableBuilder::default();
    // Those that are wanted most are written last, over the others.
    let mut order: Vec<usize> = (0..gathered.packages.len()).collect();
    order.sort_by_key(|at| gathered.packages[*at].stars);
    for at in order {
        let package = &gathered.packages[at];
        let short = package.repository.as_deref().and_then(|url| Some(url.trim_end_matches('/').rsplit_once('/')?.1));
        let aliases = package.aliases.iter().map(|alias| (name::ALIAS, alias.as_str()));
        for (kind, text) in short.map(|short| (name::SHORT, short)).into_iter().chain(aliases) {
            if let Ok(id) = text.trim_end_matches(".git").parse::<PackageId>() {
                names.put(format!("{kind} {}", id.key()), (at as u32).to_le_bytes().to_vec());
            }
        }
    }
    for (key, at) in &gathered.keys {
        names.put(key.as_str(), (*at as u32).to_le_bytes().to_vec());
    }
    names
}

impl SourceRecord {
    pub(super) fn kind(&self) -> Option<ListKind> {
        ListKind::ALL.into_iter().find(|kind| kind.name() == self.name)
    }
}
