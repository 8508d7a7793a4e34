//! The manifest as a file: made, read, written, and the ways to its parts.

use std::fmt;
use std::io;
use std::path::Path;

use toml_edit::{Document, DocumentMut, Item, Table, TableLike};

use super::edit::implicit;
use super::error::{ManifestError, ReadError};
use super::shape;

/// A manifest with its comments.
#[derive(Debug, Clone)]
pub struct Manifest {
    document: DocumentMut,
}

impl Manifest {
    /// Reads the manifest at `path`; nothing where there is no file.
    ///
    /// # Errors
    /// As of [`Manifest::parse`], with the path.
    pub fn read(path: &Path) -> Result<Option<Self>, ReadError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ReadError::Io { path: path.to_owned(), source }),
        };
        let parsed = match std::str::from_utf8(&bytes) {
            Ok(text) => Self::parse(text),
            Err(error) => {
                let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let (line, column) = shape::place(&good, Some(good.len()..good.len()));
                Err(ManifestError { line, column, reason: "this is no text in UTF-8".to_owned() })
            }
        };
        parsed.map(Some).map_err(|source| ReadError::Manifest { path: path.to_owned(), source })
    }

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

    /// Reads a manifest.
    ///
    /// # Errors
    /// Text that is not TOML; a value of another kind than Comfrey keeps there.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let document = Document::parse(text).map_err(|error| {
            let (line, column) = shape::place(text, error.span());
            ManifestError { line, column, reason: error.message().lines().next().unwrap_or_default().to_owned() }
        })?;
        shape::check(&document)?;
        Ok(Manifest { document: document.into_mut() })
    }

    pub(super) fn document_mut(&mut self) -> &mut DocumentMut {
        &mut self.document
    }

    pub(super) fn root(&self) -> &dyn TableLike {
        self.document.as_table()
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
