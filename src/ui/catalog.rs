//! The catalog of a workspace, as commands use it.

use std::path::{Path, PathBuf};

use crate::catalog::learned;
use crate::catalog::{Catalog, Learned};
use crate::environment::workspace::STORE_FOLDER;
use crate::environment::{Environment, Workspace};

use super::{Failure, Session};

/// Its folder in the workspace's own.
const FOLDER: &str = "catalog";

/// Where a workspace keeps what it gathered.
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root().join(STORE_FOLDER).join(FOLDER)
}

/// Where an environment keeps what was learned of it.
pub fn learned_file(environment: &Path) -> PathBuf {
    environment.join(learned::FILE)
}

impl Session<'_> {
    /// What is known of node classes and packages. What of it cannot be read is a warning: the catalog is then what is built in.
    pub fn catalog(&mut self, workspace: &Workspace) -> Result<Catalog, Failure> {
        let opened = Catalog::open(&folder(workspace));
        if let Some(problem) = opened.problem {
            self.warn(format_args!("{problem}; `comfrey catalog update` makes it anew"))?;
        }
        Ok(opened.catalog)
    }

    /// The same, with what was learned of an environment by `catalog learn`.
    pub fn catalog_of(&mut self, workspace: &Workspace, environment: &Environment) -> Result<Catalog, Failure> {
        let mut catalog = self.catalog(workspace)?;
        match Learned::open(&learned_file(environment.folder())) {
            Ok(None) => {}
            Ok(Some(learned)) => catalog.learn(learned),
            Err(problem) => self.warn(format_args!("{problem}; `comfrey catalog learn` makes it anew"))?,
        }
        Ok(catalog)
    }
}
