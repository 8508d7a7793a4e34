//! Which format is this? Told by content, never by a file's name.

use std::collections::HashMap;

use super::document::{Document, JsonError, Kind, Value};
use super::graph::{Format, Node, Workflow, declared};
use super::{api, editor, group, opening, subgraph};

/// Why bytes are not a workflow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("not JSON: {0}")]
    NotJson(#[from] JsonError),
    #[error("JSON, but no workflow: {0}")]
    NotAWorkflow(#[from] NotAWorkflow),
}

/// Why a JSON document is no workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAWorkflow {
    #[error("the document is {}, and an object is wanted", .0.described())]
    Root(Kind),
    #[error("`nodes` holds no node with a `type`")]
    NoNodes,
    #[error("no `nodes` array (the editor's format) and no member with `class_type` and `inputs` (the API format)")]
    NoFormat,
}

/// Reads a workflow of any format.
///
/// The editor's format is an object with a `nodes` array. The API format is an object of objects with `class_type` and
/// `inputs`. Either may be wrapped: under `prompt`, as it is sent to ComfyUI, or under `workflow`. Where both are
/// there, `prompt` is what ran, and the other one adds where models can be had.
///
/// # Errors
/// Where the bytes stop being JSON, or why the document is no workflow.
pub fn read(bytes: &[u8]) -> Result<Workflow<'_>, ReadError> {
    let document = Document::read(bytes)?;
    let mut workflow = {
        let (format, held) = find(document.root())?;
        match format {
            Format::Editor => {
                let links = editor::read_links(held.get("links"));
                let nodes = editor::nodes_of(held).map(|nodes| editor::read_nodes(nodes, &links)).unwrap_or_default();
                let mut definitions = subgraph::read_definitions(held);
                definitions.extend(group::read_definitions(held));
                let declared = declared(held.get("models"));
                Workflow { format, nodes, links, definitions, declared, unread: Vec::new(), document }
            }
            Format::Api => {
                let nodes = api::read_nodes(held);
                let links = api::links_of(&nodes);
                let (definitions, declared, unread) = (Vec::new(), Vec::new(), Vec::new());
                Workflow { format, nodes, links, definitions, declared, unread, document }
            }
        }
    };
    opening::open(&mut workflow);
    if workflow.format == Format::Api {
        // Read on its own, since it is a workflow with places of its own. It is no wrapper, so this goes no deeper.
        let place = drawing(workflow.document.root()).map(Value::place);
        if let Some(Ok(drawing)) = place.map(|place| read(&bytes[place])) {
            workflow.learn_from(&drawing);
        }
    }
    Ok(workflow)
}

/// The drawing beside a prompt, wrapped with it: under `workflow`, or where ComfyUI's editor sends it.
fn drawing(root: Value<'_>) -> Option<Value<'_>> {
    let sent = || root.get("extra_data")?.get("extra_pnginfo")?.get("workflow");
    root.get("workflow").or_else(sent).filter(|drawing| matches!(bare(*drawing), Some(Ok((Format::Editor, _)))))
}

impl Workflow<'_> {
    /// Takes from the drawing that a prompt was made from what a prompt has no place for: where nodes and models can be had.
    pub fn learn_from(&mut self, drawing: &Workflow<'_>) {
        let drawn: HashMap<_, &Node> =
            drawing.nodes.iter().map(|node| ((&node.scope, &node.id, &node.class), node)).collect();
        for node in &mut self.nodes {
            if let Some(drawn) = drawn.get(&(&node.scope, &node.id, &node.class)) {
                node.package.clone_from(&drawn.package);
                node.declared.clone_from(&drawn.declared);
                if node.title.is_none() {
                    node.title.clone_from(&drawn.title);
                }
            }
        }
        let others = drawing.nodes.iter().flat_map(|node| &node.declared);
        self.declared.extend(drawing.declared.iter().chain(others).cloned());
    }
}

/// The format and the object that holds the nodes.
fn find(root: Value<'_>) -> Result<(Format, Value<'_>), NotAWorkflow> {
    if root.kind() != Kind::Object {
        return Err(NotAWorkflow::Root(root.kind()));
    }
    let bare = match bare(root) {
        Some(found) => return found,
        None => NotAWorkflow::NoFormat,
    };
    let wrapped = |key| root.get(key).filter(|held| held.kind() == Kind::Object).and_then(self::bare)?.ok();
    wrapped("prompt").or_else(|| wrapped("workflow")).ok_or(bare)
}

