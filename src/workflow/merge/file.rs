//! A whole file: its root graph, and its subgraphs by id.

use std::collections::{BTreeMap, HashSet};

use crate::history::Side;
use crate::history::three_way::Pick;
use crate::workflow::document::{Kind, Value};
use crate::workflow::editor::id_text;
use crate::workflow::{Definition, Format, Workflow};

use super::conflict::{About, Beyond, Conflict, Decide};
use super::joined::Graph;
use super::members::{At, Becomes, Merger, Rule, Three};

/// The merged file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    pub bytes: Vec<u8>,
    /// Nodes of the root that they have, by the id in the merged file: the id that they have there.
    pub ids: BTreeMap<String, String>,
}

/// Merges `theirs` into the bytes of `ours`. `decide` is asked of what both changed, each conflict once.
///
/// # Errors
/// Changes that are not understood: one of the three is no workflow, they are of different formats, two nodes have one id, or both changed
/// what a subgraph shows outside. What was asked of `decide` until then is void.
pub fn merge(base: &[u8], ours: &[u8], theirs: &[u8], decide: Decide<'_>) -> Result<Merged, Beyond> {
    let read = |bytes| crate::workflow::read(bytes).map_err(|_| Beyond);
    let (base, ours, theirs) = (read(base)?, read(ours)?, read(theirs)?);
    let all = [&base, &ours, &theirs];
    let mut merger = Merger::new(decide);
    let ids = match ours.format {
        _ if all.iter().any(|workflow| workflow.format != ours.format) => return Err(Beyond),
        Format::Editor => editor(&mut merger, all)?,
        Format::Api => api(&mut merger, all)?,
    };
    let text = std::str::from_utf8(ours.document().bytes()).map_err(|_| Beyond)?;
    let bytes = merger.edits.applied(text, 0..text.len()).ok_or(Beyond)?.into_bytes();
    // What was put together must be a workflow again.
    crate::workflow::read(&bytes).map_err(|_| Beyond)?;
    Ok(Merged { bytes, ids })
}

fn roots<'w>(all: [&'w Workflow<'w>; 3]) -> [Value<'w>; 3] {
    all.map(|workflow| workflow.document().root())
}

fn editor(merger: &mut Merger<'_>, all: [&Workflow<'_>; 3]) -> Result<BTreeMap<String, String>, Beyond> {
    // One that is wrapped in another document has no place of its own.
    if roots(all).iter().any(|root| root.get("nodes").is_none()) {
        return Err(Beyond);
    }
    let root = |workflow| {
        let workflow: &Workflow<'_> = workflow;
        Graph { workflow, definition: None, value: workflow.document().root() }
    };
    let ids = super::graph::merge(merger, None, all.map(root))?;
    subgraphs(merger, all)?;
    Ok(ids)
}

/// Definitions: those that only one side changed are taken whole.
fn subgraphs(merger: &mut Merger<'_>, all: [&Workflow<'_>; 3]) -> Result<(), Beyond> {
    let [base, ours, theirs] = roots(all);
    let three = Three { base: Some(base), ours: Some(ours), theirs: Some(theirs) }.get("definitions");
    let listed = three.get("subgraphs");
    if !listed.all(Kind::Array) {
        // One of us has none: they come or go with all that they hold.
        return match (three.pick(), three.ours, three.theirs) {
            (Pick::Same | Pick::From(Side::Ours), ..) => Ok(()),
            (Pick::From(Side::Theirs), None, Some(definitions)) => {
                merger.edits.entries(ours, &[], &[format!("\"definitions\":{}", definitions.raw())]);
                Ok(())
            }
            (Pick::From(Side::Theirs), Some(held), Some(definitions)) => {
                merger.edits.replace(held.place(), definitions.raw());
                Ok(())
            }
            // Nothing stands for them then, or the nodes that do are in conflict.
            (Pick::From(Side::Theirs), _, None) => Ok(()),
            (Pick::Both, ..) => Err(Beyond),
        };
    }
    let by_id = |list: Option<Value<'_>>| -> Vec<String> {
        list.into_iter().flat_map(Value::items).filter_map(|value| value.get("id").map(id_text)).collect()
    };
    let mut order = by_id(listed.ours);
    order.extend(by_id(listed.theirs));
    order.extend(by_id(listed.base));
    let mut seen = HashSet::new();
    order.retain(|id| seen.insert(id.clone()));
    let of_ours = by_id(listed.ours);
    // What one of us still has instances of stays.
    let used: HashSet<&str> = all[1].nodes.iter().map(|node| node.class.as_str()).collect();
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for id in order {
        let [base, ours, theirs] =
            [listed.base, listed.ours, listed.theirs].map(|list| list.and_then(|list| find(list, &id)));
        let three = Three { base, ours, theirs };
        let becomes = match three.pick() {
            Pick::Same | Pick::From(Side::Ours) => continue,
            Pick::From(Side::Theirs) => three.theirs.map_or(Becomes::Gone, Becomes::Is),
            Pick::Both if three.all(Kind::Object) && three.base.is_some() => {
                subgraph(merger, all, &id)?;
                continue;
            }
            Pick::Both => match merger.decide(about(all, &id, three)) {
                Side::Ours => continue,
                Side::Theirs => three.theirs.map_or(Becomes::Gone, Becomes::Is),
            },
        };
        match (becomes, three.ours) {
            (Becomes::Is(value), Some(held)) => merger.edits.replace(held.place(), value.raw()),
            (Becomes::Is(value), None) => come.push(value.raw().to_owned()),
            (Becomes::Gone, Some(_)) if !used.contains(id.as_str()) => {
                gone.extend(of_ours.iter().position(|known| *known == id));
            }
            _ => {}
        }
    }
    if let Some(list) = listed.ours {
        // Positions are those of the list, in which there may be what has no id.
        if list.items().count() != of_ours.len() {
            return Err(Beyond);
        }
        merger.edits.entries(list, &gone, &come);
    }
    Ok(())
}

