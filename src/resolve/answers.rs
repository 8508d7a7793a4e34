//! A file of answers: written by one run and read by another, or written by hand.
//!
//! ```toml
//! [[model]]
//! workflow = "workflows/portrait.json"     # left out: any
//! scope = ["57"]                           # left out: any
//! node = "12"                              # left out: any
//! widget = 0                               # or input = "lora_name"; left out: any
//! value = "ink.safetensors"                # as the workflow writes it; left out: any
//! use = "loras/style/ink.safetensors"      # a place below models/,
//! model = "<id>"                           # or an id, which counts where both are given,
//! skip = true                              # or that it is not needed
//!
//! [[node]]
//! workflow = "workflows/portrait.json"
//! type = "VHS_VideoCombine"
//! package = "comfyui-videohelpersuite"     # or skip = true
//! ```

use std::fmt;

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

use crate::catalog::Reference;
use crate::models::{IndexedFile, ModelIndex};
use crate::object::ObjectId;
use crate::observer::Observer;

use super::choose::{Choose, ChooseError, ModelAnswer, ModelQuestion, NodeAnswer, NodeQuestion};
use super::memory::{Slot, same_value};
use super::model::{Resolution, Status};
use super::node::NodeResolution;
use super::packages::same_id;

/// Answers in the order of their file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    pub models: Vec<ModelEntry>,
    pub nodes: Vec<NodeEntry>,
}

/// An answer for references; what is absent fits any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelEntry {
    pub workflow: Option<String>,
    pub scope: Option<Vec<String>>,
    pub node: Option<String>,
    pub slot: Option<Slot>,
    pub value: Option<String>,
    pub answer: EntryAnswer,
}

/// An answer for a node type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeEntry {
    pub workflow: Option<String>,
    pub node_type: String,
    /// Nothing: it is not needed.
    pub package: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum EntryAnswer {
    #[default]
    Skip,
    /// A file by its place below `models/`, by its id, or by both.
    File { place: Option<String>, id: Option<ObjectId> },
}

/// Why a text is no file of answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswersError {
    #[error("line {line}: {reason}")]
    NotToml { line: usize, reason: String },
    #[error("[[{table}]] number {number}: {reason}")]
    Entry { table: &'static str, number: usize, reason: &'static str },
}

impl Answers {
    /// Reads a file of answers.
    pub fn parse(text: &str) -> Result<Self, AnswersError> {
        let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            let before = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..before].iter().filter(|byte| **byte == b'\n').count() + 1;
            AnswersError::NotToml { line, reason: error.message().trim().to_owned() }
        })?;
        let mut answers = Answers::default();
        for (key, item) in document.iter() {
            let tables: Vec<&dyn TableLike> = match item {
                Item::ArrayOfTables(tables) => tables.iter().map(|table| table as &dyn TableLike).collect(),
                Item::Value(Value::Array(array)) => {
                    array.iter().filter_map(Value::as_inline_table).map(|table| table as &dyn TableLike).collect()
                }
                _ => Vec::new(),
            };
            for (number, table) in tables.into_iter().enumerate().map(|(at, table)| (at + 1, table)) {
                let wrong = |table| move |reason| AnswersError::Entry { table, number, reason };
                match key {
                    "model" => answers.models.push(model_entry(table).map_err(wrong("model"))?),
                    "node" => answers.nodes.push(node_entry(table).map_err(wrong("node"))?),
                    _ => {}
                }
            }
            if !matches!(key, "model" | "node") {
                let line = 1 + text.lines().take_while(|line| !line.contains(key)).count();
                let reason = format!("`{key}` is neither `model` nor `node`");
                return Err(AnswersError::NotToml { line, reason });
            }
        }
        Ok(answers)
    }
}

fn text(table: &dyn TableLike, key: &str) -> Option<String> {
    table.get(key)?.as_str().map(str::to_owned)
}

fn number_or_text(table: &dyn TableLike, key: &str) -> Option<String> {
    let item = table.get(key)?;
    item.as_str().map(str::to_owned).or_else(|| item.as_integer().map(|number| number.to_string()))
}

const MODEL_KEYS: [&str; 9] = ["workflow", "scope", "node", "widget", "input", "value", "use", "model", "skip"];

