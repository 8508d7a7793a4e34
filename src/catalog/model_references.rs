//! The places in a workflow that name a model, found.

use std::collections::{HashMap, HashSet};

use crate::workflow::document::Kind;
use crate::workflow::{Declared, DefinitionKind, Feed, Held, Input, Node, Value, ValueId, Wires, Workflow, wires};

use super::folders;
use super::knowledge::Catalog;
use super::layouts::text::{Tag, TagKind};
use super::layouts::{self, Named, Seen, mention, prefix, rows, text};
use super::loaders::{self, Loader, Reads, WidgetIndex};
use super::reference::{Names, Need, Reference};

/// No path is longer; a longer value is data.
const MAX_NAME: usize = 1 << 12;

/// Every place in `workflow` that names a model, as far as `catalog` knows its nodes, in the order of [`Workflow::nodes`].
pub fn references(workflow: &Workflow<'_>, catalog: &Catalog) -> Vec<Reference> {
    let declared = workflow.nodes.iter().flat_map(|node| &node.declared).chain(&workflow.declared);
    // The first of a name counts.
    let mut by_name = HashMap::new();
    for declared in declared {
        by_name.entry(declared.name.as_str()).or_insert(declared);
    }
    let wires = Wires::new(workflow);
    let reading = Reading { workflow, catalog, wires, declared: by_name };
    let mut found = Vec::new();
    for node in &workflow.nodes {
        for named in reading.names_in(node) {
            found.extend(reading.reference(node, named));
        }
    }
    found
}

/// What names are looked up in.
struct Reading<'w, 'a> {
    workflow: &'w Workflow<'a>,
    catalog: &'w Catalog,
    wires: Wires<'w, 'a>,
    /// By the model's name.
    declared: HashMap<&'w str, &'w Declared>,
}

