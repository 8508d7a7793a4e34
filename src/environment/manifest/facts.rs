//! What a manifest says, as values.

use std::collections::BTreeMap;

use crate::object::ObjectId;
use crate::resolve::{Memory, NodeChoice, Place, Said, Slot, Source, Sources};

/// Where a custom node came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeSource {
    /// ComfyUI's registry, by its id there.
    Registry { id: String },
    /// A repository and the commit that the files are of.
    Git {
        url: String,
        /// What an update follows: a branch, or a tag or commit, at which it stays. Without one, what the repository's HEAD names.
        reference: Option<String>,
        commit: Option<String>,
    },
    /// Someone's working folder: a link to it, or a repository without a remote.
    Development,
    /// An archive or file that was fetched from this address, or copied from this path; or a folder that was.
    Archive { url: String },
    /// Put there by hand, from nobody knows where.
    Manual,
}

impl NodeSource {
    /// True where both give the same files: what an update would follow is left aside.
    pub fn gives_the_same(&self, other: &NodeSource) -> bool {
        match (self, other) {
            (NodeSource::Git { url, commit, .. }, NodeSource::Git { url: other, commit: others, .. }) => {
                (url, commit) == (other, others)
            }
            _ => self == other,
        }
    }
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
    /// The same as its source gave it, where it was edited since.
    pub fetched: Option<ObjectId>,
    /// The same once its install script had run, where that made something: edits are counted from here.
    pub installed: Option<ObjectId>,
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
