//! Failures of workspaces and environments.

use std::path::Path;

use crate::environment::config::{ConfigError, UnknownKey};
use crate::environment::layout::{LOOKED_FOR, NotComfyUi};
use crate::environment::lock::LockError;
use crate::environment::name::NameError;
use crate::environment::workspace::is_workspace;
use crate::environment::{EnvironmentError, EnvironmentName, WorkspaceError, config::Key};
use crate::ui::failure::closest;
use crate::ui::{Exit, Failure};

impl From<WorkspaceError> for Failure {
    fn from(error: WorkspaceError) -> Self {
        let message = error.to_string();
        match error {
            WorkspaceError::NotAWorkspace { path, .. } => not_a_workspace(message, &path),
            WorkspaceError::NoWorkspace { .. } => Failure::new(Exit::NotFound, message)
                .hint("`comfrey init` makes one; --workspace DIR names one that is elsewhere"),
            WorkspaceError::AlreadyThere(_) => Failure::new(Exit::Conflict, message),
            WorkspaceError::NoSuchEnvironment { name, known } => no_such_environment(message, &name, &known),
            WorkspaceError::NoActiveEnvironment { known } => {
                let failure = Failure::new(Exit::NotFound, message);
                match known.first() {
                    None => failure.hint(
                        "`comfrey create NAME` makes one; `comfrey adopt NAME PATH` takes an existing ComfyUI under Comfrey's care",
                    ),
                    Some(_) => failure.hint(format!("`comfrey use NAME` makes one active: {}", list(&known))),
                }
            }
            WorkspaceError::NameTaken { .. } => {
                Failure::new(Exit::Conflict, message).hint("choose another name; `comfrey list` shows those in use")
            }
            WorkspaceError::AlreadyAdopted { ref name, .. } => {
                Failure::new(Exit::Conflict, message).hint(format!("`comfrey use {name}` makes it the active one"))
            }
            WorkspaceError::Io { path, source } => Failure::io(path.display(), &source),
            WorkspaceError::Name(error) => error.into(),
            WorkspaceError::Config(error) => error.into(),
            WorkspaceError::Environment(error) => error.into(),
            WorkspaceError::Lock(error) => error.into(),
            WorkspaceError::NotComfyUi(error) => error.into(),
            WorkspaceError::Store(error) => error.into(),
        }
    }
}

fn list(names: &[EnvironmentName]) -> String {
    names.iter().map(EnvironmentName::as_str).collect::<Vec<_>>().join(", ")
}

fn no_such_environment(message: String, name: &str, known: &[EnvironmentName]) -> Failure {
    let failure = Failure::new(Exit::NotFound, message);
    match (closest(name, known.iter().map(EnvironmentName::as_str)), known) {
        (Some(meant), _) => failure.hint(format!("did you mean `{meant}`?")),
        (None, []) => failure.hint("this workspace has none yet: `comfrey adopt NAME PATH`"),
        (None, known) => failure.hint(format!("there are: {}", list(known))),
    }
}

/// Looks for the folder that was meant: one above, or one beside with a similar name.
fn not_a_workspace(message: String, path: &Path) -> Failure {
    let failure = Failure::new(Exit::NotFound, message);
    if let Some(above) = path.ancestors().skip(1).find(|folder| is_workspace(folder)) {
        return failure.hint(format!("the workspace is {}", above.display()));
    }
    let beside = path.parent().and_then(|parent| std::fs::read_dir(parent).ok());
    let names: Vec<String> = beside
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| is_workspace(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let given = path.file_name().unwrap_or_default().to_string_lossy();
    match closest(&given, names.iter().map(String::as_str)) {
        Some(meant) => failure.hint(format!("did you mean {}?", path.with_file_name(meant).display())),
        None => failure.hint(format!("`comfrey init {}` makes one there", path.display())),
    }
}

impl From<NameError> for Failure {
    fn from(error: NameError) -> Self {
        Failure::new(Exit::Usage, error.to_string())
    }
}

impl From<UnknownKey> for Failure {
    fn from(error: UnknownKey) -> Self {
        let failure = Failure::new(Exit::Usage, error.to_string());
        match closest(&error.0, Key::ALL.map(Key::name)) {
            Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
            None => failure.hint("`comfrey config --list` shows what can be set"),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match &error {
            ConfigError::Io { path, source } => Failure::io(path.display(), source),
            ConfigError::Syntax { .. } | ConfigError::Value { .. } => Failure::new(Exit::Usage, error.to_string())
                .hint("correct that line; `comfrey config --list` shows what can be set"),
            ConfigError::Count { .. } | ConfigError::Given { .. } => Failure::new(Exit::Usage, error.to_string()),
        }
    }
}

impl From<EnvironmentError> for Failure {
    fn from(error: EnvironmentError) -> Self {
        match &error {
            EnvironmentError::Io { path, source } => Failure::io(path.display(), source),
            EnvironmentError::Facts { .. } => Failure::new(Exit::Damaged, error.to_string())
                .hint("correct that file; it holds the path of the environment's ComfyUI"),
        }
    }
}

impl From<NotComfyUi> for Failure {
    fn from(error: NotComfyUi) -> Self {
        let message = error.to_string();
        match &error {
            NotComfyUi::Absent(path) => {
                let failure = Failure::new(Exit::NotFound, message);
                match beside(path) {
                    Some(meant) => failure.hint(format!("did you mean {}?", path.with_file_name(meant).display())),
                    None => failure,
                }
            }
            NotComfyUi::File(_) => Failure::new(Exit::NotFound, message),
            NotComfyUi::Unrecognised { around: Some(around), .. } => {
                Failure::new(Exit::NotFound, message).hint(format!("did you mean {}?", around.display()))
            }
            NotComfyUi::Unrecognised { around: None, .. } => {
                Failure::new(Exit::NotFound, format!("{message}\nlooked for {LOOKED_FOR}"))
            }
        }
    }
}

/// The folder beside `path` whose name is closest to its own.
fn beside(path: &Path) -> Option<String> {
    let names: Vec<String> = std::fs::read_dir(path.parent()?)
        .ok()?
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    closest(&path.file_name()?.to_string_lossy(), names.iter().map(String::as_str)).map(str::to_owned)
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match &error {
            LockError::Held { .. } => Failure::new(Exit::Conflict, error.to_string())
                .hint("wait until it is done and run this again, or wait longer with --lock-timeout SECONDS"),
            LockError::Io { path, source } => Failure::io(path.display(), source),
            LockError::Interrupted => Failure::new(Exit::Interrupted, "interrupted while waiting for a lock"),
        }
    }
}