impl<'w> Reading<'w, '_> {
    fn names_in(&self, node: &'w Node) -> Vec<Named> {
        // What an instance gives is reported where it is used.
        if node.instance_of.is_some() || is_wire_or_note(&node.class) {
            return Vec::new();
        }
        let values = self.workflow.values(node);
        let seen = Seen::new(self.workflow, node, &values);
        let linked: HashMap<&str, &Input> = node
            .inputs
            .iter()
            .filter(|input| input.linked)
            .map(|input| (input.widget.as_deref().unwrap_or(&input.name), input))
            .collect();
        let fed = |name: &str| linked.get(name).map_or(Feed::Own, |input| self.wires.feed_of(node, input));
        let feed = |held: &Held<'_>| held.name.map_or(Feed::Own, fed);
        let special = layouts::read(&seen);
        let has_layout = special.is_some();
        let mut names = special.unwrap_or_default();
        let mut covered: HashSet<ValueId> = names.iter().map(|named| named.value).collect();
        if !has_layout {
            for loader in self.catalog.loaders(&node.class) {
                self.loader(&seen, loader, &linked, &mut names, &mut covered);
            }
            // What names a file is no text, whatever stands in the name.
            let names_none = |held: &&Held<'_>| feed(held) == Feed::Own && !covered.contains(&held.value);
            for held in values.iter().filter(names_none) {
                names.extend(self.tags(node, held));
            }
        }
        // A node that holds a text is reported where the text is used.
        if !has_layout && wires::holder(&node.class).is_none() && !mention::is_picker(&node.class) {
            // What an instance gives by name to an unknown position: which of the node's own values it replaces is not known.
            let unplaced = values.iter().any(|held| held.promoted && held.at.is_none());
            let replaced = |held: &Held<'_>| unplaced && held.name.is_none();
            for held in values.iter().filter(|held| !covered.contains(&held.value) && !replaced(held)) {
                match feed(held) {
                    Feed::Own => self.files(held, held.value, &mut names),
                    Feed::Value { value, .. } => self.files(held, value, &mut names),
                    Feed::Made { .. } => {}
                }
            }
        }
        if mention::is_echo(&node.class) {
            names.iter_mut().for_each(|named| (named.need, named.on) = (Need::Echo, false));
        }
        names
    }

    /// The names in the inputs that `loader` stands for. Where a node that holds a text feeds one, the name is there; where any other
    /// node does, the input's own value is not used.
    fn loader(
        &self,
        seen: &Seen<'_, '_>,
        loader: &Loader,
        linked: &HashMap<&str, &'w Input>,
        names: &mut Vec<Named>,
        covered: &mut HashSet<ValueId>,
    ) {
        let mut own = values_of(seen, loader);
        let valued: HashSet<String> = own.iter().map(|given| given.input.clone()).collect();
        // In the order of the file, which a map has lost.
        for input in seen.node.inputs.iter().filter(|input| input.linked) {
            let name = input.widget.as_ref().unwrap_or(&input.name);
            if loader.has_input(name) && !valued.contains(name) {
                own.push(Given { input: name.clone(), widget: None, value: None });
            }
        }
        for given in own {
            covered.extend(given.value);
            covered.extend(given.widget.and_then(|position| seen.at(position)).map(Value::id));
            let fed = linked.get(given.input.as_str()).map_or(Feed::Own, |input| self.wires.feed_of(seen.node, input));
            let (value, used) = match (fed, given.value) {
                (Feed::Value { value, .. }, _) => (value, true),
                (Feed::Own, Some(value)) => (value, true),
                (Feed::Made { .. }, Some(value)) => (value, false),
                (_, None) => continue,
            };
            let mut held = self.workflow.value(value);
            if loader.reads == Reads::Content {
                held = held.get("content").unwrap_or(held);
            }
            let Some(text) = held.text() else { continue };
            if loader.is_sentinel(&text) {
                continue;
            }
            let (folders, part) = match loader.reads {
                Reads::Prefixed => prefix::chosen(&text, &loader.folders),
                _ => (loader.folders.clone(), None),
            };
            names.push(Named {
                on: used && rows::is_on(seen, &given.input, given.widget),
                input: Some(given.input),
                widget: given.widget,
                value: held.id(),
                part,
                folders,
                names: match loader.reads {
                    Reads::Directory | Reads::Repository => Names::Directory,
                    Reads::Either => Names::FileOrDirectory,
                    _ => Names::File,
                },
                need: match loader.reads {
                    Reads::Private | Reads::Fetched | Reads::Repository => Need::Fetched,
                    _ => Need::Required,
                },
            });
        }
    }

    /// Embeddings and LoRAs that a text names. ComfyUI's own text encoders take a LoRA's tag for words.
    fn tags(&self, node: &Node, held: &Held<'_>) -> Vec<Named> {
        let Some(said) = self.workflow.value(held.value).text() else { return Vec::new() };
        let ignored = |tag: &Tag| tag.kind == TagKind::Lora && node.class.starts_with("CLIPTextEncode");
        let named = |tag: Tag| Named {
            on: !ignored(&tag),
            names: tag.names,
            part: Some(tag.name),
            ..Named::file(held, held.value, &[tag.kind.folder()])
        };
        text::tags(&said).into_iter().map(named).collect()
    }

    /// Strings that look like the name of a model file, in a value of which nothing is known.
    fn files(&self, held: &Held<'_>, value: ValueId, names: &mut Vec<Named>) {
        let mut open = vec![self.workflow.value(value)];
        while let Some(value) = open.pop() {
            match value.kind() {
                Kind::Text if value.text().is_some_and(|text| looks_like_a_file(&text)) => {
                    names.push(Named::file(held, value.id(), &[]));
                }
                Kind::Array => open.extend(value.items()),
                Kind::Object => open.extend(value.members().map(|(_, value)| value)),
                _ => {}
            }
        }
    }

    fn reference(&self, node: &Node, named: Named) -> Option<Reference> {
        let value = self.workflow.value(named.value);
        let text = value.text().filter(|text| text.len() <= MAX_NAME || named.part.is_some())?;
        let (said, place) = match &named.part {
            None => (text.as_ref(), value.place()),
            Some(part) => (&text[part.clone()], value.place_within(part.clone())?),
        };
        if loaders::is_sentinel(said) {
            return None;
        }
        let path = normalised(said);
        let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
        let declared = node.declared.iter().find(|declared| declared.name == name);
        Some(Reference {
            workflow: None,
            scope: node.scope.clone(),
            node: node.id.clone(),
            node_type: node.class.clone(),
            input: named.input,
            widget: named.widget,
            declared: declared.or_else(|| self.declared.get(name.as_str()).copied()).cloned(),
            value: said.to_owned(),
            path,
            name,
            folders: named.folders,
            names: named.names,
            need: named.need,
            active: node.is_active() && named.on,
            place,
        })
    }
}

