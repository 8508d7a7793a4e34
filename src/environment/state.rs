//! The working state as a value: what a snapshot taken now would hold, read from ComfyUI's folder.
//!
//! ComfyUI's folder is the truth; `.cec` gives the manifest and uv's lock alone. What cannot be read is named and left out, the
//! rest goes on.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::catalog::Catalog;
use crate::models::roots::ModelRoot;
use crate::object::{Entry, EntryKind, EntryName, NameError, ObjectId, RelativePath, Tree};
use crate::observer::Observer;
use crate::platform::durable;
use crate::platform::folder::HAS_EXECUTABLE_FILES;
use crate::store::{LinkPolicy, Store, Writer};
use crate::worktree::problem::and_more;
use crate::worktree::{self, IgnoreRules, KeepTree, Mode, Problem, Reason, Trees, tree_at, walk_tree};

use super::environment::{Environment, EnvironmentError};
use super::fresh_trees::FreshTrees;
use super::head::Head;
use super::layout::Kind;
use super::program;
use super::restore_point::Links;
use super::snapshot_tree::{COMFYUI, MANIFEST, NODES, Places, USERS, UV_LOCK, WORKFLOWS, workflow_key};

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Worktree(#[from] worktree::Error),
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// A name that cannot stand in a snapshot.
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("{}: ComfyUI's folder is not there", .0.display())]
    NoComfyUi(PathBuf),
    /// What cannot be read cannot be put into the restore point, and so cannot be replaced either.
    #[error("{}{} could be lost: {reason}", path.display(), and_more(*more))]
    NotAllRead { path: PathBuf, reason: String, more: usize },
    #[error("interrupted")]
    Interrupted,
}

/// An environment with what it shares with others: the store, the models.
#[derive(Clone)]
pub struct Surroundings<'a> {
    pub environment: &'a Environment,
    pub store: &'a Store,
    /// Where its ComfyUI finds models.
    pub models: Vec<ModelRoot>,
    /// How models come into the store and out of it.
    pub policy: LinkPolicy,
    pub observer: &'a dyn Observer,
    /// What is known of node classes and packages.
    pub catalog: Catalog,
}

impl Surroundings<'_> {
    /// Where the parts of a snapshot lie.
    pub fn places(&self) -> Places {
        let own = self.environment.models_dir();
        let shared = self.models.iter().map(|root| root.directory.clone()).filter(|root| *root != own);
        Places {
            cec: self.environment.cec(),
            user: self.environment.user_dir(),
            custom_nodes: self.environment.custom_nodes_dir(),
            models: std::iter::once(own.clone()).chain(shared).collect(),
            program: (self.environment.facts().kind == Kind::Created).then(|| self.environment.comfyui()),
        }
    }
}

/// What becomes of the bytes that are read.
#[derive(Clone, Copy)]
pub enum Keep<'a> {
    /// Files and trees go into the store, to be published by the caller.
    Stored(&'a Writer),
    /// Only ids are found out; trees stay in memory.
    IdsOnly,
}

/// The working state.
pub struct State<'a> {
    /// `pyproject.toml`, `uv.lock`, `workflows`, `users`, `nodes`, `comfyui`, as far as there are any; models are found by
    /// resolving what workflows refer to.
    pub entries: BTreeMap<&'static str, Entry>,
    /// Gives every tree of this state, and those of the store.
    pub trees: FreshTrees<'a>,
    /// Every workflow by its key.
    pub workflows: BTreeMap<String, FoundWorkflow>,
    /// Nodes (`nodes/NAME`) that are links to folders elsewhere, and where those are, as the links say it.
    pub linked: Links,
    pub problems: Vec<Problem>,
    /// Bytes in all files.
    pub size: u64,
    /// How many files there are.
    pub files: u64,
}

impl State<'_> {
    /// Whether all that a snapshot holds was read, so that it can be replaced.
    ///
    /// # Errors
    /// [`StateError::NotAllRead`], or what the system said of a file that another program has open.
    pub fn all_read(&self) -> Result<(), StateError> {
        let mut left_out = self.problems.iter().filter(|problem| problem.reason.left_out());
        match left_out.next() {
            None => Ok(()),
            Some(Problem { path, reason: Reason::Unreadable(error) }) if durable::is_in_use(error) => {
                let source = error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
                Err(StateError::Io { path: path.clone(), source })
            }
            Some(first) => Err(StateError::NotAllRead {
                path: first.path.clone(),
                reason: first.reason.to_string(),
                more: left_out.count(),
            }),
        }
    }
}

