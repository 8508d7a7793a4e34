//! The folders in which models lie.

use std::path::{Path, PathBuf};

use crate::catalog::folders::{self, Files};
use crate::platform::paths;

use super::error::Problem;
use super::extra_paths::ExtraFolder;

/// A folder in which models lie.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelRoot {
    /// Absolute, links resolved where it exists, so that one folder has one name however it is reached.
    pub directory: PathBuf,
    pub holds: Holds,
}

/// What the first level of a root means.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holds {
    /// A `models` folder: its first level are ComfyUI's model directories.
    Directories,
    /// The files of one folder key, as an entry of `extra_model_paths.yaml` names them.
    Folder(String),
}

impl ModelRoot {
    /// A `models` folder.
    pub fn models(directory: &Path) -> Self {
        ModelRoot { directory: absolute(directory), holds: Holds::Directories }
    }

    /// The files of one folder key.
    pub fn folder(directory: &Path, key: &str) -> Self {
        ModelRoot { directory: absolute(directory), holds: Holds::Folder(folders::current_key(key).to_owned()) }
    }

    /// A folder that the user named: one called as ComfyUI calls a model directory (`loras`) holds the files of that
    /// folder, every other is taken for a `models` folder.
    pub fn named(directory: &Path) -> Self {
        let root = Self::models(directory);
        let name = root.directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let key = folders::key_of_directory(name);
        if folders::find(key).is_some() { ModelRoot { holds: Holds::Folder(key.to_owned()), ..root } } else { root }
    }

    /// Where ComfyUI sees a file of this root: `directory/below/name`, the directory being one below `models/`.
    pub fn place(&self, path: &str) -> String {
        match &self.holds {
            Holds::Directories => path.to_owned(),
            Holds::Folder(key) => format!("{}/{path}", folders::directories(key).first().copied().unwrap_or(key)),
        }
    }

    /// True when `folder` is one of this `models` folder's directories for its key, so that each of its files is here already.
    fn has_directory(&self, folder: &ModelRoot) -> bool {
        match (&self.holds, &folder.holds) {
            (Holds::Directories, Holds::Folder(key)) => {
                folders::directories(key).iter().any(|name| self.directory.join(name) == folder.directory)
            }
            _ => false,
        }
    }

    /// Which files count at `path`, below this root.
    pub fn files_at(&self, path: &str) -> Files {
        match (&self.holds, path.split_once('/')) {
            // A key that ComfyUI does not know takes any file.
            (Holds::Folder(key), _) => folders::find(key).map_or(Files::Any, |folder| folder.files),
            (Holds::Directories, Some((directory, _))) => folders::files_in(directory),
            (Holds::Directories, None) => Files::ModelsAndMore,
        }
    }
}

/// Where one ComfyUI finds models, and what was wrong with the files that say so.
#[derive(Debug, Default)]
pub struct ModelRoots {
    /// In the order in which ComfyUI looks.
    pub roots: Vec<ModelRoot>,
    pub problems: Vec<Problem>,
}

/// The roots of one ComfyUI, each once, in the order in which it looks into them for a file of any one key: folders that
/// `extra` names as default (of several the last), its own `models` folder, other folders of `extra`, then those that are shared.
pub fn roots_of(comfyui: Option<&Path>, extra: &[ExtraFolder], shared: &[PathBuf]) -> Vec<ModelRoot> {
    let own = comfyui.map(|comfyui| ModelRoot::models(&comfyui.join("models")));
    let shared: Vec<ModelRoot> = shared.iter().map(|folder| ModelRoot::models(folder)).collect();
    let (mut before, mut after): (Vec<ModelRoot>, Vec<ModelRoot>) = (Vec::new(), Vec::new());
    for folder in extra {
        let root = ModelRoot::folder(&folder.directory, &folder.key);
        if folder.is_default {
            before.retain(|other| *other != root);
            after.retain(|other| *other != root);
            before.insert(0, root);
        } else if !before.contains(&root) && !own.iter().chain(&shared).any(|models| models.has_directory(&root)) {
            after.push(root);
        }
    }
    let mut roots: Vec<ModelRoot> = Vec::new();
    for root in before.into_iter().chain(own).chain(after).chain(shared) {
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    roots
}

/// `path` as the system names it; as given where it does not exist.
fn absolute(path: &Path) -> PathBuf {
    let full = paths::full(path).map(paths::plain);
    full.or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_place_below_models_whatever_kind_of_root_it_is_in() {
        let models = ModelRoot::models(Path::new("/m"));
        assert_eq!(models.place("checkpoints/a.pt"), "checkpoints/a.pt");
        let loras = ModelRoot::folder(Path::new("/l"), "loras");
        assert_eq!(loras.place("style/a.pt"), "loras/style/a.pt");
        let older = ModelRoot::folder(Path::new("/u"), "unet");
        assert_eq!(older.place("a.pt"), "unet/a.pt");
        assert_eq!(ModelRoot::named(Path::new("/x/clip")).holds, Holds::Folder("text_encoders".into()));
        assert_eq!(ModelRoot::named(Path::new("/x/models")).holds, Holds::Directories);
    }

    #[test]
    fn a_root_is_listed_once() {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path().join("models");
        std::fs::create_dir(&models).unwrap();
        let roots = roots_of(Some(folder.path()), &[], &[models.clone(), folder.path().join("models/../models")]);
        assert_eq!(roots, [ModelRoot::models(&models)]);
    }

    #[test]
    fn extra_folders_stand_where_comfyui_looks_for_them() {
        let extra = |key: &str, path: &str, is_default| ExtraFolder {
            key: key.into(),
            directory: PathBuf::from(path),
            is_default,
        };
        let folders = [
            extra("loras", "/a/loras", false),
            extra("unet", "/a/unet", true),
            extra("loras", "/comfy/models/loras", false),
            extra("loras", "/b/loras", true),
            extra("loras", "/a/loras", false),
            extra("unet", "/shared/diffusion_models", false),
        ];
        let roots = roots_of(Some(Path::new("/comfy")), &folders, &[PathBuf::from("/shared")]);
        let folder = |path: &str, key: &str| ModelRoot::folder(Path::new(path), key);
        let models = |path: &str| ModelRoot::models(Path::new(path));
        let expected = [
            folder("/b/loras", "loras"),
            folder("/a/unet", "diffusion_models"),
            models("/comfy/models"),
            folder("/a/loras", "loras"),
            models("/shared"),
        ];
        assert_eq!(roots, expected);
    }

    #[test]
    fn a_folder_of_an_unknown_key_takes_any_file() {
        let root = ModelRoot::folder(Path::new("/x"), "my_things");
        assert!(root.files_at("a/weights").include("weights") && root.files_at("a.txt").include("a.txt"));
        assert_eq!(root.place("a.txt"), "my_things/a.txt");
    }
}
