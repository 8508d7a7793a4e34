//! Taking an existing installation under Comfrey's care. Nothing in it is changed (invariant E4).

use std::path::{Path, PathBuf};

use super::config::{Config, Key};
use super::environment::{Environment, EnvironmentError, FACTS, Facts};
use super::layout::{self, Installation, Version};
use super::lock::{Lock, Waiting};
use super::name::EnvironmentName;
use super::workspace::{STORE_FOLDER, Workspace, WorkspaceError, io, same_place, write};

/// What adopting would do: a value that can be shown before it is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    pub name: EnvironmentName,
    pub installation: Installation,
    pub version: Version,
    /// Its models folder, when the workspace does not list it yet.
    pub new_model_folder: Option<PathBuf>,
    /// True when no other environment is active.
    pub becomes_active: bool,
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
    check_name_is_free(workspace, &name)?;
    let models = installation.base.join("models");
    let listed = workspace.model_folders().iter().any(|folder| same_place(folder, &models));
    let extra = installation.base.join("extra_model_paths.yaml");
    Ok(Adoption {
        version: Version::of(&installation.base),
        new_model_folder: (models.is_dir() && !listed).then_some(models),
        becomes_active: workspace.config().settings().active.is_none() && workspace.environment_names()?.is_empty(),
        extra_model_paths: extra.is_file().then_some(extra),
        installation,
        name,
    })
}

fn check_name_is_free(workspace: &Workspace, name: &EnvironmentName) -> Result<(), WorkspaceError> {
    match workspace.environment_names()?.into_iter().find(|known| known.collides_with(name)) {
        Some(by) => Err(WorkspaceError::NameTaken { name: name.clone(), by }),
        None => Ok(()),
    }
}

/// An environment in the making, in a folder whose name no environment can have. Dropped before
/// [`Staged::publish`], it leaves nothing (invariant E3).
#[derive(Debug)]
pub struct Staged<'a> {
    adoption: &'a Adoption,
    folder: tempfile::TempDir,
}

impl Adoption {
    /// Prepares the environment's folder beside its later place.
    pub fn stage(&self, workspace: &Workspace) -> Result<Staged<'_>, WorkspaceError> {
        let environments = workspace.environments_dir();
        std::fs::create_dir_all(&environments).map_err(io(&environments))?;
        let prefix = format!(".new-{}-", self.name);
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in(&environments).map_err(io(&environments))?;
        let path = folder.path().join(FACTS);
        let text = Facts::of(&self.installation)
            .to_text()
            .map_err(|reason| EnvironmentError::Facts { path: path.clone(), reason })?;
        write(&path, text.as_bytes())?;
        let cec = folder.path().join(".cec");
        std::fs::create_dir(&cec).map_err(io(&cec))?;
        Ok(Staged { adoption: self, folder })
    }
}

impl Staged<'_> {
    /// The environment as it is so far; [`Staged::publish`] moves its folder.
    pub fn environment(&self) -> Result<Environment, WorkspaceError> {
        Ok(Environment::load(self.adoption.name.clone(), self.folder.path().to_owned())?)
    }

    /// Gives the folder its name, which makes it an environment, and updates the workspace's settings.
    pub fn publish(self, workspace: &mut Workspace, waiting: &Waiting<'_>) -> Result<Environment, WorkspaceError> {
        let Staged { adoption, folder } = self;
        let place = workspace.environments_dir().join(adoption.name.as_str());
        {
            let lock = workspace.root().join(STORE_FOLDER).join("environments.lock");
            let _lock = Lock::acquire(&lock, "the list of environments", waiting)?;
            // Looked at again under the lock: another program may have been faster.
            check_name_is_free(workspace, &adoption.name)?;
            set_permissions(folder.path()).map_err(io(folder.path()))?;
            std::fs::rename(folder.path(), &place).map_err(io(&place))?;
            // What it named is in its place now and is not to be swept.
            drop(folder.keep());
        }
        workspace.edit_config(waiting, |config| adoption.settings(config))?;
        workspace.environment(adoption.name.as_str())
    }
}

impl Adoption {
    /// The workspace's settings once it is carried out.
    fn settings(&self, config: &Config) -> Result<Config, super::config::ConfigError> {
        let mut config = config.clone();
        if let Some(folder) = self.new_model_folder.as_deref().and_then(Path::to_str) {
            let mut folders = config.get(Key::ModelFolders);
            if !folders.iter().any(|known| known == folder) {
                folders.push(folder.to_owned());
                config = config.with(Key::ModelFolders, &folders)?;
            }
        }
        if self.becomes_active && config.settings().active.is_none() {
            config = config.with(Key::Active, &[self.name.to_string()])?;
        }
        Ok(config)
    }
}

/// Temporary folders are for their owner alone; an environment is like any other folder.
fn set_permissions(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    }
    #[cfg(windows)]
    let _ = folder;
    Ok(())
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
