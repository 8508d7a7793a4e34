//! An environment: one ComfyUI installation with its own history, and this machine's facts about it.

use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, value};

use crate::platform::durable;

use super::layout::{self, Installation, Kind, UserWorkflows, Version};
use super::lock::{Lock, LockError, Waiting};
use super::manifest::{Manifest, ReadError};
use super::name::EnvironmentName;
use super::python::{TorchBackend, Venv};

/// The file of facts in an environment's folder. Never part of a snapshot.
pub const FACTS: &str = "environment.toml";

#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {reason}", path.display())]
    Facts { path: PathBuf, reason: String },
}

/// What this machine knows of an environment, read from `environments/NAME/environment.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    name: EnvironmentName,
    folder: PathBuf,
    facts: Facts,
}

/// The content of `environment.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// ComfyUI's base folder; relative ones are relative to the environment's folder.
    pub comfyui: PathBuf,
    pub kind: Kind,
    /// The Python that runs it, if it has one of its own; relative ones are relative to the environment's folder.
    pub python: Option<PathBuf>,
    /// The port of its own, on which it listens unless it is told another.
    pub port: Option<u16>,
    /// Where ComfyUI's user folder lies, when it is not `user/` in the base folder (`--user-directory`).
    pub user: Option<PathBuf>,
    /// Which build of torch this machine wants (`torch_backend`).
    pub torch: TorchBackend,
    /// Passed to its ComfyUI at every start.
    pub arguments: Vec<String>,
}

/// The Python that an environment's ComfyUI runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interpreter {
    /// The virtual environment in the environment's folder, which Comfrey made and keeps.
    Own(Venv),
    /// Someone else's, found when ComfyUI was adopted. Nothing in it is ever changed.
    Foreign(PathBuf),
    /// None is known.
    Unknown,
}

impl Environment {
    /// Reads the facts in `folder`.
    pub fn load(name: EnvironmentName, folder: PathBuf) -> Result<Self, EnvironmentError> {
        let path = folder.join(FACTS);
        let text =
            std::fs::read_to_string(&path).map_err(|source| EnvironmentError::Io { path: path.clone(), source })?;
        let facts = Facts::parse(&text).map_err(|reason| EnvironmentError::Facts { path, reason })?;
        Ok(Environment { name, folder, facts })
    }

    pub fn name(&self) -> &EnvironmentName {
        &self.name
    }

    /// `WORKSPACE/environments/NAME`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// ComfyUI's base folder: it holds `user/`, `custom_nodes/` and `models/`.
    pub fn comfyui(&self) -> PathBuf {
        self.folder.join(&self.facts.comfyui)
    }

    /// What a person may read and edit: manifest, lock, workflows as of the last commit.
    pub fn cec(&self) -> PathBuf {
        self.folder.join(".cec")
    }

    /// The manifest: a uv project file.
    pub fn manifest_path(&self) -> PathBuf {
        self.cec().join("pyproject.toml")
    }

    /// The manifest as it is on disk; an empty one where there is none.
    pub fn manifest(&self) -> Result<Manifest, ReadError> {
        let read = Manifest::read(&self.manifest_path())?;
        Ok(read.unwrap_or_else(|| Manifest::new(self.name.as_str())))
    }

    pub fn custom_nodes_dir(&self) -> PathBuf {
        self.comfyui().join("custom_nodes")
    }

    /// The models folder of this installation itself; the workspace has others.
    pub fn models_dir(&self) -> PathBuf {
        self.comfyui().join("models")
    }

    /// ComfyUI's user folder, with one folder a user.
    pub fn user_dir(&self) -> PathBuf {
        match &self.facts.user {
            Some(user) => self.folder.join(user),
            None => self.comfyui().join("user"),
        }
    }

    /// Where workflows lie: the default user's folder always (it need not exist), other users' where they exist.
    pub fn workflows_dirs(&self) -> Result<Vec<UserWorkflows>, EnvironmentError> {
        let user = self.user_dir();
        layout::user_workflows(&user).map_err(|source| EnvironmentError::Io { path: user, source })
    }

    /// The virtual environment that Comfrey makes for this environment, whether it is there or not.
    pub fn venv(&self) -> Venv {
        Venv::at(self.folder.join(".venv"))
    }

    /// The Python that its ComfyUI runs with.
    pub fn interpreter(&self) -> Interpreter {
        let venv = self.venv();
        match &self.facts.python {
            Some(python) if !self.folder.join(python).starts_with(venv.folder()) => {
                Interpreter::Foreign(self.folder.join(python))
            }
            Some(_) => Interpreter::Own(venv),
            // What Comfrey made has its Python there, also when that has gone.
            None if venv.is_present() || self.facts.kind == Kind::Created => Interpreter::Own(venv),
            None => Interpreter::Unknown,
        }
    }

    /// The program of [`Environment::interpreter`].
    pub fn python(&self) -> Option<PathBuf> {
        match self.interpreter() {
            Interpreter::Own(venv) => Some(venv.python()),
            Interpreter::Foreign(python) => Some(python),
            Interpreter::Unknown => None,
        }
    }

    /// Gives it a port for good. What else stands in its file, and how, stays as it is.
    pub fn give_port(&mut self, port: u16) -> Result<(), EnvironmentError> {
        let path = self.folder.join(FACTS);
        let io = |source| EnvironmentError::Io { path: path.clone(), source };
        let text = std::fs::read_to_string(&path).map_err(io)?;
        let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            EnvironmentError::Facts { path: path.clone(), reason: error.message().to_owned() }
        })?;
        document["port"] = value(i64::from(port));
        durable::replace_file(&path, document.to_string().as_bytes()).map_err(io)?;
        self.facts.port = Some(port);
        Ok(())
    }

    /// Which ComfyUI it is; all unknown when its folder is gone.
    pub fn version(&self) -> Version {
        Version::of(&self.comfyui())
    }

    /// True when ComfyUI's folder is there.
    pub fn is_present(&self) -> bool {
        self.comfyui().is_dir()
    }

    /// The right to write to this environment's files and history (invariant E5). Held until dropped; it is not to be
    /// taken twice by one process.
    pub fn lock(&self, waiting: &Waiting<'_>) -> Result<Lock, LockError> {
        Lock::acquire(&self.folder.join("lock"), &format!("the environment `{}`", self.name), waiting)
    }
}

