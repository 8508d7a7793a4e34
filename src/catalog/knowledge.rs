//! The catalog: where node classes come from, who owns them, and which of their inputs name model files.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::container::ContainerError;
use super::learned::{Learned, LearnedNode};
use super::loaders::{self, Loader};
use super::models;
use super::package::{KnownModel, Layer, Owner, Owners, Package, PackageId};
use super::registry_map::{self, RegistryMap};
use super::signature::Signature;
use super::supplement;

/// What is known of node classes, packages and models.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Inputs that name model files, by class, where something is known beside what is built in; it wins.
    loaders: HashMap<String, Vec<Loader>>,
    /// What the registries' lists tell, shared by copies of the catalog.
    pub(super) registry: Option<Arc<RegistryMap>>,
    /// What the environment at work tells.
    learned: Option<Arc<Learned>>,
}

/// A catalog, and what of it could not be used.
#[derive(Debug)]
pub struct Opened {
    pub catalog: Catalog,
    /// Without it the catalog is what is built in; `catalog update` makes the file anew.
    pub problem: Option<ContainerError>,
}

impl Catalog {
    /// What is built in: ComfyUI's own nodes, and loaders of common packages.
    pub fn built_in() -> Self {
        Catalog::default()
    }

    /// What is built in, and what the last `catalog update` left in `folder`.
    pub fn open(folder: &Path) -> Opened {
        let mut catalog = Self::built_in();
        match RegistryMap::open(&folder.join(registry_map::FILE)) {
            Ok(map) => {
                catalog.registry = map.map(Arc::new);
                Opened { catalog, problem: None }
            }
            Err(problem) => Opened { catalog, problem: Some(problem) },
        }
    }

    /// Adds what an environment tells. Of an input that is known already its folders count, and the choices that are no files of them.
    pub fn learn(&mut self, learned: Learned) {
        for (class, node) in &learned.nodes {
            let mut known = self.loaders(class).to_vec();
            let mut changed = false;
            for loader in node.loaders() {
                changed = true;
                match known.iter_mut().find(|known| known.has_input(&loader.input)) {
                    Some(known) => {
                        known.folders = loader.folders;
                        known.sentinels.extend(loader.sentinels);
                    }
                    None => known.push(loader),
                }
            }
            if changed {
                self.loaders.insert(class.clone(), known);
            }
        }
        self.learned = Some(Arc::new(learned));
    }

    /// Names what this catalog was made from: two with one stamp give the same answers, so that answers may be kept.
    pub fn stamp(&self) -> String {
        let lists = self.registry().map(RegistryMap::sources).unwrap_or_default();
        let lists = lists.iter().map(|list| format!("{}\t{}\t{}\n", list.from, list.fetched, list.entries));
        let mut hasher = blake3::Hasher::new();
        hasher.update(lists.collect::<String>().as_bytes());
        if let Some(learned) = &self.learned {
            hasher.update(format!("{learned:?}").as_bytes());
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// A class as the environment at work has it, if that was learned.
    pub fn learned(&self, class: &str) -> Option<&LearnedNode> {
        self.learned.as_ref()?.node(class)
    }

    /// What the registries' lists tell, if they were ever fetched.
    pub fn registry(&self) -> Option<&RegistryMap> {
        self.registry.as_deref()
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

    fn owners_as_written(&self, class: &str, signature: Option<Signature>) -> Owners {
        let mut owners = Owners::default();
        if let Some(registry) = &self.registry {
            registry.owners(class, signature, &mut owners);
        }
        let supplied = |repository: &'static str| {
            let id = PackageId::of_repository(repository)?;
            let (package, stars) = match self.package(&id) {
                Some(package) => (package.id, package.stars),
                None => (id, None),
            };
            Some(Owner { package, layer: Layer::BuiltIn, stars, rank: None, versions: Vec::new() })
        };
        let lists = [
            (&mut owners.by_class, supplement::by_class(class)),
            (&mut owners.by_pattern, supplement::by_ending(class)),
        ];
        for (list, repository) in lists {
            let supplied = repository.and_then(supplied);
            list.extend(supplied.filter(|owner| list.iter().all(|known| known.package != owner.package)));
        }
        owners.sort();
        owners
    }

    /// What is known of a package, under the id that a registry gives it, its repository, or an older or shorter name that a list uses for it.
    /// If only repositories' names fit (a registry id mostly is the repository's name), the one with the most stars; its `id` then
    /// differs from the one asked for.
    pub fn package(&self, id: &PackageId) -> Option<Package> {
        let listed = self.registry.as_ref().and_then(|registry| registry.package(id));
        listed.or_else(|| {
            supplied().find(|package| {
                let name = package.id.as_str().rsplit('/').next().unwrap_or_default();
                package.id == *id || (!id.is_repository() && name.parse().is_ok_and(|name: PackageId| name == *id))
            })
        })
    }

    /// The package whose repository has this address, in any of its spellings.
    pub fn by_repository(&self, url: &str) -> Option<Package> {
        self.package(&PackageId::of_repository(url)?)
    }

    /// Places where a model file of this name can be had, whatever its case: those that ComfyUI's templates name first.
    pub fn known_models(&self, name: &str) -> Vec<KnownModel> {
        let listed = self.registry.as_ref().map(|registry| registry.models(name)).unwrap_or_default();
        let mut known: Vec<KnownModel> = models::of_templates(name).collect();
        known.extend(listed);
        known
    }

    /// Every package that is known.
    pub fn packages(&self) -> impl Iterator<Item = Package> + '_ {
        let listed = self.registry.iter().flat_map(|registry| registry.packages());
        let registry = self.registry.as_deref();
        let more = supplied().filter(move |one| registry.is_none_or(|registry| registry.package(&one.id).is_none()));
        listed.chain(more)
    }
}

/// The packages of which the supplement knows that they are there.
fn supplied() -> impl Iterator<Item = Package> {
    let ids = supplement::repositories().into_iter().filter_map(PackageId::of_repository);
    ids.map(|id| Package::named(id, Layer::BuiltIn))
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
