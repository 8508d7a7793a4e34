//! `.cec/pyproject.toml`: what an environment is made of, as a file that a person edits and uv accepts.
//!
//! What uv does not know stands in `[tool.comfrey.*]`. An edit changes the values that differ and nothing else, so that
//! comments, order and unknown keys survive (invariant E20). New entries go to their place in the order of
//! names, so that the same facts give the same text (invariant E21).

use std::collections::BTreeMap;
use std::fmt;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::object::ObjectId;
use crate::resolve::{Memory, NodeChoice, Place, Said, Source, Sources};

pub use crate::resolve::Slot;

/// A manifest with its comments.
#[derive(Debug, Clone)]
pub struct Manifest {
    document: DocumentMut,
}

/// Why a text is no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("line {line}: {reason}")]
    NotToml { line: usize, reason: String },
    #[error("`{0}` is a value where a table is wanted")]
    NotATable(String),
}

/// Where a custom node came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeSource {
    /// ComfyUI's registry, by its id there.
    Registry { id: String },
    /// A git clone: its remote and the commit checked out.
    Git { url: String, commit: Option<String> },
    /// Someone's working folder: a link to it, or a repository without a remote.
    Development,
    /// Put there by hand, from nobody knows where.
    Manual,
}

/// One custom node, as the manifest has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its place in a snapshot, such as `nodes/ComfyUI-Impact-Pack`.
    pub path: String,
    pub source: NodeSource,
    pub version: Option<String>,
    pub disabled: bool,
    /// The tree of its files, or the blob of a node that is one file.
    pub tree: ObjectId,
}

/// One workflow: its file and the models it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowFacts {
    /// Its place in a snapshot, such as `workflows/portrait.json`.
    pub path: String,
    pub models: Vec<ModelUse>,
    /// What the user said of node types.
    pub nodes: BTreeMap<String, NodeChoice>,
}

/// A place in a workflow that names a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelUse {
    /// Node ids of the subgraph instances around it, outermost first.
    pub scope: Vec<String>,
    pub node: String,
    pub slot: Slot,
    pub answer: Answer,
}

/// What a reference was found to mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Found by a commit.
    Model(ObjectId),
    /// The user chose the model for the value `name`, which stands there.
    Chosen { model: ObjectId, name: String },
    /// A folder of model files, at this path below `models/`.
    Folder(String),
    /// No model: `missing`, `ambiguous`, `skipped`, with the name as the workflow writes it.
    Open { status: String, name: String },
}

impl Answer {
    /// The model that is meant.
    pub fn model(&self) -> Option<ObjectId> {
        match self {
            Answer::Model(id) | Answer::Chosen { model: id, .. } => Some(*id),
            Answer::Folder(_) | Answer::Open { .. } => None,
        }
    }
}

impl ModelUse {
    /// The place in the workflow.
    pub fn place(&self) -> Place {
        Place { scope: self.scope.clone(), node: self.node.clone(), slot: self.slot.clone() }
    }
}

impl WorkflowFacts {
    /// What was said of the places of the workflow. `models` are those of the manifest.
    pub fn memory(&self, models: &BTreeMap<ObjectId, ModelFacts>) -> Memory {
        let said = |model: &ModelUse| match &model.answer {
            Answer::Model(id) => Some(Said::Found { model: *id, name: models.get(id)?.filename.clone() }),
            Answer::Chosen { model, name } => Some(Said::Chosen { model: *model, value: name.clone() }),
            Answer::Open { status, name } if status == "skipped" => Some(Said::Skipped { value: name.clone() }),
            Answer::Folder(_) | Answer::Open { .. } => None,
        };
        Memory::new(self.models.iter().filter_map(|model| Some((model.place(), said(model)?))))
    }
}

/// Where the models of a manifest can be had, and how they are recognised.
pub fn sources(models: &BTreeMap<ObjectId, ModelFacts>) -> Sources {
    let mut sources = Sources::default();
    for (id, facts) in models {
        let directory = facts.path.rsplit_once('/').map(|(directory, _)| directory.to_owned());
        sources.add(Source {
            name: facts.filename.clone(),
            directory,
            urls: facts.sources.clone(),
            id: Some(*id),
            sha256: facts.sha256.as_deref().and_then(|text| text.parse().ok()),
            size: Some(facts.size).filter(|size| *size > 0),
            quick: facts.quick.as_deref().and_then(|text| text.parse().ok()),
        });
    }
    sources
}

/// A model that committed workflows refer to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelFacts {
    pub filename: String,
    /// Relative to the models folder, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    pub quick: Option<String>,
    pub sha256: Option<String>,
    pub sources: Vec<String>,
    /// Kept in every snapshot although no workflow refers to it.
    pub pinned: bool,
}

