//! Values merged by key: objects member by member, lists of one length item by item, all else as a whole.

use std::collections::HashMap;

use crate::history::Side;
use crate::history::three_way::{Pick, pick_by};
use crate::workflow::diff::value::{same, taken};
use crate::workflow::document::{Kind, Value};

use super::conflict::{About, Conflict, Decide};
use super::splice::Edits;

/// One value in three versions.
#[derive(Clone, Copy)]
pub(super) struct Three<'v> {
    pub base: Option<Value<'v>>,
    pub ours: Option<Value<'v>>,
    pub theirs: Option<Value<'v>>,
}

impl<'v> Three<'v> {
    /// A member of all three.
    pub fn get(self, key: &str) -> Self {
        let of = |value: Option<Value<'v>>| value.and_then(|value| value.get(key));
        Three { base: of(self.base), ours: of(self.ours), theirs: of(self.theirs) }
    }

    pub fn pick(&self) -> Pick {
        pick_by(&self.base, &self.ours, &self.theirs, |a, b| match (a, b) {
            (Some(a), Some(b)) => same(*a, *b),
            (None, None) => true,
            _ => false,
        })
    }

    /// True where all that are there are of this kind, and ours and theirs are.
    pub fn all(&self, kind: Kind) -> bool {
        let is = |value: Option<Value<'_>>| value.is_some_and(|value| value.kind() == kind);
        is(self.ours) && is(self.theirs) && self.base.is_none_or(|base| base.kind() == kind)
    }
}

/// What becomes of a value of ours.
pub(super) enum Becomes<'v> {
    /// It stays; changes within it are noted.
    Stays,
    Is(Value<'v>),
    Gone,
}

/// How the members of an object are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Usual,
    /// Where both changed it, ours stays.
    Layout,
    /// Merged elsewhere.
    Elsewhere,
}

/// Where values stand, for the names of conflicts.
#[derive(Debug, Clone, Default)]
pub(super) struct At {
    pub graph: Option<String>,
    pub node: Option<(String, String, Option<String>)>,
}

/// What is to be changed of ours, and who decides.
pub(super) struct Merger<'d> {
    pub edits: Edits,
    decide: Decide<'d>,
    decided: HashMap<String, Side>,
}

impl<'d> Merger<'d> {
    pub fn new(decide: Decide<'d>) -> Self {
        Merger { edits: Edits::default(), decide, decided: HashMap::new() }
    }

    /// Asks once for each name.
    pub fn decide(&mut self, conflict: Conflict) -> Side {
        let name = conflict.name();
        if let Some(side) = self.decided.get(&name) {
            return *side;
        }
        let side = (self.decide)(conflict);
        self.decided.insert(name, side);
        side
    }

    /// Merges the members of objects that are there on both sides. `rule` is asked of each key.
    pub fn members(&mut self, at: &At, prefix: &str, three: Three<'_>, rule: &dyn Fn(&str) -> Rule) {
        let (Some(ours), Some(theirs)) = (three.ours, three.theirs) else { return };
        let keys = |value: Value<'_>| -> Vec<String> {
            value.members().filter_map(|(key, _)| Some(key.text()?.into_owned())).collect()
        };
        let (of_ours, mut all) = (keys(ours), keys(theirs));
        all.extend(three.base.map(keys).unwrap_or_default());
        let (mut seen, mut gone, mut come) = (std::collections::HashSet::new(), Vec::new(), Vec::new());
        for key in all {
            if !seen.insert(key.clone()) {
                continue;
            }
            let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            let three = three.get(&key);
            let becomes = match (rule(&key), three.pick()) {
                (Rule::Elsewhere, _) | (Rule::Layout, Pick::Both) => continue,
                _ => self.value(at, &name, three),
            };
            let positions = of_ours.iter().enumerate().filter(|(_, known)| **known == key).map(|(at, _)| at);
            match (becomes, three.ours) {
                (Becomes::Stays, _) => {}
                (Becomes::Is(value), Some(ours)) => self.edits.replace(ours.place(), value.raw()),
                (Becomes::Is(value), None) => {
                    let key = serde_json::to_string(&key).unwrap_or_default();
                    come.push(format!("{key}:{}{}", gap(ours), value.raw()));
                }
                (Becomes::Gone, _) => gone.extend(positions),
            }
        }
        self.edits.entries(ours, &gone, &come);
    }

    /// Merges a value called `name`.
    pub fn value<'v>(&mut self, at: &At, name: &str, three: Three<'v>) -> Becomes<'v> {
        let theirs = || three.theirs.map_or(Becomes::Gone, Becomes::Is);
        match three.pick() {
            Pick::Same | Pick::From(Side::Ours) => return Becomes::Stays,
            Pick::From(Side::Theirs) => return theirs(),
            Pick::Both => {}
        }
        if three.all(Kind::Object) {
            self.members(at, name, three, &|_| Rule::Usual);
            return Becomes::Stays;
        }
        let length = |value: Option<Value<'_>>| value.map(|value| value.items().count());
        let same_length = length(three.ours) == length(three.theirs) && length(three.base) == length(three.ours);
        if three.all(Kind::Array) && same_length {
            self.items(at, three, &|position| format!("{name}.{position}"));
            return Becomes::Stays;
        }
        match self.decide(conflict(at, About::Value(name.to_owned()), three)) {
            Side::Ours => Becomes::Stays,
            Side::Theirs => theirs(),
        }
    }

    /// Merges lists of one length item by item.
    pub fn items(&mut self, at: &At, three: Three<'_>, name: &dyn Fn(usize) -> String) {
        let (Some(base), Some(ours), Some(theirs)) = (three.base, three.ours, three.theirs) else { return };
        for (position, ((base, ours), theirs)) in base.items().zip(ours.items()).zip(theirs.items()).enumerate() {
            let three = Three { base: Some(base), ours: Some(ours), theirs: Some(theirs) };
            if let Becomes::Is(value) = self.value(at, &name(position), three) {
                self.edits.replace(ours.place(), value.raw());
            }
        }
    }
}

/// A conflict about a value.
pub(super) fn conflict(at: &At, about: About, three: Three<'_>) -> Conflict {
    Conflict {
        graph: at.graph.clone(),
        node: at.node.clone(),
        about,
        base: three.base.map(taken),
        ours: three.ours.map(taken),
        theirs: three.theirs.map(taken),
    }
}

/// What stands between a colon and a value, as the object has it.
fn gap(object: Value<'_>) -> &str {
    let Some((key, value)) = object.members().next() else { return "" };
    let start = object.place().start;
    let between = &object.raw()[key.place().end - start..value.place().start - start];
    between.split_once(':').map_or("", |(_, gap)| gap)
}
