//! The manifest as a file: made, read, written, and the ways to its parts.

use std::fmt;

use toml_edit::{DocumentMut, Item, Table, TableLike};

use super::edit::implicit;

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
    #[error("`{0}` is no list")]
    NotAList(String),
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
        for path in ["project", "dependency-groups", "tool", "tool.uv", "tool.comfrey"] {
            manifest.checked(path)?;
        }
        for path in ["project.dependencies", "tool.uv.constraint-dependencies"] {
            checked_list(path, manifest.item(path))?;
        }
        let groups = manifest.item("dependency-groups").and_then(Item::as_table_like);
        for (name, item) in groups.into_iter().flat_map(|table| table.iter()) {
            checked_list(&format!("dependency-groups.{name}"), Some(item))?;
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

    pub(super) fn document_mut(&mut self) -> &mut DocumentMut {
        &mut self.document
    }

    pub(super) fn item(&self, path: &str) -> Option<&Item> {
        path.split('.').try_fold(self.document.as_item(), |item, key| item.as_table_like()?.get(key))
    }

    /// `[tool.comfrey.PART]`, made when absent. Parts that are no table were refused when the text was read.
    pub(super) fn part(&mut self, part: &str) -> Option<&mut dyn TableLike> {
        let tool = self.document.as_table_mut().entry("tool").or_insert_with(implicit);
        let comfrey = tool.as_table_like_mut()?.entry("comfrey").or_insert_with(implicit);
        comfrey.as_table_like_mut()?.entry(part).or_insert_with(implicit).as_table_like_mut()
    }

    pub(super) fn entries<'a>(&'a self, part: &str) -> impl Iterator<Item = (&'a str, &'a dyn TableLike)> {
        let table = self.item(&format!("tool.comfrey.{part}")).and_then(Item::as_table_like);
        table.into_iter().flat_map(|table| table.iter()).filter_map(|(key, item)| Some((key, item.as_table_like()?)))
    }

    /// `[project]`, made when absent; nothing where that is a value.
    pub(super) fn project(&mut self) -> Option<&mut dyn TableLike> {
        let fresh = || Item::Table(Table::new());
        self.document.as_table_mut().entry("project").or_insert_with(fresh).as_table_like_mut()
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
}

fn checked_list(path: &str, item: Option<&Item>) -> Result<(), ManifestError> {
    match item {
        Some(item) if item.as_array().is_none() => Err(ManifestError::NotAList(path.to_owned())),
        _ => Ok(()),
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
