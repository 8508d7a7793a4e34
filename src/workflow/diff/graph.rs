//! Two workflows compared, graph by graph.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::workflow::document::{Kind, Value};
use crate::workflow::graph::INPUT_NODE;
use crate::workflow::widgets::is_after_run;
use crate::workflow::{Definition, Endpoint, Format, Node, Workflow};

use super::change::{
    Change, Fed, GraphDiff, InputDiff, ModeDiff, NodeDiff, Subgraph, TitleDiff, ValueDiff, WorkflowDiff,
};
use super::matching::{Traits, matched};
use super::{packages, value};

/// Whether places, sizes, colours and what was in view count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    #[default]
    LeftOut,
    Compared,
}

/// Why two workflows cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("one is what the editor saves and the other what runs (\"prompt\"), whose nodes and wires are not the same")]
pub struct NotComparable;

/// What of a node is layout.
const NODE_LAYOUT: [&str; 6] = ["pos", "size", "flags", "color", "bgcolor", "shape"];

/// What of a graph is layout.
const GRAPH_LAYOUT: [&str; 2] = ["groups", "reroutes"];

/// What differs between two workflows. Subgraphs are found again by id, then by name; nodes as [`super::matching`] says.
///
/// # Errors
/// Workflows of different formats.
pub fn diff(old: &Workflow<'_>, new: &Workflow<'_>, layout: Layout) -> Result<WorkflowDiff, NotComparable> {
    if old.format != new.format {
        return Err(NotComparable);
    }
    let mut graphs: Vec<GraphDiff> = Vec::new();
    graphs.extend(compare(&Side::root(old), &Side::root(new), layout));
    let mut left: Vec<Option<&Definition>> = old.definitions.iter().map(Some).collect();
    for definition in &new.definitions {
        let is = |was: &Option<&Definition>, same: fn(&Definition, &Definition) -> bool| {
            was.is_some_and(|was| was.kind == definition.kind && same(was, definition))
        };
        // A name counts only for one whose id is not used any more.
        let used = |was: &Definition| new.definitions.iter().any(|new| new.id == was.id);
        let at = left.iter().position(|was| is(was, |a, b| a.id == b.id)).or_else(|| {
            left.iter().position(|was| is(was, |a, b| a.name == b.name) && was.is_some_and(|was| !used(was)))
        });
        let side = Side::definition(new, definition);
        match at.and_then(|at| left[at].take()) {
            Some(was) => graphs.extend(compare(&Side::definition(old, was), &side, layout)),
            None => graphs.push(whole(&side, Change::Added)),
        }
    }
    graphs.extend(left.into_iter().flatten().map(|was| whole(&Side::definition(old, was), Change::Removed)));
    Ok(WorkflowDiff { graphs, packages: packages::compare(old, new) })
}

/// A graph on one side.
struct Side<'w> {
    workflow: &'w Workflow<'w>,
    definition: Option<&'w Definition>,
    nodes: Vec<&'w Node>,
    /// Positions in `nodes`, by the id that links use; of two with one id the first.
    by_id: HashMap<String, usize>,
}

impl<'w> Side<'w> {
    fn root(workflow: &'w Workflow<'_>) -> Self {
        // What runs is one graph; in the editor the nodes of subgraphs are compared where they are defined.
        let is_here = |node: &&Node| workflow.format == Format::Api || node.within.is_none();
        Self::of(workflow, None, workflow.nodes.iter().filter(is_here).collect())
    }

    fn definition(workflow: &'w Workflow<'_>, definition: &'w Definition) -> Self {
        Self::of(workflow, Some(definition), definition.nodes.iter().collect())
    }

    fn of(workflow: &'w Workflow<'_>, definition: Option<&'w Definition>, nodes: Vec<&'w Node>) -> Self {
        let mut by_id = HashMap::new();
        for (at, node) in nodes.iter().enumerate() {
            by_id.entry(whole_id(node)).or_insert(at);
        }
        Side { workflow, definition, nodes, by_id }
    }

