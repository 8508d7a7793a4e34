//! The places in a workflow that name a model.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::workflow::{Declared, Node, ValueId, Workflow};

use super::knowledge::{Catalog, Loader, WidgetIndex};

/// A place in a workflow that names a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The workflow as it was named; nothing where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Ids of the enclosing instances, outermost first.
    #[serde(default)]
    pub scope: Vec<String>,
    pub node: String,
    #[serde(rename = "type")]
    pub node_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Position in the editor's widget values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widget: Option<usize>,
    /// The name as the workflow has it: the whole value, or the part of a text that names a model.
    pub value: String,
    /// The value with `/` between folders, whatever system it was written on.
    pub path: String,
    /// The last name of the path.
    pub name: String,
    /// Keys of the folders in which the node looks, in order; none where nothing is known of the node.
    pub folders: Vec<String>,
    /// What the value names.
    #[serde(default, skip_serializing_if = "Names::is_file")]
    pub names: Names,
    #[serde(default, skip_serializing_if = "Need::is_required")]
    pub need: Need,
    /// False where the workflow runs without the model: the node or the row is switched off, or the value is not used.
    pub active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declared>,
    /// Where the value stands in the file's bytes, as `workflow::rewrite` takes it: a whole string with its quotes, or a
    /// part of one. Several references can share a place, as nodes of a subgraph with several instances do.
    #[serde(skip)]
    pub place: Range<usize>,
}

/// What a value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Names {
    #[default]
    File,
    Directory,
    FileOrDirectory,
    /// A file, its extension left out, maybe its folder too.
    Stem,
}

impl Names {
    fn is_file(&self) -> bool {
        *self == Names::File
    }
}

/// Whether a model has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    #[default]
    Required,
    /// The node fetches it itself where it is missing.
    Fetched,
    /// The node only repeats the name, to write it into a file for one. Never active.
    Echo,
}

impl Need {
    fn is_required(&self) -> bool {
        *self == Need::Required
    }
}

/// Every place in `workflow` that names a model, as far as `catalog` knows its nodes, in the order of the file.
pub fn references(workflow: &Workflow<'_>, catalog: &Catalog) -> Vec<Reference> {
    let mut found = Vec::new();
    for node in &workflow.nodes {
        for loader in catalog.loaders(&node.class) {
            for Named { input, widget, value } in values_of(workflow, node, loader) {
                let Some(text) = workflow.value(value).text() else { continue };
                if loader.is_sentinel(&text) {
                    continue;
                }
                let path = normalised(&text);
                let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
                found.push(Reference {
                    workflow: None,
                    names: Names::File,
                    need: Need::Required,
                    scope: node.scope.clone(),
                    node: node.id.clone(),
                    node_type: node.class.clone(),
                    input: Some(input),
                    widget,
                    declared: declared(workflow, node, &name),
                    value: text.into_owned(),
                    path,
                    name,
                    folders: loader.folders.clone(),
                    active: node.is_active(),
                    place: workflow.value(value).place(),
                });
            }
        }
    }
    found
}

/// A value of a loader's input, with its name and position.
struct Named {
    input: String,
    widget: Option<usize>,
    value: ValueId,
}

fn values_of(workflow: &Workflow<'_>, node: &Node, loader: &Loader) -> Vec<Named> {
    let values = workflow.values(node);
    let named = values.iter().filter(|held| held.name.is_some_and(|name| loader.has_input(name)));
    let named: Vec<_> = named
        .filter_map(|held| Some(Named { input: held.name?.to_owned(), widget: held.at, value: held.value }))
        .collect();
    if !named.is_empty() || values.iter().any(|held| held.name.is_some() && held.at.is_some()) {
        return named;
    }
    let WidgetIndex::At(at) = loader.widget else { return Vec::new() };
    let held = values.iter().find(|held| held.at == Some(at));
    held.map(|held| Named { input: loader.input.clone(), widget: held.at, value: held.value }).into_iter().collect()
}

/// `value` with `/` between folders and without empty and `.` parts.
fn normalised(value: &str) -> String {
    let parts = value.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".");
    parts.collect::<Vec<_>>().join("/")
}

