//! Taking an existing installation under Comfrey's care. Nothing in it is changed (invariant E4).

use std::path::{Path, PathBuf};

use crate::platform::paths::same_place;

use super::environment::Facts;
use super::layout::{self, Installation, Version};
use super::making::birth::{Birth, Staged};
use super::name::EnvironmentName;
use super::workspace::{Workspace, WorkspaceError};

/// What adopting would do: a value that can be shown before it is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// Its name, and its models folder where the workspace does not list it yet.
    pub birth: Birth,
    pub installation: Installation,
    pub version: Version,
    /// ComfyUI's own `extra_model_paths.yaml`, when it names further folders that Comfrey does not read.
    pub extra_model_paths: Option<PathBuf>,
}

/// Finds out what adopting the installation at `path` as `name` would do.
///
/// # Errors
/// No ComfyUI is there, it is adopted already, or the name is taken.
pub fn plan(workspace: &Workspace, name: EnvironmentName, path: &Path) -> Result<Adoption, WorkspaceError> {
    let installation = layout::recognise(path)?;
    for known in workspace.environment_names()? {
        let environment = workspace.environment(known.as_str())?;
        if same_place(&environment.comfyui(), &installation.base) {
            return Err(WorkspaceError::AlreadyAdopted { comfyui: installation.base, name: known });
        }
    }
    let mut birth = Birth::new(workspace, name)?;
    let models = installation.base.join("models");
    let listed = workspace.model_folders().iter().any(|folder| same_place(folder, &models));
    birth.new_model_folder = (models.is_dir() && !listed).then_some(models);
    let extra = installation.base.join("extra_model_paths.yaml");
    let extra_model_paths = extra.is_file().then_some(extra);
    Ok(Adoption { birth, version: Version::of(&installation.base), installation, extra_model_paths })
}

impl Adoption {
    /// Prepares the environment's folder beside its later place.
    pub fn stage(&self, workspace: &Workspace) -> Result<Staged, WorkspaceError> {
        self.birth.stage(workspace, &Facts::of(&self.installation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreOptions;

    #[test]
    fn an_environment_that_is_not_published_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("ComfyUI");
        std::fs::create_dir_all(base.join("custom_nodes")).unwrap();
        std::fs::write(base.join("main.py"), "").unwrap();
        let workspace = Workspace::create(&dir.path().join("w"), &[], &StoreOptions::default()).unwrap();
        let adoption = plan(&workspace, EnvironmentName::new("demo").unwrap(), &base).unwrap();
        let staged = adoption.stage(&workspace).unwrap();
        assert_eq!(staged.environment().unwrap().comfyui(), base);
        assert_eq!(workspace.environment_names().unwrap(), []);
        drop(staged);
        assert_eq!(std::fs::read_dir(workspace.environments_dir()).unwrap().count(), 0);
    }
}
