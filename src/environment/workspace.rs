//! The workspace: a folder that holds `.comfrey/` (the store) and environments that share it.

use std::io;
use std::path::{Path, PathBuf};

use crate::platform::durable;
use crate::platform::paths::plain_path;
use crate::store::{self, Store, StoreOptions};

use super::config::{Config, ConfigError, Key};
use super::environment::{Environment, EnvironmentError, FACTS};
use super::layout::NotComfyUi;
use super::lock::{Lock, LockError, Waiting};
use super::name::{EnvironmentName, NameError};

/// The folder that makes its parent a workspace.
pub const STORE_FOLDER: &str = ".comfrey";

#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// A folder was named and is no workspace. `by` says how it was named.
    #[error("{}: that is no Comfrey workspace ({by})", path.display())]
    NotAWorkspace { path: PathBuf, by: &'static str },
    #[error("no workspace was found: there is no {STORE_FOLDER}/ in {} or a folder above it{}", start.display(), also(home))]
    NoWorkspace { start: PathBuf, home: Option<PathBuf> },
    #[error("{}: this is a workspace already", .0.display())]
    AlreadyThere(PathBuf),
    #[error("there is no environment `{name}`")]
    NoSuchEnvironment { name: String, known: Vec<EnvironmentName> },
    #[error("{}", no_active(known))]
    NoActiveEnvironment { known: Vec<EnvironmentName> },
    #[error("the name `{name}` is taken by the environment `{by}`")]
    NameTaken { name: EnvironmentName, by: EnvironmentName },
    #[error("{} is adopted already, as `{name}`", comfyui.display())]
    AlreadyAdopted { comfyui: PathBuf, name: EnvironmentName },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    NotComfyUi(#[from] NotComfyUi),
    #[error(transparent)]
    Store(#[from] store::Error),
}

fn also(home: &Option<PathBuf>) -> String {
    home.as_ref().map(|home| format!(", nor in {}", home.display())).unwrap_or_default()
}

fn no_active(known: &[EnvironmentName]) -> &'static str {
    if known.is_empty() { "this workspace has no environment yet" } else { "no environment is active" }
}

/// Where a workspace is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// `--workspace`.
    pub explicit: Option<PathBuf>,
    /// `COMFREY_HOME`.
    pub variable: Option<PathBuf>,
    /// The folder from which the way up begins.
    pub start: PathBuf,
    /// The user's home; its `comfrey` is the last place.
    pub home: Option<PathBuf>,
}

impl Search {
    /// The search of a program run here and now.
    pub fn from_here(explicit: Option<&Path>) -> Self {
        Search {
            explicit: explicit.map(Path::to_owned),
            variable: std::env::var_os("COMFREY_HOME").filter(|value| !value.is_empty()).map(PathBuf::from),
            start: std::env::current_dir().unwrap_or_default(),
            home: std::env::home_dir(),
        }
    }

    /// The root of the workspace to work in (invariant E1): `--workspace`, else `COMFREY_HOME`, else the nearest folder
    /// above with `.comfrey/`, else `~/comfrey`.
    pub fn find(&self) -> Result<PathBuf, WorkspaceError> {
        let named = [(&self.explicit, "named by --workspace"), (&self.variable, "named by COMFREY_HOME")];
        for (path, by) in named {
            if let Some(path) = path {
                let path = plain_path(&self.start.join(path));
                return if is_workspace(&path) { Ok(path) } else { Err(WorkspaceError::NotAWorkspace { path, by }) };
            }
        }
        if let Some(above) = self.start.ancestors().find(|folder| is_workspace(folder)) {
            return Ok(above.to_owned());
        }
        let home = self.home.as_ref().map(|home| home.join("comfrey"));
        match home {
            Some(home) if is_workspace(&home) => Ok(home),
            home => Err(WorkspaceError::NoWorkspace { start: self.start.clone(), home }),
        }
    }

    /// Where a new workspace is made when no folder is named: where [`Search::find`] would look for it.
    pub fn target(&self) -> PathBuf {
        let named = self.explicit.as_ref().or(self.variable.as_ref()).map(|path| plain_path(&self.start.join(path)));
        named
            .or_else(|| self.home.as_ref().map(|home| home.join("comfrey")))
            .unwrap_or_else(|| self.start.join("comfrey"))
    }
}

/// True when `folder` holds a store.
pub fn is_workspace(folder: &Path) -> bool {
    folder.join(STORE_FOLDER).is_dir()
}

/// True when making a workspace in `folder` was cut short: the store's folder is there, but not the file that comes last,
/// and no object. Making it again takes up what is there.
pub fn is_half_made(folder: &Path) -> bool {
    let store = folder.join(STORE_FOLDER);
    let holds_nothing = |name: &str| store.join(name).read_dir().map_or(true, |mut entries| entries.next().is_none());
    store.is_dir() && !store.join("format").exists() && holds_nothing("segments") && holds_nothing("large")
}

/// An open workspace.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    store: Store,
    config: Config,
}

impl Workspace {
    /// Finds and opens the workspace to work in.
    pub fn find(search: &Search, options: &StoreOptions) -> Result<Self, WorkspaceError> {
        Self::open(&search.find()?, options)
    }

    /// Opens the workspace at `root`.
    pub fn open(root: &Path, options: &StoreOptions) -> Result<Self, WorkspaceError> {
        let config = Config::read(&root.join("comfrey.toml"))?;
        let store = Store::open(&root.join(STORE_FOLDER), options)?;
        Ok(Workspace { root: root.to_owned(), store, config })
    }

