//! What the rules for nodes ask: what is known of packages, and which are installed.

use std::collections::HashSet;

use crate::catalog::{self, Catalog, PackageId};

/// A package of custom nodes, as a catalog has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// The registry's id, else `owner/repository`.
    pub id: String,
    pub title: Option<String>,
    /// A URL.
    pub repository: Option<String>,
    /// On GitHub.
    pub stars: Option<u64>,
}

/// Which packages have a node type, by the kind of the evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// Own the name outright.
    pub preempted: Vec<Package>,
    /// Have a node of this type with these inputs.
    pub by_signature: Vec<Package>,
    /// Have a node of this type.
    pub by_type: Vec<Package>,
    /// Have names of this form.
    pub by_pattern: Vec<Package>,
}

/// What is known of packages.
pub trait Packages {
    fn owners(&self, node_type: &str, signature: Option<&str>) -> Owners;
    /// The package with this registry id or `owner/repository`.
    fn package(&self, id: &str) -> Option<Package>;
    /// Packages whose names, titles or types are like `text`, with how alike they are, from 0 to 1.
    fn search(&self, text: &str) -> Vec<(Package, f64)>;
}

impl Packages for Catalog {
    fn owners(&self, node_type: &str, signature: Option<&str>) -> Owners {
        let found = Catalog::owners(self, node_type, signature.and_then(|text| text.parse().ok()));
        let all = |owners: Vec<catalog::Owner>| owners.into_iter().map(|owner| of_owner(self, owner)).collect();
        Owners {
            preempted: all(found.preempted),
            by_signature: all(found.by_signature),
            by_type: all(found.by_class),
            by_pattern: all(found.by_pattern),
        }
    }

    fn package(&self, id: &str) -> Option<Package> {
        let id: PackageId = id.parse().ok()?;
        Catalog::package(self, &id).map(of_catalog)
    }

    fn search(&self, text: &str) -> Vec<(Package, f64)> {
        Catalog::search(self, text).into_iter().map(|found| (of_catalog(found.package), found.score)).collect()
    }
}

fn of_owner(catalog: &Catalog, owner: catalog::Owner) -> Package {
    let found = Catalog::package(catalog, &owner.package).map(of_catalog);
    let found = found.unwrap_or_default();
    Package { id: owner.package.to_string(), stars: owner.stars.or(found.stars), ..found }
}

fn of_catalog(package: catalog::Package) -> Package {
    let catalog::Package { id, title, repository, stars, .. } = package;
    Package { id: id.to_string(), title, repository, stars }
}

/// Nothing is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPackages;

impl Packages for NoPackages {
    fn owners(&self, _: &str, _: Option<&str>) -> Owners {
        Owners::default()
    }

    fn package(&self, _: &str) -> Option<Package> {
        None
    }

    fn search(&self, _: &str) -> Vec<(Package, f64)> {
        Vec::new()
    }
}

/// A package that lies in `custom_nodes`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstalledPackage {
    /// The folder's or file's name, without `.disabled`.
    pub folder: String,
    /// `name` in its `pyproject.toml`, which is its id in the registry.
    pub id: Option<String>,
    /// The remote of its clone.
    pub repository: Option<String>,
    pub version: Option<String>,
    pub disabled: bool,
    /// Node types that its files define, as far as they were looked at.
    pub types: HashSet<String>,
}

/// The packages of one environment.
#[derive(Debug, Clone, Default)]
pub struct Installed {
    pub packages: Vec<InstalledPackage>,
}

impl Installed {
    /// The installed package that `id` (a registry id or `owner/repository`) or `repository` names.
    pub fn find(&self, id: &str, repository: Option<&str>) -> Option<&InstalledPackage> {
        let wanted = [repository_name(id), repository.and_then(repository_name)];
        let by_repository = |package: &&InstalledPackage| {
            let own = package.repository.as_deref().and_then(repository_name);
            own.is_some() && wanted.contains(&own)
        };
        let by_id = |package: &&InstalledPackage| package.id.as_deref().is_some_and(|own| same_id(own, id));
        let by_folder = |package: &&InstalledPackage| {
            package.id.is_none() && package.repository.is_none() && same_id(&package.folder, id)
        };
        let all = || self.packages.iter();
        all().find(by_id).or_else(|| all().find(by_repository)).or_else(|| all().find(by_folder))
    }

    /// The packages that define a node type, those that are switched on first.
    pub fn with_type(&self, node_type: &str) -> Vec<&InstalledPackage> {
        let mut found: Vec<_> = self.packages.iter().filter(|package| package.types.contains(node_type)).collect();
        found.sort_by_key(|package| package.disabled);
        found
    }
}

impl InstalledPackage {
    /// What it is called: the registry's id, `owner/repository`, else the folder's name.
    pub fn name(&self) -> String {
        let repository = || self.repository.as_deref().and_then(repository_name);
        self.id.clone().or_else(repository).unwrap_or_else(|| self.folder.clone())
    }
}

/// Ids are the same whatever their case, and `-` and `_` differ in the wild.
pub fn same_id(a: &str, b: &str) -> bool {
    plain_id(a) == plain_id(b)
}

/// An id as it is compared.
pub fn plain_id(id: &str) -> String {
    id.trim().to_ascii_lowercase().replace('_', "-")
}

/// `owner/repository` in lower case of a URL, an address for ssh, or that text itself; nothing for anything else.
pub fn repository_name(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('/');
    let text = text.strip_suffix(".git").unwrap_or(text);
    let path = match text.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => match text.split_once(':') {
            Some((host, path)) if host.contains('@') => path,
            _ => text,
        },
    };
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let (owner, name) = (parts.next()?, parts.next()?);
    Some(format!("{}/{}", owner.to_ascii_lowercase(), name.trim_end_matches(".git").to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_has_one_name_however_it_is_written() {
        for text in [
            "https://github.com/ltdrdata/ComfyUI-Impact-Pack",
            "https://github.com/ltdrdata/ComfyUI-Impact-Pack.git",
            "https://github.com/ltdrdata/ComfyUI-Impact-Pack/tree/main",
            "git@github.com:ltdrdata/ComfyUI-Impact-Pack.git",
            "ltdrdata/ComfyUI-Impact-Pack",
        ] {
            assert_eq!(repository_name(text).as_deref(), Some("ltdrdata/comfyui-impact-pack"), "{text}");
        }
        assert_eq!(repository_name("comfyui-impact-pack"), None);
    }

    #[test]
    fn an_installed_package_is_found_by_id_by_repository_and_by_folder() {
        let installed = Installed {
            packages: vec![
                InstalledPackage { folder: "A".into(), id: Some("Comfy_A".into()), ..Default::default() },
                InstalledPackage {
                    folder: "B".into(),
                    repository: Some("https://github.com/O/B.git".into()),
                    ..Default::default()
                },
                InstalledPackage { folder: "ComfyUI_C".into(), ..Default::default() },
            ],
        };
        let folder = |id, repository| installed.find(id, repository).map(|package| package.folder.as_str());
        assert_eq!(folder("comfy-a", None), Some("A"));
        assert_eq!(folder("o/b", None), Some("B"));
        assert_eq!(folder("b-in-registry", Some("https://github.com/o/b")), Some("B"));
        assert_eq!(folder("comfyui-c", None), Some("ComfyUI_C"));
        assert_eq!(folder("other", None), None);
    }
}
