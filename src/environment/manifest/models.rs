//! `[tool.comfrey.models]`: the models that committed workflows refer to.

use std::collections::BTreeMap;

use toml_edit::{Array, Item, TableLike, Value};

use crate::object::ObjectId;

use super::edit::{entry, flag, in_order, keep_only, set, text, texts};
use super::{Manifest, ModelFacts};

impl Manifest {
    /// Every model by its id.
    pub fn models(&self) -> BTreeMap<ObjectId, ModelFacts> {
        self.entries("models").filter_map(|(key, table)| Some((key.parse().ok()?, model_facts(table)))).collect()
    }

    /// Adds models to `[tool.comfrey.models]`, and leaves the others.
    pub fn add_models(&mut self, models: &BTreeMap<ObjectId, ModelFacts>) {
        let Some(part) = self.part("models") else { return };
        models.iter().for_each(|(id, facts)| set_model(part, id, facts));
        in_order(part);
    }

    /// Makes `[tool.comfrey.models]` hold these, and those that someone pinned. Sources already known are kept.
    pub fn set_models(&mut self, models: &BTreeMap<ObjectId, ModelFacts>) {
        let Some(part) = self.part("models") else { return };
        keep_only(part, |key, table| {
            key.parse().is_ok_and(|id| models.contains_key(&id)) || table.is_some_and(|table| flag(table, "pinned"))
        });
        models.iter().for_each(|(id, facts)| set_model(part, id, facts));
        in_order(part);
    }
}

fn set_model(part: &mut dyn TableLike, id: &ObjectId, facts: &ModelFacts) {
    let Some(table) = entry(part, &id.to_hex()) else { return };
    set(table, "filename", Some(facts.filename.as_str().into()));
    set(table, "path", Some(facts.path.as_str().into()));
    set(table, "size", i64::try_from(facts.size).ok().map(Value::from));
    for (key, value) in [("quick", &facts.quick), ("sha256", &facts.sha256)] {
        if let Some(value) = value {
            set(table, key, Some(value.as_str().into()));
        }
    }
    let mut sources = texts(table, "sources");
    sources.extend(facts.sources.iter().cloned());
    let mut seen = std::collections::BTreeSet::new();
    sources.retain(|source| seen.insert(source.clone()));
    let array = Array::from_iter(sources.iter().map(String::as_str));
    set(table, "sources", (!array.is_empty()).then(|| array.into()));
}

fn model_facts(table: &dyn TableLike) -> ModelFacts {
    ModelFacts {
        filename: text(table, "filename").unwrap_or_default(),
        path: text(table, "path").unwrap_or_default(),
        size: table.get("size").and_then(Item::as_integer).and_then(|size| size.try_into().ok()).unwrap_or(0),
        quick: text(table, "quick"),
        sha256: text(table, "sha256"),
        sources: texts(table, "sources"),
        pinned: flag(table, "pinned"),
    }
}
