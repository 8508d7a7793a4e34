//! What can go wrong with refs, revisions and operations.

use crate::object::{DecodeError, Kind, ObjectId};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An object that an ambiguous revision could mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub id: ObjectId,
    pub kind: Kind,
    /// What a person knows it by: time and subject of a snapshot, command of an operation; may be empty.
    pub about: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{name}` cannot be the name of a ref: {reason}")]
    BadRefName { name: String, reason: String },
    #[error("the ref `{name}` points at itself by way of others")]
    RefLoop { name: String },
    #[error("there is no ref `{name}`")]
    NoSuchRef { name: String, near: Vec<String> },
    /// A compare-and-swap that found something else.
    #[error("{}", moved(name, expected, found))]
    Moved { name: String, expected: Option<ObjectId>, found: Option<ObjectId> },
    #[error("`{revision}` is no revision: {reason}")]
    Malformed { revision: String, reason: String },
    /// Nothing has this name or begins with these digits.
    #[error("unknown revision `{revision}`")]
    Unknown { revision: String, near: Vec<String> },
    #[error("environment `{environment}` has no snapshot yet, so `{revision}` names nothing")]
    NoSnapshotYet { revision: String, environment: String },
    #[error("`{prefix}` is ambiguous: {} objects begin with it{}", candidates.len(), if *more { " at least" } else { "" })]
    Ambiguous { prefix: String, candidates: Vec<Candidate>, more: bool },
    #[error("`{revision}`: the newest version is v{newest}")]
    NoSuchVersion { revision: String, newest: u64 },
    #[error("`{revision}`: snapshot {} {}", id.short(), parents(*has))]
    NoSuchParent { revision: String, id: ObjectId, has: usize },
    #[error("`{revision}`: there are only {there} operations")]
    NoSuchOperation { revision: String, there: u64 },
    #[error("`{revision}` is a {found}, and a {wanted} is wanted")]
    WrongKind { revision: String, found: Kind, wanted: Kind },
    #[error("`{revision}` holds no `{path}`")]
    NoSuchPath { revision: String, path: String, near: Vec<String> },
    #[error("`{path}` in `{revision}` is a {kind}, not a folder")]
    NotAFolder { revision: String, path: String, kind: String },
    #[error("operation {operation} cannot be taken back: {reason}")]
    NotUndoable { operation: String, reason: &'static str },
    #[error("object {id} is missing from the store")]
    Missing { id: ObjectId },
    #[error("object {id} is damaged: {source}")]
    Damaged { id: ObjectId, source: DecodeError },
    #[error("object {id} is a {found}, and a {wanted} is wanted")]
    WrongObject { id: ObjectId, found: Kind, wanted: Kind },
    #[error("interrupted")]
    Interrupted,
    #[error(transparent)]
    Store(#[from] crate::store::Error),
}

fn moved(name: &str, expected: &Option<ObjectId>, found: &Option<ObjectId>) -> String {
    match (expected, found) {
        (None, Some(found)) => format!("the ref `{name}` is there already: {found}"),
        (Some(expected), None) => format!("the ref `{name}` was expected to be {expected}, and is not there"),
        (Some(expected), Some(found)) => {
            format!("the ref `{name}` was expected to be {expected}, and is {found}")
        }
        (None, None) => format!("the ref `{name}` changed"),
    }
}

fn parents(has: usize) -> String {
    match has {
        0 => "is the first and has no parent".into(),
        1 => "has one parent only".into(),
        n => format!("has {n} parents only"),
    }
}