/// A value of a loader's input, with its name and position; without a value where only a link feeds it.
struct Given {
    input: String,
    widget: Option<usize>,
    value: Option<ValueId>,
}

fn values_of(seen: &Seen<'_, '_>, loader: &Loader) -> Vec<Given> {
    let given = |input: String, held: &Held<'_>| Given { input, widget: held.at, value: Some(held.value) };
    let named = seen.values.iter().filter_map(|held| Some((held.name.filter(|name| loader.has_input(name))?, held)));
    let mut named: Vec<_> = named.map(|(name, held)| given(name.to_owned(), held)).collect();
    // What an instance gives by name stands for the value at the loader's own position.
    if let ([only], WidgetIndex::At(position)) = (named.as_mut_slice(), loader.widget)
        && seen.at(position).is_some()
    {
        only.widget = only.widget.or(Some(position));
    }
    // Where the file names the positions, a widget that is not among them is not there.
    if !named.is_empty() || seen.values.iter().any(|held| held.name.is_some() && held.at.is_some()) {
        return named;
    }
    let at = |position| seen.held_at(position);
    match loader.widget {
        WidgetIndex::At(position) => at(position).map(|held| given(loader.input.clone(), held)).into_iter().collect(),
        WidgetIndex::Rows { first, step } => {
            let rows =
                (1..).zip((first..).step_by(step.max(1))).map_while(|(row, position)| Some((row, at(position)?)));
            rows.map(|(row, held)| given(loader.input.replace('*', &row.to_string()), held)).collect()
        }
        // Of rows without names those count that look like it.
        WidgetIndex::Varies => {
            let text = |held: &Held<'_>| seen.workflow.value(held.value).text();
            let listed = seen.values.iter().filter(|held| held.at.is_some());
            let rows = listed.filter(|held| text(held).is_some_and(|text| looks_like_a_file(&text)));
            rows.map(|held| given(loader.input.clone(), held)).collect()
        }
    }
}

/// Nodes that never run, and what they say is no reference.
fn is_wire_or_note(class: &str) -> bool {
    wires::is_reroute(class)
        || matches!(class, "Note" | "MarkdownNote" | "SetNode" | "GetNode" | "easy setNode" | "easy getNode")
        || DefinitionKind::named_by(class).is_some()
}

/// True for a text that ends as model files do, and is neither an address nor a prompt.
fn looks_like_a_file(text: &str) -> bool {
    let is_model = |extension: &str| {
        let known = folders::MODEL_EXTENSIONS.iter().chain(folders::FURTHER_EXTENSIONS);
        known.into_iter().any(|known| known.eq_ignore_ascii_case(extension))
    };
    let (stem, extension) = text.rsplit_once('.').unwrap_or_default();
    text.len() <= MAX_NAME
        && is_model(extension)
        && !stem.is_empty()
        && !text.contains(['\n', '<', '>', '|', '"', '*', '?'])
        && !["://", "embedding:"].iter().any(|sign| text.contains(sign))
}

