//! What the manifest says of what was chosen: tables of nodes and workflows follow their files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::environment::manifest::{Clash, Manifest, NodeFacts, WorkflowFacts, group_of_node};
use crate::environment::snapshot_tree::{MANIFEST, node_name};
use crate::history::Side;
use crate::object::EntryKind;

use super::conflict::{Conflict, Deciding, Kind};
use super::nodes::Chosen;

/// The manifests of the three versions.
pub struct Manifests {
    pub base: Manifest,
    pub ours: Manifest,
    pub theirs: Manifest,
}

/// Whose entry of a workflow holds.
#[derive(Debug, Clone)]
pub enum WorkflowFrom {
    /// The file is the same on both sides, so what each found out of it is merged.
    Same,
    Side(Side),
    /// The file is made of both.
    Both(WorkflowFacts),
}

/// What was chosen.
pub struct Chosens<'c> {
    pub nodes: &'c [Chosen],
    /// By the workflow's key; those that are not there are gone.
    pub workflows: &'c BTreeMap<String, WorkflowFrom>,
    /// Whose ComfyUI it is; nothing where both have the same or where Comfrey does not keep it.
    pub program: Option<Side>,
}

/// Merges all of it but what is said of models.
pub fn merge(manifests: &Manifests, chosen: &Chosens<'_>, deciding: &mut Deciding<'_>) -> Manifest {
    let Manifests { base, ours, theirs } = manifests;
    let mut merged = ours.clone();
    let settled = nodes(&mut merged, manifests, chosen.nodes);
    merged.merge(base, theirs, &settled, &mut |clash| deciding.decide(conflict(clash)));
    for (key, from) in chosen.workflows {
        match from {
            WorkflowFrom::Same => merged.merge_entry("workflows", key, base, theirs),
            WorkflowFrom::Side(Side::Ours) => {}
            WorkflowFrom::Side(Side::Theirs) => merged.take_entry("workflows", key, theirs),
            WorkflowFrom::Both(facts) => merged.set_workflow(key, facts),
        }
    }
    merged.keep_entries("workflows", |key| chosen.workflows.contains_key(key));
    if chosen.program == Some(Side::Theirs) {
        merged.take_environment(theirs);
    }
    merged
}

/// Entries of nodes, and their dependency groups. Answers with the groups that are settled so.
fn nodes(merged: &mut Manifest, manifests: &Manifests, chosen: &[Chosen]) -> Vec<String> {
    let Manifests { base, ours, theirs } = manifests;
    let (of_ours, of_theirs) = (ours.nodes(), theirs.nodes());
    let known = |nodes: &BTreeMap<String, NodeFacts>, place: &str| {
        nodes.iter().find(|(_, facts)| facts.path == place).map(|(key, facts)| (key.clone(), facts.clone()))
    };
    let (mut settled, mut kept) = (Vec::new(), BTreeSet::new());
    for node in chosen {
        let (side, nodes) = match node.side {
            Some(Side::Theirs) => (Some(Side::Theirs), &of_theirs),
            side => (side, &of_ours),
        };
        let Some((key, facts)) = known(nodes, node.was.as_str()) else { continue };
        kept.insert(key.clone());
        match side {
            None => merged.merge_entry("nodes", &key, base, theirs),
            Some(Side::Ours) => settled.push(group_of_node(&key)),
            Some(Side::Theirs) => {
                merged.take_entry("nodes", &key, theirs);
                merged.take_group(&group_of_node(&key), theirs);
                settled.push(group_of_node(&key));
            }
        }
        if node.path != node.was {
            let below = node.path.as_str().split_once('/').map_or("", |(_, below)| below);
            let below = crate::object::RelativePath::new(below).unwrap_or_default();
            let disabled = node_name(&below, EntryKind::Tree).is_some_and(|name| name.disabled);
            merged.set_node(&key, &NodeFacts { path: node.path.to_string(), disabled, ..facts });
        }
    }
    let known: BTreeSet<String> = of_ours.into_keys().chain(base.nodes().into_keys()).collect();
    for key in known.difference(&kept) {
        let group = group_of_node(key);
        merged.remove_group(&group);
        settled.push(group);
    }
    merged.keep_entries("nodes", |key| kept.contains(key));
    settled
}

fn conflict(clash: &Clash) -> Conflict {
    let value = |text: &Option<String>| text.clone().map(Value::from);
    let name = format!("{MANIFEST}#{}", clash.key);
    let (base, ours, theirs) = (value(&clash.base), value(&clash.ours), value(&clash.theirs));
    Conflict { base, ours, theirs, ..Conflict::of(Kind::Manifest, name, [None, None, None]) }
}
