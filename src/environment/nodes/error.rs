//! What can go wrong with custom nodes.

use std::io;
use std::path::PathBuf;

use crate::archive::UnpackError;
use crate::environment::draft::DraftError;
use crate::environment::python::PythonError;
use crate::environment::python::packages::PackagesError;
use crate::environment::rollback::RollbackError;
use crate::environment::state::StateError;
use crate::net::FetchError;
use crate::net::comfy_registry::RegistryError;
use crate::object::{NameError, ObjectId};
use crate::platform::git_program::GitError;
use crate::{history, store, worktree};

use super::request::NotARequest;

#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    Request(#[from] NotARequest),
    #[error(transparent)]
    Registry(Box<RegistryError>),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Git(Box<GitError>),
    #[error("{from}: {error}")]
    Unpack { from: String, error: Box<UnpackError> },
    /// The bytes are not those that the address promised.
    #[error("{from}: its SHA-256 is {found}, not {expected}")]
    Digest { from: String, expected: String, found: String },
    /// Offline, and it was never fetched.
    #[error("{0} was never fetched here, and this is to work offline")]
    NeverFetched(String),
    #[error("{from} is no custom node: {reason}")]
    NotANode { from: String, reason: String },
    /// A file of a node that no tree can hold, or that cannot be read.
    #[error("{from}: {}: {reason}{}", path.display(), more(*others))]
    Unusable { from: String, path: PathBuf, reason: String, others: usize },
    #[error("there is no node `{name}`")]
    NoSuchNode { name: String, near: Option<String> },
    #[error("`{name}` may be {}", .found.join(" or "))]
    Ambiguous { name: String, found: Vec<String> },
    /// The same node is there in another version or from elsewhere.
    #[error("{wanted} is there already as `{key}`{}", told(version))]
    AlreadyThere {
        wanted: String,
        /// The version or reference among that.
        reference: Option<String>,
        key: String,
        version: Option<String>,
        disabled: bool,
    },
    /// Another node has the folder's name.
    #[error("another node has the folder `{folder}`: `{key}`, {from}")]
    FolderTaken { folder: String, key: String, from: String },
    /// Not every system has such names, or ComfyUI passes them over.
    #[error("`{0}` cannot be the name of a custom node's folder")]
    BadFolder(String),
    /// Something that is no node has the folder's name.
    #[error("{} is in the way", .0.display())]
    InTheWay(PathBuf),
    /// Someone edited its files.
    #[error("`{key}` was edited since it came: {}", listed(files))]
    Edited { key: String, files: Vec<String> },
    /// It cannot be told whether someone edited it.
    #[error("nobody knows whether `{0}` was edited: it is not in the manifest")]
    UnknownEdits(String),
    /// A clone in which someone committed.
    #[error("`{key}` has commits that its remote does not have: {}", listed(commits))]
    OwnCommits { key: String, commits: Vec<String> },
    #[error("`{key}` cannot be updated: {reason}")]
    NoSource { key: String, reason: String },
    /// Its files are in no store and its source cannot give them.
    #[error("the files of `{key}` as they were ({}) are in no store, and its source does not give them", tree.short())]
    Lost { key: String, tree: ObjectId },
    /// Deleting would lose what no snapshot holds.
    #[error("`{key}` holds what no snapshot can bring back: {}", listed(files))]
    NotKept { key: String, files: Vec<String> },
    #[error("{script} of `{key}` failed{}{}", code.map(|code| format!(" with exit code {code}")).unwrap_or_default(), lines.iter().map(|line| format!("\n  {line}")).collect::<String>())]
    Script { key: String, script: String, code: Option<i32>, lines: Vec<String> },
    #[error("{script} of `{key}` cannot be run: {reason}")]
    NoScript { key: String, script: String, reason: String },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Python(Box<PythonError>),
    #[error(transparent)]
    Packages(Box<PackagesError>),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Draft(Box<DraftError>),
    #[error(transparent)]
    Rollback(Box<RollbackError>),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Worktree(#[from] worktree::Error),
    #[error(transparent)]
    History(#[from] history::Error),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("interrupted")]
    Interrupted,
}

/// An error of another floor, in a box: it is large, and rare.
macro_rules! boxed {
    ($($variant:ident: $error:ty),*) => {
        $(impl From<$error> for NodeError {
            fn from(error: $error) -> Self {
                NodeError::$variant(Box::new(error))
            }
        })*
    };
}

boxed!(Registry: RegistryError, Git: GitError, Python: PythonError, Packages: PackagesError, Draft: DraftError, Rollback: RollbackError);

fn told(version: &Option<String>) -> String {
    version.as_deref().map(|version| format!(", version {version}")).unwrap_or_default()
}

fn more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(", and {others} more like it") }
}

/// The first few of many.
fn listed(files: &[String]) -> String {
    const FEW: usize = 5;
    let first = files.iter().take(FEW).map(String::as_str).collect::<Vec<_>>().join(", ");
    if files.len() > FEW { format!("{first} and {} more", files.len() - FEW) } else { first }
}

/// For `map_err`: an error of the system about a path.
pub(super) fn io_error(path: &std::path::Path) -> impl FnOnce(io::Error) -> NodeError + use<> {
    let path = path.to_owned();
    move |source| NodeError::Io { path, source }
}