fn model_entry(table: &dyn TableLike) -> Result<ModelEntry, &'static str> {
    if table.iter().any(|(key, _)| !MODEL_KEYS.contains(&key)) {
        return Err("a key that is none of workflow, scope, node, widget, input, value, use, model, skip");
    }
    let scope = table.get("scope").and_then(Item::as_array);
    let widget = table.get("widget").and_then(Item::as_integer).map(Slot::Widget);
    let id = match text(table, "model") {
        Some(id) => Some(id.parse().map_err(|_| "`model` is no id of 64 hexadecimal digits")?),
        None => None,
    };
    let place = text(table, "use").map(|place| {
        let place = place.replace('\\', "/");
        place.strip_prefix("models/").unwrap_or(&place).to_owned()
    });
    let skip = table.get("skip").and_then(Item::as_bool).unwrap_or(false);
    let answer = match (skip, place, id) {
        (true, None, None) => EntryAnswer::Skip,
        (true, ..) => return Err("`skip` and a file are two answers"),
        (false, None, None) => return Err("an answer is wanted: `use`, `model` or `skip = true`"),
        (false, place, id) => EntryAnswer::File { place, id },
    };
    let entry = ModelEntry {
        workflow: text(table, "workflow"),
        scope: scope.map(|scope| scope.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        node: number_or_text(table, "node"),
        slot: widget.or_else(|| text(table, "input").map(Slot::Input)),
        value: text(table, "value"),
        answer,
    };
    if entry.node.is_none() && entry.value.is_none() {
        return Err("`node` or `value` must say what it is about");
    }
    Ok(entry)
}

fn node_entry(table: &dyn TableLike) -> Result<NodeEntry, &'static str> {
    let node_type = text(table, "type").ok_or("`type` must say which node type it is about")?;
    let skip = table.get("skip").and_then(Item::as_bool).unwrap_or(false);
    let package = text(table, "package");
    if skip == package.is_some() {
        return Err("one answer is wanted: `package` or `skip = true`");
    }
    Ok(NodeEntry { workflow: text(table, "workflow"), node_type, package })
}

/// The text, as it is written to a file.
impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Answers for `comfrey workflow resolve --answers FILE`. What is left out fits any.")?;
        let mut table = Table::new();
        let mut show = |name: &str, keys: Vec<(&str, Value)>| {
            table.clear();
            for (key, value) in keys {
                table.insert(key, Item::Value(value));
            }
            writeln!(f, "\n[[{name}]]\n{}", table.to_string().trim_end())
        };
        for entry in &self.models {
            let mut keys: Vec<(&str, Value)> = Vec::new();
            keys.extend(entry.workflow.as_deref().map(|workflow| ("workflow", workflow.into())));
            let scope = entry.scope.as_deref().map(|scope| Array::from_iter(scope.iter().map(String::as_str)));
            keys.extend(scope.filter(|scope| !scope.is_empty()).map(|scope| ("scope", scope.into())));
            keys.extend(entry.node.as_deref().map(|node| ("node", node.into())));
            keys.extend(entry.slot.as_ref().map(|slot| match slot {
                Slot::Widget(at) => ("widget", (*at).into()),
                Slot::Input(name) => ("input", name.as_str().into()),
            }));
            keys.extend(entry.value.as_deref().map(|value| ("value", value.into())));
            match &entry.answer {
                EntryAnswer::Skip => keys.push(("skip", true.into())),
                EntryAnswer::File { place, id } => {
                    keys.extend(place.as_deref().map(|place| ("use", place.into())));
                    keys.extend(id.map(|id| ("model", id.to_hex().into())));
                }
            }
            show("model", keys)?;
        }
        for NodeEntry { workflow, node_type, package } in &self.nodes {
            let mut keys: Vec<(&str, Value)> = Vec::new();
            keys.extend(workflow.as_deref().map(|workflow| ("workflow", workflow.into())));
            keys.push(("type", node_type.as_str().into()));
            keys.push(package.as_deref().map_or(("skip", true.into()), |package| ("package", package.into())));
            show("node", keys)?;
        }
        Ok(())
    }
}

/// A workflow's path in a snapshot, its name without folder and ending, or its name with them.
fn same_workflow(wanted: Option<&str>, path: &str) -> bool {
    let below = path.strip_prefix("workflows/").unwrap_or(path);
    let stem = below.strip_suffix(".json").unwrap_or(below);
    wanted.is_none_or(|wanted| wanted == path || wanted == below || wanted == stem)
}