/// Where ComfyUI itself came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ComfyUiFacts {
    /// `git`, or `folder` for one without a repository.
    pub source: String,
    pub url: Option<String>,
    /// The branch or tag checked out.
    pub reference: Option<String>,
    pub commit: Option<String>,
    pub version: Option<String>,
}

impl Manifest {
    /// The manifest of a new environment, which has nothing in it yet.
    pub fn new(environment: &str) -> Self {
        let mut manifest = Manifest { document: DocumentMut::new() };
        let text = format!(
            "# What this environment is made of, kept by Comfrey. It is a project that uv can lock and sync.\n\
             # Edit it by hand as you like: comments, order and unknown keys stay.\n\n\
             [project]\nname = \"{}\"\nversion = \"1.0.0\"\nrequires-python = \">=3.10\"\ndependencies = []\n",
            project_name(environment)
        );
        if let Ok(document) = text.parse() {
            // The text above is TOML: `a_new_manifest_is_read_back` holds it to that.
            manifest.document = document;
        }
        manifest
    }

    /// Reads a manifest. Errors: text that is not TOML; a value where Comfrey keeps a table.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            let before = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..before].iter().filter(|byte| **byte == b'\n').count() + 1;
            ManifestError::NotToml { line, reason: error.message().trim().to_owned() }
        })?;
        let manifest = Manifest { document };
        for path in ["tool", "tool.comfrey"] {
            manifest.checked(path)?;
        }
        for part in ["environment", "nodes", "workflows", "models"] {
            manifest.checked(&format!("tool.comfrey.{part}"))?;
        }
        Ok(manifest)
    }

    fn checked(&self, path: &str) -> Result<(), ManifestError> {
        match self.item(path) {
            Some(item) if item.as_table_like().is_none() => Err(ManifestError::NotATable(path.to_owned())),
            _ => Ok(()),
        }
    }

    fn item(&self, path: &str) -> Option<&Item> {
        path.split('.').try_fold(self.document.as_item(), |item, key| item.as_table_like()?.get(key))
    }

    /// `[tool.comfrey.PART]`, made when absent. Parts that are no table were refused when the text was read.
    fn part(&mut self, part: &str) -> Option<&mut dyn TableLike> {
        let tool = self.document.as_table_mut().entry("tool").or_insert_with(implicit);
        let comfrey = tool.as_table_like_mut()?.entry("comfrey").or_insert_with(implicit);
        comfrey.as_table_like_mut()?.entry(part).or_insert_with(implicit).as_table_like_mut()
    }

    fn entries<'a>(&'a self, part: &str) -> impl Iterator<Item = (&'a str, &'a dyn TableLike)> {
        let table = self.item(&format!("tool.comfrey.{part}")).and_then(Item::as_table_like);
        table.into_iter().flat_map(|table| table.iter()).filter_map(|(key, item)| Some((key, item.as_table_like()?)))
    }

    /// `[project] name`.
    pub fn project_name(&self) -> Option<&str> {
        self.item("project.name")?.as_str()
    }

    /// What uv resolves, as text: equal texts need no new lock.
    pub fn dependencies(&self) -> String {
        let parts = ["project.requires-python", "project.dependencies", "dependency-groups", "tool.uv"];
        parts.iter().filter_map(|path| self.item(path)).map(ToString::to_string).collect()
    }

    /// Every node by its key. Entries without a readable tree are left out.
    pub fn nodes(&self) -> BTreeMap<String, NodeFacts> {
        self.entries("nodes").filter_map(|(key, table)| Some((key.to_owned(), node_facts(key, table)?))).collect()
    }

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

    /// Every model by its id.
    pub fn models(&self) -> BTreeMap<ObjectId, ModelFacts> {
        self.entries("models").filter_map(|(key, table)| Some((key.parse().ok()?, model_facts(table)))).collect()
    }

    /// Where ComfyUI came from, as of the last commit.
    pub fn comfyui(&self) -> Option<ComfyUiFacts> {
        let table = self.item("tool.comfrey.environment.comfyui")?.as_table_like()?;
        Some(ComfyUiFacts {
            source: text(table, "source").unwrap_or_default(),
            url: text(table, "url"),
            reference: text(table, "ref"),
            commit: text(table, "commit"),
            version: text(table, "version"),
        })
    }

    /// Makes `[tool.comfrey.environment]` say this.
    pub fn set_environment(&mut self, comfyui: &ComfyUiFacts, python: Option<&str>) {
        let Some(part) = self.part("environment") else { return };
        let inline = || Item::Value(Value::InlineTable(InlineTable::new()));
        if let Some(table) = part.entry("comfyui").or_insert_with(inline).as_table_like_mut() {
            set(table, "source", Some(comfyui.source.as_str().into()));
            set(table, "url", comfyui.url.as_deref().map(Value::from));
            set(table, "ref", comfyui.reference.as_deref().map(Value::from));
            set(table, "commit", comfyui.commit.as_deref().map(Value::from));
            set(table, "version", comfyui.version.as_deref().map(Value::from));
        }
        if let Some(python) = python {
            set(part, "python", Some(python.into()));
        }
    }

    /// Makes `[tool.comfrey.nodes]` hold exactly these.
    pub fn set_nodes(&mut self, nodes: &BTreeMap<String, NodeFacts>) {
        let Some(part) = self.part("nodes") else { return };
        keep_only(part, |key, _| nodes.contains_key(key));
        for (key, facts) in nodes {
            let Some(table) = entry(part, key) else { continue };
            let (source, id, url, commit) = match &facts.source {
                NodeSource::Registry { id } => ("registry", Some(id), None, None),
                NodeSource::Git { url, commit } => ("git", None, Some(url), commit.as_ref()),
                NodeSource::Development => ("development", None, None, None),
                NodeSource::Manual => ("manual", None, None, None),
            };
            set(table, "source", Some(source.into()));
            set(table, "id", id.filter(|id| *id != key).map(|id| id.as_str().into()));
            set(table, "url", url.map(|url| url.as_str().into()));
            set(table, "commit", commit.map(|commit| commit.as_str().into()));
            set(table, "version", facts.version.as_deref().map(Value::from));
            let usual = facts.path == format!("nodes/{key}");
            set(table, "path", (!usual).then(|| facts.path.as_str().into()));
            set(table, "disabled", facts.disabled.then(|| true.into()));
            set(table, "tree", Some(facts.tree.to_hex().into()));
        }
        in_order(part);
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
    // What is neither a package nor `false` is someone else's.
    let gone: Vec<String> = choices(nodes).into_keys().filter(|key| !facts.nodes.contains_key(key)).collect();
    for key in gone {
        nodes.remove(&key);
    }
    for (node_type, choice) in &facts.nodes {
        let value: Value = match choice {
            NodeChoice::Package(id) => id.as_str().into(),
            NodeChoice::Skipped => false.into(),
        };
        set(nodes, node_type, Some(value));
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

/// `type = "package"`, or `type = false` for one that is not needed.
fn choices(table: &dyn TableLike) -> BTreeMap<String, NodeChoice> {
    table.iter().filter_map(|(key, item)| Some((key.to_owned(), choice(item)?))).collect()
}

fn choice(item: &Item) -> Option<NodeChoice> {
    match (item.as_str(), item.as_bool()) {
        (Some(id), _) => Some(NodeChoice::Package(id.to_owned())),
        (_, Some(false)) => Some(NodeChoice::Skipped),
        _ => None,
    }
}

/// The text, as it is written to the file.
impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document.fmt(f)
    }
}

