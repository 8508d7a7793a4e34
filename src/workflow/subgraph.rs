//! Subgraphs: `definitions.subgraphs`, and the values that an instance gives to widgets within it.
//!
//! All definitions stand at the root, those used within another one too; an instance is a node whose type is the definition's
//! id. Its links are objects, with -10 for the node of its inputs and -20 for that of its outputs.
//!
//! Widgets are promoted in two ways. Frontends 1.32 to 1.45 list them in the instance's `properties.proxyWidgets` as pairs of
//! inner node id and widget name; the values stay with the inner nodes. Later ones keep the values in the instance's own
//! `widgets_values`: the i-th belongs to the i-th input of the definition that is linked to an inner input with a widget.

use std::collections::{HashMap, HashSet};

use super::document::{Kind, Value, ValueId};
use super::editor::{id_text, kind, nodes_of, read_links, read_nodes, text};
use super::graph::{Definition, DefinitionKind, Endpoint, INPUT_NODE, Node, OUTPUT_NODE, Port, Widgets};

/// The definitions of a file, those that definitions carry with them included. Of two with one id the later counts, as in
/// the editor.
pub(super) fn read_definitions(root: Value<'_>) -> Vec<Definition> {
    let mut found: Vec<Definition> = Vec::new();
    let mut by_id: HashMap<String, usize> = HashMap::new();
    let mut holders = vec![root];
    while let Some(holder) = holders.pop() {
        let listed = holder.get("definitions").and_then(|definitions| definitions.get("subgraphs"));
        for value in listed.into_iter().flat_map(Value::items) {
            let (Some(id), Some(nodes)) = (value.get("id"), nodes_of(value)) else { continue };
            let definition = read_definition(id_text(id), nodes, value);
            match by_id.get(&definition.id) {
                Some(at) => found[*at] = definition,
                None => {
                    by_id.insert(definition.id.clone(), found.len());
                    found.push(definition);
                }
            }
            holders.push(value);
        }
    }
    found
}

fn read_definition(id: String, nodes: Value<'_>, value: Value<'_>) -> Definition {
    let links = read_links(value.get("links"));
    let nodes = read_nodes(nodes, &links);
    let mut inputs = ports(value.get("inputs"));
    let mut outputs = ports(value.get("outputs"));
    for link in &links {
        let (port, end) = match (link.from.node.as_str(), link.to.node.as_str()) {
            (INPUT_NODE, _) => (inputs.get_mut(link.from.slot), &link.to),
            (_, OUTPUT_NODE) => (outputs.get_mut(link.to.slot), &link.from),
            _ => continue,
        };
        if let Some(port) = port {
            port.ends.push(end.clone());
        }
    }
    let name = value.get("name").and_then(text).unwrap_or_else(|| id.clone());
    Definition { id, name, kind: DefinitionKind::Subgraph, nodes, links, inputs, outputs, value: value.id() }
}

fn ports(list: Option<Value<'_>>) -> Vec<Port> {
    let read = |port: Value<'_>| Port {
        name: port.get("name").and_then(text).unwrap_or_default(),
        kind: port.get("type").and_then(kind),
        ends: Vec::new(),
        widgets: Vec::new(),
    };
    list.into_iter().flat_map(Value::items).map(read).collect()
}

/// What an instance gives to the nodes within it: by inner node id, values by widget name.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub values: HashMap<String, Vec<(String, ValueId)>>,
    /// True where the instance's own values could not be told apart.
    pub unclear: bool,
}

/// Finds which inner widgets each input of `definition` stands for. Definitions that it holds must have been through this.
pub(super) fn find_widgets(definition: &Definition, others: &[Definition]) -> Vec<Vec<(String, String)>> {
    let inner: HashMap<&str, &Node> = definition.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let widget_at = |end: &Endpoint| {
        let node = inner.get(end.node.as_str())?;
        let input = node.inputs.get(end.slot)?;
        if let Some(widget) = &input.widget {
            return Some(widget.clone());
        }
        // An instance may show an input without saying that it is a widget; then its own definition tells.
        let port = others.get(node.instance_of?)?.inputs.iter().find(|port| port.name == input.name)?;
        (!port.widgets.is_empty()).then(|| input.name.clone())
    };
    let widgets = |port: &Port| port.ends.iter().filter_map(|end| Some((end.node.clone(), widget_at(end)?))).collect();
    definition.inputs.iter().map(widgets).collect()
}

/// What `instance` gives to the nodes of `definition`: its own values first, then those that a further instance around it
/// gives to it (`instance.promoted`), which win. `proxies` are its `proxyWidgets`.
pub(super) fn given(instance: &Node, proxies: Option<Value<'_>>, definition: &Definition) -> Given {
    let mut given = Given::default();
    match &instance.widgets {
        Widgets::Listed(values) if !values.is_empty() => {
            let proxies = proxies.filter(|proxies| proxies.items().next().is_some());
            let targets: Vec<Vec<(String, String)>> = match proxies {
                Some(proxies) => proxies.items().filter_map(|pair| proxy(pair, definition)).collect(),
                None => {
                    let shown = definition.inputs.iter().filter(|port| !port.widgets.is_empty());
                    shown.map(|port| port.widgets.clone()).collect()
                }
            };
            given.unclear = targets.len() != values.len();
            if !given.unclear {
                for (targets, value) in targets.iter().zip(values) {
                    given.give(targets, *value);
                }
            }
        }
        Widgets::Named(values) => values.iter().for_each(|(name, value)| given.give_input(name, *value, definition)),
        _ => {}
    }
    instance.promoted.iter().for_each(|(name, value)| given.give_input(name, *value, definition));
    given
}

impl Given {
    fn give(&mut self, targets: &[(String, String)], value: ValueId) {
        for (node, widget) in targets {
            self.values.entry(node.clone()).or_default().push((widget.clone(), value));
        }
    }

    /// What the node of this id is given; of several values of one widget the last.
    pub fn take(&mut self, node: &str) -> Vec<(String, ValueId)> {
        let mut values = self.values.remove(node).unwrap_or_default();
        let mut seen = HashSet::new();
        values.reverse();
        values.retain(|(name, _)| seen.insert(name.clone()));
        values.reverse();
        values
    }

    fn give_input(&mut self, name: &str, value: ValueId, definition: &Definition) {
        for port in definition.inputs.iter().filter(|port| port.name == name) {
            self.give(&port.widgets, value);
        }
    }
}

/// A pair of `proxyWidgets`. The id -1 names an input of the subgraph; a name with `$$` a picture, which has no value.
fn proxy(pair: Value<'_>, definition: &Definition) -> Option<Vec<(String, String)>> {
    let mut parts = pair.items();
    let (id, widget) = (id_text(parts.next()?), text(parts.next()?)?);
    match id.as_str() {
        _ if widget.starts_with("$$") => None,
        "-1" => {
            let port = definition.inputs.iter().find(|port| port.name == widget);
            Some(port.map(|port| port.widgets.clone()).unwrap_or_default())
        }
        _ => Some(vec![(id, widget)]),
    }
}

/// The `proxyWidgets` of an instance, if it has some.
pub(super) fn proxies(instance: Value<'_>) -> Option<Value<'_>> {
    instance.get("properties")?.get("proxyWidgets").filter(|pairs| pairs.kind() == Kind::Array)
}