/// `value` with `/` between folders and without empty and `.` parts.
fn normalised(value: &str) -> String {
    let parts = value.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".");
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::super::reference::tests::shared_data;
    use super::*;

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
    fn what_names_a_file_is_not_searched_for_names_in_texts() {
        let found = of(&node("CheckpointLoaderSimple", r#""widgets_values":["a embedding:b.safetensors"]"#));
        assert_eq!(found.iter().map(|found| found.value.as_str()).collect::<Vec<_>>(), ["a embedding:b.safetensors"]);
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

    /// Every workflow at hand, with its path below the folder.
    fn corpus() -> Vec<(String, Vec<u8>)> {
        let Some(root) = shared_data("workflows") else { return Vec::new() };
        let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "json") && path.file_name().unwrap() != "index.json" {
                    let below = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
                    found.push((below, std::fs::read(&path).unwrap()));
                }
            }
        }
        assert!(found.len() > 40);
        found
    }

    fn read<'b>(name: &str, bytes: &'b [u8]) -> Workflow<'b> {
        let workflow = crate::workflow::read(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(workflow.unread, [], "{name}");
        workflow
    }

    #[test]
    fn every_declared_model_of_the_corpus_is_found_with_its_folder() {
        let mut declared_models = 0;
        for (name, bytes) in corpus() {
            let workflow = read(&name, &bytes);
            let found = references(&workflow, &Catalog::built_in());
            for declared in workflow.nodes.iter().flat_map(|node| &node.declared).chain(&workflow.declared) {
                let directory = declared.directory.as_deref().unwrap();
                let reads = |folders: &[String]| {
                    folders.iter().any(|key| folders::directories(key).contains(&directory) || key == directory)
                };
                let is_it = |reference: &&Reference| reference.name == declared.name && reads(&reference.folders);
                assert!(found.iter().any(|reference| is_it(&reference)), "{name}: {declared:?}");
                declared_models += 1;
            }
        }
        if shared_data("workflows").is_some() {
            assert!(declared_models > 60, "{declared_models}");
        }
    }

    #[test]
    fn a_graph_of_the_corpus_and_its_prompt_name_the_same_models() {
        let corpus = corpus();
        let active = |bytes: &[u8]| {
            let mut found = of(std::str::from_utf8(bytes).unwrap());
            found.retain(|reference| reference.active);
            let mut found: Vec<_> = found.into_iter().map(|r| (r.node, r.input, r.value, r.folders)).collect();
            found.sort();
            found
        };
        for (name, bytes) in &corpus {
            let Some(graph) = name.strip_suffix(".api.json").map(|stem| format!("{stem}.workflow.json")) else {
                continue;
            };
            let graph = &corpus.iter().find(|(name, _)| *name == graph).unwrap().1;
            assert_eq!(active(bytes), active(graph), "{name}");
        }
    }

    #[test]
    fn every_reference_of_the_corpus_is_rewritten_in_its_place_and_back() {
        for (name, bytes) in corpus() {
            assert_eq!(crate::workflow::rewrite(&bytes, &[]).unwrap(), bytes, "{name}");
            for reference in references(&read(&name, &bytes), &Catalog::built_in()) {
                let new = format!("neu/{}", reference.name);
                let changed = crate::workflow::rewrite(&bytes, &[(reference.place.clone(), new.clone())]).unwrap();
                let after = references(&read(&name, &changed), &Catalog::built_in());
                let found = after.iter().find(|after| {
                    (&after.scope, &after.node, after.place.start)
                        == (&reference.scope, &reference.node, reference.place.start)
                });
                let found = found.unwrap_or_else(|| panic!("{name}: {reference:?}"));
                assert_eq!(found.value, new, "{name}");
                let back = [(found.place.clone(), reference.value)];
                assert_eq!(crate::workflow::rewrite(&changed, &back).unwrap(), bytes, "{name}");
            }
        }
    }

    #[test]
    fn rows_and_objects_are_read_and_those_switched_off_are_inactive() {
        let summary = |class: &str, values: &str| -> Vec<(String, bool)> {
            of(&node(class, &format!(r#""widgets_values":{values}"#))).into_iter().map(|r| (r.path, r.active)).collect()
        };
        let expected = |of: &[(&str, bool)]| -> Vec<(String, bool)> {
            of.iter().map(|(path, active)| ((*path).to_owned(), *active)).collect()
        };
        let power = r#"[{},{"type":"PowerLoraLoaderHeaderWidget"},{"on":true,"lora":"a\\b.pt"},{"on":false,"lora":"c.pt"},{"on":true,"lora":"None"},""]"#;
        assert_eq!(summary("Power Lora Loader (rgthree)", power), expected(&[("a/b.pt", true), ("c.pt", false)]));
        let stacker = r#"["simple",2,"a.pt",1,1,1,"None",1,1,1,"c.pt",1,1,1]"#;
        assert_eq!(summary("LoRA Stacker", stacker), expected(&[("a.pt", true), ("c.pt", false)]));
        let stack = r#"["On","a.pt",1,1,"Off","b.pt",1,1,"On","None",1,1]"#;
        assert_eq!(summary("CR LoRA Stack", stack), expected(&[("a.pt", true), ("b.pt", false)]));
        let easy = r#"[true,"simple",1,"a.pt",1,1,1,"b.pt",1,1,1]"#;
        assert_eq!(summary("easy loraStack", easy), expected(&[("a.pt", true), ("b.pt", true)]));
        let content = r#"[{"content":"x\\a.pt","image":"x/a.png"},1,1]"#;
        assert_eq!(summary("LoraLoader|pysssss", content), expected(&[("x/a.pt", true)]));
        let efficient = r#"["c.pt","Baked VAE",-1,"None",1,1,"a (embedding:neg:1.2)","",512,512,1]"#;
        assert_eq!(summary("Efficient Loader", efficient), expected(&[("c.pt", true), ("neg", true)]));
        let manager = r#"[{"version":1},"<lora:a:1> <lora:b:1>",[{"name":"a","strength":1,"active":true},{"name":"b","strength":"1","active":false}]]"#;
        assert_eq!(summary("Lora Loader (LoraManager)", manager), expected(&[("a", true), ("b", false)]));
        assert_eq!(summary("DiffusersLoader", r#"["sdxl-base"]"#), expected(&[("sdxl-base", true)]));
        assert_eq!(summary("WanVideoModelLoader", r#"{"model":"w\\a.gguf","x":1}"#), expected(&[("w/a.gguf", true)]));
    }

    #[test]
    fn prefixes_texts_and_unknown_nodes_are_rewritten_in_part() {
        let text = r#"{"1":{"class_type":"UltralyticsDetectorProvider","inputs":{"model_name":"segm/a.pt"}},
            "2":{"class_type":"ImpactWildcardEncode","inputs":{"wildcard_text":"x <lora:b:1:LBW=1;> \u00e4","Select to add LoRA":"p.pt"}},
            "3":{"class_type":"Mystery","inputs":{"deep":[{"file":"c.gguf"}],"url":"https://example.org/c.pt","say":"a.b"}},
            "4":{"class_type":"Save Image w/Metadata","inputs":{"modelname":"d.ckpt"}}}"#;
        let found = of(text);
        let shown: Vec<_> = found.iter().map(|r| (r.value.as_str(), r.folders.join(","), r.active)).collect();
        let expected =
            [("a.pt", "ultralytics_segm", true), ("b", "loras", true), ("c.gguf", "", true), ("d.ckpt", "", false)];
        assert_eq!(shown, expected.map(|(value, folder, active)| (value, folder.to_owned(), active)));
        assert_eq!((found[1].names, found[3].need), (Names::Stem, Need::Echo));
        let changes: Vec<_> = found.iter().map(|r| (r.place.clone(), "N".to_owned())).collect();
        let after = crate::workflow::rewrite(text.as_bytes(), &changes).unwrap();
        let expected = text
            .replace("segm/a.pt", "segm/N")
            .replace("lora:b:", "lora:N:")
            .replace("c.gguf", "N")
            .replace("d.ckpt", "N");
        assert_eq!(String::from_utf8(after).unwrap(), expected);
    }

    #[test]
    fn a_primitive_that_feeds_a_loader_holds_the_name() {
        let loader = r#"{"id":1,"type":"VAELoader","inputs":[{"name":"vae_name","widget":{"name":"vae_name"},"link":5}],"widgets_values":["stale.pt"]}"#;
        let with = |source: &str| format!(r#"{{"nodes":[{loader},{source}],"links":[[5,2,0,1,0,"COMBO"]]}}"#);
        let text = with(r#"{"id":2,"type":"PrimitiveNode","widgets_values":["real.pt","fixed"]}"#);
        let found = of(&text);
        assert_eq!((found.len(), found[0].value.as_str(), found[0].node.as_str()), (1, "real.pt", "1"));
        assert_eq!(&text[found[0].place.clone()], "\"real.pt\"");
        // What another node makes is not known before it runs; the value that stands here is not used.
        let found = of(&with(r#"{"id":2,"type":"Chooser"}"#));
        assert_eq!((found.len(), found[0].value.as_str(), found[0].active), (1, "stale.pt", false));
        // In the API format only the link is there.
        let api = r#"{"1":{"class_type":"VAELoader","inputs":{"vae_name":["2",0]}},
            "2":{"class_type":"PrimitiveString","inputs":{"value":"real.pt"}}}"#;
        let found = of(api);
        assert_eq!((found.len(), found[0].value.as_str(), found[0].input.as_deref()), (1, "real.pt", Some("vae_name")));
    }

    #[test]
    fn very_many_widgets_and_very_long_texts_take_their_time_once() {
        let slots: Vec<String> = (0..50_000)
            .map(|at| format!(r#"{{"name":"lora_name_{at}","widget":{{"name":"lora_name_{at}"}},"link":9}}"#))
            .collect();
        let values = vec![r#""a.pt""#; slots.len()].join(",");
        let text = node("LoRA Stacker", &format!(r#""inputs":[{}],"widgets_values":[{values}]"#, slots.join(",")));
        assert_eq!(of(&text).len(), slots.len());
        let long = "embedding:a ".repeat((50 << 20) / 12);
        assert!(of(&node("CLIPTextEncode", &format!(r#""widgets_values":["{long}"]"#))).is_empty());
    }

    #[test]
    fn three_instances_with_a_lora_each_are_three_references() {
        let id = "11111111-1111-4111-8111-111111111111";
        let instances: Vec<_> = ["a", "b", "c"]
            .iter()
            .enumerate()
            .map(|(at, name)| format!(r#"{{"id":{at},"type":"{id}","widgets_values":["{name}.safetensors"]}}"#))
            .collect();
        let definition = format!(
            r#"{{"id":"{id}","name":"S","inputs":[{{"name":"lora","type":"COMBO"}}],
            "nodes":[{{"id":7,"type":"LoraLoaderModelOnly","inputs":[{{"name":"lora_name","widget":{{"name":"lora_name"}},"link":1}}],
            "widgets_values":["inner.safetensors", 1.0]}}],
            "links":[{{"id":1,"origin_id":-10,"origin_slot":0,"target_id":7,"target_slot":0,"type":"COMBO"}}]}}"#
        );
        let text = format!(
            r#"{{"nodes":[{}],"links":[],"definitions":{{"subgraphs":[{definition}]}}}}"#,
            instances.join(", ")
        );
        let found = of(&text);
        let shown: Vec<_> = found.iter().map(|r| (r.scope.join("/"), r.widget, r.path.as_str())).collect();
        let expected =
            [("0", "a"), ("1", "b"), ("2", "c")].map(|(s, p)| (s.to_owned(), Some(0), format!("{p}.safetensors")));
        assert_eq!(shown, expected.each_ref().map(|(s, w, p)| (s.clone(), *w, p.as_str())));
        let change = [(found[1].place.clone(), "styles/ink.safetensors".to_owned())];
        let after = crate::workflow::rewrite(text.as_bytes(), &change).unwrap();
        assert_eq!(String::from_utf8(after).unwrap(), text.replace("\"b.safetensors\"", "\"styles/ink.safetensors\""));
    }
}
