//! How an environment comes to the workspace's models: its `models` folder is a link to the first of the workspace's, and its
//! `extra_model_paths.yaml` names the others, or all where there is no link.
//!
//! A link serves everything that looks below `models/`, custom nodes too. The file serves where links cannot be made, or are not wanted.
//! Input and output are the environment's own.

use std::io;
use std::path::{Path, PathBuf};

use crate::models::ModelRoot;
use crate::models::extra_paths::{FILE_NAME, writing};
use crate::models::roots::Holds;
use crate::platform::{durable, links};

/// How an environment is to come to the workspace's models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wish {
    /// By a link where one can be made, else by the file.
    #[default]
    Auto,
    Link,
    File,
}

/// How it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sharing {
    /// `models` is a link to the first folder.
    Link,
    /// `models` is a folder of its own.
    File,
}

/// Gives the ComfyUI at `comfyui`, which is ours and whose `models` holds nothing but what its release brings, these folders of models.
///
/// # Errors
/// A link was wished for and cannot be made, or a file cannot be written.
pub fn share(comfyui: &Path, shared: &[PathBuf], wish: Wish) -> io::Result<Sharing> {
    let own = comfyui.join("models");
    // One that holds the files of a single directory cannot stand for `models`.
    let whole = shared.iter().find(|folder| ModelRoot::named(folder).holds == Holds::Directories);
    let linked = match (wish, whole) {
        (Wish::File, _) | (_, None) => None,
        (wish, Some(first)) => match link(&own, first) {
            Ok(()) => Some(first),
            Err(error) if wish == Wish::Link => return Err(error),
            Err(_) => None,
        },
    };
    let others: Vec<PathBuf> = shared.iter().filter(|folder| Some(*folder) != linked).cloned().collect();
    if !others.is_empty() {
        std::fs::write(comfyui.join(FILE_NAME), writing::text(&others))?;
    }
    Ok(if linked.is_some() { Sharing::Link } else { Sharing::File })
}

fn link(own: &Path, target: &Path) -> io::Result<()> {
    let aside = own.with_file_name("models.before");
    let was_there = own.exists();
    if was_there {
        std::fs::rename(own, &aside)?;
    }
    match links::link_folder(target, own) {
        Ok(()) if was_there => durable::remove_folder(&aside),
        Ok(()) => Ok(()),
        Err(error) => {
            if was_there {
                std::fs::rename(&aside, own)?;
            }
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_takes_the_place_of_the_folder_or_the_file_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let shared = [dir.path().join("shared")];
        std::fs::create_dir_all(shared[0].join("loras")).unwrap();
        let can_link = links::link_folder(&shared[0], &dir.path().join("link")).is_ok();
        let by_itself = if can_link { Sharing::Link } else { Sharing::File };
        for (wish, expected) in [(Wish::Auto, by_itself), (Wish::File, Sharing::File)] {
            let comfyui = dir.path().join(format!("{wish:?}"));
            std::fs::create_dir_all(comfyui.join("models/checkpoints")).unwrap();
            assert_eq!(share(&comfyui, &shared, wish).unwrap(), expected);
            assert_eq!(comfyui.join("models/loras").exists(), expected == Sharing::Link);
            assert_eq!(comfyui.join("models/checkpoints").exists(), expected == Sharing::File);
            assert_eq!(comfyui.join(FILE_NAME).exists(), expected == Sharing::File);
        }
        let alone = dir.path().join("alone");
        std::fs::create_dir_all(alone.join("models")).unwrap();
        assert_eq!(share(&alone, &[], Wish::Auto).unwrap(), Sharing::File);
        assert!(!alone.join(FILE_NAME).exists());
    }
}