/// A file with a workflow's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundWorkflow {
    /// In the snapshot.
    pub path: RelativePath,
    pub id: ObjectId,
    /// On this machine.
    pub file: PathBuf,
}

/// Reads the working state.
///
/// # Errors
/// ComfyUI's folder is gone; the store; a wish to stop. Files that cannot be read are [`State::problems`].
pub fn read<'a>(around: &Surroundings<'a>, keep: Keep<'_>) -> Result<State<'a>, StateError> {
    let comfyui = around.environment.comfyui();
    if !comfyui.is_dir() {
        return Err(StateError::NoComfyUi(comfyui));
    }
    let mut state = State {
        entries: BTreeMap::new(),
        trees: FreshTrees::new(around.store),
        workflows: BTreeMap::new(),
        linked: Links::new(),
        problems: Vec::new(),
        size: 0,
        files: 0,
    };
    let places = around.places();
    let before = match HAS_EXECUTABLE_FILES {
        true => None,
        // A version that cannot be read says nothing; who needs it says why.
        false => Head::of(around.store, around.environment.name().as_str()).ok().and_then(|head| head.tree()),
    };
    let mut reader = Reader { around, keep, before, state: &mut state };
    for name in [MANIFEST, UV_LOCK] {
        reader.file(name, &places.cec.join(name))?;
    }
    reader.workflows()?;
    reader.nodes(&places.custom_nodes)?;
    if let Some(folder) = &places.program
        && let Some((id, size)) = reader.folder(&RelativePath::new(COMFYUI)?, folder, &program::program())?
    {
        reader.insert(COMFYUI, EntryKind::Tree, id, size)?;
    }
    Ok(state)
}

impl State<'_> {
    /// The id of the root tree with these `models`.
    pub fn root(&self, models: Option<&Entry>) -> Result<Tree, StateError> {
        let entries = self.entries.values().chain(models).cloned().collect();
        Tree::new(entries)
            .map_err(|source| worktree::Error::Tree { path: RelativePath::root(), source })
            .map_err(StateError::from)
    }
}

struct Reader<'s, 'r, 'a> {
    around: &'r Surroundings<'a>,
    keep: Keep<'r>,
    /// The tree of the last version, which tells what is executable where the system does not.
    before: Option<ObjectId>,
    state: &'s mut State<'a>,
}

