//! Which node of the one graph is which of the other: the same id and the same class, as in a diff. A node that the common version has not,
//! and that both added, is one where it says the same on both sides, else it is two.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::workflow::diff::value::same;
use crate::workflow::document::Value;
use crate::workflow::graph::{INPUT_NODE, OUTPUT_NODE};
use crate::workflow::{Definition, Endpoint, Node, Workflow};

use super::conflict::Beyond;

/// A node, whichever version it is looked for in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    /// The edges of a subgraph, by the id that links use.
    Edge(&'static str),
    /// One of the common version, by its id.
    Base(String),
    /// One that we added, or both, by its id with us.
    Ours(String),
    /// One that they added, by its id with them.
    Theirs(String),
}

/// Where a wire begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct From {
    pub key: Key,
    /// In the version that it was read from.
    pub slot: usize,
    /// The name of the output, where it has one.
    pub name: String,
}

impl From {
    /// True when both are one output of one node. Outputs are told by name where both have one: positions shift.
    pub fn is(&self, other: &From) -> bool {
        let named = !self.name.is_empty() && !other.name.is_empty();
        self.key == other.key && if named { self.name == other.name } else { self.slot == other.slot }
    }
}

/// Where a wire ends: the node, the input's name, and which of those with that name.
pub(super) type To = (Key, String, usize);

/// One version of a graph.
pub(super) struct Side<'w> {
    pub workflow: &'w Workflow<'w>,
    pub definition: Option<&'w Definition>,
    /// The graph in the file.
    pub value: Value<'w>,
    pub nodes: BTreeMap<Key, &'w Node>,
    keys: HashMap<&'w str, Key>,
}

/// A graph as it is read, before its nodes are known by their keys.
pub(super) struct Graph<'w> {
    pub workflow: &'w Workflow<'w>,
    pub definition: Option<&'w Definition>,
    pub value: Value<'w>,
}

impl<'w> Graph<'w> {
    fn nodes(&self) -> Vec<&'w Node> {
        match self.definition {
            Some(definition) => definition.nodes.iter().collect(),
            None => self.workflow.nodes.iter().filter(|node| node.within.is_none()).collect(),
        }
    }
}

impl<'w> Side<'w> {
    /// All three, with one key for each node.
    pub fn of([base, ours, theirs]: [Graph<'w>; 3]) -> Result<[Self; 3], Beyond> {
        let of_base: HashMap<&str, &str> =
            base.nodes().iter().map(|node| (node.id.as_str(), node.class.as_str())).collect();
        let in_base = |node: &Node| of_base.get(node.id.as_str()) == Some(&node.class.as_str());
        let base = Side::with(base, |node| Key::Base(node.id.clone()))?;
        let ours = Side::with(ours, |node| match in_base(node) {
            true => Key::Base(node.id.clone()),
            false => Key::Ours(node.id.clone()),
        })?;
        let added_alike = |node: &Node, theirs: &Workflow<'_>| {
            let known = ours.nodes.get(&Key::Ours(node.id.clone()));
            known.is_some_and(|known| {
                known.class == node.class && says_the_same(ours.workflow.value(known.value), theirs.value(node.value))
            })
        };
        let workflow = theirs.workflow;
        let theirs = Side::with(theirs, |node| match in_base(node) {
            true => Key::Base(node.id.clone()),
            false if added_alike(node, workflow) => Key::Ours(node.id.clone()),
            false => Key::Theirs(node.id.clone()),
        })?;
        Ok([base, ours, theirs])
    }

    fn with(graph: Graph<'w>, key: impl Fn(&Node) -> Key) -> Result<Self, Beyond> {
        let (mut nodes, mut keys) = (BTreeMap::new(), HashMap::new());
        for node in graph.nodes() {
            let key = key(node);
            // Links to one of two nodes with one id are ambiguous.
            if node.id.is_empty() || keys.insert(node.id.as_str(), key.clone()).is_some() {
                return Err(Beyond);
            }
            nodes.insert(key, node);
        }
        let Graph { workflow, definition, value } = graph;
        Ok(Side { workflow, definition, value, nodes, keys })
    }

    pub fn node(&self, key: &Key) -> Option<&'w Node> {
        self.nodes.get(key).copied()
    }

    /// The node as it stands in the file.
    pub fn node_value(&self, key: &Key) -> Option<Value<'w>> {
        self.node(key).map(|node| self.workflow.value(node.value))
    }

    fn from(&self, end: &Endpoint) -> Option<From> {
        let slot = end.slot;
        if end.node == INPUT_NODE {
            let name = self.definition?.inputs.get(slot)?.name.clone();
            return Some(From { key: Key::Edge(INPUT_NODE), slot, name });
        }
        let key = self.keys.get(end.node.as_str())?.clone();
        let name = self.nodes[&key].outputs.get(slot).map(|output| output.name.clone()).unwrap_or_default();
        Some(From { key, slot, name })
    }

    /// Every wire by where it ends.
    pub fn wires(&self) -> BTreeMap<To, From> {
        let mut wires = BTreeMap::new();
        for (key, node) in &self.nodes {
            for (name, nth, input) in named_inputs(node) {
                if let Some(from) = input.from.as_ref().and_then(|end| self.from(end)) {
                    wires.insert((key.clone(), name.to_owned(), nth), from);
                }
            }
        }
        for port in self.definition.into_iter().flat_map(|definition| &definition.outputs) {
            if let Some(from) = port.ends.first().and_then(|end| self.from(end)) {
                wires.insert((Key::Edge(OUTPUT_NODE), port.name.clone(), 0), from);
            }
        }
        wires
    }
}

/// Inputs with their names, and which of those with one name each is.
pub(super) fn named_inputs(node: &Node) -> impl Iterator<Item = (&str, usize, &crate::workflow::Input)> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    node.inputs.iter().map(move |input| {
        let nth = seen.entry(input.name.as_str()).or_default();
        *nth += 1;
        (input.name.as_str(), *nth - 1, input)
    })
}

/// Keys of a node that say where it stands and how it looks, or follow from other things.
pub(super) const LAYOUT: [&str; 7] = ["pos", "size", "flags", "color", "bgcolor", "shape", "order"];

/// Which version of a package a node was saved with: no decision of anybody's.
pub(super) const PACKAGE: [&str; 3] = ["ver", "cnr_id", "aux_id"];

/// True when two nodes of one class say the same, where they stand and the numbers of their links aside.
fn says_the_same(a: Value<'_>, b: Value<'_>) -> bool {
    let members =
        |a, b| agree(a, b, |key| !LAYOUT.contains(&key) && !["inputs", "outputs", "properties"].contains(&key));
    match (a.get("properties"), b.get("properties")) {
        (Some(of_a), Some(of_b)) => members(a, b) && agree(of_a, of_b, |key| !PACKAGE.contains(&key)),
        (None, None) => members(a, b),
        _ => false,
    }
}

/// True when two objects have the same members, as far as they count.
fn agree(a: Value<'_>, b: Value<'_>, counts: impl Fn(&str) -> bool) -> bool {
    let keys: HashSet<String> =
        [a, b].iter().flat_map(|node| node.members()).filter_map(|(key, _)| Some(key.text()?.into_owned())).collect();
    keys.iter().filter(|key| counts(key)).all(|key| match (a.get(key), b.get(key)) {
        (Some(a), Some(b)) => same(a, b),
        _ => false,
    })
}

/// True when a node says the same in two versions, its wires aside.
pub(super) fn is_unchanged(a: Option<Value<'_>>, b: Option<Value<'_>>) -> bool {
    a.zip(b).is_some_and(|(a, b)| says_the_same(a, b))
}
