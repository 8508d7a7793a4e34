//! The catalog of a workspace, as commands use it.

use std::path::{Path, PathBuf};

use crate::catalog::learned;
use crate::catalog::{Catalog, Learned};
use crate::environment::config::Config;
use crate::environment::workspace::{STORE_FOLDER, names_in};
use crate::environment::{Environment, EnvironmentName, Search, Workspace, WorkspaceError};

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
        self.catalog_in(&folder(workspace))
    }

    fn catalog_in(&mut self, folder: &Path) -> Result<Catalog, Failure> {
        let opened = Catalog::open(folder);
        if let Some(problem) = opened.problem {
            self.warn(format_args!("{problem}; `comfrey catalog update` makes it anew"))?;
        }
        Ok(opened.catalog)
    }

    /// The same, with what was learned of an environment by `catalog learn`.
    pub fn catalog_of(&mut self, workspace: &Workspace, environment: &Environment) -> Result<Catalog, Failure> {
        let mut catalog = self.catalog(workspace)?;
        self.learn(&mut catalog, environment.folder())?;
        Ok(catalog)
    }

    /// The same for programs that need no workspace: with what the workspace at hand gathered and what was learned of its environment, if
    /// there is one. No store is opened.
    pub fn catalog_at_hand(&mut self) -> Result<Catalog, Failure> {
        let root = match Search::from_here(self.globals.workspace.as_deref()).find() {
            Ok(root) => root,
            Err(WorkspaceError::NoWorkspace { .. }) => return Ok(Catalog::built_in()),
            Err(error) => return Err(error.into()),
        };
        let mut catalog = self.catalog_in(&root.join(STORE_FOLDER).join(FOLDER))?;
        let active = || {
            let set = Config::read(&root.join("comfrey.toml")).ok()?.settings().active.clone();
            set.or_else(|| names_in(&root).ok().filter(|names| names.len() == 1)?.pop())
        };
        let name = self.environment_named().or_else(|| active().map(|name| name.to_string()));
        if let Some(name) = name.and_then(|name| EnvironmentName::new(name).ok()) {
            self.learn(&mut catalog, &root.join("environments").join(name.as_str()))?;
        }
        Ok(catalog)
    }

    fn learn(&mut self, catalog: &mut Catalog, environment: &Path) -> Result<(), Failure> {
        match Learned::open(&learned_file(environment)) {
            Ok(None) => Ok(()),
            Ok(Some(learned)) => {
                catalog.learn(learned);
                Ok(())
            }
            Err(problem) => self.warn(format_args!("{problem}; `comfrey catalog learn` makes it anew")),
        }
    }
}
