//! Where an environment's ComfyUI finds models: its own folder, those that `extra_model_paths.yaml` names, those of the settings.

use std::path::{Path, PathBuf};

use crate::models::extra_paths::{self, FILE_NAME};
use crate::models::roots::{Holds, ModelRoots, roots_of};
use crate::models::{ModelIndex, ModelRoot};
use crate::platform::paths::same_place;

use super::discover::desktop_base;
use super::environment::Environment;
use super::layout::Kind;
use super::workspace::Workspace;

/// What the desktop app calls the file that it gives ComfyUI by `--extra-model-paths-config`, beside its `config.json`.
const DESKTOP_FILE: &str = "extra_models_config.yaml";

/// The model folders of `environment`, or of the workspace alone, in the order in which ComfyUI looks into them.
pub fn of(workspace: &Workspace, environment: Option<&Environment>) -> ModelRoots {
    let mut folders = Vec::new();
    let mut problems = Vec::new();
    for file in files(workspace, environment) {
        let mut found = extra_paths::read(&file);
        folders.append(&mut found.folders);
        problems.append(&mut found.problems);
    }
    let comfyui = environment.map(Environment::comfyui);
    let mut roots = roots_of(comfyui.as_deref(), &folders, &workspace.model_folders());
    // Such files name folders for every installation that ever was; ComfyUI passes over those that are not there. One that was
    // indexed is kept: its disk may only not be plugged in.
    let index = ModelIndex::new(workspace.store());
    let counts = |root: &ModelRoot| {
        root.holds == Holds::Directories || root.directory.is_dir() || index.knows(root).unwrap_or(false)
    };
    roots.retain(counts);
    ModelRoots { roots, problems }
}

/// Those of them into which the environment's ComfyUI looks by itself; the settings of the workspace name folders of which it need not know.
pub fn seen_by(workspace: &Workspace, environment: &Environment) -> Vec<ModelRoot> {
    let read = files(workspace, Some(environment)).into_iter().flat_map(|file| extra_paths::read(&file).folders);
    let extra: Vec<_> = read.collect();
    roots_of(Some(&environment.comfyui()), &extra, &[])
}

/// The files that ComfyUI reads, in its order. The first need not exist.
fn files(workspace: &Workspace, environment: Option<&Environment>) -> Vec<PathBuf> {
    let own = environment.map(|environment| environment.comfyui().join(FILE_NAME));
    let desktop = environment
        .filter(|environment| environment.facts().kind == Kind::Desktop)
        .and_then(|environment| desktop_file(&environment.comfyui(), std::env::home_dir()?.as_path()));
    let given = workspace.config().settings().extra_paths.iter().map(|text| workspace.resolve(text));
    own.into_iter().chain(desktop).chain(given).collect()
}

/// The file of the desktop app whose base folder is `base`.
fn desktop_file(base: &Path, home: &Path) -> Option<PathBuf> {
    let settings = super::discover::Places::usual(Some(home)).desktop_settings;
    let settings = settings
        .into_iter()
        .find(|settings| desktop_base(settings).is_some_and(|installation| same_place(&installation.base, base)))?;
    Some(settings.with_file_name(DESKTOP_FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_desktop_app_has_its_file_beside_its_settings() {
        let home = tempfile::tempdir().unwrap();
        let base = home.path().join("Documents/ComfyUI");
        for folder in ["custom_nodes", "models", "user"] {
            std::fs::create_dir_all(base.join(folder)).unwrap();
        }
        let settings = home.path().join(".config/ComfyUI/config.json");
        std::fs::create_dir_all(settings.parent().unwrap()).unwrap();
        std::fs::write(&settings, format!("{{\"basePath\": {:?}}}", base.to_str().unwrap())).unwrap();
        assert_eq!(desktop_file(&base, home.path()), Some(settings.with_file_name(DESKTOP_FILE)));
        assert_eq!(desktop_file(home.path(), home.path()), None);
    }
}
