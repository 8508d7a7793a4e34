//! What ComfyUI's editor saves: an object with a `nodes` array. Widget values stand by position.
//!
//! Schema 0.4 is what is found in the wild. Of 1.0 the nodes are the same; its links are objects, which nothing here
//! looks at.

use super::document::{Kind, Value};
use super::graph::{Input, Mode, Node, Package, Widgets, declared};

/// The `nodes` array, if `root` has one.
pub(super) fn nodes_of(root: Value<'_>) -> Option<Value<'_>> {
    root.get("nodes").filter(|nodes| nodes.kind() == Kind::Array)
}

/// True for an element of `nodes` that is a node: an object with a type.
pub(super) fn is_node(value: Value<'_>) -> bool {
    value.get("type").is_some_and(|class| class.kind() == Kind::Text)
}

/// The nodes of a `nodes` array; what is no node is passed over.
pub(super) fn read_nodes(nodes: Value<'_>) -> Vec<Node> {
    nodes.items().filter(|value| is_node(*value)).map(read_node).collect()
}

fn read_node(node: Value<'_>) -> Node {
    let text = |of: Option<Value<'_>>| of.and_then(Value::text).map(|text| text.into_owned());
    let properties = node.get("properties");
    let property = |key| text(properties.and_then(|properties| properties.get(key)));
    Node {
        scope: Vec::new(),
        id: node.get("id").map(id_text).unwrap_or_default(),
        class: text(node.get("type")).unwrap_or_default(),
        title: text(node.get("title")),
        mode: Mode::from_number(node.get("mode").and_then(Value::integer).unwrap_or(0)),
        package: Package { cnr_id: property("cnr_id"), ver: property("ver"), aux_id: property("aux_id") },
        inputs: node.get("inputs").into_iter().flat_map(Value::items).map(read_input).collect(),
        widgets: read_widgets(node.get("widgets_values")),
        declared: declared(properties.and_then(|properties| properties.get("models"))),
    }
}

/// An id is a number or a string.
fn id_text(id: Value<'_>) -> String {
    id.text().map_or_else(|| id.raw().to_owned(), |text| text.into_owned())
}

fn read_input(slot: Value<'_>) -> Input {
    let text = |of: Option<Value<'_>>| of.and_then(Value::text).map(|text| text.into_owned());
    Input {
        name: text(slot.get("name")).unwrap_or_default(),
        widget: text(slot.get("widget").and_then(|widget| widget.get("name"))),
        linked: slot.get("link").is_some_and(|link| link.kind() != Kind::Null),
    }
}

fn read_widgets(values: Option<Value<'_>>) -> Widgets {
    match values {
        Some(list) if list.kind() == Kind::Array => Widgets::Listed(list.items().map(Value::id).collect()),
        Some(named) if named.kind() == Kind::Object => Widgets::Named(
            named.members().filter_map(|(name, value)| Some((name.text()?.into_owned(), value.id()))).collect(),
        ),
        _ => Widgets::None,
    }
}