/// `comfrey-env-NAME`, with what a Python project's name may not hold replaced by `-` (PEP 508, names).
pub fn project_name(environment: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = environment.chars().map(plain).collect();
    format!("comfrey-env-{name}").trim_end_matches(['.', '_', '-']).to_owned()
}

fn implicit() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

fn entry<'a>(part: &'a mut dyn TableLike, key: &str) -> Option<&'a mut dyn TableLike> {
    let inline = part.get(key).is_none() && part.iter().next().is_some_and(|(_, item)| item.is_value());
    let fresh = || if inline { Item::Value(InlineTable::new().into()) } else { Item::Table(Table::new()) };
    part.entry(key).or_insert_with(fresh).as_table_like_mut()
}

fn keep_only(part: &mut dyn TableLike, keep: impl Fn(&str, Option<&dyn TableLike>) -> bool) {
    let gone: Vec<String> =
        part.iter().filter(|(key, item)| !keep(key, item.as_table_like())).map(|(key, _)| key.to_owned()).collect();
    for key in gone {
        part.remove(&key);
    }
}

/// Sorts entries by name. Tables that were in the text keep their place; new ones follow the one before them.
fn in_order(part: &mut dyn TableLike) {
    part.sort_values();
}

/// Sets, changes or removes one value; a value that is right already keeps its spelling and comments.
fn set(table: &mut dyn TableLike, key: &str, value: Option<Value>) {
    match (value, table.get_mut(key)) {
        (None, None) => {}
        (None, Some(_)) => {
            table.remove(key);
        }
        (Some(value), None) => {
            table.insert(key, Item::Value(value));
        }
        (Some(value), Some(present)) => match present.as_value_mut() {
            Some(old) if same(old, &value) => {}
            Some(old) => {
                let decor = old.decor().clone();
                *old = value;
                *old.decor_mut() = decor;
            }
            None => *present = Item::Value(value),
        },
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.value() == b.value(),
        (Value::Integer(a), Value::Integer(b)) => a.value() == b.value(),
        (Value::Boolean(a), Value::Boolean(b)) => a.value() == b.value(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => false,
    }
}

fn text(table: &dyn TableLike, key: &str) -> Option<String> {
    table.get(key)?.as_str().map(str::to_owned)
}

fn flag(table: &dyn TableLike, key: &str) -> bool {
    table.get(key).and_then(Item::as_bool).unwrap_or(false)
}

fn texts(table: &dyn TableLike, key: &str) -> Vec<String> {
    let array = table.get(key).and_then(Item::as_array);
    array.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn node_facts(key: &str, table: &dyn TableLike) -> Option<NodeFacts> {
    let source = match text(table, "source").as_deref() {
        Some("registry") => NodeSource::Registry { id: text(table, "id").unwrap_or_else(|| key.to_owned()) },
        Some("git") => NodeSource::Git { url: text(table, "url").unwrap_or_default(), commit: text(table, "commit") },
        Some("development") => NodeSource::Development,
        _ => NodeSource::Manual,
    };
    Some(NodeFacts {
        path: text(table, "path").unwrap_or_else(|| format!("nodes/{key}")),
        source,
        version: text(table, "version"),
        disabled: flag(table, "disabled"),
        tree: text(table, "tree")?.parse().ok()?,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ObjectId {
        ObjectId::of_blob(text.as_bytes())
    }

    fn node(key: &str) -> (String, NodeFacts) {
        let facts = NodeFacts {
            path: format!("nodes/{key}"),
            source: NodeSource::Registry { id: key.to_lowercase() },
            version: Some("8.22.2".into()),
            disabled: false,
            tree: id(key),
        };
        (key.to_owned(), facts)
    }

    fn workflow() -> WorkflowFacts {
        let first =
            ModelUse { scope: vec![], node: "3".into(), slot: Slot::Widget(0), answer: Answer::Model(id("sd15")) };
        let second = ModelUse {
            scope: vec!["57".into()],
            node: "7".into(),
            slot: Slot::Input("lora_name".into()),
            answer: Answer::Open { status: "missing".into(), name: "x.safetensors".into() },
        };
        let third = ModelUse {
            scope: vec![],
            node: "9".into(),
            slot: Slot::Widget(0),
            answer: Answer::Chosen { model: id("sd15"), name: "other.safetensors".into() },
        };
        let fourth = ModelUse { slot: Slot::Widget(1), answer: Answer::Folder("diffusers/x".into()), ..third.clone() };
        let nodes = [("A|B", NodeChoice::Package("pack".into())), ("Unused", NodeChoice::Skipped)];
        WorkflowFacts {
            path: "workflows/portrait.json".into(),
            models: vec![first, second, third, fourth],
            nodes: nodes.into_iter().map(|(node_type, choice)| (node_type.to_owned(), choice)).collect(),
        }
    }

    fn model() -> ModelFacts {
        ModelFacts {
            filename: "sd15.safetensors".into(),
            path: "checkpoints/sd15.safetensors".into(),
            size: 4_265_380_512,
            quick: Some("ab".into()),
            sha256: None,
            sources: vec!["https://example.org/a".into()],
            pinned: false,
        }
    }

    fn filled(mut manifest: Manifest) -> Manifest {
        manifest.set_environment(
            &ComfyUiFacts { source: "git".into(), commit: Some("abc".into()), ..Default::default() },
            Some("3.11"),
        );
        manifest.set_nodes(&BTreeMap::from([node("Impact"), node("b-node"), node("z.py")]));
        manifest.set_workflows(&BTreeMap::from([("portrait".into(), workflow()), ("sub/dir/x".into(), workflow())]));
        manifest.set_models(&BTreeMap::from([(id("sd15"), model())]));
        manifest
    }

    #[test]
    fn a_new_manifest_is_read_back() {
        let manifest = Manifest::new("demo");
        assert_eq!(manifest.project_name(), Some("comfrey-env-demo"));
        assert_eq!(Manifest::parse(&manifest.to_string()).unwrap().to_string(), manifest.to_string());
        assert_eq!(project_name("my env!"), "comfrey-env-my-env");
    }

    #[test]
    fn what_is_set_is_read_back() {
        let text = filled(Manifest::new("demo")).to_string();
        let manifest = Manifest::parse(&text).unwrap();
        assert_eq!(manifest.nodes(), BTreeMap::from([node("Impact"), node("b-node"), node("z.py")]), "{text}");
        assert_eq!(manifest.workflows()["sub/dir/x"], workflow(), "{text}");
        assert_eq!(manifest.models(), BTreeMap::from([(id("sd15"), model())]), "{text}");
        assert_eq!(manifest.comfyui().and_then(|facts| facts.commit), Some("abc".into()));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn the_same_facts_change_nothing_a_second_time() {
        let first = filled(Manifest::new("demo")).to_string();
        assert_eq!(filled(Manifest::parse(&first).unwrap()).to_string(), first);
    }

    #[test]
    fn the_way_to_the_facts_does_not_show_in_the_text() {
        let straight = filled(Manifest::new("demo")).to_string();
        let mut manifest = Manifest::new("demo");
        manifest.set_nodes(&BTreeMap::from([node("zebra"), node("b-node")]));
        manifest.set_workflows(&BTreeMap::from([("sub/dir/x".into(), workflow())]));
        let manifest = Manifest::parse(&manifest.to_string()).unwrap();
        // Parts that were there first stand first; within a part the order is that of the names.
        let text = filled(Manifest::parse(&manifest.to_string()).unwrap()).to_string();
        let part = |text: &str, name: &str| -> Vec<String> {
            let header = format!("[tool.comfrey.{name}.");
            text.lines().filter(|line| line.starts_with(&header)).map(str::to_owned).collect()
        };
        for name in ["nodes", "workflows", "models"] {
            assert_eq!(part(&text, name), part(&straight, name), "{text}");
        }
    }

    #[test]
    fn comments_order_and_unknown_keys_survive_an_edit() {
        let text = concat!(
            "# top\n[tool.other]\nkeep = 1 # beside\n\n",
            "[project]\nname='comfrey-env-demo' # mine\nversion = \"1.0.0\"\n\n",
            "[tool.comfrey.nodes.Impact] # header\n# above\nsource = 'registry'\nid = 'impact'\nmine = true\n",
            "version = \"1.0\" # old\ntree = \"00\"\n\n# about b\n[tool.comfrey.nodes.b-node]\nsource = \"manual\"\n",
        );
        let mut manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.to_string(), text);
        manifest.set_nodes(&BTreeMap::from([node("Impact"), node("Aaa"), node("b-node")]));
        let edited = manifest.to_string();
        for kept in [
            "# top",
            "keep = 1 # beside",
            "name='comfrey-env-demo' # mine",
            "[tool.comfrey.nodes.Impact] # header",
            "# above\nsource = 'registry'",
            "mine = true",
            "version = \"8.22.2\" # old",
            "# about b\n[tool.comfrey.nodes.b-node]",
        ] {
            assert!(edited.contains(kept), "{kept} in\n{edited}");
        }
        assert!(edited.find("[tool.other]") < edited.find("[project]"), "{edited}");
        assert!(edited.find("nodes.Aaa]") < edited.find("nodes.Impact]"), "{edited}");
        Manifest::parse(&edited).unwrap();
    }

    #[test]
    fn a_pinned_model_and_sources_added_by_hand_stay() {
        let text = format!(
            "[tool.comfrey.models.\"{}\"]\npinned = true\npath = \"a\"\n[tool.comfrey.models.\"{}\"]\nsources = [\"https://mine\"]\n\
             [tool.comfrey.models.\"{}\"]\npath = \"gone\"\n",
            id("pinned"),
            id("sd15"),
            id("gone")
        );
        let mut manifest = Manifest::parse(&text).unwrap();
        manifest.set_models(&BTreeMap::from([(id("sd15"), model())]));
        let models = manifest.models();
        assert_eq!(models.len(), 2);
        assert!(models[&id("pinned")].pinned);
        assert_eq!(models[&id("sd15")].sources, ["https://mine", "https://example.org/a"]);
    }

    #[test]
    fn what_is_no_manifest_is_named_with_its_line() {
        let error = Manifest::parse("[project]\nname = \n").unwrap_err();
        assert!(matches!(error, ManifestError::NotToml { line: 2, .. }), "{error}");
        let error = Manifest::parse("[tool]\ncomfrey = 3\n").unwrap_err();
        assert_eq!(error, ManifestError::NotATable("tool.comfrey".into()));
    }
}
