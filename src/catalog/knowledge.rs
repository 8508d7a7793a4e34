//! The catalog: where node classes come from, who owns them, and which of their inputs name model files.

use std::collections::HashMap;

use super::loaders::{self, Loader};
use super::models;
use super::package::{Found, KnownModel, Layer, Matched, Owner, Owners, Package, PackageId};
use super::signature::Signature;
use super::supplement;

/// What is known of node classes, packages and models.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Inputs that name model files, by class, where something is known beside what is built in; it wins.
    loaders: HashMap<String, Vec<Loader>>,
}

impl Catalog {
    /// What is built in: ComfyUI's own nodes, and loaders of common packages.
    pub fn built_in() -> Self {
        Catalog::default()
    }

    /// The inputs of `class` that name model files. A class id can end in spaces: as written first, then trimmed.
    pub fn loaders(&self, class: &str) -> &[Loader] {
        let known = |class: &str| match self.loaders.get(class) {
            Some(learned) => learned.as_slice(),
            None => loaders::built_in(class),
        };
        let as_written = known(class);
        if as_written.is_empty() { known(class.trim()) } else { as_written }
    }

    /// The packages that are thought to own a class: as written first, then trimmed. With the `signature` of its inputs, also those that
    /// have it with just these. ComfyUI's own classes have no owners here: ask [`Catalog::origin`] first.
    pub fn owners(&self, class: &str, signature: Option<Signature>) -> Owners {
        let owners = self.owners_as_written(class, signature);
        if owners.is_empty() && class.trim() != class {
            return self.owners_as_written(class.trim(), signature);
        }
        owners
    }

    fn owners_as_written(&self, class: &str, _signature: Option<Signature>) -> Owners {
        let supplied = |repository: &'static str| {
            let package = PackageId::of_repository(repository)?;
            Some(Owner { package, layer: Layer::BuiltIn, stars: None, rank: None, versions: Vec::new() })
        };
        let mut owners = Owners {
            by_class: supplement::by_class(class).and_then(supplied).into_iter().collect(),
            by_pattern: supplement::by_ending(class).and_then(supplied).into_iter().collect(),
            ..Owners::default()
        };
        owners.sort();
        owners
    }

    /// What is known of a package, under the id that a registry gives it, its repository, or an older or shorter name that a list uses for it.
    /// If only repositories' names fit (a registry id mostly is the repository's name), the one with the most stars; its `id` then
    /// differs from the one asked for.
    pub fn package(&self, id: &PackageId) -> Option<Package> {
        self.packages().into_iter().find(|package| {
            let name = package.id.as_str().rsplit('/').next().unwrap_or_default();
            package.id == *id || (!id.is_repository() && name.parse().is_ok_and(|name: PackageId| name == *id))
        })
    }

    /// The package whose repository has this address, in any of its spellings.
    pub fn by_repository(&self, url: &str) -> Option<Package> {
        self.package(&PackageId::of_repository(url)?)
    }

    /// Places where a model file of this name can be had, whatever its case.
    pub fn known_models(&self, name: &str) -> Vec<KnownModel> {
        models::of_templates(name).collect()
    }

    /// Packages that fit a text: their names, titles, node classes, authors and descriptions. The likeliest first.
    pub fn search(&self, text: &str) -> Vec<Found> {
        let text = text.trim().to_lowercase();
        let named = self.packages().into_iter().filter(|package| package.id.key().contains(&text));
        named.map(|package| Found { package, score: 0.5, matched: Matched::Name }).collect()
    }

    fn packages(&self) -> Vec<Package> {
        let ids = supplement::repositories().into_iter().filter_map(PackageId::of_repository);
        ids.map(|id| Package::named(id, Layer::BuiltIn)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_found_as_written_then_trimmed() {
        let catalog = Catalog::built_in();
        assert_eq!(catalog.loaders("DualCLIPLoader").len(), 2);
        assert_eq!(catalog.loaders("LoraLoader ").len(), 1);
        assert!(catalog.loaders("KSampler").is_empty());
    }

    #[test]
    fn what_no_list_tells_is_known_of_a_few_packages() {
        let catalog = Catalog::built_in();
        let owners = catalog.owners("GetNode ", None);
        assert_eq!(owners.by_class[0].package.as_str(), "kijai/ComfyUI-KJNodes");
        assert_eq!(owners.by_class[0].layer, Layer::BuiltIn);
        let package = catalog.package(&"comfyui_kjnodes".parse().unwrap()).unwrap();
        assert_eq!(package.id, owners.by_class[0].package);
        assert_eq!(catalog.by_repository("git@github.com:Kijai/comfyui-kjnodes.git"), Some(package));
    }
}
