//! One graph merged: the root, or a subgraph that both changed.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::Side as Whose;
use crate::history::three_way::{Pick, pick_by};
use crate::workflow::Node;
use crate::workflow::document::{Kind, Value};
use crate::workflow::widgets::is_after_run;

use super::conflict::{About, Beyond, Conflict};
use super::joined::{From, Graph, Key, LAYOUT, PACKAGE, Side, To, is_unchanged};
use super::laid::{self, Laid};
use super::members::{At, Becomes, Merger, Rule, Three};

/// What of a graph says how it looks; and what the editor counts or notes for itself.
const GRAPH_LAYOUT: [&str; 11] = [
    "groups",
    "reroutes",
    "floatingLinks",
    "id",
    "revision",
    "version",
    "inputNode",
    "outputNode",
    "ds",
    "linkExtensions",
    "frontendVersion",
];

/// What is merged by itself.
const ELSEWHERE: [&str; 7] = ["nodes", "links", "last_node_id", "last_link_id", "state", "definitions", "extra"];

/// Merges one graph into ours. Answers with the ids that nodes got in the merged file and had in theirs.
pub(super) fn merge(
    merger: &mut Merger<'_>,
    name: Option<&str>,
    graphs: [Graph<'_>; 3],
) -> Result<BTreeMap<String, String>, Beyond> {
    let [base, ours, theirs] = Side::of(graphs)?;
    let at = At { graph: name.map(str::to_owned), node: None };
    let values = Three { base: Some(base.value), ours: Some(ours.value), theirs: Some(theirs.value) };
    let rule = |key: &str| match key {
        _ if ELSEWHERE.contains(&key) || (name.is_some() && ["inputs", "outputs"].contains(&key)) => Rule::Elsewhere,
        _ if GRAPH_LAYOUT.contains(&key) => Rule::Layout,
        _ => Rule::Usual,
    };
    merger.members(&at, "", values, &rule);
    extra(merger, &at, values);
    let merging = Merging { at: &at, base: &base, ours: &ours, theirs: &theirs };
    let mut present = merging.present(merger);
    let wires = merging.wires(merger, &mut present);
    for key in &present {
        if let (Some(node), Some(_)) = (ours.node(key), theirs.node(key)) {
            merging.node(merger, key, node);
        }
    }
    laid::lay(merger, &Laid { base: &base, ours: &ours, theirs: &theirs, present: &present, wires: &wires })
}

/// `extra`, in which the editor and packages keep what is theirs.
fn extra(merger: &mut Merger<'_>, at: &At, values: Three<'_>) {
    let three = values.get("extra");
    if !three.all(Kind::Object) {
        if let (Pick::From(Whose::Theirs), Some(ours), Some(theirs)) = (three.pick(), three.ours, three.theirs) {
            merger.edits.replace(ours.place(), theirs.raw());
        }
        return;
    }
    let rule =
        |key: &str| if GRAPH_LAYOUT.contains(&key) || key.contains("ersion") { Rule::Layout } else { Rule::Usual };
    merger.members(at, "extra", three, &rule);
}

struct Merging<'m, 'w> {
    at: &'m At,
    base: &'m Side<'w>,
    ours: &'m Side<'w>,
    theirs: &'m Side<'w>,
}

impl<'w> Merging<'_, 'w> {
    fn conflict(&self, key: &Key, about: About, told: [Option<String>; 3]) -> Conflict {
        let [base, ours, theirs] = told.map(|text| text.map(serde_json::Value::from));
        Conflict { graph: self.at.graph.clone(), node: self.about(key), about, base, ours, theirs }
    }

    /// The node's id, class and title, in the version that has it.
    fn about(&self, key: &Key) -> Option<(String, String, Option<String>)> {
        let sides = [self.ours, self.theirs, self.base];
        let (side, node) = sides.iter().find_map(|side| Some((side, side.node(key)?)))?;
        let class = node.instance_of.map_or(&node.class, |at| &side.workflow.definitions[at].name);
        Some((node.id.clone(), class.clone(), node.title.clone()))
    }

    /// Nodes of the merged graph, as far as their own changes decide.
    fn present(&self, merger: &mut Merger<'_>) -> BTreeSet<Key> {
        let keys: BTreeSet<&Key> =
            self.base.nodes.keys().chain(self.ours.nodes.keys()).chain(self.theirs.nodes.keys()).collect();
        let (of_base, of_ours, of_theirs) = (self.base.wires(), self.ours.wires(), self.theirs.wires());
        let wired = |wires: &BTreeMap<To, From>, key: &Key| -> Vec<(To, From)> {
            wires.iter().filter(|((to, ..), _)| to == key).map(|(to, from)| (to.clone(), from.clone())).collect()
        };
        let same_wires = |a: Vec<(To, From)>, b: Vec<(To, From)>| {
            a.len() == b.len() && a.iter().zip(&b).all(|((to, from), (other, end))| to == other && from.is(end))
        };
        let is_changed = |side: &Side<'_>, wires: &BTreeMap<To, From>, key: &Key| {
            !is_unchanged(self.base.node_value(key), side.node_value(key))
                || !same_wires(wired(&of_base, key), wired(wires, key))
        };
        let mut present = BTreeSet::new();
        for key in keys {
            let (in_base, in_ours, in_theirs) =
                (self.base.node(key).is_some(), self.ours.node(key).is_some(), self.theirs.node(key).is_some());
            let stays = match (in_base, in_ours, in_theirs) {
                (_, true, true) | (false, true, _) | (false, _, true) => true,
                (true, true, false) if is_changed(self.ours, &of_ours, key) => {
                    let told = [Some("there".into()), Some("changed".into()), None];
                    merger.decide(self.conflict(key, About::Whole, told)) == Whose::Ours
                }
                (true, false, true) if is_changed(self.theirs, &of_theirs, key) => {
                    let told = [Some("there".into()), None, Some("changed".into())];
                    merger.decide(self.conflict(key, About::Whole, told)) == Whose::Theirs
                }
                _ => false,
            };
            if stays {
                present.insert(key.clone());
            }
        }
        present
    }

    /// Every wire of the merged graph. A node that was taken away comes back where the other side laid a wire from it and that is decided so.
    fn wires(&self, merger: &mut Merger<'_>, present: &mut BTreeSet<Key>) -> BTreeMap<To, From> {
        let (base, ours, theirs) = (self.base.wires(), self.ours.wires(), self.theirs.wires());
        let ends: BTreeSet<&To> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
        let mut merged = BTreeMap::new();
        for to in ends {
            if !present.contains(&to.0) && !matches!(to.0, Key::Edge(_)) {
                continue;
            }
            let of = |side: &Side<'_>, wires: &BTreeMap<To, From>| {
                // A side that does not have the node says nothing of its wires.
                let has = matches!(to.0, Key::Edge(_)) || side.node(&to.0).is_some();
                has.then(|| wires.get(to).cloned())
            };
            let (was, is, other) = (of(self.base, &base).flatten(), of(self.ours, &ours), of(self.theirs, &theirs));
            let (is, other) = match (is, other) {
                (Some(is), Some(other)) => (is, other),
                (Some(only), None) | (None, Some(only)) => (only.clone(), only),
                (None, None) => continue,
            };
            let same = |a: &Option<From>, b: &Option<From>| match (a, b) {
                (Some(a), Some(b)) => a.is(b),
                (None, None) => true,
                _ => false,
            };
            let from = match pick_by(&was, &is, &other, same) {
                Pick::Same | Pick::From(Whose::Ours) => is.clone(),
                Pick::From(Whose::Theirs) => other.clone(),
                Pick::Both => {
                    let told = [(&was, self.base), (&is, self.ours), (&other, self.theirs)]
                        .map(|(from, side)| from.as_ref().map(|from| told(from, side)));
                    match merger.decide(self.conflict(&to.0, About::Input(to.1.clone()), told)) {
                        Whose::Ours => is.clone(),
                        Whose::Theirs => other.clone(),
                    }
                }
            };
            let Some(from) = from else { continue };
            if !present.contains(&from.key) && !matches!(from.key, Key::Edge(_)) {
                let by_us = is.as_ref().is_some_and(|is| is.is(&from)) && self.ours.node(&from.key).is_some();
                if !self.is_needed(merger, &from.key, to, by_us) {
                    continue;
                }
                present.insert(from.key.clone());
            }
            merged.insert(to.clone(), from);
        }
        // What came back late has its own wires, too.
        let late: Vec<To> = ends_of(&ours, &theirs, present).filter(|to| !merged.contains_key(*to)).cloned().collect();
        for to in late {
            let only = match (self.ours.node(&to.0), self.theirs.node(&to.0)) {
                (Some(_), None) => ours.get(&to),
                (None, Some(_)) => theirs.get(&to),
                _ => None,
            };
            if let Some(from) = only.filter(|from| present.contains(&from.key) || matches!(from.key, Key::Edge(_))) {
                merged.insert(to, from.clone());
            }
        }
        merged
    }

    /// A node that one side took away, and from which the other laid a wire: true where it comes back.
    fn is_needed(&self, merger: &mut Merger<'_>, key: &Key, to: &To, by_us: bool) -> bool {
        let needs = self.about(&to.0).map_or_else(|| to.1.clone(), |(id, class, _)| format!("feeds {id} {class}"));
        let there = Some("there".to_owned());
        let (told, side) = match by_us {
            true => ([there, Some(needs), None], Whose::Ours),
            false => ([there, None, Some(needs)], Whose::Theirs),
        };
        merger.decide(self.conflict(key, About::Whole, told)) == side
    }

    /// What a node holds beside its wires.
    fn node(&self, merger: &mut Merger<'_>, key: &Key, node: &Node) {
        let three = Three {
            base: self.base.node_value(key),
            ours: self.ours.node_value(key),
            theirs: self.theirs.node_value(key),
        };
        let at = At { graph: self.at.graph.clone(), node: self.about(key) };
        // What only one of us has comes or goes as a whole.
        let apart = |name: &str, kinds: &[Kind]| kinds.iter().any(|kind| three.get(name).all(*kind));
        let has_widgets = apart("widgets_values", &[Kind::Array, Kind::Object]);
        let (has_named, has_properties) =
            (apart("widgets_values_named", &[Kind::Object]), apart("properties", &[Kind::Object]));
        let rule = |name: &str| match name {
            "id" | "type" | "inputs" | "outputs" => Rule::Elsewhere,
            "widgets_values" if has_widgets => Rule::Elsewhere,
            "widgets_values_named" if has_named => Rule::Elsewhere,
            "properties" if has_properties => Rule::Elsewhere,
            _ if LAYOUT.contains(&name) => Rule::Layout,
            _ => Rule::Usual,
        };
        merger.members(&at, "", three, &rule);
        if has_named {
            // What some packages note by name beside the list is called as the widget is.
            merger.members(&at, "", three.get("widgets_values_named"), &|_| Rule::Usual);
        }
        if has_properties {
            let rule = |key: &str| if PACKAGE.contains(&key) { Rule::Layout } else { Rule::Usual };
            merger.members(&at, "properties", three.get("properties"), &rule);
        }
        if has_widgets {
            self.widgets(merger, &at, key, node, three.get("widgets_values"));
        }
    }

    fn widgets(&self, merger: &mut Merger<'_>, at: &At, key: &Key, node: &Node, three: Three<'_>) {
        let length = |value: Option<Value<'_>>| value.map(|value| value.items().count());
        if three.all(Kind::Object) {
            return merger.members(at, "", three, &|_| Rule::Usual);
        }
        let listed = three.all(Kind::Array) && three.base.is_some();
        if listed && length(three.base) == length(three.ours) && length(three.ours) == length(three.theirs) {
            let sides =
                [(self.ours, Some(node)), (self.theirs, self.theirs.node(key)), (self.base, self.base.node(key))];
            let names: Vec<Vec<Option<String>>> =
                sides.iter().filter_map(|(side, node)| Some(side.workflow.value_names((*node)?))).collect();
            let ours: Vec<Value<'_>> = three.ours.into_iter().flat_map(Value::items).collect();
            let name = |position: usize| {
                let told = names.iter().find_map(|names| names.get(position).cloned().flatten());
                let after_run = || is_after_run(ours[position]).then(|| "control_after_generate".to_owned());
                told.or_else(after_run).unwrap_or_else(|| position.to_string())
            };
            return merger.items(at, three, &name);
        }
        if let (Becomes::Is(value), Some(ours)) = (merger.value(at, "widgets_values", three), three.ours) {
            merger.edits.replace(ours.place(), value.raw());
        }
    }
}

fn ends_of<'a>(
    ours: &'a BTreeMap<To, From>,
    theirs: &'a BTreeMap<To, From>,
    present: &'a BTreeSet<Key>,
) -> impl Iterator<Item = &'a To> {
    ours.keys().chain(theirs.keys()).filter(|to| present.contains(&to.0))
}

/// What feeds an input, in a few words.
fn told(from: &From, side: &Side<'_>) -> String {
    let output = if from.name.is_empty() { format!("output {}", from.slot) } else { from.name.clone() };
    match side.node(&from.key) {
        Some(node) => {
            let class = node.instance_of.map_or(&node.class, |at| &side.workflow.definitions[at].name);
            format!("{} {class} {output}", node.id)
        }
        None => format!("the subgraph's {output}"),
    }
}
