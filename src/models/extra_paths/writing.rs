//! Such a file as Comfrey writes one: the workspace's folders of models, for a ComfyUI that has a folder of its own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::catalog::folders;
use crate::models::ModelRoot;
use crate::models::roots::Holds;

/// A file that names these folders, in which ComfyUI looks after its own. A folder that is called as ComfyUI calls a model directory holds
/// the files of that one (see [`ModelRoot::named`]).
pub fn text(shared: &[PathBuf]) -> String {
    let mut text = "# Written by Comfrey: where this ComfyUI finds the models of the workspace.\n".to_owned();
    for (number, folder) in shared.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "comfrey_{}:", number + 1);
        let _ = match ModelRoot::named(folder).holds {
            Holds::Folder(key) => writeln!(text, "  {key}: {}", quoted(folder)),
            Holds::Directories => {
                let _ = writeln!(text, "  base_path: {}", quoted(folder));
                directories_of(folder, &mut text)
            }
        };
    }
    text
}

/// The folder keys of a `models` folder.
fn directories_of(folder: &Path, text: &mut String) -> std::fmt::Result {
    let mut named: Vec<&str> = Vec::new();
    for known in folders::all() {
        named.extend(known.directories);
        match known.directories {
            [one] => writeln!(text, "  {}: {one}", known.key)?,
            several => {
                writeln!(text, "  {}: |", known.key)?;
                for directory in several {
                    writeln!(text, "    {directory}")?;
                }
            }
        }
    }
    // Folders that custom nodes have made.
    for directory in directories(folder) {
        let plain = directory.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if plain && !named.contains(&directory.as_str()) {
            writeln!(text, "  {directory}: {directory}")?;
        }
    }
    Ok(())
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
    use crate::models::extra_paths::{FILE_NAME, read};

    #[test]
    fn comfyui_reads_what_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let odd = if cfg!(windows) { "one 'x' #" } else { "one 'x': #" };
        let shared = [dir.path().join(odd), dir.path().join("two"), dir.path().join("style/loras")];
        std::fs::create_dir_all(shared[0].join("ultralytics")).unwrap();
        let file = dir.path().join(FILE_NAME);
        std::fs::write(&file, text(&shared)).unwrap();
        let read = read(&file);
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        let of = |key: &str| -> Vec<PathBuf> {
            let found = read.folders.iter().filter(|folder| folder.key == key);
            found.map(|folder| folder.directory.clone()).collect()
        };
        assert_eq!(of("checkpoints"), [shared[0].join("checkpoints"), shared[1].join("checkpoints")]);
        assert_eq!(of("loras"), [shared[0].join("loras"), shared[1].join("loras"), shared[2].clone()]);
        assert_eq!(of("text_encoders").len(), 4);
        assert_eq!(of("ultralytics"), [shared[0].join("ultralytics")]);
        assert!(read.folders.iter().all(|folder| !folder.is_default));
    }
}
