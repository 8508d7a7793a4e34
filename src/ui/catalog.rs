//! The catalog of a workspace, as commands use it.

use std::path::PathBuf;

use crate::catalog::Catalog;
use crate::environment::Workspace;
use crate::environment::workspace::STORE_FOLDER;

use super::{Failure, Session};

/// Its folder in the workspace's own.
const FOLDER: &str = "catalog";

/// Where a workspace keeps what it gathered.
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root().join(STORE_FOLDER).join(FOLDER)
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
}
