//! The catalog: where node classes come from, who owns them, and which of their inputs name model files.

use std::collections::HashMap;

use super::loaders::COMFY_CORE;
use super::models;
use super::package::{Found, KnownModel, Layer, Matched, Owner, Owners, Package, PackageId};
use super::signature::Signature;
use super::supplement;

/// What is known of node classes, packages and models.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    loaders: HashMap<String, Vec<Loader>>,
}

/// An input that names a model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loader {
    /// The input's name; `*` stands for a number.
    pub input: String,
    /// Where the editor keeps its value when it keeps a list.
    pub widget: WidgetIndex,
    /// Keys of the folders whose files it lists, in order.
    pub folders: Vec<String>,
    /// Choices that stand for no file.
    pub sentinels: Vec<String>,
}

/// The position of a widget in `widgets_values`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WidgetIndex {
    At(usize),
    /// The user adds rows, so that only names tell.
    Varies,
}

/// Choices that stand for no file on any node.
const SENTINELS: &[&str] = &["", "None", "none", "[None]", "disabled", "Baked VAE", "Default"];

impl Catalog {
    /// What is built in: ComfyUI's own nodes.
    pub fn built_in() -> Self {
        let mut catalog = Catalog::default();
        for row in COMFY_CORE {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            catalog.loaders.entry(row.class.to_owned()).or_default().push(Loader {
                input: row.input.to_owned(),
                widget: row.widget.map_or(WidgetIndex::Varies, WidgetIndex::At),
                folders: owned(row.folders),
                sentinels: owned(row.sentinels),
            });
        }
        catalog
    }

    /// The inputs of `class` that name model files. A class id can end in spaces: as written first, then trimmed.
    pub fn loaders(&self, class: &str) -> &[Loader] {
        self.loaders.get(class).or_else(|| self.loaders.get(class.trim())).map_or(&[], Vec::as_slice)
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

impl Loader {
    /// True when the loader has this input.
    pub fn has_input(&self, name: &str) -> bool {
        match self.input.split_once('*') {
            None => self.input == name,
            Some((before, after)) => name
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after))
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())),
        }
    }

    /// True for a choice that stands for no file.
    pub fn is_sentinel(&self, value: &str) -> bool {
        SENTINELS.contains(&value.trim()) || self.sentinels.iter().any(|sentinel| sentinel == value)
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
    fn inputs_that_are_numbered_match_any_number() {
        let catalog = Catalog::built_in();
        let loader = &catalog.loaders("LoadLoraModel")[0];
        assert!(loader.has_input("loras.0.lora_name") && loader.has_input("loras.19.lora_name"));
        assert!(!loader.has_input("loras.x.lora_name") && !loader.has_input("loras..lora_name"));
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

    /// The facts were gathered by reading sources; where the gathered table is at hand, ours must agree with it.
    #[test]
    fn the_table_agrees_with_the_facts_it_was_made_from() {
        let Some(facts) = crate::catalog::reference::tests::shared_data("model-loaders.json") else { return };
        let facts: serde_json::Value = serde_json::from_slice(&std::fs::read(facts).unwrap()).unwrap();
        let catalog = Catalog::built_in();
        let mut rows = 0;
        for fact in facts["loaders"].as_array().unwrap() {
            if fact["pack"] != "comfy-core" || fact["kind"] == "directory" {
                continue;
            }
            let (class, input) = (fact["node"].as_str().unwrap(), fact["input"].as_str().unwrap());
            let loader = catalog.loaders(class).iter().find(|loader| loader.has_input(input)).expect(class);
            let folders: Vec<&str> = fact["folders"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
            assert_eq!(loader.folders, folders, "{class}");
            match fact["widget_index"].as_u64() {
                Some(index) => assert_eq!(loader.widget, WidgetIndex::At(index as usize), "{class}"),
                None => assert_eq!(loader.widget, WidgetIndex::Varies, "{class}"),
            }
            for sentinel in fact["sentinels"].as_array().into_iter().flatten() {
                assert!(loader.is_sentinel(sentinel.as_str().unwrap()), "{class}");
            }
            rows += 1;
        }
        assert!(rows > 80, "{rows}");
        for (key, folder) in facts["folders"].as_object().unwrap() {
            let directories: Vec<&str> =
                folder["dirs"].as_array().unwrap().iter().map(|d| d.as_str().unwrap()).collect();
            assert_eq!(crate::catalog::folders::directories(key), directories, "{key}");
        }
    }
}
