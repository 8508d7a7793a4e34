//! ComfyUI's folder registry: which directories under `models/` a folder key stands for, and which files count there.
//!
//! Read from ComfyUI's `folder_paths.py`, versions 0.3.64 to 0.38.1.

/// File name extensions that ComfyUI takes for models, in lower case.
pub const MODEL_EXTENSIONS: &[&str] = &["ckpt", "pt", "pt2", "bin", "pth", "safetensors", "pkl", "sft"];

/// What counts in a directory that ComfyUI itself does not know: custom nodes read these too.
pub const FURTHER_EXTENSIONS: &[&str] = &["gguf", "onnx"];

/// A folder key and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub key: &'static str,
    /// Below `models/`, in the order in which ComfyUI looks; the first that has a file wins.
    pub directories: &'static [&'static str],
    pub files: Files,
}

/// Which files of a folder are models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// Those with one of [`MODEL_EXTENSIONS`].
    Models,
    /// Those, and formats that custom nodes read.
    ModelsAndMore,
    /// Those with one of these extensions.
    Only(&'static [&'static str]),
    /// Any file.
    Any,
}

impl Files {
    /// True when a file of this name counts.
    pub fn include(self, name: &str) -> bool {
        let Some((_, extension)) = name.rsplit_once('.') else { return self == Files::Any };
        let among = |known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(extension));
        match self {
            Files::Models => among(MODEL_EXTENSIONS),
            Files::ModelsAndMore => among(MODEL_EXTENSIONS) || among(FURTHER_EXTENSIONS),
            Files::Only(known) => among(known),
            Files::Any => true,
        }
    }
}

const fn folder(key: &'static str, directories: &'static [&'static str], files: Files) -> Folder {
    Folder { key, directories, files }
}

/// The registry, by key.
///
/// `gguf` files are read from these folders by a common custom node, though ComfyUI's own list leaves them out.
const FOLDERS: &[Folder] = &[
    folder("audio_encoders", &["audio_encoders"], Files::Models),
    folder("background_removal", &["background_removal"], Files::Models),
    folder("checkpoints", &["checkpoints"], Files::ModelsAndMore),
    folder("classifiers", &["classifiers"], Files::Any),
    folder("clip_vision", &["clip_vision"], Files::Models),
    folder("configs", &["configs"], Files::Only(&["yaml"])),
    folder("controlnet", &["controlnet", "t2i_adapter"], Files::Models),
    folder("detection", &["detection"], Files::Models),
    folder("diffusers", &["diffusers"], Files::ModelsAndMore),
    folder("diffusion_models", &["unet", "diffusion_models"], Files::ModelsAndMore),
    folder("embeddings", &["embeddings"], Files::Models),
    folder("frame_interpolation", &["frame_interpolation"], Files::Models),
    folder("geometry_estimation", &["geometry_estimation"], Files::Models),
    folder("gligen", &["gligen"], Files::Models),
    folder("hypernetworks", &["hypernetworks"], Files::Models),
    folder("latent_upscale_models", &["latent_upscale_models"], Files::Models),
    folder("loras", &["loras"], Files::Models),
    folder("model_patches", &["model_patches"], Files::Models),
    folder("optical_flow", &["optical_flow"], Files::Models),
    folder("photomaker", &["photomaker"], Files::Models),
    folder("style_models", &["style_models"], Files::Models),
    folder("text_encoders", &["text_encoders", "clip"], Files::ModelsAndMore),
    folder("upscale_models", &["upscale_models"], Files::Models),
    folder("vae", &["vae"], Files::Models),
    folder("vae_approx", &["vae_approx"], Files::Models),
];

/// Folders that packages of custom nodes add, where their directory has another name than their key.
const ADDED: &[(&str, &[&str])] = &[
    ("clip_gguf", &["text_encoders", "clip"]),
    ("mmdets_bbox", &["mmdets/bbox"]),
    ("mmdets_segm", &["mmdets/segm"]),
    ("ultralytics_bbox", &["ultralytics/bbox"]),
    ("ultralytics_segm", &["ultralytics/segm"]),
    ("unet_gguf", &["unet", "diffusion_models"]),
];

/// Older names of folder keys.
const ALIASES: &[(&str, &str)] = &[("clip", "text_encoders"), ("unet", "diffusion_models")];

/// The key that `key` stands for today.
pub fn current_key(key: &str) -> &str {
    ALIASES.iter().find(|(old, _)| *old == key).map_or(key, |(_, current)| current)
}

/// Every folder of ComfyUI itself, by key.
pub fn all() -> &'static [Folder] {
    FOLDERS
}

/// The folder with this key, an older name included.
pub fn find(key: &str) -> Option<&'static Folder> {
    let key = current_key(key);
    FOLDERS.binary_search_by(|folder| folder.key.cmp(key)).ok().map(|found| &FOLDERS[found])
}

/// The directories below `models/` in which the files of `key` are looked for, in order. A key that is not known is the
/// directory of its own name, as for the folders that custom nodes add.
pub fn directories(key: &str) -> Vec<&str> {
    let added = || ADDED.iter().find(|(name, _)| *name == key).map(|(_, directories)| directories.to_vec());
    let known = find(key).map(|folder| folder.directories.to_vec());
    known.or_else(added).unwrap_or_else(|| vec![key])
}

/// The folder key whose files lie in `directory`, a path below `models/` with `/`; the directory's own name if it is not known.
pub fn key_of_directory(directory: &str) -> &str {
    let known = FOLDERS.iter().find(|folder| folder.directories.contains(&directory));
    known.map_or(directory, |folder| folder.key)
}

/// Which files count in a directory directly below `models/`.
pub fn files_in(directory: &str) -> Files {
    find(key_of_directory(directory)).map_or(Files::ModelsAndMore, |folder| folder.files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_sorted_and_finds_older_names() {
        assert!(FOLDERS.is_sorted_by_key(|folder| folder.key));
        assert_eq!(find("unet").unwrap().key, "diffusion_models");
        assert_eq!(directories("clip"), ["text_encoders", "clip"]);
        assert_eq!(directories("ipadapter"), ["ipadapter"]);
        assert_eq!(directories("ultralytics_bbox"), ["ultralytics/bbox"]);
        assert_eq!(key_of_directory("t2i_adapter"), "controlnet");
    }

    #[test]
    fn each_folder_takes_its_own_kinds_of_file() {
        assert!(files_in("loras").include("A.SafeTensors"));
        assert!(!files_in("loras").include("a.txt") && !files_in("loras").include("safetensors"));
        assert!(files_in("unet").include("a.gguf") && files_in("something").include("a.onnx"));
        assert!(files_in("configs").include("v1.yaml") && !files_in("configs").include("a.pt"));
        assert!(files_in("classifiers").include("weights"));
    }
}
