//! The models of the merged version: those that its workflows refer to and those that someone pinned, as a commit has them.

use std::collections::{BTreeMap, BTreeSet};

use crate::environment::manifest::{Answer, Manifest};
use crate::environment::snapshot_tree::MODELS;
use crate::history::Side;
use crate::history::three_way::{Pick, pick};
use crate::object::{Entry, ObjectId, RelativePath};

use super::conflict::{Conflict, Deciding, Kind};
use super::manifest::Manifests;
use super::nodes::files_told;

/// Models by their place below `models/`.
pub type Places = BTreeMap<RelativePath, Entry>;

/// Those of the three versions.
pub struct Versions {
    pub base: Places,
    pub ours: Places,
    pub theirs: Places,
}

/// What the workflows of a manifest use.
struct Used {
    ids: BTreeSet<ObjectId>,
    /// Folders of model files, as paths below `models/`.
    folders: Vec<String>,
}

impl Used {
    fn of(manifest: &Manifest) -> Self {
        let workflows = manifest.workflows();
        let answers = || workflows.values().flat_map(|facts| &facts.models).map(|model| &model.answer);
        let folder = |answer: &Answer| match answer {
            Answer::Folder(place) => Some(format!("{place}/")),
            _ => None,
        };
        Used { ids: answers().filter_map(Answer::model).collect(), folders: answers().filter_map(folder).collect() }
    }

    fn holds(&self, id: &ObjectId, place: &str) -> bool {
        self.ids.contains(id) || self.folders.iter().any(|folder| place.starts_with(folder))
    }
}

/// Merges what the manifest says of models, and which stand where. `merged` has its workflows already.
pub fn merge(merged: &mut Manifest, manifests: &Manifests, versions: &Versions, deciding: &mut Deciding<'_>) -> Places {
    let Manifests { base, ours, theirs } = manifests;
    let used = Used::of(merged);
    let of_ours = ours.models();
    for id in theirs.models().keys() {
        match of_ours.contains_key(id) {
            true => merged.merge_entry("models", &id.to_hex(), base, theirs),
            // Where we took it away, it comes back if something uses it.
            false => merged.take_entry("models", &id.to_hex(), theirs),
        }
    }
    let was_let_go = |key: &str| base.is_pinned(key) && !(ours.is_pinned(key) && theirs.is_pinned(key));
    let models = merged.models();
    let is_kept = |id: &ObjectId, place: &str| {
        let is_pinned = models.get(id).is_some_and(|facts| facts.pinned) && !was_let_go(&id.to_hex());
        is_pinned || used.holds(id, place)
    };
    merged.keep_entries("models", |key| {
        key.parse().is_ok_and(|id| models.get(&id).is_some_and(|facts| is_kept(&id, &facts.path)))
    });
    let mut places = Places::new();
    let all: BTreeSet<&RelativePath> =
        versions.base.keys().chain(versions.ours.keys()).chain(versions.theirs.keys()).collect();
    for place in all {
        let of = |places: &Places| places.get(place).cloned();
        let (was, is, other) = (of(&versions.base), of(&versions.ours), of(&versions.theirs));
        let id = |entry: &Option<Entry>| entry.as_ref().map(|entry| entry.id);
        let kept = |entry: &Option<Entry>| entry.as_ref().is_some_and(|entry| is_kept(&entry.id, place.as_str()));
        let side = match pick(&id(&was), &id(&is), &id(&other)) {
            Pick::Same | Pick::From(Side::Ours) => Side::Ours,
            Pick::From(Side::Theirs) => Side::Theirs,
            Pick::Both if !kept(&other) => Side::Ours,
            Pick::Both if !kept(&is) => Side::Theirs,
            Pick::Both => {
                let told = |entry: &Option<Entry>| entry.as_ref().map(|entry| files_told(entry.kind, &entry.id));
                let told = [told(&was), told(&is), told(&other)];
                deciding.decide(Conflict::of(Kind::Model, format!("{MODELS}/{place}"), told))
            }
        };
        let entry = if side == Side::Ours { is } else { other };
        if kept(&entry) {
            places.extend(entry.map(|entry| (place.clone(), entry)));
        }
    }
    // What one side has no use for any more, and the other still has.
    let present: BTreeSet<ObjectId> = places.values().map(|entry| entry.id).collect();
    for (place, entry) in versions.ours.iter().chain(&versions.theirs) {
        if is_kept(&entry.id, place.as_str()) && !present.contains(&entry.id) && !places.contains_key(place) {
            places.insert(place.clone(), entry.clone());
        }
    }
    places
}
