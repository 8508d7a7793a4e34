//! The folders in which models lie.

use std::path::{Path, PathBuf};

use crate::catalog::folders::{self, Files};

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

    /// Which files count at `path`, below this root.
    pub fn files_at(&self, path: &str) -> Files {
        match (&self.holds, path.split_once('/')) {
            (Holds::Folder(key), _) => folders::find(key).map_or(Files::ModelsAndMore, |folder| folder.files),
            (Holds::Directories, Some((directory, _))) => folders::files_in(directory),
            (Holds::Directories, None) => Files::ModelsAndMore,
        }
    }
}

/// The roots of one ComfyUI: its own `models` folder, then those that are shared, each folder once.
pub fn roots_of(comfyui: Option<&Path>, shared: &[PathBuf]) -> Vec<ModelRoot> {
    let own = comfyui.map(|comfyui| comfyui.join("models"));
    let mut roots: Vec<ModelRoot> = Vec::new();
    for directory in own.iter().chain(shared) {
        let root = ModelRoot::models(directory);
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    roots
}

/// `path` as the system names it; as given where it does not exist.
fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
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
        let roots = roots_of(Some(folder.path()), &[models.clone(), folder.path().join("models/../models")]);
        assert_eq!(roots, [ModelRoot::models(&models)]);
    }
}