    /// Makes a workspace at `root`, a folder that may exist, and opens it. The store comes last: it is what makes
    /// the folder a workspace, so a run that was cut short can simply be repeated.
    pub fn create(
        root: &Path,
        settings: &[(Key, Vec<String>)],
        options: &StoreOptions,
    ) -> Result<Self, WorkspaceError> {
        if is_workspace(root) && !is_half_made(root) {
            return Err(WorkspaceError::AlreadyThere(root.to_owned()));
        }
        let environments = root.join("environments");
        std::fs::create_dir_all(&environments).map_err(io(&environments))?;
        let path = root.join("comfrey.toml");
        let mut config = Config::read(&path)?;
        if !path.exists() {
            config = Config::parse(&path, FRESH)?;
        }
        for (key, values) in settings {
            config = config.with(*key, values)?;
        }
        write(&path, config.text().as_bytes())?;
        Store::create(&root.join(STORE_FOLDER))?;
        Self::open(root, options)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The store alone, for work that needs no environment.
    pub fn into_store(self) -> Store {
        self.store
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Changes the settings: takes the workspace's lock, reads the file again, writes what `edit` makes of it in one
    /// step. Two programs that change different settings at once both succeed.
    pub fn edit_config(
        &mut self,
        waiting: &Waiting<'_>,
        edit: impl FnOnce(&Config) -> Result<Config, ConfigError>,
    ) -> Result<(), WorkspaceError> {
        self.config = edit_config(&self.root, waiting, edit)?;
        Ok(())
    }

    /// The folders that hold models, in the order of the settings; `~` and paths relative to the workspace resolved.
    pub fn model_folders(&self) -> Vec<PathBuf> {
        self.config.settings().model_folders.iter().map(|text| self.resolve(text)).collect()
    }

    /// A path as written in the settings: `~` is the user's home, relative ones begin at the workspace.
    pub fn resolve(&self, text: &str) -> PathBuf {
        let home = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with(['/', '\\']));
        match (home, std::env::home_dir()) {
            (Some(rest), Some(home)) => home.join(rest.trim_start_matches(['/', '\\'])),
            _ => self.root.join(text),
        }
    }

    /// `ROOT/environments`.
    pub fn environments_dir(&self) -> PathBuf {
        self.root.join("environments")
    }

    /// The names of the environments, sorted. What is half-made has a name that no environment can have.
    pub fn environment_names(&self) -> Result<Vec<EnvironmentName>, WorkspaceError> {
        names_in(&self.root)
    }

    /// The environment of that name.
    pub fn environment(&self, name: &str) -> Result<Environment, WorkspaceError> {
        let known = self.environment_names()?;
        match known.iter().find(|known| known.as_str() == name) {
            Some(found) => Ok(Environment::load(found.clone(), self.environments_dir().join(name))?),
            None => Err(WorkspaceError::NoSuchEnvironment { name: name.to_owned(), known }),
        }
    }

    /// The name of the environment that commands work on when none is named: the active one, else the only one.
    pub fn active_name(&self) -> Result<Option<EnvironmentName>, WorkspaceError> {
        if let Some(active) = &self.config.settings().active {
            return Ok(Some(active.clone()));
        }
        let mut known = self.environment_names()?;
        Ok(if known.len() == 1 { known.pop() } else { None })
    }

    /// The environment that commands work on when none is named.
    pub fn active(&self) -> Result<Environment, WorkspaceError> {
        match self.active_name()? {
            Some(name) => self.environment(name.as_str()),
            None => Err(WorkspaceError::NoActiveEnvironment { known: self.environment_names()? }),
        }
    }
}

/// The names of the environments of the workspace at `root`, sorted.
pub fn names_in(root: &Path) -> Result<Vec<EnvironmentName>, WorkspaceError> {
    let folder = root.join("environments");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(&folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io(&folder))?;
        let name = entry.file_name().into_string().ok().and_then(|name| EnvironmentName::new(name).ok());
        if let Some(name) = name.filter(|_| entry.path().join(FACTS).is_file()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// [`Workspace::edit_config`] for the workspace at `root`; answers with the new settings.
pub(super) fn edit_config(
    root: &Path,
    waiting: &Waiting<'_>,
    edit: impl FnOnce(&Config) -> Result<Config, ConfigError>,
) -> Result<Config, WorkspaceError> {
    let path = root.join("comfrey.toml");
    let _lock = Lock::acquire(&root.join(STORE_FOLDER).join("settings.lock"), "comfrey.toml", waiting)?;
    let before = Config::read(&path)?;
    let after = edit(&before)?;
    if after.text() != before.text() {
        write(&path, after.text().as_bytes())?;
    }
    Ok(after)
}

/// What a new `comfrey.toml` says before anything is set.
const FRESH: &str = "\
# Settings of this Comfrey workspace. Edit them here or with `comfrey config`; comments are kept.
# `comfrey config --list` says what can be set.

models.folders = []
";

/// Writes a small file in one step: a reader sees the old bytes or the new ones.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), WorkspaceError> {
    durable::replace_file(path, bytes).map_err(io(path))
}

pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> WorkspaceError + use<> {
    let path = path.to_owned();
    move |source| WorkspaceError::Io { path, source }
}
