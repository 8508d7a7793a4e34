//! An environment in the making: prepared beside its later place, given its name in one step, and taken away again if it is not finished.

use std::path::{Path, PathBuf};

use crate::environment::config::{Config, ConfigError, Key};
use crate::environment::environment::{Environment, EnvironmentError, FACTS, Facts};
use crate::environment::journal::{Born, Journal, SystemPath};
use crate::environment::lock::{Lock, LockError, Waiting};
use crate::environment::name::EnvironmentName;
use crate::environment::workspace::{STORE_FOLDER, Workspace, WorkspaceError, edit_config, io, write};
use crate::store::Store;
use crate::store::staging::Staging;

/// A name for a new environment, and what the settings of the workspace will say because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Birth {
    pub name: EnvironmentName,
    /// A models folder that the workspace does not list yet.
    pub new_model_folder: Option<PathBuf>,
    /// True when no other environment is active.
    pub becomes_active: bool,
}

impl Birth {
    /// # Errors
    /// The name is taken.
    pub fn new(workspace: &Workspace, name: EnvironmentName) -> Result<Self, WorkspaceError> {
        check_name_is_free(workspace, &name)?;
        let becomes_active =
            workspace.config().settings().active.is_none() && workspace.environment_names()?.is_empty();
        Ok(Birth { name, new_model_folder: None, becomes_active })
    }

    /// Prepares the environment's folder with its facts and an empty `.cec`.
    pub fn stage(&self, workspace: &Workspace, facts: &Facts) -> Result<Staged, WorkspaceError> {
        let environments = workspace.environments_dir();
        std::fs::create_dir_all(&environments).map_err(io(&environments))?;
        // In the store's staging area, which is swept when its owner is gone, and on the same file system.
        let folder = Staging::new(workspace.store().dir(), "environment")?;
        let path = folder.folder().join(FACTS);
        let text = facts.to_text().map_err(|reason| EnvironmentError::Facts { path: path.clone(), reason })?;
        write(&path, text.as_bytes())?;
        let cec = folder.folder().join(".cec");
        std::fs::create_dir(&cec).map_err(io(&cec))?;
        Ok(Staged { birth: self.clone(), folder })
    }

    /// What there is to take back of it.
    pub fn born(&self) -> Born {
        let model_folder = self.new_model_folder.as_deref().map(SystemPath::from);
        Born { active: self.becomes_active, model_folder }
    }

    /// Says in the settings that it is there.
    fn finish(&self, workspace: &mut Workspace, waiting: &Waiting<'_>) -> Result<Environment, WorkspaceError> {
        workspace.edit_config(waiting, |config| self.settings(config))?;
        workspace.environment(self.name.as_str())
    }

    /// The workspace's settings once it is there.
    fn settings(&self, config: &Config) -> Result<Config, ConfigError> {
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

/// An environment in the making, in a folder whose name no environment can have. Dropped before
/// [`Staged::publish`], it leaves nothing (invariant E3).
pub struct Staged {
    birth: Birth,
    folder: Staging,
}

impl Staged {
    /// The folder as it is so far.
    pub fn folder(&self) -> &Path {
        self.folder.folder()
    }

    /// The environment as it is so far; [`Staged::publish`] moves its folder.
    pub fn environment(&self) -> Result<Environment, WorkspaceError> {
        Ok(Environment::load(self.birth.name.clone(), self.folder.folder().to_owned())?)
    }

    /// Gives the folder its name, which makes it an environment, and updates the workspace's settings.
    pub fn publish(self, workspace: &mut Workspace, waiting: &Waiting<'_>) -> Result<Environment, WorkspaceError> {
        let birth = self.birth.clone();
        let list = list_lock(workspace.root(), waiting)?;
        self.give_name(workspace)?;
        drop(list);
        birth.finish(workspace, waiting)
    }

    /// The same for an environment that is still to be filled: until the transaction that fills it is recorded, it goes with what was
    /// put into it if the command dies (invariant E28). Answers with its lock, which nobody else has had.
    pub fn publish_unfilled(
        self,
        workspace: &mut Workspace,
        command: &str,
        waiting: &Waiting<'_>,
    ) -> Result<(Environment, Lock), WorkspaceError> {
        let birth = self.birth.clone();
        let mut journal = Journal::new(command);
        journal.born = Some(birth.born());
        let folder = self.folder.folder();
        let faults = workspace.store().faults();
        journal.write(folder, faults).map_err(|error| io(folder)(std::io::Error::other(error)))?;
        // Who ends what killed commands left takes this lock first.
        let list = list_lock(workspace.root(), waiting)?;
        let place = self.give_name(workspace)?;
        let lock = Environment::load(birth.name.clone(), place)?.lock(waiting)?;
        drop(list);
        Ok((birth.finish(workspace, waiting)?, lock))
    }

    /// The lock on the list of environments must be held.
    fn give_name(self, workspace: &Workspace) -> Result<PathBuf, WorkspaceError> {
        let place = workspace.environments_dir().join(self.birth.name.as_str());
        // Looked at again under the lock: another program may have been faster.
        check_name_is_free(workspace, &self.birth.name)?;
        std::fs::rename(self.folder.folder(), &place).map_err(io(&place))?;
        Ok(place)
    }
}

/// # Errors
/// An environment has that name, or one that some file system takes for it.
pub fn check_name_is_free(workspace: &Workspace, name: &EnvironmentName) -> Result<(), WorkspaceError> {
    match workspace.environment_names()?.into_iter().find(|known| known.collides_with(name)) {
        Some(by) => Err(WorkspaceError::NameTaken { name: name.clone(), by }),
        None => Ok(()),
    }
}

/// Whoever changes which environments there are holds this lock.
pub(in crate::environment) fn list_lock(root: &Path, waiting: &Waiting<'_>) -> Result<Lock, LockError> {
    Lock::acquire(&root.join(STORE_FOLDER).join("environments.lock"), "the list of environments", waiting)
}

/// Takes away an environment that was never finished. The list of environments and the environment must be locked; what is in the folder is
/// ours alone.
pub(in crate::environment) fn unmake(
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