    /// The graph in the file.
    fn value(&self) -> Value<'w> {
        let root = self.workflow.document().root();
        match self.definition {
            Some(definition) => self.workflow.value(definition.value),
            None if root.get("nodes").is_some() => root,
            None => root.get("workflow").unwrap_or(root),
        }
    }

    /// The class as it is shown.
    fn class(&self, node: &'w Node) -> &'w str {
        node.instance_of.map_or(&node.class, |at| &self.workflow.definitions[at].name)
    }

    fn traits(&self) -> Vec<Traits<'w>> {
        let of = |node: &&'w Node| {
            let mut facts: Vec<u64> =
                self.values(node, None).into_iter().map(|(name, value)| fact(&name, value)).collect();
            facts.extend(node.title.as_ref().map(|title| hash(("title", title))));
            let fed = node.inputs.iter().filter_map(|input| Some((&input.name, input.from.as_ref()?)));
            facts.extend(fed.map(|(name, from)| {
                let source = self.by_id.get(&from.node).map(|at| self.nodes[*at].class.as_str());
                hash((name, source, from.slot))
            }));
            facts.sort_unstable();
            Traits { id: whole_id(node), class: &node.class, facts }
        };
        self.nodes.iter().map(of).collect()
    }

    /// The values of a node by name. Where the file does not tell the names, those of the `other` file's node are used if
    /// it has as many, else positions.
    fn values(&self, node: &'w Node, other: Option<&[Option<String>]>) -> Vec<(String, Value<'w>)> {
        let names = self.workflow.value_names(node);
        let other = other.filter(|other| other.len() == names.len());
        let held = self.workflow.values(node).into_iter().zip(names).enumerate();
        held.map(|(at, (held, name))| {
            let name = name.or_else(|| other.and_then(|other| other[at].clone()));
            let value = self.workflow.value(held.value);
            let after_run = || is_after_run(value).then(|| "control_after_generate".to_owned());
            (name.or_else(after_run).unwrap_or_else(|| format!("widget {}", held.at.unwrap_or(at))), value)
        })
        .collect()
    }

    /// What stands at the beginning of a link.
    fn fed(&self, from: &Endpoint) -> Fed {
        if let (true, Some(definition)) = (from.node == INPUT_NODE, self.definition) {
            let output = definition.inputs.get(from.slot).map(|port| port.name.clone());
            return Fed { node: None, class: None, slot: from.slot, output };
        }
        let node = self.by_id.get(&from.node).map(|at| self.nodes[*at]);
        let output = node.and_then(|node| node.outputs.get(from.slot)).map(|output| output.name.clone());
        Fed {
            node: Some(from.node.clone()),
            class: node.map(|node| self.class(node).to_owned()),
            slot: from.slot,
            output: output.filter(|name| !name.is_empty()),
        }
    }

    /// Each input that is fed, by name, and what a subgraph hands out.
    fn inputs(&self, node: &Node) -> Vec<(String, Endpoint)> {
        let fed = node.inputs.iter().filter_map(|input| Some((input.name.clone(), input.from.clone()?)));
        fed.collect()
    }

    fn outputs(&self) -> Vec<(String, Endpoint)> {
        let ports = self.definition.into_iter().flat_map(|definition| &definition.outputs);
        ports.filter_map(|port| Some((port.name.clone(), port.ends.first()?.clone()))).collect()
    }

    fn subgraph(&self) -> Option<Subgraph> {
        let of = |held: &Definition| Subgraph { id: held.id.clone(), name: held.name.clone(), kind: held.kind };
        self.definition.map(of)
    }

    /// A node that only this side has, or as it is on this side.
    fn node(&self, node: &'w Node, change: Change) -> NodeDiff {
        let is_added = change == Change::Added;
        let values = if is_added { self.values(node, None) } else { Vec::new() };
        let inputs = if is_added { self.inputs(node) } else { Vec::new() };
        NodeDiff {
            change,
            node: whole_id(node),
            was: None,
            class: self.class(node).to_owned(),
            title: node.title.clone(),
            values: values.into_iter().map(|(name, value)| value::come(name, value)).collect(),
            inputs: inputs
                .into_iter()
                .map(|(name, from)| InputDiff { name, old: None, new: Some(self.fed(&from)) })
                .collect(),
            mode: None,
            titles: None,
            layout: Vec::new(),
        }
    }
}