fn find<'v>(list: Value<'v>, id: &str) -> Option<Value<'v>> {
    list.items().find(|value| value.get("id").is_some_and(|found| id_text(found) == id))
}

/// One that both changed.
fn subgraph(merger: &mut Merger<'_>, all: [&Workflow<'_>; 3], id: &str) -> Result<(), Beyond> {
    let mut graphs = Vec::new();
    for workflow in all {
        let definition = workflow.definitions.iter().find(|definition| definition.id == id).ok_or(Beyond)?;
        graphs.push(Graph { workflow, definition: Some(definition), value: workflow.value(definition.value) });
    }
    let shown = |definition: Option<&Definition>| -> Vec<String> {
        let ports = definition.into_iter().flat_map(|definition| definition.inputs.iter().chain(&definition.outputs));
        ports.map(|port| port.name.clone()).collect()
    };
    if graphs.iter().any(|graph| shown(graph.definition) != shown(graphs[0].definition)) {
        return Err(Beyond);
    }
    let graphs: [Graph<'_>; 3] = graphs.try_into().map_err(|_| Beyond)?;
    let name = graphs[1].definition.map_or(id, |definition| definition.name.as_str()).to_owned();
    super::graph::merge(merger, Some(&name), graphs).map(drop)
}

/// A subgraph that one changed and the other took away, or that both brought.
fn about(all: [&Workflow<'_>; 3], id: &str, three: Three<'_>) -> Conflict {
    let definitions = all.iter().rev().flat_map(|workflow| &workflow.definitions);
    let name = definitions.filter(|definition| definition.id == id).map(|definition| definition.name.clone()).next();
    let told = |value: Option<Value<'_>>| value.map(|_| serde_json::Value::from("a subgraph"));
    Conflict {
        graph: Some(name.unwrap_or_else(|| id.to_owned())),
        node: None,
        about: About::Whole,
        base: told(three.base),
        ours: told(three.ours),
        theirs: told(three.theirs),
    }
}

/// What runs: nodes by id, inputs by name. A wire is a value like any other.
fn api(merger: &mut Merger<'_>, all: [&Workflow<'_>; 3]) -> Result<BTreeMap<String, String>, Beyond> {
    let [base, ours, theirs] = roots(all);
    let is_bare = |root: &Value<'_>| root.members().all(|(_, node)| node.get("class_type").is_some());
    if ![base, ours, theirs].iter().all(is_bare) {
        return Err(Beyond);
    }
    let three = Three { base: Some(base), ours: Some(ours), theirs: Some(theirs) };
    let of_ours: Vec<String> = ours.members().filter_map(|(key, _)| Some(key.text()?.into_owned())).collect();
    let mut order = of_ours.clone();
    for root in [theirs, base] {
        order.extend(root.members().filter_map(|(key, _)| Some(key.text()?.into_owned())));
    }
    let mut seen = HashSet::new();
    order.retain(|id| seen.insert(id.clone()));
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for id in order {
        let three = three.get(&id);
        let class = [three.ours, three.theirs, three.base]
            .into_iter()
            .flatten()
            .find_map(|node| node.get("class_type")?.text());
        let node = Some((id.clone(), class.unwrap_or_default().into_owned(), None));
        let at = At { graph: None, node: node.clone() };
        if three.pick() == Pick::Both && three.all(Kind::Object) && three.base.is_some() {
            merger.members(&at, "", three, &|key| if key == "inputs" { Rule::Elsewhere } else { Rule::Usual });
            merger.members(&at, "", three.get("inputs"), &|_| Rule::Usual);
            continue;
        }
        let whole = |value: Option<Value<'_>>, told: &str| value.map(|_| serde_json::Value::from(told));
        let side = match three.pick() {
            Pick::Same | Pick::From(Side::Ours) => continue,
            Pick::From(Side::Theirs) => Side::Theirs,
            Pick::Both => merger.decide(Conflict {
                graph: None,
                node,
                about: About::Whole,
                base: whole(three.base, "there"),
                ours: whole(three.ours, "changed"),
                theirs: whole(three.theirs, "changed"),
            }),
        };
        match (side, three.theirs, three.ours) {
            (Side::Ours, ..) => {}
            (_, Some(value), Some(held)) => merger.edits.replace(held.place(), value.raw()),
            (_, Some(value), None) => {
                come.push(format!("{}:{}", serde_json::to_string(&id).unwrap_or_default(), value.raw()));
            }
            (_, None, _) => gone.extend(of_ours.iter().position(|known| *known == id)),
        }
    }
    merger.edits.entries(ours, &gone, &come);
    Ok(BTreeMap::new())
}
