//! What goes over from one version of a node to another: what someone edited, by choice, and what neither version brought.

use std::path::Path;

use crate::environment::fresh_trees::FreshTrees;
use crate::environment::manifest::NodeFacts;
use crate::environment::state::State;
use crate::object::{Entry, ObjectId, RelativePath};
use crate::observer::Observer;
use crate::worktree::tree_at;

use super::clone::{self, Clone};
use super::edits::{self, Edited};
use super::error::NodeError;
use super::fetch::Sources;
use super::survey::{Edits, Node};

/// What becomes of what someone edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EditsHow {
    /// Nobody said; then nothing of it is touched.
    #[default]
    Unsaid,
    Keep,
    Discard,
}

/// What goes over to another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The tree as its source gave it.
    came: ObjectId,
    /// What was edited, and is to be kept.
    changed: Edited,
    /// What lies beside the files of a clone.
    beside: Edited,
    /// What the install script of the version before made.
    made: Edited,
}

/// A version with what went over to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Over {
    pub tree: ObjectId,
    pub size: u64,
    /// The same without what was edited.
    pub base: ObjectId,
    /// Paths of what was edited.
    pub edited: Vec<RelativePath>,
    /// Those among them that the new version changes, too.
    pub both: Vec<RelativePath>,
    /// All that was put over it.
    put: Edited,
    has_made: bool,
}

impl Carried {
    /// What would go over from a node as it is; nothing where nobody knows what it came as.
    ///
    /// # Errors
    /// It was edited, and nobody has said what becomes of that. A file that cannot be read is no edit.
    pub fn of(
        state: &State<'_>,
        node: &Node,
        clone: Option<&Clone<'_>>,
        sources: &Sources<'_>,
        how: EditsHow,
    ) -> Result<Option<Self>, NodeError> {
        let trees = &state.trees;
        if let Some(clone) = clone {
            // git knows what its files were.
            let came = clone.came(sources)?;
            let (changed, beside) = clone::beside(trees, &came, edits::since(state, node, &came)?)?;
            return Carried { came, changed, beside, made: Edited::new() }.chosen(node, how).map(Some);
        }
        let changed = match node.edits() {
            Edits::None => Edited::new(),
            _ if how == EditsHow::Discard => Edited::new(),
            Edits::Unknown => return Err(NodeError::UnknownEdits(node.key.clone())),
            // What came may be in no store any more; then nobody can say what is an edit.
            Edits::Since(base) => match edits::since(state, node, &base) {
                Ok(edited) => {
                    if !edited.is_empty() {
                        state.all_read()?;
                    }
                    edited
                }
                Err(_) => return Err(NodeError::Edited { key: node.key.clone(), files: vec!["its files".into()] }),
            },
        };
        let Some(known) = &node.known else { return Ok(None) };
        let came = known.fetched.unwrap_or(known.tree);
        let made = match &known.installed {
            Some(installed) => edits::between(trees, &came, installed).unwrap_or_default(),
            None => Edited::new(),
        };
        Carried { came, changed, beside: Edited::new(), made }.chosen(node, how).map(Some)
    }

    fn chosen(self, node: &Node, how: EditsHow) -> Result<Self, NodeError> {
        match how {
            EditsHow::Keep => Ok(self),
            EditsHow::Discard => Ok(Carried { changed: Edited::new(), ..self }),
            EditsHow::Unsaid if self.changed.is_empty() => Ok(self),
            EditsHow::Unsaid => Err(NodeError::Edited { key: node.key.clone(), files: names(self.changed.keys()) }),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.beside.is_empty() && self.made.is_empty()
    }

    /// All of it over the version `new`.
    ///
    /// # Errors
    /// The new version has files where others lie, and nobody has said what becomes of those.
    pub fn over(&self, trees: &FreshTrees<'_>, node: &Node, new: &ObjectId, how: EditsHow) -> Result<Over, NodeError> {
        let id = |entry: Option<Entry>| entry.map(|entry| (entry.kind, entry.id));
        // What the script made gives way to what the new version brings.
        let mut made = Edited::new();
        for (path, now) in &self.made {
            if id(tree_at(trees, new, path)?) == id(tree_at(trees, &self.came, path)?) {
                made.insert(path.clone(), now.clone());
            }
        }
        let (base, ..) = edits::over(trees, &self.came, new, &made)?;
        let mut put = made.clone();
        let mut in_the_way = Vec::new();
        for (path, now) in &self.beside {
            let other = id(tree_at(trees, new, path)?);
            if how == EditsHow::Keep || other.is_none() || other == id(now.clone()) {
                put.insert(path.clone(), now.clone());
            } else {
                in_the_way.push(path);
            }
        }
        if how == EditsHow::Unsaid && !in_the_way.is_empty() {
            return Err(NodeError::Edited { key: node.key.clone(), files: names(in_the_way.into_iter()) });
        }
        put.extend(self.changed.clone());
        let (tree, size, both) = edits::over(trees, &self.came, new, &put)?;
        let edited = self.changed.keys().cloned().collect();
        Ok(Over { tree, size, base, edited, both, put, has_made: !made.is_empty() })
    }
}

impl Over {
    /// Puts what is not in the store there. `folder` is the node's.
    pub fn keep(&self, trees: &FreshTrees<'_>, folder: &Path, observer: &dyn Observer) -> Result<(), NodeError> {
        edits::keep_trees(trees, &self.base)?;
        edits::keep(trees, &self.tree, &self.put, folder, observer)
    }

    /// What the manifest is to say; `facts` are those of the version alone, which is the tree `new`.
    pub fn facts(&self, facts: NodeFacts, new: ObjectId) -> NodeFacts {
        // What only lies beside is no edit.
        let differs = self.has_made || !self.edited.is_empty();
        let (fetched, installed) = (differs.then_some(new), self.has_made.then_some(self.base));
        NodeFacts { tree: self.tree, fetched, installed, ..facts }
    }
}

fn names<'p>(paths: impl Iterator<Item = &'p RelativePath>) -> Vec<String> {
    paths.map(ToString::to_string).collect()
}
