//! A place in a workflow that names a model, as a value.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::workflow::Declared;

/// A place in a workflow that names a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The workflow as it was named; nothing where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Ids of the enclosing instances, outermost first.
    #[serde(default)]
    pub scope: Vec<String>,
    pub node: String,
    #[serde(rename = "type")]
    pub node_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Position in the editor's widget values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widget: Option<usize>,
    /// The name as the workflow has it: the whole value, or the part of a text that names a model.
    pub value: String,
    /// The value with `/` between folders, whatever system it was written on.
    pub path: String,
    /// The last name of the path.
    pub name: String,
    /// Keys of the folders in which the node looks, in order; none where nothing is known of the node.
    pub folders: Vec<String>,
    /// What the value names.
    #[serde(default, skip_serializing_if = "Names::is_file")]
    pub names: Names,
    #[serde(default, skip_serializing_if = "Need::is_required")]
    pub need: Need,
    /// False where the workflow runs without the model: the node or the row is switched off, or the value is not used.
    pub active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declared>,
    /// Where the value stands in the file's bytes, as `workflow::rewrite` takes it: a whole string with its quotes, or a
    /// part of one. Several references can share a place, as nodes of a subgraph with several instances do.
    #[serde(skip)]
    pub place: Range<usize>,
}

/// What a value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Names {
    #[default]
    File,
    Directory,
    FileOrDirectory,
    /// A file, its extension left out, maybe its folder too.
    Stem,
}

impl Names {
    fn is_file(&self) -> bool {
        *self == Names::File
    }
}

/// Whether a model has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    #[default]
    Required,
    /// The node fetches it itself where it is missing.
    Fetched,
    /// The node only repeats the name, to write it into a file for one. Never active.
    Echo,
}

impl Need {
    fn is_required(&self) -> bool {
        *self == Need::Required
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;

    /// A file of the gathered facts and workflows, where they are at hand; else says that the test is skipped.
    pub(crate) fn shared_data(below: &str) -> Option<PathBuf> {
        let named = std::env::var_os("COMFREY_SHARED_DATA").map(PathBuf::from);
        let folder = named.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").into());
        let path = folder.join(below);
        if !path.exists() {
            eprintln!("SKIPPED: {} is not there; set COMFREY_SHARED_DATA", path.display());
            return None;
        }
        Some(path)
    }
}