/// What the node, else the file, says of where a model of this name can be had.
fn declared(workflow: &Workflow<'_>, node: &Node, name: &str) -> Option<Declared> {
    node.declared.iter().chain(&workflow.declared).find(|declared| declared.name == name).cloned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A file of the gathered facts and workflows, where they are at hand; else says that the test is skipped.
    pub(crate) fn shared_data(below: &str) -> Option<PathBuf> {
        let named = std::env::var_os("COMFREY_SHARED_DATA").map(PathBuf::from);
        let folder = named.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").into());
        let path = folder.join(below);
        if !path.exists() {
            eprintln!("SKIPPED: {} is not there; set COMFREY_SHARED_DATA", path.display());
            return None;
        }
        Some(path)
    }

    fn of(text: &str) -> Vec<Reference> {
        references(&crate::workflow::read(text.as_bytes()).unwrap(), &Catalog::built_in())
    }

    fn node(class: &str, rest: &str) -> String {
        format!(r#"{{"nodes":[{{"id":4,"type":"{class}",{rest}}}],"links":[]}}"#)
    }

    #[test]
    fn a_reference_carries_place_path_and_folders() {
        let text = node("CheckpointLoaderSimple", r#""widgets_values":["SDXL\\a.safetensors"]"#);
        let found = of(&text);
        assert_eq!(found.len(), 1);
        let reference = &found[0];
        assert_eq!(reference.value, "SDXL\\a.safetensors");
        assert_eq!((reference.path.as_str(), reference.name.as_str()), ("SDXL/a.safetensors", "a.safetensors"));
        assert_eq!((reference.node.as_str(), reference.widget, reference.active), ("4", Some(0), true));
        assert_eq!(reference.folders, ["checkpoints"]);
        assert_eq!(&text[reference.place.clone()], r#""SDXL\\a.safetensors""#);
    }

    #[test]
    fn a_linked_widget_shifts_nothing() {
        let text = node(
            "CheckpointLoader",
            r#""inputs":[{"name":"config_name","link":9,"widget":{"name":"config_name"}},
                {"name":"ckpt_name","link":null,"widget":{"name":"ckpt_name"}}],"widgets_values":["v1.yaml","b.ckpt"]"#,
        );
        let values: Vec<_> = of(&text).into_iter().map(|r| (r.input.unwrap(), r.value)).collect();
        assert_eq!(values, [("config_name".into(), "v1.yaml".into()), ("ckpt_name".to_owned(), "b.ckpt".to_owned())]);
    }

    #[test]
    fn slots_that_do_not_cover_all_values_do_not_name_them() {
        // An older editor: only the widget that was turned into an input has a slot.
        let text = node(
            "CheckpointLoader",
            r#""inputs":[{"name":"ckpt_name","link":9,"widget":{"name":"ckpt_name"}}],"widgets_values":["v1.yaml","b.ckpt"]"#,
        );
        let found = of(&text);
        assert_eq!((found[1].input.as_deref(), found[1].value.as_str()), (Some("ckpt_name"), "b.ckpt"));
    }

    #[test]
    fn what_becomes_of_a_seed_shifts_the_values_after_it() {
        let slots: Vec<String> = ["rank", "seed", "algorithm", "existing_lora"]
            .map(|name| format!(r#"{{"name":"{name}","widget":{{"name":"{name}"}}}}"#))
            .into();
        let text = node(
            "TrainLoraNode",
            &format!(r#""inputs":[{}],"widgets_values":[8,1,"randomize","lora","x.safetensors"]"#, slots.join(",")),
        );
        let found = of(&text);
        assert_eq!((found[0].widget, found[0].value.as_str()), (Some(4), "x.safetensors"));
    }

    #[test]
    fn choices_that_are_no_files_are_no_references() {
        for value in ["taesd", "pixel_space", "None", ""] {
            assert!(of(&node("VAELoader", &format!(r#""widgets_values":["{value}"]"#))).is_empty(), "{value}");
        }
        assert!(of(&node("VAELoader", r#""widgets_values":[null]"#)).is_empty());
        assert!(of(&node("VAELoader", r#""widgets_values":[]"#)).is_empty());
        assert!(of(&node("VAELoader", r#""pos":[1,2]"#)).is_empty());
    }

    #[test]
    fn muted_and_bypassed_nodes_are_references_that_are_not_active() {
        for (mode, active) in [(0, true), (1, true), (2, false), (3, true), (4, false)] {
            let found = of(&node("VAELoader", &format!(r#""mode":{mode},"widgets_values":["a.pt"]"#)));
            assert_eq!(found[0].active, active, "{mode}");
        }
    }

    #[test]
    fn the_api_format_names_its_inputs() {
        let found = of(r#"{"1:2":{"class_type":"LoadLoraModel","inputs":{"loras.0.lora_name":"a/b.safetensors",
            "loras.1.lora_name":["9",0],"loras.1.strength":1.0}}}"#);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].node.as_str(), found[0].input.as_deref()), ("2", Some("loras.0.lora_name")));
        assert_eq!((found[0].widget, found[0].path.as_str()), (None, "a/b.safetensors"));
    }

    #[test]
    fn a_declared_source_is_found_at_the_node_and_at_the_root() {
        let declared = r#""models":[{"name":"a.pt","url":"https://example.org/a.pt","directory":"vae"}]"#;
        let at_node = node("VAELoader", &format!(r#""widgets_values":["sub/a.pt"],"properties":{{{declared}}}"#));
        assert_eq!(of(&at_node)[0].declared.as_ref().unwrap().directory.as_deref(), Some("vae"));
        let at_root = format!(r#"{{"nodes":[{{"id":1,"type":"VAELoader","widgets_values":["a.pt"]}}],{declared}}}"#);
        assert_eq!(of(&at_root)[0].declared.as_ref().unwrap().url.as_deref(), Some("https://example.org/a.pt"));
    }

    #[test]
    fn every_workflow_at_hand_is_read_and_declared_models_are_found() {
        let Some(folder) = shared_data("workflows") else { return };
        let catalog = Catalog::built_in();
        let (mut read, mut references_found, mut folders) = (0, 0, vec![folder]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "json") && path.file_name().unwrap() != "index.json" {
                    let bytes = std::fs::read(&path).unwrap();
                    let workflow = crate::workflow::read(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                    for reference in references(&workflow, &catalog) {
                        assert_eq!(bytes[reference.place.start], b'"');
                        references_found += 1;
                        let Some(directory) = reference.declared.and_then(|d| d.directory) else { continue };
                        let keys: Vec<_> =
                            reference.folders.iter().flat_map(|f| crate::catalog::folders::directories(f)).collect();
                        assert!(keys.contains(&directory.as_str()), "{}: {directory}", path.display());
                    }
                    // Unchanged, a rewrite gives the same bytes.
                    assert_eq!(crate::workflow::rewrite(&bytes, &[]).unwrap(), bytes);
                    read += 1;
                }
            }
        }
        assert!(read > 40 && references_found > 50, "{read} files, {references_found} references");
    }
}