impl Facts {
    /// The facts of an installation found on disk.
    pub fn of(installation: &Installation) -> Self {
        Facts {
            comfyui: installation.base.clone(),
            kind: installation.kind,
            python: installation.python.clone(),
            port: None,
            user: None,
            torch: TorchBackend::default(),
            arguments: Vec::new(),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
        let path = |key: &str| match document.get(key) {
            None => Ok(None),
            Some(item) => match item.as_str() {
                Some(text) if !text.is_empty() => Ok(Some(PathBuf::from(text))),
                _ => Err(format!("`{key}` is no path in quotes")),
            },
        };
        let kind = match document.get("kind").map(Item::as_str) {
            None => Kind::Folder,
            Some(Some(text)) => Kind::named(text).ok_or_else(|| format!("`kind` is `{text}`"))?,
            Some(None) => return Err("`kind` is no text".into()),
        };
        let comfyui = path("comfyui")?.ok_or("`comfyui`, the path of its ComfyUI, is absent")?;
        let torch = match document.get("torch_backend").map(Item::as_str) {
            None => TorchBackend::default(),
            Some(text) => text.unwrap_or_default().parse().map_err(|error| format!("`torch_backend`: {error}"))?,
        };
        let port = match document.get("port") {
            None => None,
            Some(item) => {
                let number = item.as_integer().and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0);
                Some(number.ok_or("`port` is no port")?)
            }
        };
        let arguments = match document.get("arguments").map(Item::as_array) {
            None => Vec::new(),
            Some(array) => {
                let words = array.map(|array| array.iter().map(|word| word.as_str().map(str::to_owned)).collect());
                words.flatten().ok_or("`arguments` is no list of texts")?
            }
        };
        Ok(Facts { comfyui, kind, python: path("python")?, user: path("user")?, torch, port, arguments })
    }

    /// The text of `environment.toml`.
    ///
    /// # Errors
    /// When a path is not UTF-8 and so cannot be written.
    pub fn to_text(&self) -> Result<String, String> {
        let text = |path: &Path| {
            path.to_str().map(str::to_owned).ok_or_else(|| format!("the path {} is not UTF-8", path.display()))
        };
        let mut table = Table::new();
        table["comfyui"] = value(text(&self.comfyui)?);
        table["kind"] = value(self.kind.name());
        if let Some(python) = &self.python {
            table["python"] = value(text(python)?);
        }
        if let Some(port) = self.port {
            table["port"] = value(i64::from(port));
        }
        if let Some(user) = &self.user {
            table["user"] = value(text(user)?);
        }
        if let Some(torch) = self.torch.option() {
            table["torch_backend"] = value(torch);
        }
        if !self.arguments.is_empty() {
            table["arguments"] = value(self.arguments.iter().collect::<toml_edit::Array>());
        }
        Ok(format!("# Facts of this machine. Never part of a snapshot.\n{table}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_survive_their_file() {
        let facts = Facts {
            comfyui: PathBuf::from("C:\\Users\\ann\\ComfyUI \"new\""),
            kind: Kind::Portable,
            python: Some("/p/python".into()),
            port: Some(8189),
            user: None,
            torch: TorchBackend::Named("cu128".into()),
            arguments: vec!["--lowvram".into(), "--preview-method".into(), "auto".into()],
        };
        assert_eq!(Facts::parse(&facts.to_text().unwrap()), Ok(facts));
    }

    #[test]
    fn facts_without_a_comfyui_are_refused() {
        assert!(Facts::parse("kind = \"clone\"\n").unwrap_err().contains("`comfyui`"));
        assert!(Facts::parse("comfyui = 3\n").is_err());
        assert!(Facts::parse("comfyui = \"/x\"\nkind = \"odd\"\n").is_err());
        assert!(Facts::parse("comfyui = \"/x\"\ntorch_backend = 3\n").is_err());
        assert!(Facts::parse("comfyui = \"/x\"\nport = 70000\n").is_err());
        assert!(Facts::parse("comfyui = \"/x\"\narguments = \"--cpu\"\n").is_err());
    }

    #[test]
    fn a_port_is_given_and_comments_stay() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FACTS), "# mine\ncomfyui = \"ComfyUI\" # here\n").unwrap();
        let load = || Environment::load(EnvironmentName::new("demo").unwrap(), dir.path().to_owned()).unwrap();
        load().give_port(8191).unwrap();
        assert_eq!(load().facts().port, Some(8191));
        let text = std::fs::read_to_string(dir.path().join(FACTS)).unwrap();
        assert_eq!(text, "# mine\ncomfyui = \"ComfyUI\" # here\nport = 8191\n");
    }

    #[test]
    fn a_comfyui_inside_the_environment_moves_with_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FACTS), "comfyui = \"ComfyUI\"\nkind = \"clone\"\n").unwrap();
        let environment = Environment::load(EnvironmentName::new("demo").unwrap(), dir.path().to_owned()).unwrap();
        assert_eq!(environment.comfyui(), dir.path().join("ComfyUI"));
        assert_eq!(environment.workflows_dirs().unwrap()[0].folder, dir.path().join("ComfyUI/user/default/workflows"));
    }
}
