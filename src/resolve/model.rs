//! The answer for a reference to a model.

use serde::{Serialize, Serializer};

use crate::digest::QuickHash;
use crate::models::IndexedFile;
use crate::object::ObjectId;

/// The answer for a reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resolution {
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// How sure, from 0 to 1.
    pub score: f64,
    #[serde(flatten)]
    pub chosen: Option<Candidate>,
    /// The folder that is meant, where the reference names one.
    #[serde(flatten)]
    pub folder: Option<FoundFolder>,
    /// The model that was meant here before and that is not on this machine where its loader looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<ObjectId>,
    /// Whether the chosen file has the hash that the workflow declares, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_matches: Option<bool>,
    /// What there is to choose from when it is ambiguous.
    pub candidates: Vec<Candidate>,
    /// Files of that name or hash where the loader does not look: moved or linked, they would do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Candidate>,
    /// Files whose names are like it, the most alike first. Never chosen by a rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub similar: Vec<Similar>,
    /// Where it can be had.
    pub sources: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Resolved,
    /// Several fit equally.
    Ambiguous,
    /// Not here, but somebody says where it can be had.
    Downloadable,
    Missing,
    /// The user said that it is not needed.
    Skipped,
}

impl Status {
    /// The word that the manifest and JSON have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Resolved => "resolved",
            Status::Ambiguous => "ambiguous",
            Status::Downloadable => "downloadable",
            Status::Missing => "missing",
            Status::Skipped => "skipped",
        }
    }

    /// True for what is still a question.
    pub fn is_open(self) -> bool {
        !matches!(self, Status::Resolved | Status::Skipped)
    }
}

/// Which rule found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Said before of this place: chosen by the user, or found by a commit.
    Manifest,
    /// Chosen just now.
    Chosen,
    DeclaredHash,
    ExactPath,
    PathIgnoringCase,
    FileName,
    /// In any folder, for a node of which nobody knows where it looks.
    FileNameAnywhere,
    /// The workflow names a URL.
    Declared,
    /// A source is known for the name or the hash.
    KnownSource,
}

impl Rule {
    pub(super) fn score(self) -> f64 {
        match self {
            Rule::Manifest | Rule::Chosen | Rule::DeclaredHash | Rule::ExactPath => 1.0,
            Rule::PathIgnoringCase => 0.95,
            Rule::FileName => 0.8,
            Rule::FileNameAnywhere => 0.6,
            Rule::Declared => 0.5,
            Rule::KnownSource => 0.4,
        }
    }
}

/// A file that may be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id is absent while only its quick hash is known.
    pub file: IndexedFile,
}

impl Candidate {
    pub fn of(file: &IndexedFile) -> Self {
        Candidate { file: file.clone() }
    }

    /// Where ComfyUI sees it below `models/`.
    pub fn local(&self) -> String {
        self.file.place()
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<ObjectId>,
    local: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    quick: Option<QuickHash>,
}

impl Serialize for Candidate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let IndexedFile { id, quick, .. } = self.file;
        Shown { id, local: self.local(), size: self.file.size(), quick }.serialize(serializer)
    }
}

/// A file whose name is like the one that is wanted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Similar {
    #[serde(flatten)]
    pub candidate: Candidate,
    /// From 0 to 1.
    pub likeness: f64,
}

/// A folder that a reference names, such as a model in several files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFolder {
    /// Below `models/`.
    pub local: String,
    /// The model files in it, at any depth.
    pub files: Vec<IndexedFile>,
}

impl Serialize for FoundFolder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let size = self.files.iter().map(IndexedFile::size).sum();
        Shown { id: None, local: self.local.clone(), size, quick: None }.serialize(serializer)
    }
}

impl Resolution {
    /// Nothing found yet.
    pub(super) fn of(status: Status, rule: Option<Rule>) -> Self {
        Resolution {
            status,
            rule,
            score: rule.map_or(0.0, Rule::score),
            chosen: None,
            folder: None,
            wanted: None,
            hash_matches: None,
            candidates: Vec::new(),
            hints: Vec::new(),
            similar: Vec::new(),
            sources: Vec::new(),
        }
    }

    /// This file.
    pub fn resolved(rule: Rule, file: &IndexedFile) -> Self {
        Resolution { chosen: Some(Candidate::of(file)), ..Resolution::of(Status::Resolved, Some(rule)) }
    }

    /// Where it lies below `models/`, file or folder.
    pub fn local(&self) -> Option<String> {
        let folder = || self.folder.as_ref().map(|folder| folder.local.clone());
        self.chosen.as_ref().map(Candidate::local).or_else(folder)
    }
}
