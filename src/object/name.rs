//! Names that may stand in a tree, and relative paths made of them.

use std::borrow::Borrow;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

use crate::platform::paths::in_folder;

/// One component of a path: UTF-8, not empty, not `.` or `..`, without `/`, `\` and NUL.
///
/// Ordered by bytes, which is the order of entries in a tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct EntryName(String);

/// Why a name may not stand in a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("an empty name")]
    Empty,
    #[error("the name `{0}` means a folder itself or the one above")]
    Dots(String),
    #[error("the name {0:?} holds `{1}`")]
    Separator(String, char),
    #[error("the name {0:?} is not UTF-8")]
    NotUtf8(PathBuf),
    #[error("the path {0:?} is not relative")]
    NotRelative(String),
}

impl EntryName {
    /// Checks `text`.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text == "." || text == ".." {
            return Err(NameError::Dots(text));
        }
        if let Some(found) = text.chars().find(|c| matches!(c, '/' | '\\' | '\0')) {
            return Err(NameError::Separator(text, found));
        }
        Ok(EntryName(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for EntryName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<Path> for EntryName {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl<'de> Deserialize<'de> for EntryName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EntryName::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A path below some root: entry names joined by `/`. The empty path is the root itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize)]
#[serde(transparent)]
pub struct RelativePath(String);

impl RelativePath {
    /// The root itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// Reads `a/b/c`. Every component must be a valid entry name.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.starts_with('/') {
            return Err(NameError::NotRelative(text));
        }
        if !text.is_empty() {
            for part in text.split('/') {
                EntryName::new(part)?;
            }
        }
        Ok(RelativePath(text))
    }

    /// Reads a path as the system has it, relative to its root.
    pub fn from_path(path: &Path) -> Result<Self, NameError> {
        let mut joined = RelativePath::root();
        for component in path.components() {
            match component {
                std::path::Component::Normal(name) => {
                    let name = name.to_str().ok_or_else(|| NameError::NotUtf8(path.to_owned()))?;
                    joined = joined.join(&EntryName::new(name)?);
                }
                std::path::Component::CurDir => {}
                _ => return Err(NameError::NotRelative(path.display().to_string())),
            }
        }
        Ok(joined)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// This path with `name` below it.
    pub fn join(&self, name: &EntryName) -> Self {
        if self.0.is_empty() { RelativePath(name.0.clone()) } else { RelativePath(format!("{}/{}", self.0, name.0)) }
    }

    /// This path with `below` below it.
    pub fn join_path(&self, below: &RelativePath) -> Self {
        match (self.0.is_empty(), below.0.is_empty()) {
            (true, _) => below.clone(),
            (_, true) => self.clone(),
            _ => RelativePath(format!("{}/{}", self.0, below.0)),
        }
    }

    /// The folder above and the last name; nothing for the root.
    pub fn split_last(&self) -> Option<(RelativePath, EntryName)> {
        if self.0.is_empty() {
            return None;
        }
        let (above, name) = self.0.rsplit_once('/').unwrap_or(("", &self.0));
        Some((RelativePath(above.to_owned()), EntryName(name.to_owned())))
    }

    /// The names from the root down.
    pub fn names(&self) -> impl Iterator<Item = EntryName> + '_ {
        self.0.split('/').filter(|part| !part.is_empty()).map(|part| EntryName(part.to_owned()))
    }

    /// The place of this path below `root`, in the system's form.
    pub fn below(&self, root: &Path) -> PathBuf {
        let parts = self.0.split('/').filter(|part| !part.is_empty());
        parts.fold(root.to_owned(), |above, part| in_folder(&above, part))
    }

    /// What remains of this path below `root`, if it lies there.
    pub fn strip_prefix(&self, root: &RelativePath) -> Option<RelativePath> {
        if root.0.is_empty() {
            return Some(self.clone());
        }
        let rest = self.0.strip_prefix(&root.0)?;
        match rest.strip_prefix('/') {
            Some(rest) => Some(RelativePath(rest.to_owned())),
            None if rest.is_empty() => Some(RelativePath::root()),
            None => None,
        }
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RelativePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RelativePath::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["", ".", "..", "a/b", "a\\b", "a\0"] {
            assert!(EntryName::new(name).is_err(), "{name:?}");
        }
        for name in ["a", "...", ".git", "ä b", "CON"] {
            assert!(EntryName::new(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn paths_are_joined_split_and_stripped() {
        let path = RelativePath::new("a/b/c").unwrap();
        let (above, last) = path.split_last().unwrap();
        assert_eq!((above.as_str(), last.as_str()), ("a/b", "c"));
        assert_eq!(above.join(&last), path);
        assert_eq!(path.strip_prefix(&RelativePath::new("a").unwrap()).unwrap().as_str(), "b/c");
        assert_eq!(path.strip_prefix(&RelativePath::new("a/bb").unwrap()), None);
        assert_eq!(path.strip_prefix(&path), Some(RelativePath::root()));
        for text in ["/a", "a//b", "a/../b", "a/"] {
            assert!(RelativePath::new(text).is_err(), "{text}");
        }
    }
}
