//! A workflow as a value, the same for every format.

use super::document::{Document, Value, ValueId};

/// A workflow that was read. It borrows the bytes of its file, so that each value can name its place there.
pub struct Workflow<'a> {
    pub format: Format,
    /// Every node, in the order of the file.
    pub nodes: Vec<Node>,
    /// What the file as a whole says of models it needs.
    pub declared: Vec<Declared>,
    pub(super) document: Document<'a>,
}

impl Workflow<'_> {
    /// The value with this number.
    pub fn value(&self, id: ValueId) -> Value<'_> {
        self.document.value(id)
    }

    /// The file as JSON.
    pub fn document(&self) -> &Document<'_> {
        &self.document
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What the editor saves.
    Editor,
    /// What runs: the "prompt".
    Api,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Ids of the instances that enclose the node, outermost first; empty at the root.
    pub scope: Vec<String>,
    /// The id as text: the editor counts, the API format may have colons.
    pub id: String,
    /// ComfyUI's class id, exactly as written; trailing spaces can be part of it.
    pub class: String,
    pub title: Option<String>,
    pub mode: Mode,
    pub package: Package,
    /// Slots in the order of the file. In the API format each input that is fed by a link.
    pub inputs: Vec<Input>,
    pub widgets: Widgets,
    /// What the node says of models it needs.
    pub declared: Vec<Declared>,
}

impl Node {
    /// True for a node that runs: neither muted nor bypassed.
    pub fn is_active(&self) -> bool {
        !matches!(self.mode, Mode::Muted | Mode::Bypassed)
    }
}

/// The editor's `mode`. The API format holds what runs, so all there is `Always`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    #[default]
    Always,
    OnEvent,
    /// 2, "never".
    Muted,
    OnTrigger,
    /// 4: its inputs are passed on.
    Bypassed,
}

impl Mode {
    pub fn from_number(number: i64) -> Mode {
        match number {
            1 => Mode::OnEvent,
            2 => Mode::Muted,
            3 => Mode::OnTrigger,
            4 => Mode::Bypassed,
            _ => Mode::Always,
        }
    }
}

/// Where the node's class comes from, as the editor recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Package {
    /// The registry's id; `comfy-core` for ComfyUI's own nodes.
    pub cnr_id: Option<String>,
    /// A version or a git commit.
    pub ver: Option<String>,
    /// `owner/repository` of a package outside the registry.
    pub aux_id: Option<String>,
}

/// A slot of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub name: String,
    /// The widget that the slot stands for, where it does.
    pub widget: Option<String>,
    /// True when a link feeds it.
    pub linked: bool,
}

/// Widget values as the file has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Widgets {
    #[default]
    None,
    /// By position, as the editor saves most nodes.
    Listed(Vec<ValueId>),
    /// By name: the API format, and what some packages save in the editor.
    Named(Vec<(String, ValueId)>),
}

/// A model that a file says it needs, with where it can be had (`models` in `properties` or at the root).
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Declared {
    #[serde(skip)]
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_type: Option<String>,
}

/// The `models` list of a node's `properties` or of the root; entries without a name are left out.
pub(super) fn declared(models: Option<Value<'_>>) -> Vec<Declared> {
    let text = |entry: Value<'_>, key| entry.get(key).and_then(Value::text).map(|text| text.into_owned());
    let read = |entry| {
        Some(Declared {
            name: text(entry, "name")?,
            url: text(entry, "url"),
            directory: text(entry, "directory"),
            hash: text(entry, "hash"),
            hash_type: text(entry, "hash_type"),
        })
    };
    models.into_iter().flat_map(Value::items).filter_map(read).collect()
}
