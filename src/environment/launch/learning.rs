//! What a running ComfyUI tells of its node classes, kept once for each set of nodes.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::catalog::Learned;
use crate::catalog::container::ContainerError;
use crate::catalog::folders::key_of_directory;
use crate::catalog::learned::{self, NotObjectInfo};
use crate::models::{Inventory, ModelIndex, ModelRoot};
use crate::store::Store;

use super::super::environment::Environment;
use super::super::nodes::installed;

/// A ComfyUI with thousands of classes and files answers with tens of megabytes.
pub const LARGEST_ANSWER: u64 = 1 << 30;

/// Says of which set of nodes the classes are known.
const SET: &str = "learned.set";

/// Why nothing was learned.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    #[error(transparent)]
    NotObjectInfo(#[from] NotObjectInfo),
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Models(#[from] crate::models::Error),
}

/// All that a running ComfyUI is asked with.
pub struct Learning {
    folder: PathBuf,
    store: Store,
    models: Vec<ModelRoot>,
    set: String,
}

impl Learning {
    pub fn of(environment: &Environment, store: &Store, models: &[ModelRoot]) -> Result<Self, LearnError> {
        let inventory = ModelIndex::new(store).inventory(models)?;
        let set = set(environment, &files(&inventory));
        Ok(Learning { folder: environment.folder().to_owned(), store: store.clone(), models: models.to_vec(), set })
    }

    /// True when the classes of this very set of nodes are known.
    pub fn is_known(&self) -> bool {
        let known = std::fs::read_to_string(self.folder.join(SET));
        self.folder.join(learned::FILE).is_file() && known.is_ok_and(|known| known == self.set)
    }

    /// Keeps an answer to `/object_info`.
    pub fn learn(&self, answer: &[u8]) -> Result<Learned, LearnError> {
        let inventory = ModelIndex::new(&self.store).inventory(&self.models)?;
        let learned = Learned::of_object_info(answer, &files(&inventory))?;
        learned.write(&self.folder.join(learned::FILE))?;
        let path = self.folder.join(SET);
        std::fs::write(&path, &self.set).map_err(|source| ContainerError::Io { path, source })?;
        Ok(learned)
    }
}

/// Model files as ComfyUI lists them, by the key of their folder.
fn files(inventory: &Inventory) -> HashMap<String, HashSet<String>> {
    let mut files: HashMap<String, HashSet<String>> = HashMap::new();
    for file in inventory.files().iter().filter(|file| file.is_present()) {
        if let Some((directory, name)) = file.place().split_once('/') {
            files.entry(key_of_directory(directory).to_owned()).or_default().insert(name.to_owned());
        }
    }
    files
}

/// What decides which classes there are, and which of their lists are known for lists of models: ComfyUI's version, the
/// packages with their versions, and which kinds of models there are.
fn set(environment: &Environment, files: &HashMap<String, HashSet<String>>) -> String {
    let mut hash = blake3::Hasher::new();
    let mut add = |text: &str| {
        hash.update(text.as_bytes());
        hash.update(&[0]);
    };
    add(&environment.version().summary().unwrap_or_default());
    let nodes = environment.custom_nodes_dir();
    for package in installed(&nodes, &HashSet::new()).packages.iter().filter(|package| !package.disabled) {
        let path = nodes.join(&package.folder);
        add(&package.folder);
        add(package.version.as_deref().unwrap_or_default());
        add(super::super::git::facts(&path).and_then(|git| git.commit).as_deref().unwrap_or_default());
        // One that someone works on changes without a version.
        for file in [path.join("__init__.py"), path.join("nodes.py"), path.with_extension("py")] {
            add(&stamp(&file));
        }
    }
    let mut folders: Vec<&str> = files.keys().map(String::as_str).collect();
    folders.sort_unstable();
    folders.into_iter().for_each(&mut add);
    hash.finalize().to_hex().to_string()
}

fn stamp(path: &Path) -> String {
    let metadata = std::fs::metadata(path).ok();
    let modified = metadata.and_then(|metadata| metadata.modified().ok());
    modified.map(|time| format!("{time:?}")).unwrap_or_default()
}
