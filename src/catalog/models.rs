//! Where the models of ComfyUI's own workflow templates can be had: facts that every template states of the models it uses.
//!
//! Read from comfyui-workflow-templates-json 0.1.123.

use super::package::{KnownModel, Layer};
use super::table::Table;

/// Sorted by bytes: name in lower case, directory, path on the host below, SHA-256 if it is stated, name if it has other case.
static TABLE: Table = Table::new(include_str!("data/template-models.tsv"));

/// All of them lie there.
const HOST: &str = "https://huggingface.co/";

/// What templates say of the model file `name`, whatever its case.
pub(super) fn of_templates(name: &str) -> impl Iterator<Item = KnownModel> + use<> {
    TABLE.lines_of(&name.to_lowercase()).map(parse)
}

/// How many places are listed.
pub fn count_of_templates() -> usize {
    TABLE.lines().len()
}

fn parse(line: &str) -> KnownModel {
    let mut columns = line.split('\t').map(|column| (!column.is_empty()).then(|| column.to_owned()));
    let mut next = || columns.next().flatten();
    let (key, directory, path, sha256, name) = (next(), next(), next(), next(), next());
    KnownModel {
        name: name.or(key).unwrap_or_default(),
        directory,
        url: format!("{HOST}{}", path.unwrap_or_default()),
        sha256,
        size: None,
        kind: None,
        base: None,
        layer: Layer::BuiltIn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_of_the_templates_is_known_with_its_folder_address_and_hash() {
        let found: Vec<_> = of_templates("CLIP_Vision_H.safetensors").collect();
        assert!(!found.is_empty());
        assert!(found.iter().all(|known| known.directory.as_deref() == Some("clip_vision")));
        assert!(found.iter().any(|known| known.sha256.as_deref().is_some_and(|hash| hash.starts_with("64a7ef76"))));
        assert!(found.iter().all(|known| known.url.starts_with("https://huggingface.co/Comfy-Org/")));
        assert_eq!(of_templates("no such model.safetensors").count(), 0);
    }

    #[test]
    fn the_table_agrees_with_the_facts_it_was_made_from() {
        let Some(facts) = crate::catalog::reference::tests::shared_data("template-models.json") else { return };
        let facts: serde_json::Value = serde_json::from_slice(&std::fs::read(facts).unwrap()).unwrap();
        for fact in facts["models"].as_array().unwrap() {
            let name = fact["name"].as_str().unwrap();
            let url = fact["url"].as_str().unwrap().trim_end_matches("?download=true");
            let known = of_templates(name)
                .find(|known| known.url == url && known.directory.as_deref() == fact["directory"].as_str());
            assert_eq!(known.unwrap().name, name);
        }
    }
}