impl ModelEntry {
    fn is_about(&self, workflow: &str, reference: &Reference) -> bool {
        self.is_at(workflow, reference) && self.value.as_deref().is_none_or(|value| same_value(value, reference))
    }

    fn is_at(&self, workflow: &str, reference: &Reference) -> bool {
        let slot = || match &self.slot {
            None => true,
            Some(Slot::Input(name)) => reference.input.as_ref() == Some(name),
            Some(slot) => *slot == Slot::of(reference),
        };
        same_workflow(self.workflow.as_deref(), workflow)
            && self.scope.as_ref().is_none_or(|scope| *scope == reference.scope)
            && self.node.as_ref().is_none_or(|node| *node == reference.node)
            && slot()
    }
}

/// What came of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Fate {
    /// It is about nothing that was looked at.
    #[default]
    Unmatched,
    /// Its place says something else now.
    OtherValue(String),
    /// The rules find another file there without being told.
    Resolved(String),
    /// What it names is not here.
    Gone(String),
    Used,
}

impl Fate {
    /// The better of two places, where an answer is about several.
    fn improve(&mut self, other: Fate) {
        let rank = |fate: &Fate| match fate {
            Fate::Unmatched => 0,
            Fate::OtherValue(_) => 1,
            Fate::Resolved(_) => 2,
            Fate::Gone(_) => 3,
            Fate::Used => 4,
        };
        if rank(&other) > rank(self) {
            *self = other;
        }
    }
}

/// Answers from a file; what it does not answer is asked of the next strategy.
pub struct FromFile<'c> {
    answers: &'c Answers,
    index: &'c ModelIndex<'c>,
    observer: &'c dyn Observer,
    next: &'c mut dyn Choose,
    models: Vec<Fate>,
    nodes: Vec<Fate>,
}

impl<'c> FromFile<'c> {
    pub fn new(
        answers: &'c Answers,
        index: &'c ModelIndex<'c>,
        observer: &'c dyn Observer,
        next: &'c mut dyn Choose,
    ) -> Self {
        let (models, nodes) = (vec![Fate::Unmatched; answers.models.len()], vec![Fate::Unmatched; answers.nodes.len()]);
        FromFile { answers, index, observer, next, models, nodes }
    }

    /// Answers that were of no use, a sentence each: wrong, outdated, or about nothing that was looked at.
    pub fn unused(&self) -> Vec<String> {
        let tell = |fate: &Fate| match fate {
            Fate::Used => None,
            Fate::Unmatched => Some("fits no reference that was looked at".to_owned()),
            Fate::OtherValue(now) => Some(format!("its place says `{now}` now")),
            Fate::Resolved(to) => Some(format!("not needed: it is {to} without being told")),
            Fate::Gone(what) => Some(what.clone()),
        };
        let models = self.answers.models.iter().zip(&self.models).enumerate().filter_map(|(at, (entry, fate))| {
            let about =
                [entry.workflow.clone(), entry.node.as_ref().map(|node| format!("node {node}")), entry.value.clone()];
            let about: Vec<String> = about.into_iter().flatten().collect();
            Some(format!("[[model]] number {} ({}): {}", at + 1, about.join(", "), tell(fate)?))
        });
        let nodes = self.answers.nodes.iter().zip(&self.nodes).enumerate();
        let nodes = nodes.filter_map(|(at, (entry, fate))| {
            Some(format!("[[node]] number {} ({}): {}", at + 1, entry.node_type, tell(fate)?))
        });
        models.chain(nodes).collect()
    }

