//! How an environment's ComfyUI is started, as a value that can be shown and tested.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::Workspace;
use super::super::environment::Environment;
use super::super::layout::Kind;
use super::models::ToldModels;
use super::{LaunchError, port};

/// What a person wishes beyond what the environment says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    pub port: Option<u16>,
    /// Passed on to ComfyUI as they are.
    pub arguments: Vec<OsString>,
}

/// A ComfyUI to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// ComfyUI's base folder: the working directory, and where its `main.py` lies.
    pub folder: PathBuf,
    pub address: Address,
    /// The virtual environment that the program belongs to.
    venv: Option<PathBuf>,
    /// True when the environment has this port for good.
    pub port_is_own: bool,
    /// What it is told of the workspace's models.
    pub models: ToldModels,
}

/// Where a ComfyUI answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    scheme: &'static str,
    host: String,
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

impl Address {
    /// True when what answers cannot be asked in plain text, and has a certificate that nobody vouches for.
    pub fn is_encrypted(&self) -> bool {
        self.scheme == "https"
    }

    /// Its host and port, to connect to.
    pub fn socket(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// How the ComfyUI of `environment` is to be started now.
///
/// A port that was asked for must be free. The environment's own port gives way, for this time, to the next one that is.
pub fn plan(workspace: &Workspace, environment: &Environment, wishes: &Wishes) -> Result<Launch, LaunchError> {
    let folder = environment.comfyui();
    let facts = environment.facts();
    if facts.kind == Kind::Desktop {
        return Err(LaunchError::Desktop(environment.name().to_string()));
    }
    let script = folder.join("main.py");
    if !script.is_file() {
        return Err(LaunchError::NoComfyUi(folder));
    }
    let program = python(environment)?;
    let asked = match value_of(&wishes.arguments, "--port") {
        Some(Some(text)) => Some(text.parse().map_err(|_| LaunchError::NoPort(text))?),
        _ => wishes.port,
    };
    let port = match (asked, facts.port) {
        (Some(port), _) if !port::is_free(port) => return Err(LaunchError::PortTaken { port, by: None }),
        (Some(port), _) => port,
        (None, Some(port)) if port::is_free(port) => port,
        (None, _) => port::choose(&port::of_others(workspace, environment))?,
    };

    let mut arguments: Vec<OsString> = Vec::new();
    if facts.kind == Kind::Portable {
        // As its own scripts start it: without the user's packages.
        arguments.push("-s".into());
    }
    arguments.push(script.into());
    if facts.kind == Kind::Portable {
        arguments.push("--windows-standalone-build".into());
        // A browser is the business of whoever starts us.
        arguments.push("--disable-auto-launch".into());
    }
    if value_of(&wishes.arguments, "--port").is_none() {
        arguments.extend(["--port".into(), port.to_string().into()]);
    }
    if facts.user.is_some() {
        arguments.extend(["--user-directory".into(), environment.user_dir().into()]);
    }
    let models = ToldModels::of(workspace, environment);
    arguments.extend(models.arguments());
    arguments.extend(facts.arguments.iter().map(OsString::from));
    arguments.extend(wishes.arguments.iter().cloned());
    let address = address(&arguments, port);
    let port_is_own = asked.is_none() && facts.port.is_none_or(|own| own == port);
    Ok(Launch { venv: venv_of(&program), program, arguments, folder, address, port_is_own, models })
}

/// The environment's Python.
fn python(environment: &Environment) -> Result<PathBuf, LaunchError> {
    match environment.python() {
        None => Err(LaunchError::NoPython(environment.name().to_string())),
        Some(python) if python.is_file() => Ok(python),
        Some(python) => Err(LaunchError::PythonGone { environment: environment.name().to_string(), python }),
    }
}

/// The folder of the virtual environment that has this Python, if one has.
fn venv_of(python: &Path) -> Option<PathBuf> {
    let folder = python.parent()?.parent()?;
    folder.join("pyvenv.cfg").is_file().then(|| folder.to_owned())
}

/// Where ComfyUI will answer when it is started with these arguments.
fn address(arguments: &[OsString], port: u16) -> Address {
    let encrypted = value_of(arguments, "--tls-keyfile").is_some() && value_of(arguments, "--tls-certfile").is_some();
    let scheme = if encrypted { "https" } else { "http" };
    let listen = value_of(arguments, "--listen").flatten().unwrap_or_default();
    let host = match listen.split(',').next().unwrap_or_default() {
        // Without an address it listens everywhere.
        "" | "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    Address { scheme, host, port }
}

/// The last value of an option, written apart or with `=`; no value when none follows it.
fn value_of(arguments: &[OsString], option: &str) -> Option<Option<String>> {
    let mut found = None;
    for (at, word) in arguments.iter().enumerate() {
        let word = word.to_string_lossy();
        if word == option {
            let next = arguments.get(at + 1).map(|next| next.to_string_lossy().into_owned());
            found = Some(next.filter(|next| !next.starts_with("--")));
        } else if let Some(value) = word.strip_prefix(option).and_then(|rest| rest.strip_prefix('=')) {
            found = Some(Some(value.to_owned()));
        }
    }
    found
}

impl Launch {
    /// The command, with its surroundings but without its outputs. `session` is the prefix under which a restart is asked for.
    pub fn command(&self, session: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.folder)
            // What it prints is to be seen at once, though it goes through us.
            .env("PYTHONUNBUFFERED", "1")
            .env(super::restart::VARIABLE, session)
            // Another Python's, if we were started from one.
            .env_remove("PYTHONHOME")
            .env_remove("VIRTUAL_ENV");
        if std::env::var_os("PYTHONIOENCODING").is_none() {
            // Without a terminal Windows would take the encoding of the region.
            command.env("PYTHONIOENCODING", "utf-8");
        }
        if let (Some(venv), Some(programs)) = (&self.venv, self.program.parent()) {
            // As in an activated environment: nodes start programs that were installed there.
            command.env("VIRTUAL_ENV", venv);
            let path = std::env::var_os("PATH").unwrap_or_default();
            let paths = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&path));
            if let Ok(path) = std::env::join_paths(paths) {
                command.env("PATH", path);
            }
        }
        command
    }

