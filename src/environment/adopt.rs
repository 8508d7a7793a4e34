//! Taking an existing installation under Comfrey's care. Nothing in it is changed (invariant E4).

use std::path::{Path, PathBuf};

use crate::store::Store;
use crate::store::staging::Staging;

use super::config::{Config, Key};
use super::environment::{Environment, EnvironmentError, FACTS, Facts};
use super::journal::{Born, Journal, SystemPath};
use super::layout::{self, Installation, Version};
use super::lock::{Lock, LockError, Waiting};
use super::name::EnvironmentName;
use super::workspace::{STORE_FOLDER, Workspace, WorkspaceError, edit_config, io, same_place, write};

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
pub struct Staged<'a> {
    adoption: &'a Adoption,
    folder: Staging,
}

impl Adoption {
    /// Prepares the environment's folder beside its later place.
    pub fn stage(&self, workspace: &Workspace) -> Result<Staged<'_>, WorkspaceError> {
        let environments = workspace.environments_dir();
        std::fs::create_dir_all(&environments).map_err(io(&environments))?;
        // In the store's staging area, which is swept when its owner is gone, and on the same file system.
        let folder = Staging::new(workspace.store().dir(), "environment")?;
        let path = folder.folder().join(FACTS);
        let text = Facts::of(&self.installation)
            .to_text()
            .map_err(|reason| EnvironmentError::Facts { path: path.clone(), reason })?;
        write(&path, text.as_bytes())?;
        let cec = folder.folder().join(".cec");
        std::fs::create_dir(&cec).map_err(io(&cec))?;
        Ok(Staged { adoption: self, folder })
    }
}

impl Staged<'_> {
    /// The environment as it is so far; [`Staged::publish`] moves its folder.
    pub fn environment(&self) -> Result<Environment, WorkspaceError> {
        Ok(Environment::load(self.adoption.name.clone(), self.folder.folder().to_owned())?)
    }

    /// Gives the folder its name, which makes it an environment, and updates the workspace's settings.
    pub fn publish(self, workspace: &mut Workspace, waiting: &Waiting<'_>) -> Result<Environment, WorkspaceError> {
        let adoption = self.adoption;
        let list = list_lock(workspace.root(), waiting)?;
        self.give_name(workspace)?;
        drop(list);
        adoption.finish(workspace, waiting)
    }

    /// The same for an environment that is still to be filled: until the transaction that fills it is recorded, it goes with what was
    /// put into it if the command dies (invariant E28). Answers with its lock, which nobody else has had.
    pub fn publish_unfilled(
        self,
        workspace: &mut Workspace,
        command: &str,
        waiting: &Waiting<'_>,
    ) -> Result<(Environment, Lock), WorkspaceError> {
        let adoption = self.adoption;
        let mut journal = Journal::new(command);
        journal.born = Some(adoption.born());
        let folder = self.folder.folder();
        let faults = workspace.store().faults();
        journal.write(folder, faults).map_err(|error| io(folder)(std::io::Error::other(error)))?;
        // Who ends what killed commands left takes this lock first.
        let list = list_lock(workspace.root(), waiting)?;
        let place = self.give_name(workspace)?;
        let lock = Environment::load(adoption.name.clone(), place)?.lock(waiting)?;
        drop(list);
        Ok((adoption.finish(workspace, waiting)?, lock))
    }

    /// The lock on the list of environments must be held.
    fn give_name(self, workspace: &Workspace) -> Result<PathBuf, WorkspaceError> {
        let place = workspace.environments_dir().join(self.adoption.name.as_str());
        // Looked at again under the lock: another program may have been faster.
        check_name_is_free(workspace, &self.adoption.name)?;
        std::fs::rename(self.folder.folder(), &place).map_err(io(&place))?;
        Ok(place)
    }
}

/// Whoever changes which environments there are holds this lock.
pub(super) fn list_lock(root: &Path, waiting: &Waiting<'_>) -> Result<Lock, LockError> {
    Lock::acquire(&root.join(STORE_FOLDER).join("environments.lock"), "the list of environments", waiting)
}

/// Takes away an environment that was never finished. The list of environments and the environment must be locked; what is in the folder is
/// ours alone.
pub(super) fn unmake(
    root: &Path,
    folder: &Path,
    born: &Born,
    store: &Store,
    waiting: &Waiting<'_>,
) -> Result<(), WorkspaceError> {
    edit_config(root, waiting, |config| {
        let mut config = config.clone();
        let name = folder.file_name().and_then(|name| name.to_str());
        if born.active && config.settings().active.as_ref().map(EnvironmentName::as_str) == name {
            config = config.without(Key::Active)?;
        }
        if let Some(added) = born.model_folder.as_ref().and_then(|folder| folder.0.to_str()) {
            let folders: Vec<String> =
                config.get(Key::ModelFolders).into_iter().filter(|known| known != added).collect();
            config = config.with(Key::ModelFolders, &folders)?;
        }
        Ok(config)
    })?;
    let staging = Staging::new(store.dir(), "environment")?;
    let aside = staging.new_path();
    // From here on it is no environment; what is left of it is swept like everything in staging.
    std::fs::rename(folder, &aside).map_err(io(folder))
}

impl Adoption {
    /// Says in the settings that it is there.
    fn finish(&self, workspace: &mut Workspace, waiting: &Waiting<'_>) -> Result<Environment, WorkspaceError> {
        workspace.edit_config(waiting, |config| self.settings(config))?;
        workspace.environment(self.name.as_str())
    }

    /// What there is to take back of it.
    pub fn born(&self) -> Born {
        let model_folder = self.new_model_folder.as_deref().map(SystemPath::from);
        Born { active: self.becomes_active, model_folder }
    }

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
