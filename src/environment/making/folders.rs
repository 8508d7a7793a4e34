//! How an environment comes to the workspace's models: its `models` folder is a link to the first of the workspace's, and its
//! `extra_model_paths.yaml` names the others, or all where there is no link.
//!
//! A link serves everything that looks below `models/`, custom nodes too. The file serves where links cannot be made, or are not wanted.
//! Input and output are the environment's own.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use crate::catalog::folders;
use crate::models::extra_paths::FILE_NAME;
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

/// The first line of a file that we may write anew.
const MARK: &str = "# Written by Comfrey: where this ComfyUI finds the models of the workspace.";

/// Gives the ComfyUI at `comfyui`, which is ours and whose `models` holds nothing but what its release brings, these folders of models.
///
/// # Errors
/// A link was wished for and cannot be made, or a file cannot be written.
pub fn share(comfyui: &Path, shared: &[PathBuf], wish: Wish) -> io::Result<Sharing> {
    let own = comfyui.join("models");
    let linked = match (wish, shared.first()) {
        (Wish::File, _) | (_, None) => false,
        (wish, Some(first)) => match link(&own, first) {
            Ok(()) => true,
            Err(error) if wish == Wish::Link => return Err(error),
            Err(_) => false,
        },
    };
    let others = if linked { &shared[1..] } else { shared };
    if !others.is_empty() {
        std::fs::write(comfyui.join(FILE_NAME), extra_model_paths(others))?;
    }
    Ok(if linked { Sharing::Link } else { Sharing::File })
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

/// The text of an `extra_model_paths.yaml` that names these `models` folders, in which ComfyUI looks after its own.
pub fn extra_model_paths(shared: &[PathBuf]) -> String {
    let mut text = format!("{MARK}\n");
    for (number, folder) in shared.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "comfrey_{}:\n  base_path: {}", number + 1, quoted(folder));
        let mut named: Vec<&str> = Vec::new();
        for known in folders::all() {
            named.extend(known.directories);
            match known.directories {
                [one] => {
                    let _ = writeln!(text, "  {}: {one}", known.key);
                }
                several => {
                    let _ = writeln!(text, "  {}: |", known.key);
                    for directory in several {
                        let _ = writeln!(text, "    {directory}");
                    }
                }
            }
        }
        // Folders that custom nodes have made.
        for directory in directories(folder) {
            let plain = directory.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
            if plain && !named.contains(&directory.as_str()) {
                let _ = writeln!(text, "  {directory}: {directory}");
            }
        }
    }
    text
}

fn directories(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// A text in YAML's double quotes, which have JSON's escapes.
fn quoted(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::extra_paths;

    #[test]
    fn comfyui_reads_what_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let shared = [dir.path().join("one \"x\": #"), dir.path().join("two")];
        std::fs::create_dir_all(shared[0].join("ultralytics")).unwrap();
        let file = dir.path().join(FILE_NAME);
        std::fs::write(&file, extra_model_paths(&shared)).unwrap();
        let read = extra_paths::read(&file);
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        let of = |key: &str| -> Vec<PathBuf> {
            let found = read.folders.iter().filter(|folder| folder.key == key);
            found.map(|folder| folder.directory.clone()).collect()
        };
        assert_eq!(of("checkpoints"), [shared[0].join("checkpoints"), shared[1].join("checkpoints")]);
        assert_eq!(of("text_encoders").len(), 4);
        assert_eq!(of("ultralytics"), [shared[0].join("ultralytics")]);
        assert!(read.folders.iter().all(|folder| !folder.is_default));
    }

    #[test]
    fn a_link_takes_the_place_of_the_folder_or_the_file_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let shared = [dir.path().join("shared")];
        std::fs::create_dir_all(shared[0].join("loras")).unwrap();
        for (wish, expected) in [(Wish::Auto, Sharing::Link), (Wish::File, Sharing::File)] {
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
