//! What ComfyUI is told of the workspace's models at each start, so that it looks where Comfrey does: by files for its option
//! `--extra-model-paths-config`. Nothing in its own folder is changed for it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::models::extra_paths::{FILE_NAME, writing};
use crate::platform::paths::same_place;

use super::super::Workspace;
use super::super::environment::Environment;

/// Our file's name in an environment's folder; one of the usual name beside it is the user's.
const OURS: &str = "model_folders.yaml";

/// The files that one start gives to ComfyUI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldModels {
    /// Written at the start: folders of the workspace that are not ComfyUI's own.
    ours: Option<(PathBuf, String)>,
    /// Files of the user's.
    others: Vec<PathBuf>,
}

impl ToldModels {
    pub fn of(workspace: &Workspace, environment: &Environment) -> Self {
        let own = environment.models_dir();
        let folders: Vec<PathBuf> =
            workspace.model_folders().into_iter().filter(|folder| !same_place(folder, &own)).collect();
        let ours = environment.folder().join(OURS);
        let given = workspace.config().settings().extra_paths.iter().map(|text| workspace.resolve(text));
        let users = std::iter::once(environment.folder().join(FILE_NAME)).chain(given);
        ToldModels {
            ours: (!folders.is_empty()).then(|| (ours, writing::text(&folders))),
            others: users.filter(|file| file.is_file()).collect(),
        }
    }

    /// As ComfyUI takes them.
    pub fn arguments(&self) -> Vec<OsString> {
        let ours = self.ours.iter().map(|(path, _)| path);
        let files = self.others.iter().chain(ours);
        files.flat_map(|file| ["--extra-model-paths-config".into(), file.into()]).collect()
    }

    /// Writes our file anew.
    ///
    /// # Errors
    /// The file that could not be written, and why.
    pub fn write(&self) -> Result<(), (&Path, io::Error)> {
        let Some((path, text)) = &self.ours else { return Ok(()) };
        std::fs::write(path, text).map_err(|error| (path.as_path(), error))
    }
}
