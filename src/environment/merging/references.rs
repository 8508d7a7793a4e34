//! What a workflow that is made of both refers to: each reference with the answer of the side that its value is from.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Catalog, Reference};
use crate::environment::manifest::{Answer, ModelUse, Slot, WorkflowFacts};
use crate::environment::readings::{self, Reading};
use crate::history::Side;
use crate::history::three_way::{Pick, pick};
use crate::resolve::{NodeChoice, Status};

use super::files::Both;

/// What the manifests say of a workflow.
pub struct Known<'k> {
    pub base: Option<&'k WorkflowFacts>,
    pub ours: Option<&'k WorkflowFacts>,
    pub theirs: Option<&'k WorkflowFacts>,
}

/// What the manifest is to say of the merged workflow: what a commit will find where it looks at the same models.
pub fn facts(both: &Both, known: &Known<'_>, catalog: &Catalog) -> WorkflowFacts {
    let read = |bytes: &[u8]| readings::read(bytes, catalog).unwrap_or_default();
    let (merged, ours, theirs) = (read(&both.merged), read(&both.ours), read(&both.theirs));
    let (ours, theirs) = (answers(&ours, known.ours), answers(&theirs, known.theirs));
    let models = merged.models.iter().map(|reference| {
        let back = theirs_place(reference, &both.ids);
        let of_ours = answer(&ours, &place(reference), reference);
        let of_theirs = answer(&theirs, &back, reference);
        let was = known.base.and_then(|facts| at(facts, &place(reference)));
        let chosen = match (of_ours, of_theirs) {
            // Both say the same of the file; who found something else out since is right.
            (Some(is), Some(other)) if Some(&is) == was => Some(other),
            (is, other) => is.or(other),
        };
        let elsewhere = || same_value(&ours, reference).or_else(|| same_value(&theirs, reference));
        let open = || Answer::Open { status: Status::Missing.as_str().to_owned(), name: reference.value.clone() };
        let answer = chosen.or_else(elsewhere).unwrap_or_else(open);
        let Reference { scope, node, .. } = reference;
        ModelUse { scope: scope.clone(), node: node.clone(), slot: Slot::of(reference), answer }
    });
    let models = models.collect();
    let path = both.path.to_string();
    WorkflowFacts { path, models, nodes: choices(&merged, known) }
}

/// A place in a workflow.
type Place = (Vec<String>, String, Slot);

fn place(reference: &Reference) -> Place {
    (reference.scope.clone(), reference.node.clone(), Slot::of(reference))
}

/// Where they have it: a node that came may have got another number.
fn theirs_place(reference: &Reference, ids: &BTreeMap<String, String>) -> Place {
    let (mut scope, mut node, slot) = place(reference);
    let outermost = scope.first_mut().unwrap_or(&mut node);
    if let Some(id) = ids.get(outermost.as_str()) {
        *outermost = id.clone();
    }
    (scope, node, slot)
}

fn at<'f>(facts: &'f WorkflowFacts, (scope, node, slot): &Place) -> Option<&'f Answer> {
    let found = facts.models.iter().find(|model| (&model.scope, &model.node, &model.slot) == (scope, node, slot));
    found.map(|model| &model.answer)
}

/// The references of a side with their answers. One place may hold several references, so they are paired in order where the manifest has as
/// many.
fn answers<'f>(reading: &'f Reading, facts: Option<&'f WorkflowFacts>) -> Vec<(&'f Reference, &'f Answer)> {
    let Some(facts) = facts else { return Vec::new() };
    let is_there = |model: &ModelUse, reference: &Reference| {
        (&model.scope, &model.node, &model.slot) == (&reference.scope, &reference.node, &Slot::of(reference))
    };
    let both = || reading.models.iter().zip(&facts.models);
    if reading.models.len() == facts.models.len() && both().all(|(reference, model)| is_there(model, reference)) {
        return both().map(|(reference, model)| (reference, &model.answer)).collect();
    }
    reading.models.iter().filter_map(|reference| Some((reference, at(facts, &place(reference))?))).collect()
}

/// The answer of a side at a place, if the value there is that of the merged file.
fn answer(answers: &[(&Reference, &Answer)], there: &Place, merged: &Reference) -> Option<Answer> {
    let is = |reference: &Reference| reference.value == merged.value && place(reference) == *there;
    answers.iter().find(|(reference, _)| is(reference)).map(|(_, answer)| (*answer).clone())
}

/// The answer of a side for the same value somewhere else.
fn same_value(answers: &[(&Reference, &Answer)], merged: &Reference) -> Option<Answer> {
    let is = |reference: &Reference| reference.value == merged.value && reference.node_type == merged.node_type;
    answers.iter().find(|(reference, _)| is(reference)).map(|(_, answer)| (*answer).clone())
}

/// What was said of node types that are still there.
fn choices(merged: &Reading, known: &Known<'_>) -> BTreeMap<String, NodeChoice> {
    let there: BTreeSet<&str> = merged.nodes.iter().map(|need| need.node_type.as_str()).collect();
    let of = |facts: Option<&WorkflowFacts>, key: &str| facts.and_then(|facts| facts.nodes.get(key).cloned());
    let sides = [known.ours, known.theirs].into_iter().flatten();
    let keys: BTreeSet<&String> = sides.flat_map(|facts| facts.nodes.keys()).collect();
    let chosen = keys.into_iter().filter(|key| there.contains(key.as_str())).filter_map(|key| {
        let (was, is, other) = (of(known.base, key), of(known.ours, key), of(known.theirs, key));
        // What only one of us has, the other may not have in use.
        let choice = match pick(&was, &is, &other) {
            Pick::From(Side::Theirs) => other.or(is),
            _ => is.or(other),
        };
        Some((key.clone(), choice?))
    });
    chosen.collect()
}
