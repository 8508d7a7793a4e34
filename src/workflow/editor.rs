//! What ComfyUI's editor saves: an object with a `nodes` array. Widget values stand by position.
//!
//! Schema 0.4 is what is found in the wild; 1.0, of which subgraph definitions are, has its counters in `state` and its links
//! as objects. Links are read in both forms wherever they stand.

use std::collections::HashMap;

use super::document::{Kind, Value};
use super::graph::{Endpoint, Input, Link, Mode, Node, Output, Package, Widgets, declared};

/// The `nodes` array, if `root` has one.
pub(super) fn nodes_of(root: Value<'_>) -> Option<Value<'_>> {
    root.get("nodes").filter(|nodes| nodes.kind() == Kind::Array)
}

/// True for an element of `nodes` that is a node: an object with a type.
pub(super) fn is_node(value: Value<'_>) -> bool {
    value.get("type").is_some_and(|class| class.kind() == Kind::Text)
}

/// The nodes of a graph, each input with the output that feeds it by `links`; what is no node is passed over.
pub(super) fn read_nodes(nodes: Value<'_>, links: &[Link]) -> Vec<Node> {
    let by_id: HashMap<&str, &Endpoint> = links.iter().map(|link| (link.id.as_str(), &link.from)).collect();
    nodes.items().filter(|value| is_node(*value)).map(|node| read_node(node, &by_id)).collect()
}

/// The links of a graph, those among them that are no links left out: editors have left `null` behind.
pub(super) fn read_links(links: Option<Value<'_>>) -> Vec<Link> {
    links.into_iter().flat_map(Value::items).filter_map(read_link).collect()
}

/// `[id, from, slot, to, slot, type]`, or an object with `id`, `origin_id`, `origin_slot`, `target_id`, `target_slot`, `type`.
pub(super) fn read_link(link: Value<'_>) -> Option<Link> {
    let end = |node: Value<'_>, slot: Value<'_>| Some(Endpoint { node: id_text(node), slot: slot_number(slot)? });
    if link.kind() == Kind::Object {
        let part = |key| link.get(key);
        return Some(Link {
            id: id_text(part("id")?),
            from: end(part("origin_id")?, part("origin_slot")?)?,
            to: end(part("target_id")?, part("target_slot")?)?,
            kind: part("type").and_then(text),
        });
    }
    let mut parts = link.items();
    Some(Link {
        id: id_text(parts.next()?),
        from: end(parts.next()?, parts.next()?)?,
        to: end(parts.next()?, parts.next()?)?,
        kind: parts.next().and_then(text),
    })
}

/// A slot's number; some files have it as text.
pub(super) fn slot_number(slot: Value<'_>) -> Option<usize> {
    let number = slot.integer().or_else(|| slot.text()?.parse().ok());
    number.and_then(|number| usize::try_from(number).ok())
}

fn read_node(node: Value<'_>, links: &HashMap<&str, &Endpoint>) -> Node {
    let properties = node.get("properties");
    let property = |key| properties.and_then(|properties| properties.get(key)).and_then(text);
    let items = |key| node.get(key).into_iter().flat_map(Value::items);
    Node {
        scope: Vec::new(),
        id: node.get("id").map(id_text).unwrap_or_default(),
        class: node.get("type").and_then(text).unwrap_or_default(),
        title: node.get("title").and_then(text),
        mode: Mode::from_number(node.get("mode").and_then(Value::integer).unwrap_or(0)),
        package: Package { cnr_id: property("cnr_id"), ver: property("ver"), aux_id: property("aux_id") },
        inputs: items("inputs").map(|slot| read_input(slot, links)).collect(),
        outputs: items("outputs").map(read_output).collect(),
        widgets: read_widgets(node.get("widgets_values")),
        promoted: Vec::new(),
        declared: declared(properties.and_then(|properties| properties.get("models"))),
        instance_of: None,
        within: None,
        silenced: false,
        value: node.id(),
    }
}

pub(super) fn text(value: Value<'_>) -> Option<String> {
    value.text().map(|text| text.into_owned())
}

/// An id is a number or a string.
pub(super) fn id_text(id: Value<'_>) -> String {
    text(id).unwrap_or_else(|| id.raw().to_owned())
}

fn read_input(slot: Value<'_>, links: &HashMap<&str, &Endpoint>) -> Input {
    let link = slot.get("link").filter(|link| link.kind() != Kind::Null);
    Input {
        name: slot.get("name").and_then(text).unwrap_or_default(),
        kind: slot.get("type").and_then(kind),
        widget: slot.get("widget").and_then(|widget| widget.get("name")).and_then(text),
        linked: link.is_some(),
        from: link.and_then(|link| links.get(id_text(link).as_str()).map(|from| (*from).clone())),
    }
}

fn read_output(slot: Value<'_>) -> Output {
    Output { name: slot.get("name").and_then(text).unwrap_or_default(), kind: slot.get("type").and_then(kind) }
}

/// A type is a name; the choices of a list, which older editors wrote out, are a `COMBO`; 0 and -1 stand for events and any.
pub(super) fn kind(value: Value<'_>) -> Option<String> {
    if value.kind() == Kind::Array { Some("COMBO".to_owned()) } else { text(value) }
}

pub(super) fn read_widgets(values: Option<Value<'_>>) -> Widgets {
    match values {
        Some(list) if list.kind() == Kind::Array => Widgets::Listed(list.items().map(Value::id).collect()),
        Some(named) if named.kind() == Kind::Object => Widgets::Named(
            named.members().filter_map(|(name, value)| Some((name.text()?.into_owned(), value.id()))).collect(),
        ),
        _ => Widgets::None,
    }
}