    /// The command line, for a log.
    pub fn line(&self) -> String {
        let words = std::iter::once(self.program.as_os_str()).chain(self.arguments.iter().map(OsString::as_os_str));
        let words: Vec<String> = words.map(quoted).collect();
        words.join(" ")
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    if word.is_empty() || word.contains(char::is_whitespace) { format!("\"{word}\"") } else { word.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn where_it_answers_follows_from_its_arguments() {
        for (arguments, expected) in [
            (words(&["main.py"]), "http://127.0.0.1:8188"),
            (words(&["main.py", "--listen"]), "http://127.0.0.1:8188"),
            (words(&["main.py", "--listen", "--cpu"]), "http://127.0.0.1:8188"),
            (words(&["main.py", "--listen=192.168.0.2,127.0.0.1"]), "http://192.168.0.2:8188"),
            (words(&["main.py", "--listen", "::"]), "http://[::1]:8188"),
            (words(&["--tls-keyfile", "k", "--tls-certfile", "c"]), "https://127.0.0.1:8188"),
        ] {
            assert_eq!(address(&arguments, 8188).to_string(), expected, "{arguments:?}");
        }
    }

    #[test]
    fn the_last_value_of_an_option_counts() {
        let arguments = words(&["--port", "1", "--port=2", "--cpu"]);
        assert_eq!(value_of(&arguments, "--port"), Some(Some("2".into())));
        assert_eq!(value_of(&arguments, "--cpu"), Some(None));
        assert_eq!(value_of(&arguments, "--listen"), None);
    }
}
