//! The places in a workflow that name a model.

use std::ops::Range;

use serde::Serialize;

use crate::workflow::{Declared, Node, ValueId, Widgets, Workflow};

use super::knowledge::{Catalog, Loader, WidgetIndex};

/// A place in a workflow that names a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// Ids of the enclosing instances, outermost first.
    pub scope: Vec<String>,
    pub node: String,
    #[serde(rename = "type")]
    pub node_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Position in the editor's widget values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub widget: Option<usize>,
    /// The value as the workflow has it.
    pub value: String,
    /// The value with `/` between folders, whatever system it was written on.
    pub path: String,
    /// The last name of the path.
    pub name: String,
    /// Keys of the folders in which the node looks, in order.
    pub folders: Vec<String>,
    /// False where the node is muted or bypassed: the workflow runs without the model.
    pub active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declared>,
    /// Where the value stands in the file's bytes, quotes included; what `workflow::rewrite` takes.
    #[serde(skip)]
    pub place: Range<usize>,
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
    match &node.widgets {
        Widgets::None => Vec::new(),
        Widgets::Named(values) => {
            let of_loader = values.iter().filter(|(name, _)| loader.has_input(name));
            of_loader.map(|(name, value)| Named { input: name.clone(), widget: None, value: *value }).collect()
        }
        Widgets::Listed(values) => {
            if let Some(names) = names_of(workflow, node, values) {
                let of_loader = names.into_iter().filter(|(name, _)| loader.has_input(name));
                return of_loader
                    .map(|(name, at)| Named { input: name.to_owned(), widget: Some(at), value: values[at] })
                    .collect();
            }
            let WidgetIndex::At(at) = loader.widget else { return Vec::new() };
            let value =
                values.get(at).map(|value| Named { input: loader.input.clone(), widget: Some(at), value: *value });
            value.into_iter().collect()
        }
    }
}

/// The position of each named widget in a list of values, where the node's slots tell it.
///
/// Newer editors give every widget a slot, linked or not, in the order of the values. Between them stand values without a
/// slot: after a seed, what becomes of it after a run. Older editors give a slot only to a widget that was turned into
/// an input; the count shows it, and then names say nothing about positions.
fn names_of<'n>(workflow: &Workflow<'_>, node: &'n Node, values: &[ValueId]) -> Option<Vec<(&'n str, usize)>> {
    const AFTER_RUN: [&str; 4] = ["fixed", "increment", "decrement", "randomize"];
    let slots: Vec<&str> = node.inputs.iter().filter_map(|input| input.widget.as_deref()).collect();
    if slots.is_empty() {
        return None;
    }
    let mut names = Vec::with_capacity(slots.len());
    let mut at = 0;
    for name in &slots {
        names.push((*name, at));
        at += 1;
        let unnamed =
            values.get(at).is_some_and(|value| AFTER_RUN.iter().any(|word| workflow.value(*value).says(word)));
        if unnamed && values.len() - at > slots.len() - names.len() {
            at += 1;
        }
    }
    (at == values.len()).then_some(names)
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
        assert_eq!((found[0].node.as_str(), found[0].input.as_deref()), ("1:2", Some("loras.0.lora_name")));
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
