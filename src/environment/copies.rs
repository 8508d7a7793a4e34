//! Files outside the store that may hold an object's bytes: models that the index knows, and the working files of all environments.
//!
//! What is told here is a guess that the one who asks verifies: a file may have changed since it was indexed.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::WalkDir;

use crate::digest::{self, Threads, Wanted};
use crate::models::{self, Inventory, ModelIndex};
use crate::object::ObjectId;
use crate::observer::{Observer, Unit};

use super::workspace::Workspace;

/// Where the bytes of objects may be had, found out as far as it is asked.
pub struct Copies<'w> {
    workspace: &'w Workspace,
    observer: &'w dyn Observer,
    models: Inventory,
    working: OnceCell<HashMap<ObjectId, PathBuf>>,
}

impl<'w> Copies<'w> {
    /// Errors: the model index cannot be read.
    pub fn new(workspace: &'w Workspace, observer: &'w dyn Observer) -> Result<Self, models::Error> {
        let models = ModelIndex::new(workspace.store()).whole_inventory()?;
        Ok(Copies { workspace, observer, models, working: OnceCell::new() })
    }

    /// Files that may have these bytes, the likeliest first. Without a size only those of known id are told.
    pub fn of(&self, id: &ObjectId, size: Option<u64>) -> Vec<PathBuf> {
        let known = self.models.with_id(id).into_iter();
        let perhaps = size.map(|size| self.models.perhaps(size, None)).unwrap_or_default();
        let mut files: Vec<PathBuf> = known.chain(perhaps).map(|file| file.file()).collect();
        if files.is_empty() {
            files.extend(self.working.get_or_init(|| self.read_working()).get(id).cloned());
        }
        files
    }

    /// Hashes all workflows, nodes and copies of workflows.
    fn read_working(&self) -> HashMap<ObjectId, PathBuf> {
        let mut folders = Vec::new();
        for name in self.workspace.environment_names().unwrap_or_default() {
            if let Ok(environment) = self.workspace.environment(name.as_str()) {
                folders.push(environment.cec());
                folders.push(environment.custom_nodes_dir());
                folders.push(environment.comfyui().join("user"));
            }
        }
        let walk = |folder: PathBuf| WalkDir::new(folder).into_iter().flatten();
        let files: Vec<PathBuf> = folders
            .into_iter()
            .flat_map(walk)
            .filter(|entry| entry.file_type().is_file())
            .map(walkdir::DirEntry::into_path)
            .collect();
        self.observer.started("looking through working files", Unit::Items, Some(files.len() as u64));
        let one = Threads::Exactly(std::num::NonZeroUsize::MIN);
        let id_of = |path: &Path| {
            let digests = digest::file(path, Wanted::ID, one, &crate::observer::Silent).ok();
            self.observer.advanced(1);
            digests?.id
        };
        // What cannot be read is no help, and no fault of the store.
        let found = files.into_par_iter().filter_map(|path| Some((id_of(&path)?, path))).collect();
        self.observer.finished();
        found
    }
}
