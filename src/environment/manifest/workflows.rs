//! `[tool.comfrey.workflows]`: workflows and what they use.

use std::collections::BTreeMap;

use toml_edit::{Array, InlineTable, Item, TableLike, Value};

use crate::resolve::{NodeChoice, Slot};

use super::edit::{entry, in_order, keep_only, set, text, texts};
use super::{Answer, Manifest, ModelUse, WorkflowFacts};

impl Manifest {
    /// Every workflow by its key.
    pub fn workflows(&self) -> BTreeMap<String, WorkflowFacts> {
        let facts = |(key, table): (&str, &dyn TableLike)| {
            let path = text(table, "path")?;
            let models = table.get("models").and_then(Item::as_array).map(uses).unwrap_or_default();
            let nodes = table.get("nodes").and_then(Item::as_table_like).map(choices).unwrap_or_default();
            Some((key.to_owned(), WorkflowFacts { path, models, nodes }))
        };
        self.entries("workflows").filter_map(facts).collect()
    }

    /// Makes `[tool.comfrey.workflows]` hold exactly these.
    pub fn set_workflows(&mut self, workflows: &BTreeMap<String, WorkflowFacts>) {
        let Some(part) = self.part("workflows") else { return };
        keep_only(part, |key, _| workflows.contains_key(key));
        for (key, facts) in workflows {
            set_workflow(part, key, facts);
        }
        in_order(part);
    }

    /// Makes one entry of `[tool.comfrey.workflows]` say this, and leaves the others.
    pub fn set_workflow(&mut self, key: &str, facts: &WorkflowFacts) {
        let Some(part) = self.part("workflows") else { return };
        set_workflow(part, key, facts);
        in_order(part);
    }
}

fn set_workflow(part: &mut dyn TableLike, key: &str, facts: &WorkflowFacts) {
    let Some(table) = entry(part, key) else { return };
    set(table, "path", Some(facts.path.as_str().into()));
    let present = table.get("models").and_then(Item::as_array);
    if present.map(uses).unwrap_or_default() != facts.models || present.is_none() {
        let array = array_of_uses(&facts.models, present);
        set(table, "models", Some(array.into()));
    }
    if facts.nodes.is_empty() && table.get("nodes").is_none() {
        return;
    }
    let fresh = || Item::Value(InlineTable::new().into());
    let Some(nodes) = table.entry("nodes").or_insert_with(fresh).as_table_like_mut() else { return };
    // What is neither of these is someone else's.
    let gone: Vec<String> = choices(nodes).into_keys().filter(|key| !facts.nodes.contains_key(key)).collect();
    for key in gone {
        nodes.remove(&key);
    }
    for (node_type, choice) in &facts.nodes {
        let value: Value = match choice {
            NodeChoice::Package(id) => id.as_str().into(),
            NodeChoice::Skipped => false.into(),
            NodeChoice::Open => InlineTable::from_iter([("status", UNRESOLVED)]).into(),
        };
        set(nodes, node_type, Some(value));
    }
}

/// What stands for an open node type.
const UNRESOLVED: &str = "unresolved";

/// `type = "package"`, `type = false` for one that is not needed, or `type = { status = "unresolved" }`.
fn choices(table: &dyn TableLike) -> BTreeMap<String, NodeChoice> {
    table.iter().filter_map(|(key, item)| Some((key.to_owned(), choice(item)?))).collect()
}

fn choice(item: &Item) -> Option<NodeChoice> {
    match (item.as_str(), item.as_bool()) {
        (Some(id), _) => Some(NodeChoice::Package(id.to_owned())),
        (_, Some(false)) => Some(NodeChoice::Skipped),
        _ => {
            let status = item.as_table_like()?.get("status")?.as_str()?;
            (status == UNRESOLVED).then_some(NodeChoice::Open)
        }
    }
}

fn uses(array: &Array) -> Vec<ModelUse> {
    array.iter().filter_map(Value::as_inline_table).filter_map(|table| model_use(table)).collect()
}

fn model_use(table: &dyn TableLike) -> Option<ModelUse> {
    let slot = match (table.get("widget").and_then(Item::as_integer), text(table, "input")) {
        (Some(widget), _) => Slot::Widget(widget),
        (None, input) => Slot::Input(input?),
    };
    let (id, name) = (text(table, "model").and_then(|id| id.parse().ok()), text(table, "name"));
    let answer = match (id, name, text(table, "folder")) {
        (Some(id), None, _) => Answer::Model(id),
        (Some(model), Some(name), _) => Answer::Chosen { model, name },
        (None, _, Some(folder)) => Answer::Folder(folder),
        (None, name, None) => Answer::Open { status: text(table, "status")?, name: name.unwrap_or_default() },
    };
    Some(ModelUse { scope: texts(table, "scope"), node: text(table, "node")?, slot, answer })
}

/// One line a use; inline tables already there for the same place keep the keys that we do not know.
fn array_of_uses(models: &[ModelUse], present: Option<&Array>) -> Array {
    let mut array = Array::new();
    for model in models {
        let same_place = |table: &&InlineTable| {
            model_use(*table)
                .is_some_and(|old| (&old.scope, &old.node, &old.slot) == (&model.scope, &model.node, &model.slot))
        };
        let known = present.and_then(|array| array.iter().filter_map(Value::as_inline_table).find(same_place));
        let mut table = known.cloned().unwrap_or_default();
        let scope = Array::from_iter(model.scope.iter().map(String::as_str));
        set(&mut table, "scope", (!scope.is_empty()).then(|| scope.into()));
        set(&mut table, "node", Some(model.node.as_str().into()));
        match &model.slot {
            Slot::Widget(number) => set(&mut table, "widget", Some((*number).into())),
            Slot::Input(name) => set(&mut table, "input", Some(name.as_str().into())),
        }
        let (status, name, folder) = match &model.answer {
            Answer::Model(_) => (None, None, None),
            Answer::Chosen { name, .. } => (None, Some(name), None),
            Answer::Folder(folder) => (None, None, Some(folder)),
            Answer::Open { status, name } => (Some(status), Some(name), None),
        };
        let text = |text: Option<&String>| text.map(|text| text.as_str().into());
        let id = model.answer.model().map(|id| id.to_hex().into());
        let answer = [("model", id), ("folder", text(folder)), ("status", text(status)), ("name", text(name))];
        let changes = answer.iter().any(|(key, value)| value.is_some() != table.contains_key(key));
        if changes && known.is_some() {
            // Another kind of answer: its keys stand in their order, as in a new entry.
            answer.iter().for_each(|(key, _)| drop(table.remove(key)));
        }
        answer.into_iter().for_each(|(key, value)| set(&mut table, key, value));
        if changes && known.is_some() {
            table.fmt();
        }
        let mut value = Value::InlineTable(table);
        value.decor_mut().set_prefix("\n    ");
        array.push_formatted(value);
    }
    if !array.is_empty() {
        array.set_trailing("\n");
        array.set_trailing_comma(true);
    }
    array
}
