//! Group nodes, which subgraphs have replaced: `extra.groupNodes`, by name.
//!
//! An instance is a node of the type `workflow/NAME` (older) or `workflow>NAME`. Its widget values are those of the inner nodes
//! one after the other; widgets that were turned into inputs or hidden by `config` are not among them. In the API format an inner
//! node's id is that of the instance, a colon and the node's position, so the position is the inner id here.

use std::collections::HashMap;

use super::document::{Value, ValueId};
use super::editor::{id_text, is_node, nodes_of, read_nodes, slot_number, text};
use super::graph::{Definition, DefinitionKind, Endpoint, Link, Node, Widgets, Workflow};
use super::widgets::names_of;

/// The groups of a file.
pub(super) fn read_definitions(root: Value<'_>) -> Vec<Definition> {
    let groups = root.get("extra").and_then(|extra| extra.get("groupNodes"));
    let read = |(name, value): (Value<'_>, Value<'_>)| Some(read_definition(text(name)?, nodes_of(value)?, value));
    groups.into_iter().flat_map(Value::members).filter_map(read).collect()
}

fn read_definition(name: String, listed: Value<'_>, value: Value<'_>) -> Definition {
    let links: Vec<Link> = value.get("links").into_iter().flat_map(Value::items).filter_map(read_link).collect();
    let mut nodes = read_nodes(listed, &[]);
    // The position counts what is no node, too.
    let positions = listed.items().enumerate().filter(|(_, node)| is_node(*node));
    for (node, (position, value)) in nodes.iter_mut().zip(positions) {
        node.id = value.get("index").map_or_else(|| position.to_string(), id_text);
    }
    let at: HashMap<String, usize> = nodes.iter().enumerate().map(|(at, node)| (node.id.clone(), at)).collect();
    for link in &links {
        let node = at.get(&link.to.node).and_then(|at| nodes.get_mut(*at));
        if let Some(input) = node.and_then(|node| node.inputs.get_mut(link.to.slot)) {
            (input.linked, input.from) = (true, Some(link.from.clone()));
        }
    }
    Definition {
        id: name.clone(),
        name,
        kind: DefinitionKind::Group,
        nodes,
        links,
        inputs: Vec::new(),
        outputs: Vec::new(),
        value: value.id(),
    }
}

/// `[from, slot, to, slot, …]` by position. A link from outside has null for its beginning.
fn read_link(link: Value<'_>) -> Option<Link> {
    let parts: Vec<_> = link.items().collect();
    let end = |node: Value<'_>, slot| Some(Endpoint { node: node.integer()?.to_string(), slot: slot_number(slot)? });
    Some(Link {
        id: String::new(),
        from: end(*parts.first()?, *parts.get(1)?)?,
        to: end(*parts.get(2)?, *parts.get(3)?)?,
        kind: parts.get(5).copied().and_then(text),
    })
}

/// The values of `instance` for each node of `definition`, in their order: the inner node's own values, those that the
/// instance shows replaced. Nothing where the numbers do not agree.
pub(super) fn given(workflow: &Workflow<'_>, instance: &Node, definition: &Definition) -> Option<Vec<Widgets>> {
    let Widgets::Listed(values) = &instance.widgets else { return None };
    let config = workflow.value(definition.value).get("config");
    let names: Vec<HashMap<usize, &str>> = definition.nodes.iter().map(|node| positions(workflow, node)).collect();
    // Frontends have not always left the same widgets out; the number of values tells which reading is right.
    [Left::None, Left::Hidden, Left::Turned, Left::HiddenAndTurned].into_iter().find_map(|left| {
        let mut rest = values.as_slice();
        let mut widgets = Vec::with_capacity(definition.nodes.len());
        for (node, names) in definition.nodes.iter().zip(&names) {
            let Widgets::Listed(own) = &node.widgets else {
                widgets.push(node.widgets.clone());
                continue;
            };
            let replaced = own.iter().enumerate().map(|(at, value)| {
                if names.get(&at).is_some_and(|name| left.out(node, name, config)) {
                    return Some(*value);
                }
                let (first, others) = rest.split_first()?;
                rest = others;
                Some(*first)
            });
            widgets.push(Widgets::Listed(replaced.collect::<Option<Vec<ValueId>>>()?));
        }
        rest.is_empty().then_some(widgets)
    })
}

fn positions<'n>(workflow: &Workflow<'_>, node: &'n Node) -> HashMap<usize, &'n str> {
    let Widgets::Listed(own) = &node.widgets else { return HashMap::new() };
    let names = names_of(workflow, node, own).unwrap_or_default();
    names.into_iter().map(|(name, position)| (position, name)).collect()
}

/// Which widgets have no value on the instance.
#[derive(Clone, Copy)]
enum Left {
    None,
    Hidden,
    Turned,
    HiddenAndTurned,
}

impl Left {
    fn out(self, node: &Node, name: &str, config: Option<Value<'_>>) -> bool {
        let turned = || node.inputs.iter().any(|input| input.linked && input.widget.as_deref() == Some(name));
        let visible = || config?.get(&node.id)?.get("input")?.get(name)?.get("visible")?.boolean();
        let hidden = || visible() == Some(false);
        match self {
            Left::None => false,
            Left::Hidden => hidden(),
            Left::Turned => turned(),
            Left::HiddenAndTurned => turned() || hidden(),
        }
    }
}