/// The id that links use: in the API format with the ids of the enclosing instances before it.
fn whole_id(node: &Node) -> String {
    node.scope.iter().map(|id| format!("{id}:")).collect::<String>() + &node.id
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// A value as a fact: equal for equal values, as far as their spelling is the usual one.
fn fact(name: &str, value: Value<'_>) -> u64 {
    match value.kind() {
        Kind::Text => hash((name, value.text())),
        Kind::Number => match value.integer() {
            Some(number) => hash((name, number)),
            None => hash((name, value.raw().parse::<f64>().unwrap_or(0.0).to_bits())),
        },
        _ => hash((name, value.raw())),
    }
}

/// A graph that only one side has.
fn whole(side: &Side<'_>, change: Change) -> GraphDiff {
    GraphDiff {
        subgraph: side.subgraph(),
        change,
        nodes: side.nodes.iter().map(|node| side.node(node, change)).collect(),
        outputs: Vec::new(),
        renumbered: 0,
        layout: Vec::new(),
    }
}

/// What differs between two graphs, if anything does.
fn compare(old: &Side<'_>, new: &Side<'_>, layout: Layout) -> Option<GraphDiff> {
    let of_new = matched(&old.traits(), &new.traits());
    // Ids of the old file as they are in the new one.
    let mut ids: HashMap<String, String> = HashMap::new();
    for (node, was) in new.nodes.iter().zip(&of_new) {
        if let Some(was) = was {
            ids.entry(whole_id(old.nodes[*was])).or_insert_with(|| whole_id(node));
        }
    }
    let mut found = GraphDiff {
        subgraph: new.subgraph(),
        change: Change::Changed,
        nodes: Vec::new(),
        outputs: Vec::new(),
        renumbered: 0,
        layout: Vec::new(),
    };
    let pair = Pair { old, new, ids: &ids, layout };
    for (node, was) in new.nodes.iter().zip(&of_new) {
        match was {
            None => found.nodes.push(new.node(node, Change::Added)),
            Some(was) => match pair.node(old.nodes[*was], node) {
                Some(changed) => found.nodes.push(changed),
                None => found.renumbered += usize::from(whole_id(old.nodes[*was]) != whole_id(node)),
            },
        }
    }
    let mut again = vec![false; old.nodes.len()];
    of_new.iter().flatten().for_each(|was| again[*was] = true);
    let gone = old.nodes.iter().zip(again).filter(|(_, again)| !again);
    found.nodes.extend(gone.map(|(node, _)| old.node(node, Change::Removed)));
    found.outputs = pair.wires(old.outputs(), new.outputs());
    if layout == Layout::Compared {
        found.layout = members(old.value(), new.value(), &GRAPH_LAYOUT);
        let view = |side: &Side<'_>| side.value().get("extra").map(|extra| extra.id());
        if let (Some(was), Some(is)) = (view(old), view(new)) {
            found.layout.extend(members(old.workflow.value(was), new.workflow.value(is), &["ds", "reroutes"]));
        }
    }
    let same = found.nodes.is_empty() && found.outputs.is_empty() && found.layout.is_empty();
    (!same).then_some(found)
}

/// Two graphs, with what is the same in them.
struct Pair<'p, 'w> {
    old: &'p Side<'w>,
    new: &'p Side<'w>,
    ids: &'p HashMap<String, String>,
    layout: Layout,
}

impl<'w> Pair<'_, 'w> {
    /// What differs between a node before and after, if anything does but its id.
    fn node(&self, was: &'w Node, is: &'w Node) -> Option<NodeDiff> {
        let mut found = self.new.node(is, Change::Changed);
        let (names_before, names) = (self.old.workflow.value_names(was), self.new.workflow.value_names(is));
        found.values = changed(self.old.values(was, Some(&names)), self.new.values(is, Some(&names_before)));
        found.inputs = self.wires(self.old.inputs(was), self.new.inputs(is));
        found.mode = (was.mode != is.mode).then_some(ModeDiff { old: was.mode, new: is.mode });
        found.titles = (was.title != is.title).then(|| TitleDiff { old: was.title.clone(), new: is.title.clone() });
        if self.layout == Layout::Compared {
            let (was, is) = (self.old.workflow.value(was.value), self.new.workflow.value(is.value));
            found.layout = members(was, is, &NODE_LAYOUT);
        }
        found.was = Some(whole_id(was)).filter(|id| *id != found.node);
        let same = found.values.is_empty() && found.inputs.is_empty() && found.layout.is_empty();
        (!same || found.mode.is_some() || found.titles.is_some()).then_some(found)
    }

    /// Inputs that are fed by something else.
    fn wires(&self, old: Vec<(String, Endpoint)>, new: Vec<(String, Endpoint)>) -> Vec<InputDiff> {
        let mut before: HashMap<String, Endpoint> = HashMap::with_capacity(old.len());
        let mut order = Vec::with_capacity(old.len());
        for (name, from) in old {
            if before.insert(name.clone(), from).is_none() {
                order.push(name);
            }
        }
        let mut found = Vec::new();
        for (name, from) in new {
            let was = before.remove(&name).map(|from| (self.old.fed(&from), from));
            let is = self.new.fed(&from);
            if !was.as_ref().is_some_and(|(was, from)| self.is_same(was, from, &is)) {
                found.push(InputDiff { name, old: was.map(|(was, _)| was), new: Some(is) });
            }
        }
        for name in order {
            if let Some(from) = before.remove(&name) {
                found.push(InputDiff { name, old: Some(self.old.fed(&from)), new: None });
            }
        }
        found
    }

    /// True when both are one output of one node. Outputs are told by name where both have one: positions shift.
    fn is_same(&self, was: &Fed, from: &Endpoint, is: &Fed) -> bool {
        let node = was.node.as_ref().map(|_| self.ids.get(&from.node).unwrap_or(&from.node));
        let output = match (&was.output, &is.output) {
            (Some(was), Some(is)) => was == is,
            _ => was.slot == is.slot,
        };
        node == is.node.as_ref() && output
    }
}

/// Values that differ, by name, in the order of the new file, then those that are gone.
fn changed(old: Vec<(String, Value<'_>)>, new: Vec<(String, Value<'_>)>) -> Vec<ValueDiff> {
    let mut found = Vec::new();
    let mut before: HashMap<&str, Value<'_>> = old.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    for (name, is) in &new {
        match before.remove(name.as_str()) {
            Some(was) => value::compare(name, was, *is, &mut found),
            None => found.push(value::come(name.clone(), *is)),
        }
    }
    let gone = old.iter().filter_map(|(name, _)| Some((name, before.remove(name.as_str())?)));
    found.extend(gone.map(|(name, was)| value::gone(name.clone(), was)).collect::<Vec<_>>());
    found
}

/// Members of two objects that differ.
fn members(old: Value<'_>, new: Value<'_>, keys: &[&str]) -> Vec<ValueDiff> {
    let mut found = Vec::new();
    for key in keys {
        match (old.get(key), new.get(key)) {
            (Some(was), Some(is)) if value::same(was, is) => {}
            (None, None) => {}
            (was, is) => {
                found.push(ValueDiff { name: (*key).to_owned(), old: was.map(value::taken), new: is.map(value::taken) })
            }
        }
    }
    found
}
