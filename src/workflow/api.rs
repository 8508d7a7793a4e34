//! What runs ("prompt"): an object of nodes by id, each with `class_type` and `inputs` by name.
//!
//! Nodes of a subgraph have the ids of the enclosing instances before their own, with colons: `57:12`.

use super::document::{Kind, Value};
use super::editor::{id_text, slot_number, text};
use super::graph::{Endpoint, Input, Link, Mode, Node, Package, Widgets};

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

/// The links of a prompt. Slots of their ends are positions among the inputs that are fed.
pub(super) fn links_of(nodes: &[Node]) -> Vec<Link> {
    let of = |node: &Node| {
        let to = full_id(node);
        let fed = node.inputs.iter().enumerate().filter_map(|(slot, input)| Some((slot, input.from.clone()?)));
        fed.map(|(slot, from)| Link { id: String::new(), from, to: Endpoint { node: to.clone(), slot }, kind: None })
            .collect::<Vec<_>>()
    };
    nodes.iter().flat_map(of).collect()
}

/// The id as the file has it.
pub(super) fn full_id(node: &Node) -> String {
    node.scope.iter().map(|id| format!("{id}:")).collect::<String>() + &node.id
}

fn read_node(id: Value<'_>, node: Value<'_>) -> Node {
    let (mut inputs, mut named) = (Vec::new(), Vec::new());
    for (name, value) in node.get("inputs").into_iter().flat_map(Value::members) {
        let name = text(name).unwrap_or_default();
        match link(value) {
            Some(from) => inputs.push(Input { name, kind: None, widget: None, linked: true, from: Some(from) }),
            None => named.push((name, value.id())),
        }
    }
    let whole = text(id).unwrap_or_default();
    let mut scope: Vec<String> = whole.split(':').map(str::to_owned).collect();
    let id = scope.pop().unwrap_or_default();
    Node {
        scope,
        id,
        class: node.get("class_type").and_then(text).unwrap_or_default(),
        title: node.get("_meta").and_then(|meta| meta.get("title")).and_then(text),
        mode: Mode::Always,
        package: Package::default(),
        inputs,
        outputs: Vec::new(),
        widgets: Widgets::Named(named),
        promoted: Vec::new(),
        declared: Vec::new(),
        instance_of: None,
        within: None,
        silenced: false,
        value: node.id(),
    }
}

/// A link is `[node id, slot]`.
fn link(value: Value<'_>) -> Option<Endpoint> {
    let mut items = value.items();
    let id = items.next().filter(|id| matches!(id.kind(), Kind::Text | Kind::Number))?;
    let slot = items.next().filter(|slot| slot.kind() == Kind::Number)?;
    if items.next().is_some() {
        return None;
    }
    Some(Endpoint { node: id_text(id), slot: slot_number(slot)? })
}