impl Reader<'_, '_, '_> {
    /// A file of `.cec`, if it is there.
    fn file(&mut self, name: &'static str, path: &Path) -> Result<(), StateError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(StateError::Io { path: path.to_owned(), source }),
        };
        let id = match self.keep {
            Keep::Stored(writer) => writer.put(crate::object::Kind::Blob, &bytes)?,
            Keep::IdsOnly => ObjectId::of_blob(&bytes),
        };
        self.insert(name, EntryKind::File, id, bytes.len() as u64)
    }

    fn insert(&mut self, name: &'static str, kind: EntryKind, id: ObjectId, size: u64) -> Result<(), StateError> {
        self.state.entries.insert(name, Entry { name: EntryName::new(name)?, kind, id, size });
        Ok(())
    }

    /// The tree of a folder that stands at `at` in a snapshot; nothing for an absent or empty one, so that a folder that ComfyUI makes on its own is no change.
    fn folder(
        &mut self,
        at: &RelativePath,
        folder: &Path,
        options: &worktree::WriteOptions,
    ) -> Result<Option<(ObjectId, u64)>, StateError> {
        if !folder.is_dir() {
            return Ok(None);
        }
        let was = self.before.and_then(|before| tree_at(self.around.store, &before, at).ok().flatten());
        let executable_as_in = was.filter(|entry| entry.kind == EntryKind::Tree).map(|entry| entry.id);
        let options = &worktree::WriteOptions { executable_as_in, ..options.clone() };
        let Surroundings { store, observer, .. } = *self.around;
        let written = match self.keep {
            Keep::Stored(writer) => {
                let written = worktree::write_tree(store, Mode::Store(writer), folder, options, observer)?;
                // What follows reads these trees again.
                writer.publish()?;
                written
            }
            Keep::IdsOnly => {
                let written = worktree::write_tree(store, Mode::HashOnly, folder, options, observer)?;
                if store.contains(&[written.id])?.contains(&true) {
                    written
                } else {
                    // Something is new: once more, keeping the trees that tell what.
                    worktree::write_tree(store, Mode::Trees(&self.state.trees), folder, options, observer)?
                }
            }
        };
        self.state.problems.extend(written.problems);
        self.state.files += written.counts.files;
        self.state.size += written.size;
        let empty = written.id == crate::object::Encoded::id(&Tree::default());
        Ok((!empty).then_some((written.id, written.size)))
    }

    fn tree(&mut self, tree: &Tree) -> Result<ObjectId, StateError> {
        Ok(match self.keep {
            Keep::Stored(writer) => {
                let id = writer.put_value(tree)?;
                writer.publish()?;
                id
            }
            Keep::IdsOnly => self.state.trees.keep(tree)?,
        })
    }

    fn workflows(&mut self) -> Result<(), StateError> {
        let options = worktree::WriteOptions::default();
        let mut users = Vec::new();
        for found in self.around.environment.workflows_dirs()? {
            let at = RelativePath::new(found.snapshot_path())?;
            let Some((id, size)) = self.folder(&at, &found.folder, &options)? else { continue };
            self.list_workflows(&at, &found.folder, &id)?;
            if at.as_str() == WORKFLOWS {
                self.insert(WORKFLOWS, EntryKind::Tree, id, size)?;
            } else {
                let entry = Entry { name: EntryName::new(WORKFLOWS)?, kind: EntryKind::Tree, id, size };
                let below = RelativePath::new(format!("{}/{WORKFLOWS}", found.user))?;
                users.push((below, entry));
            }
        }
        if !users.is_empty() {
            let (id, size) = match self.keep {
                Keep::Stored(writer) => worktree::build::build_tree(writer, users)?,
                Keep::IdsOnly => worktree::build::build_tree(&self.state.trees, users)?,
            };
            self.insert(USERS, EntryKind::Tree, id, size)?;
        }
        Ok(())
    }

    fn list_workflows(&mut self, at: &RelativePath, folder: &Path, tree: &ObjectId) -> Result<(), StateError> {
        for found in walk_tree(&self.state.trees, tree) {
            let (below, entry) = found?;
            let path = at.join_path(&below);
            let is_file = matches!(entry.kind, EntryKind::File | EntryKind::Executable);
            if let Some(key) = workflow_key(&path).filter(|_| is_file) {
                let found = FoundWorkflow { path, id: entry.id, file: below.below(folder) };
                self.state.workflows.insert(key, found);
            }
        }
        Ok(())
    }

    fn nodes(&mut self, custom_nodes: &Path) -> Result<(), StateError> {
        // The last line that fits decides: our own file has the last word.
        let rules = worktree::ignore::RULE_FILES.iter().rev().fold(IgnoreRules::default(), |rules, name| {
            let text = std::fs::read_to_string(self.around.environment.cec().join(name));
            rules.with_lines(&text.unwrap_or_default())
        });
        let options = worktree::WriteOptions {
            ignore: rules,
            weights: worktree::Weights::IN_NODES,
            models: self.around.policy,
            ..Default::default()
        };
        let Some((id, size)) = self.folder(&RelativePath::new(NODES)?, custom_nodes, &options)? else { return Ok(()) };
        let (id, size) = self.follow_links(custom_nodes, id, size, &options)?;
        self.insert(NODES, EntryKind::Tree, id, size)
    }

    /// A node that is a link to a folder is that folder's files: what a developer works on belongs into a snapshot.
    fn follow_links(
        &mut self,
        custom_nodes: &Path,
        id: ObjectId,
        size: u64,
        options: &worktree::WriteOptions,
    ) -> Result<(ObjectId, u64), StateError> {
        let nodes = self.state.trees.tree(&id)?;
        let is_folder = |entry: &&Entry| entry.kind == EntryKind::Symlink && custom_nodes.join(&entry.name).is_dir();
        let links: Vec<EntryName> = nodes.entries().iter().filter(is_folder).map(|entry| entry.name.clone()).collect();
        if links.is_empty() {
            return Ok((id, size));
        }
        let mut entries = nodes.into_entries();
        for name in links {
            let target = std::fs::read_link(custom_nodes.join(&name)).unwrap_or_default();
            let at = RelativePath::new(format!("{NODES}/{name}"))?;
            let tree = self.folder(&at, &custom_nodes.join(&name), options)?;
            self.state.linked.insert(at, target.to_string_lossy().into_owned());
            entries.retain(|entry| entry.name != name);
            entries.extend(tree.map(|(id, size)| Entry { name, kind: EntryKind::Tree, id, size }));
        }
        let tree = Tree::new(entries).map_err(|source| worktree::Error::Tree { path: RelativePath::root(), source })?;
        Ok((self.tree(&tree)?, tree.size()))
    }
}