/// The format of an object that is not wrapped; nothing for one that shows no sign of either.
fn bare(object: Value<'_>) -> Option<Result<(Format, Value<'_>), NotAWorkflow>> {
    if let Some(nodes) = editor::nodes_of(object) {
        // A canvas without nodes is a workflow too, told by what else the editor writes.
        let canvas = || ["links", "last_node_id", "state"].into_iter().any(|key| object.get(key).is_some());
        let mut items = nodes.items().peekable();
        let is_workflow = if items.peek().is_none() { canvas() } else { items.any(editor::is_node) };
        return Some(if is_workflow { Ok((Format::Editor, object)) } else { Err(NotAWorkflow::NoNodes) });
    }
    api::is_prompt(object).then_some(Ok((Format::Api, object)))
}

#[cfg(test)]
mod tests {
    use super::super::graph::{Mode, Widgets};
    use super::*;

    fn reason(text: &str) -> String {
        read(text.as_bytes()).err().unwrap().to_string()
    }

    #[test]
    fn formats_are_told_apart_by_content() {
        let format = |text: &str| read(text.as_bytes()).unwrap().format;
        let api = r#"{"3":{"class_type":"A","inputs":{}}}"#;
        let editor = r#"{"nodes":[{"id":1,"type":"A"}],"links":[null]}"#;
        assert_eq!(format(api), Format::Api);
        assert_eq!(format(editor), Format::Editor);
        assert_eq!(format(&format!(r#"{{"client_id":"x","prompt":{api}}}"#)), Format::Api);
        assert_eq!(format(&format!(r#"{{"workflow":{editor}}}"#)), Format::Editor);
        assert_eq!(format(&format!(r#"{{"workflow":{editor},"prompt":{api}}}"#)), Format::Api);
        assert_eq!(format(r#"{"nodes":[],"links":[]}"#), Format::Editor);
    }

    #[test]
    fn json_that_is_no_workflow_is_refused_with_the_reason() {
        assert_eq!(reason("[1]"), "JSON, but no workflow: the document is an array, and an object is wanted");
        assert_eq!(reason(r#"{"nodes":[{"name":"a"}]}"#), "JSON, but no workflow: `nodes` holds no node with a `type`");
        assert!(reason(r#"{"nodes":[]}"#).contains("`nodes` holds no node"));
        let schema = r#"{"properties":{"class_type":{"type":"string"},"inputs":{}}}"#;
        assert!(reason(schema).contains("no `nodes` array"));
        assert_eq!(reason("{\"nodes\": [\n}"), "not JSON: line 2, column 1: a value is wanted, not `}`");
    }

    #[test]
    fn a_node_of_the_editor_is_read_with_mode_package_slots_and_values() {
        let text = r#"{"nodes":[{"id":"7","type":"LoraLoader","mode":4,"title":"T","widgets_values":["a",1.0],
            "inputs":[{"name":"model","link":3},{"name":"lora_name","link":null,"widget":{"name":"lora_name"}}],
            "properties":{"cnr_id":"comfy-core","ver":"0.3.64","models":[{"name":"a","url":"u","directory":"loras"}]}},
            null, {"id":8}, {"id":9,"type":"X","widgets_values":{"k":"v"}}]}"#;
        let workflow = read(text.as_bytes()).unwrap();
        assert_eq!(workflow.nodes.len(), 2);
        let node = &workflow.nodes[0];
        assert_eq!((node.id.as_str(), node.mode, node.is_active()), ("7", Mode::Bypassed, false));
        assert_eq!(node.package.ver.as_deref(), Some("0.3.64"));
        assert!(node.inputs[0].linked && !node.inputs[1].linked);
        assert_eq!(node.inputs[1].widget.as_deref(), Some("lora_name"));
        assert_eq!(node.declared[0].directory.as_deref(), Some("loras"));
        let Widgets::Listed(values) = &node.widgets else { panic!("a list") };
        let place = workflow.value(values[0]).place();
        assert_eq!(&text[place], "\"a\"");
        assert!(matches!(&workflow.nodes[1].widgets, Widgets::Named(named) if named[0].0 == "k"));
    }

    #[test]
    fn a_node_of_the_api_keeps_links_and_values_apart() {
        let text =
            r#"{"57:3":{"class_type":"A","inputs":{"m":["4",0],"n":"x","l":["a","b"]},"_meta":{"title":"T"}},"e":1}"#;
        let workflow = read(text.as_bytes()).unwrap();
        let node = &workflow.nodes[0];
        assert_eq!((node.scope.as_slice(), node.id.as_str()), (["57".to_owned()].as_slice(), "3"));
        assert_eq!((node.title.as_deref(), node.is_active()), (Some("T"), true));
        assert_eq!(node.inputs.len(), 1);
        assert!(matches!(&node.widgets, Widgets::Named(named) if named.len() == 2));
    }
}