    /// The file that an answer names, proven where it names an id; why not, where it is not here.
    fn file(
        &self,
        question: &ModelQuestion<'_>,
        place: Option<&str>,
        id: Option<ObjectId>,
    ) -> Result<IndexedFile, String> {
        let inventory = question.known.inventory;
        let at_place = place.map(|place| inventory.at_place(place)).unwrap_or_default();
        let Some(id) = id else {
            let place = place.unwrap_or_default();
            return at_place.first().map(|file| (*file).clone()).ok_or(format!("no model lies at {place}"));
        };
        let known = inventory.with_id(&id).into_iter();
        let readable = known.clone().find(|file| super::rules::reads(question.reference, file));
        if let Some(file) = readable.or_else(|| known.into_iter().next()) {
            return Ok(file.clone());
        }
        // Its id may only not have been looked at yet.
        let unproven = at_place.iter().filter(|file| file.id.is_none());
        let proven = unproven.filter_map(|file| self.index.ensure_id(file, self.observer).ok());
        proven.into_iter().find(|file| file.id == Some(id)).ok_or_else(|| {
            let there = if at_place.is_empty() { "" } else { "; another file lies at its place" };
            format!("no model with the id {} is here{there}", id.short())
        })
    }
}

impl Choose for FromFile<'_> {
    fn model(&mut self, question: &ModelQuestion<'_>) -> Result<ModelAnswer, ChooseError> {
        for (at, entry) in self.answers.models.iter().enumerate() {
            if !entry.is_about(question.workflow, question.reference) {
                continue;
            }
            match &entry.answer {
                EntryAnswer::Skip => {
                    self.models[at] = Fate::Used;
                    return Ok(ModelAnswer::Skip);
                }
                EntryAnswer::File { place, id } => match self.file(question, place.as_deref(), *id) {
                    Ok(file) if super::rules::reads(question.reference, &file) => {
                        self.models[at] = Fate::Used;
                        return Ok(ModelAnswer::Use(Box::new(file)));
                    }
                    Ok(file) => {
                        let reason = format!("{} cannot read {}", question.reference.node_type, file.place());
                        self.models[at].improve(Fate::Gone(reason));
                    }
                    Err(reason) => self.models[at].improve(Fate::Gone(reason)),
                },
            }
        }
        self.next.model(question)
    }

    fn node(&mut self, question: &NodeQuestion<'_>) -> Result<NodeAnswer, ChooseError> {
        let wanted = &question.resolution.node_type;
        let is_about = |entry: &NodeEntry| {
            entry.node_type == *wanted && same_workflow(entry.workflow.as_deref(), question.workflow)
        };
        match self.answers.nodes.iter().position(is_about) {
            Some(at) => {
                self.nodes[at] = Fate::Used;
                Ok(self.answers.nodes[at].package.clone().map_or(NodeAnswer::Skip, NodeAnswer::Use))
            }
            None => self.next.node(question),
        }
    }

    fn look(&mut self, workflow: &str, references: &[Reference], resolutions: &[Resolution]) {
        for (entry, fate) in self.answers.models.iter().zip(&mut self.models) {
            for (reference, resolution) in references.iter().zip(resolutions) {
                if !entry.is_at(workflow, reference) {
                    continue;
                }
                if !entry.is_about(workflow, reference) {
                    if entry.node.is_some() {
                        fate.improve(Fate::OtherValue(reference.value.clone()));
                    }
                } else if !resolution.status.is_open() {
                    fate.improve(settled(entry, resolution));
                }
            }
        }
        self.next.look(workflow, references, resolutions);
    }

    fn look_at_nodes(&mut self, workflow: &str, resolutions: &[NodeResolution]) {
        for (entry, fate) in self.answers.nodes.iter().zip(&mut self.nodes) {
            for found in resolutions.iter().filter(|found| found.node_type == entry.node_type) {
                if !same_workflow(entry.workflow.as_deref(), workflow) || found.status.is_open() {
                    continue;
                }
                let same = match (&entry.package, &found.package) {
                    (Some(wanted), Some(package)) => same_id(wanted, package),
                    (None, _) => found.status == Status::Skipped,
                    (Some(_), None) => false,
                };
                let to = found.package.as_deref().unwrap_or("built in");
                fate.improve(if same { Fate::Used } else { Fate::Resolved(to.to_owned()) });
            }
        }
        self.next.look_at_nodes(workflow, resolutions);
    }
}

/// What an answer is worth where the rules have one already: the same is no contradiction.
fn settled(entry: &ModelEntry, resolution: &Resolution) -> Fate {
    let same = match &entry.answer {
        EntryAnswer::Skip => resolution.status == Status::Skipped,
        EntryAnswer::File { place, id } => {
            let chosen = resolution.chosen.as_ref();
            let by_id = id.is_some() && chosen.and_then(|chosen| chosen.file.id) == *id;
            by_id || place.is_some() && resolution.local() == *place
        }
    };
    let to = || resolution.local().unwrap_or_else(|| "skipped".to_owned());
    if same { Fate::Used } else { Fate::Resolved(to()) }
}

