//! What was fetched before: which tree in the store came from which source, so that a second environment gets it without a network.
//!
//! Rows of the store's caches, found by the source. Losing them costs a download.

use serde::{Deserialize, Serialize};

use crate::environment::manifest::NodeSource;
use crate::object::{EntryKind, ObjectId};
use crate::store::{RecordTable, Store};
use crate::worktree::{self, Needed, is_held};

/// What the rows' keys begin with.
const PREFIX: &str = "fetched-node\0";

/// What names a source exactly: the same one gives the same files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin<'a> {
    Registry {
        id: &'a str,
        version: &'a str,
    },
    Git {
        url: &'a str,
        commit: &'a str,
    },
    /// The commit that a branch or tag led to when it was last asked; it may lead elsewhere now.
    Reference {
        url: &'a str,
        reference: &'a str,
    },
    /// What lay at an address; something else may lie there now.
    Download {
        url: &'a str,
    },
}

impl Origin<'_> {
    fn key(&self) -> Vec<u8> {
        let url = |url: &str| crate::net::address::without_secrets(url).trim_end_matches(".git").to_owned();
        let (kind, a, b) = match self {
            Origin::Registry { id, version } => {
                ("registry", id.to_ascii_lowercase().replace('_', "-"), (*version).to_owned())
            }
            Origin::Git { url: from, commit } => ("git", url(from), (*commit).to_owned()),
            Origin::Reference { url: from, reference } => ("reference", url(from), (*reference).to_owned()),
            Origin::Download { url: from } => ("download", url(from), String::new()),
        };
        format!("{PREFIX}{kind}\0{a}\0{b}").into_bytes()
    }
}

/// A node in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub tree: ObjectId,
    /// True for a node that is one file.
    pub is_file: bool,
    /// Bytes.
    pub size: u64,
    /// The folder's (or file's) name as its author has it.
    pub folder: String,
    pub version: Option<String>,
    /// Of a repository.
    pub commit: Option<String>,
}

impl Kept {
    pub fn kind(&self) -> EntryKind {
        if self.is_file { EntryKind::File } else { EntryKind::Tree }
    }
}

/// What came from this source before, if the store still has all of it.
pub fn get(store: &Store, origin: &Origin<'_>) -> Result<Option<Kept>, worktree::Error> {
    let Some(row) = store.records(RecordTable::Caches).get(&origin.key())? else { return Ok(None) };
    let Ok(kept) = serde_json::from_slice::<Kept>(&row) else { return Ok(None) };
    Ok(is_whole(store, &kept.tree, kept.is_file)?.then_some(kept))
}

/// The versions of a package of the registry that were fetched, in no order.
pub fn versions(store: &Store, id: &str) -> Result<Vec<String>, worktree::Error> {
    let prefix = Origin::Registry { id, version: "" }.key();
    let rows = store.records(RecordTable::Caches).range(&prefix)?;
    let version = |key: &[u8]| String::from_utf8(key.get(prefix.len()..)?.to_vec()).ok();
    Ok(rows.iter().filter_map(|(key, _)| version(key)).collect())
}

/// Remembers what came from a source. What cannot be remembered is fetched again.
pub fn put(store: &Store, origin: &Origin<'_>, kept: &Kept) {
    if let Ok(row) = serde_json::to_vec(kept) {
        drop(store.records(RecordTable::Caches).apply(vec![(origin.key(), Some(row))]));
    }
}

/// True when the store has a node with every file of it; weights too, as nobody else may have them.
pub fn is_whole(store: &Store, tree: &ObjectId, is_file: bool) -> Result<bool, worktree::Error> {
    match is_file {
        true => Ok(store.info(tree)?.is_some()),
        false => is_held(store, tree, Needed::Everything),
    }
}

/// Where a node of the manifest came from, as far as that names it exactly.
pub fn origin_of<'a>(source: &'a NodeSource, version: Option<&'a str>) -> Option<Origin<'a>> {
    match (source, version) {
        (NodeSource::Registry { id }, Some(version)) => Some(Origin::Registry { id, version }),
        (NodeSource::Git { url, commit: Some(commit), .. }, _) => Some(Origin::Git { url, commit }),
        (NodeSource::Archive { url }, _) => Some(Origin::Download { url }),
        _ => None,
    }
}
