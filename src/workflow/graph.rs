//! A workflow as a value, the same for every format.

use super::class;
use super::document::{Document, Value, ValueId};

/// A workflow that was read. It borrows the bytes of its file, so that each value can name its place there.
pub struct Workflow<'a> {
    pub format: Format,
    /// Every node: those of the root in the order of the file, and behind each instance of a subgraph or group the nodes
    /// within it, once an instance.
    pub nodes: Vec<Node>,
    /// The links of the root.
    pub links: Vec<Link>,
    /// The subgraphs and groups that the file defines, those without an instance too.
    pub definitions: Vec<Definition>,
    /// What the file as a whole says of models it needs.
    pub declared: Vec<Declared>,
    /// What was not read though the file has it, and why.
    pub unread: Vec<Unread>,
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

/// A part of a file that was passed over; the rest was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("node {}: {reason}", place(.scope, .node))]
pub struct Unread {
    /// Ids of the enclosing instances, outermost first.
    pub scope: Vec<String>,
    pub node: String,
    pub reason: Reason,
}

/// Why a part of a file was passed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("the subgraph {0} that it stands for is not in the file")]
    MissingDefinition(String),
    #[error("`{0}` holds itself, at whatever depth, and was not opened")]
    Cycle(String),
    #[error("`{0}` is nested deeper than {MAX_LEVELS} levels and was not opened")]
    Deep(String),
    #[error("with every instance opened `{0}` would be larger than {limit} MiB, and was not opened", limit = MAX_OPENED >> 20)]
    Large(String),
    #[error("`{0}` has another number of values than it shows widgets, so its nodes were read with their own")]
    Values(String),
    #[error("another node has the same id; links to it are ambiguous")]
    SameId,
}

/// How deep subgraphs may be nested.
pub const MAX_LEVELS: usize = 200;

/// How much JSON there may be once each instance is replaced by what it stands for. Definitions that hold two
/// instances of the next grow without bound otherwise (invariant R7).
pub const MAX_OPENED: u64 = 64 << 20;

fn place(scope: &[String], node: &str) -> String {
    scope.iter().map(|id| format!("{id}/")).collect::<String>() + node
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
    /// The id as text: the editor counts. In the API format the part of it behind the last colon; what stands before is the
    /// scope.
    pub id: String,
    /// ComfyUI's class id, exactly as written; trailing spaces can be part of it. The type of an instance.
    pub class: String,
    pub title: Option<String>,
    pub mode: Mode,
    pub package: Package,
    /// Slots in the order of the file. In the API format each input that is fed by a link.
    pub inputs: Vec<Input>,
    /// The API format has none.
    pub outputs: Vec<Output>,
    /// The node's own values, as the file has them. See [`Workflow::values`] for what holds.
    pub widgets: Widgets,
    /// Values by widget name that an enclosing instance gives in place of the node's own.
    pub promoted: Vec<(String, ValueId)>,
    /// What the node says of models it needs.
    pub declared: Vec<Declared>,
    /// The definition that the node is an instance of, as its position in [`Workflow::definitions`].
    pub instance_of: Option<usize>,
    /// The instance around the node, as its position in [`Workflow::nodes`].
    pub within: Option<usize>,
    /// True where an instance around the node is muted or bypassed.
    pub silenced: bool,
    /// The node in the file.
    pub value: ValueId,
}

impl Node {
    /// True for a node that runs: neither it nor an instance around it is muted or bypassed.
    pub fn is_active(&self) -> bool {
        !self.silenced && self.mode.is_active()
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
    /// True where the node runs.
    pub fn is_active(self) -> bool {
        !matches!(self, Mode::Muted | Mode::Bypassed)
    }

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

/// An input slot of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub name: String,
    /// ComfyUI's type, where the file tells it: `MODEL`, `COMBO`, `*`.
    pub kind: Option<String>,
    /// The widget that the slot stands for, where it does.
    pub widget: Option<String>,
    /// True when a link feeds it.
    pub linked: bool,
    /// The output that feeds it; nothing where the link is not in the file.
    pub from: Option<Endpoint>,
}

/// An output slot of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub name: String,
    pub kind: Option<String>,
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// An id in the same graph; [`INPUT_NODE`] and [`OUTPUT_NODE`] are the edges of a subgraph. In the API format the whole id,
    /// colons included.
    pub node: String,
    pub slot: usize,
}

/// Where a subgraph's inputs come in, as a node's id.
pub const INPUT_NODE: &str = "-10";

/// Where a subgraph's outputs go out, as a node's id.
pub const OUTPUT_NODE: &str = "-20";

/// A link between two nodes of one graph, of whichever form the file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// As text; empty in a group, where links have none.
    pub id: String,
    pub from: Endpoint,
    pub to: Endpoint,
    /// ComfyUI's type, if the file tells it.
    pub kind: Option<String>,
}

/// A subgraph or a group: nodes that instances stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// A subgraph's id, a group's name.
    pub id: String,
    pub name: String,
    pub kind: DefinitionKind,
    /// Its nodes, instances not opened.
    pub nodes: Vec<Node>,
    pub links: Vec<Link>,
    /// What an instance shows as inputs; a group has none.
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    /// The definition in the file.
    pub value: ValueId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DefinitionKind {
    Subgraph,
    /// `extra.groupNodes`, which subgraphs have replaced.
    Group,
}

impl DefinitionKind {
    /// What a node's type names, going by its form alone: a UUID is a subgraph, `workflow/…` and `workflow>…` a group.
    pub fn named_by(class: &str) -> Option<Self> {
        if class::is_subgraph_id(class) {
            Some(DefinitionKind::Subgraph)
        } else {
            class::group_of(class).map(|_| DefinitionKind::Group)
        }
    }
}

/// An input or output of a subgraph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub name: String,
    pub kind: Option<String>,
    /// For an input the inner inputs that it feeds, for an output the inner output that feeds it.
    pub ends: Vec<Endpoint>,
    /// For an input the widgets that it stands for, as inner node id and widget name; none where it is no widget.
    pub widgets: Vec<(String, String)>,
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
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
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