/// Notes what another strategy answers, to be written to a file.
pub struct Recording<'c> {
    inner: &'c mut dyn Choose,
    pub answers: Answers,
}

impl<'c> Recording<'c> {
    pub fn new(inner: &'c mut dyn Choose) -> Self {
        Recording { inner, answers: Answers::default() }
    }
}

impl Choose for Recording<'_> {
    fn model(&mut self, question: &ModelQuestion<'_>) -> Result<ModelAnswer, ChooseError> {
        let given = self.inner.model(question)?;
        let answer = match &given {
            ModelAnswer::Leave => return Ok(given),
            ModelAnswer::Skip => EntryAnswer::Skip,
            ModelAnswer::Use(file) => EntryAnswer::File { place: Some(file.place()), id: file.id },
        };
        let reference = question.reference;
        self.answers.models.push(ModelEntry {
            workflow: Some(question.workflow.to_owned()),
            scope: Some(reference.scope.clone()),
            node: Some(reference.node.clone()),
            slot: Some(Slot::of(reference)),
            value: Some(reference.value.clone()),
            answer,
        });
        Ok(given)
    }

    fn node(&mut self, question: &NodeQuestion<'_>) -> Result<NodeAnswer, ChooseError> {
        let given = self.inner.node(question)?;
        let package = match &given {
            NodeAnswer::Leave => return Ok(given),
            NodeAnswer::Skip => None,
            NodeAnswer::Use(package) => Some(package.clone()),
        };
        let (workflow, node_type) = (Some(question.workflow.to_owned()), question.resolution.node_type.clone());
        self.answers.nodes.push(NodeEntry { workflow, node_type, package });
        Ok(given)
    }

    fn look(&mut self, workflow: &str, references: &[Reference], resolutions: &[Resolution]) {
        self.inner.look(workflow, references, resolutions);
    }

    fn look_at_nodes(&mut self, workflow: &str, resolutions: &[NodeResolution]) {
        self.inner.look_at_nodes(workflow, resolutions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let id = ObjectId::of_blob(b"x");
        let entry = |answer| ModelEntry {
            workflow: Some("workflows/a \"b\".json".into()),
            scope: Some(vec!["57".into()]),
            node: Some("12".into()),
            slot: Some(Slot::Widget(0)),
            value: Some("a\\b.pt".into()),
            answer,
        };
        let by_input = ModelEntry { slot: Some(Slot::Input("x".into())), ..entry(EntryAnswer::Skip) };
        let answers = Answers {
            models: vec![
                entry(EntryAnswer::File { place: Some("loras/a.pt".into()), id: Some(id) }),
                entry(EntryAnswer::Skip),
                by_input,
            ],
            nodes: vec![
                NodeEntry { workflow: None, node_type: "A|B".into(), package: Some("p".into()) },
                NodeEntry { workflow: None, node_type: "C".into(), package: None },
            ],
        };
        assert_eq!(Answers::parse(&answers.to_string()), Ok(answers));
    }

    #[test]
    fn an_answer_that_says_nothing_or_two_things_is_named() {
        let reason = |text: &str| Answers::parse(text).unwrap_err().to_string();
        assert_eq!(
            reason("[[model]]\nvalue = \"a\"\n"),
            "[[model]] number 1: an answer is wanted: `use`, `model` or `skip = true`"
        );
        assert!(reason("[[model]]\nuse = \"a\"\n").contains("`node` or `value`"));
        assert!(reason("[[model]]\nvalue = \"a\"\nuse = \"b\"\nskip = true\n").contains("two answers"));
        assert!(reason("[[model]]\nvalue = \"a\"\nmodel = \"b\"\n").contains("no id"));
        assert!(reason("[[model]]\nvalue = \"a\"\nuze = \"b\"\n").contains("a key that is none of"));
        assert!(reason("[[node]]\ntype = \"A\"\n").contains("one answer is wanted"));
        assert!(reason("\n[[modell]]\nvalue = \"a\"\n").starts_with("line 2: `modell` is neither"));
        assert!(reason("\n\n[[model]\n").starts_with("line 3: "));
    }
}
