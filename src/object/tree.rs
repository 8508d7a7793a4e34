//! A directory as a value: sorted entries of name, kind, id and size.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::quote::{quoted, unquoted};
use super::{EntryName, NameError, ObjectId};

/// What an entry of a tree is. The order of the variants is part of the encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A regular file; id and size are those of the blob.
    File,
    /// A regular file with the executable bit.
    Executable,
    /// A symbolic link; the blob holds its target, with `/` between names.
    Symlink,
    /// A folder; the id is that of a tree, the size the sum of the sizes of all its entries.
    Tree,
    /// A weight file; like `File`, but its blob may be absent locally and has known sources.
    Model,
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub name: EntryName,
    pub kind: EntryKind,
    pub id: ObjectId,
    /// Bytes; for a tree the sum over everything below it.
    pub size: u64,
}

/// A directory: entries sorted by the bytes of their names, each name once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Tree {
    entries: Vec<Entry>,
}

/// Why some entries are no tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    #[error("the name `{0}` stands twice in one tree")]
    Repeated(EntryName),
    #[error("`{0}` stands before `{1}`: entries must be sorted by name")]
    Unsorted(EntryName, EntryName),
    #[error("line {line}: {reason}")]
    Line { line: usize, reason: String },
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Tree {
    /// A tree of these entries, in any order. Errors: a name that stands twice.
    pub fn new(mut entries: Vec<Entry>) -> Result<Self, TreeError> {
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Self::from_sorted(entries)
    }

    /// A tree of entries that are sorted already. Errors: unsorted or repeated names.
    pub fn from_sorted(entries: Vec<Entry>) -> Result<Self, TreeError> {
        for pair in entries.windows(2) {
            match pair[0].name.cmp(&pair[1].name) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Err(TreeError::Repeated(pair[0].name.clone())),
                std::cmp::Ordering::Greater => {
                    return Err(TreeError::Unsorted(pair[0].name.clone(), pair[1].name.clone()));
                }
            }
        }
        Ok(Tree { entries })
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The entry with this name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        let found = self.entries.binary_search_by(|entry| entry.name.as_str().cmp(name)).ok()?;
        self.entries.get(found)
    }

    /// Bytes in everything below, saturating.
    pub fn size(&self) -> u64 {
        self.entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.size))
    }

    /// Reads the text form: a line an entry, `kind SP id SP size TAB name`, in any order.
    pub fn parse(text: &str) -> Result<Self, TreeError> {
        let mut entries = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let entry = line.parse().map_err(|reason: String| TreeError::Line { line: number + 1, reason })?;
            entries.push(entry);
        }
        Tree::new(entries)
    }
}

/// The text form: `kind SP id SP size TAB name`, a line an entry, names as [`quoted`] writes them.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.iter().try_for_each(|entry| writeln!(f, "{entry}"))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}\t{}", self.kind, self.id, self.size, quoted(self.name.as_str()))
    }
}

impl FromStr for Entry {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let form = || "the form `kind id size<TAB>name` is wanted".to_owned();
        let (facts, name) = line.split_once('\t').ok_or_else(form)?;
        let mut facts = facts.split(' ');
        let (Some(kind), Some(id), Some(size), None) = (facts.next(), facts.next(), facts.next(), facts.next()) else {
            return Err(form());
        };
        Ok(Entry {
            kind: kind.parse()?,
            id: id.parse().map_err(|e: super::id::IdError| e.to_string())?,
            size: size.parse().map_err(|_| format!("`{size}` is not a size in bytes"))?,
            name: EntryName::new(unquoted(name).ok_or_else(form)?).map_err(|e| e.to_string())?,
        })
    }
}

impl EntryKind {
    /// The word used in text forms and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            EntryKind::File => "file",
            EntryKind::Executable => "executable",
            EntryKind::Symlink => "symlink",
            EntryKind::Tree => "tree",
            EntryKind::Model => "model",
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EntryKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [EntryKind::File, EntryKind::Executable, EntryKind::Symlink, EntryKind::Tree, EntryKind::Model]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| {
                format!("`{text}` is not a kind of entry: file, executable, symlink, tree or model is wanted")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> Entry {
        Entry { name: EntryName::new(name).unwrap(), kind: EntryKind::File, id: ObjectId::of_blob(b""), size: 0 }
    }

    #[test]
    fn entries_are_sorted_by_bytes_and_found_by_name() {
        let tree = Tree::new(vec![entry("b"), entry("a"), entry("B"), entry("a.b")]).unwrap();
        let names: Vec<_> = tree.entries().iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["B", "a", "a.b", "b"]);
        assert!(tree.get("a.b").is_some() && tree.get("c").is_none());
    }

    #[test]
    fn repeated_and_unsorted_names_are_refused() {
        assert!(matches!(Tree::new(vec![entry("a"), entry("a")]), Err(TreeError::Repeated(_))));
        assert!(matches!(Tree::from_sorted(vec![entry("b"), entry("a")]), Err(TreeError::Unsorted(..))));
    }

    #[test]
    fn a_tree_survives_its_text_form() {
        let tree = Tree::new(vec![entry("with space"), entry("ü"), entry("line\nfeed")]).unwrap();
        assert_eq!(Tree::parse(&tree.to_string()), Ok(tree));
        assert!(matches!(Tree::parse("file x 1\ta"), Err(TreeError::Line { line: 1, .. })));
    }
}
