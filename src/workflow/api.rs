//! What runs ("prompt"): an object of nodes by id, each with `class_type` and `inputs` by name.

use super::document::{Kind, Value};
use super::graph::{Input, Mode, Node, Package, Widgets};

/// True for a value that is a node. Other files have a `class_type` too, a JSON Schema for one, so the kinds are checked.
pub(super) fn is_node(value: Value<'_>) -> bool {
    value.get("class_type").is_some_and(|class| class.kind() == Kind::Text)
        && value.get("inputs").is_some_and(|inputs| inputs.kind() == Kind::Object)
}

/// True for an object that holds nodes.
pub(super) fn is_prompt(object: Value<'_>) -> bool {
    object.members().any(|(_, value)| is_node(value))
}

/// The nodes of a prompt; what is no node is passed over.
pub(super) fn read_nodes(prompt: Value<'_>) -> Vec<Node> {
    prompt.members().filter(|(_, value)| is_node(*value)).map(|(id, node)| read_node(id, node)).collect()
}

fn read_node(id: Value<'_>, node: Value<'_>) -> Node {
    let text = |of: Option<Value<'_>>| of.and_then(Value::text).map(|text| text.into_owned());
    let (mut inputs, mut named) = (Vec::new(), Vec::new());
    for (name, value) in node.get("inputs").into_iter().flat_map(Value::members) {
        let name = name.text().unwrap_or_default().into_owned();
        if is_link(value) {
            inputs.push(Input { name, widget: None, linked: true });
        } else {
            named.push((name, value.id()));
        }
    }
    Node {
        scope: Vec::new(),
        id: id.text().unwrap_or_default().into_owned(),
        class: text(node.get("class_type")).unwrap_or_default(),
        title: text(node.get("_meta").and_then(|meta| meta.get("title"))),
        mode: Mode::Always,
        package: Package::default(),
        inputs,
        widgets: Widgets::Named(named),
        declared: Vec::new(),
    }
}

/// A link is `[node id, slot]`.
fn is_link(value: Value<'_>) -> bool {
    let mut items = value.items();
    let id = items.next().is_some_and(|id| matches!(id.kind(), Kind::Text | Kind::Number));
    id && items.next().is_some_and(|slot| slot.kind() == Kind::Number) && items.next().is_none()
}
