//! `extra_model_paths.yaml`: the folders beside `models/` in which ComfyUI looks for models too.
//!
//! The grammar is that of ComfyUI's `utils/extra_config.py`: sections of any name, each a mapping or nothing; `base_path`, in which `~` and
//! environment variables are filled in, relative to the file's folder; `is_default`; and folder keys, each a text of one path a
//! line, relative to `base_path` or else to the file's folder. Where ComfyUI would end with an error, the entry is named with its
//! line and the rest goes on (invariant R30).
//!
//! - [`yaml`]: YAML as a tree in which every value knows its line
//! - [`writing`]: such a file of Comfrey's own

pub mod writing;
pub mod yaml;

use std::path::{Component, Path, PathBuf};

use yaml::{Content, Node, YamlError};

use super::error::Problem;

/// The file's name beside ComfyUI's `main.py`.
pub const FILE_NAME: &str = "extra_model_paths.yaml";

/// A folder that such a file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraFolder {
    /// The folder key as written: `checkpoints`, an older name such as `unet`, or one that ComfyUI does not know, which makes a new one.
    pub key: String,
    pub directory: PathBuf,
    /// It is looked in before all others of its key.
    pub is_default: bool,
}

/// What a file says.
#[derive(Debug, Default)]
pub struct ExtraPaths {
    /// In the order of the file.
    pub folders: Vec<ExtraFolder>,
    pub problems: Vec<Problem>,
}

/// What stands for `~` and `$NAME` in paths.
pub struct Surroundings<'a> {
    pub home: Option<PathBuf>,
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// Longer files are no lists of folders.
const MAX_BYTES: u64 = 1 << 20;

/// Reads `file` with the home folder and the environment of this process. A file that is absent says nothing.
pub fn read(file: &Path) -> ExtraPaths {
    let around = Surroundings { home: std::env::home_dir(), variable: &|name| std::env::var(name).ok() };
    let text = match std::fs::metadata(file) {
        Ok(metadata) if metadata.len() > MAX_BYTES => {
            let problem = wrong(file, 0, format!("is longer than {MAX_BYTES} bytes"));
            return ExtraPaths { problems: vec![problem], ..ExtraPaths::default() };
        }
        Ok(_) => std::fs::read(file),
        Err(error) => Err(error),
    };
    match text {
        // Python's `utf-8` refuses what is no UTF-8, and so do we: a path with U+FFFD in it would name another folder.
        Ok(bytes) => match std::str::from_utf8(&bytes) {
            Ok(text) => parse(text.strip_prefix('\u{feff}').unwrap_or(text), file, &around),
            Err(error) => {
                let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
                ExtraPaths { problems: vec![wrong(file, line, "is not UTF-8")], ..ExtraPaths::default() }
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => ExtraPaths::default(),
        Err(source) => ExtraPaths {
            problems: vec![Problem::Unreadable { path: file.to_owned(), source }],
            ..ExtraPaths::default()
        },
    }
}

fn wrong(file: &Path, line: usize, reason: impl Into<String>) -> Problem {
    Problem::ExtraPaths { path: file.to_owned(), line, reason: reason.into() }
}

/// What `text`, which stands in `file`, says.
pub fn parse(text: &str, file: &Path, around: &Surroundings<'_>) -> ExtraPaths {
    let mut found = ExtraPaths::default();
    let sections = match yaml::read(text) {
        Ok(None) => return found,
        Ok(Some(node)) if node.is_null() => return found,
        Ok(Some(Node { content: Content::Map(sections), .. })) => sections,
        Ok(Some(node)) => {
            found.problems.push(wrong(file, node.line, format!("is {}; sections are wanted", node.kind())));
            return found;
        }
        Err(YamlError { line, reason }) => {
            found.problems.push(wrong(file, line, reason));
            return found;
        }
    };
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let folder = absolute.parent().unwrap_or(Path::new("")).to_owned();
    for (name, section) in sections {
        let name = name.text().unwrap_or_default().to_owned();
        match section.content {
            Content::Map(entries) => Section { file, folder: &folder, around, name }.read(entries, &mut found),
            _ if section.is_null() => {}
            _ => {
                let reason = format!("the section `{name}` is {}; folder keys with paths are wanted", section.kind());
                found.problems.push(wrong(file, section.line, reason));
            }
        }
    }
    found
}

struct Section<'a> {
    file: &'a Path,
    /// The file's own.
    folder: &'a Path,
    around: &'a Surroundings<'a>,
    name: String,
}

impl Section<'_> {
    fn read(&self, entries: Vec<(Node, Node)>, found: &mut ExtraPaths) {
        let named = |name: &str| entries.iter().find(|(key, _)| key.text() == Some(name));
        let base = match named("base_path").map(|(key, value)| (key, value, value.text().filter(|_| !value.is_null())))
        {
            None => None,
            Some((_, _, Some(text))) => Some(self.folder.join(expanded(text, self.around))),
            Some((key, value, None)) => {
                let reason = format!("`base_path` of `{}` is {}; a path is wanted", self.name, value.kind());
                found.problems.push(wrong(self.file, key.line, reason));
                // Where its paths would begin is not known.
                return;
            }
        };
        let is_default = named("is_default").is_some_and(|(_, value)| value.is_true());
        let base = base.as_deref().unwrap_or(self.folder);
        for (key, value) in &entries {
            let line = key.line;
            let Some(key) = key.text().filter(|key| !key.is_empty()) else {
                found.problems.push(wrong(self.file, line, "a folder key is wanted"));
                continue;
            };
            // Custom nodes are no models.
            if matches!(key, "base_path" | "is_default" | "custom_nodes") {
                continue;
            }
            let Some(paths) = value.text().filter(|_| !value.is_null()) else {
                let reason = format!("`{key}` is {}; a path is wanted, or several, one a line after `|`", value.kind());
                found.problems.push(wrong(self.file, line, reason));
                continue;
            };
            for path in paths.split('\n').filter(|path| !path.is_empty()) {
                let directory = normalised(&base.join(path));
                found.folders.push(ExtraFolder { key: key.to_owned(), directory, is_default });
            }
        }
    }
}

/// `~` at the beginning as the home folder, then `$NAME` and `${NAME}` (on Windows `%NAME%` too) as their values; what has none stays.
fn expanded(text: &str, around: &Surroundings<'_>) -> String {
    let at_home = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with(['/', '\\']));
    let text = match (at_home, &around.home) {
        (Some(rest), Some(home)) => format!("{}{rest}", home.display()),
        _ => text.to_owned(),
    };
    let mut result = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(if cfg!(windows) { &['$', '%'][..] } else { &['$'][..] }) {
        result.push_str(&rest[..at]);
        rest = &rest[at..];
        let (name, length) = variable(rest);
        match Some(name).filter(|name| !name.is_empty()).and_then(around.variable) {
            Some(value) => result.push_str(&value),
            None => result.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    result + rest
}

/// The name of the variable that `text` begins with, and how long its mention is.
fn variable(text: &str) -> (&str, usize) {
    if let Some(inner) = text.strip_prefix("${") {
        return inner.find('}').map_or(("", 2), |end| (&inner[..end], end + 3));
    }
    if let Some(inner) = text.strip_prefix('%') {
        return inner.find('%').map_or(("", 1), |end| (&inner[..end], end + 2));
    }
    let name = &text[1..];
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    (&name[..end], end + 1)
}

/// Without `.` and `..`, by the text alone as Python's `normpath` does it.
fn normalised(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Vec<(String, String, bool)>, Vec<String>) {
        let variable = |name: &str| (name == "ART").then(|| "/art".to_owned());
        let around = Surroundings { home: Some(PathBuf::from("/home/ann")), variable: &variable };
        let ExtraPaths { folders, problems } = parse(text, Path::new("/comfy/extra_model_paths.yaml"), &around);
        // Without the drive that is the current one where there are drives.
        let shown = |path: PathBuf| {
            let text = path.to_string_lossy().replace('\\', "/");
            text.find('/').map_or(text.clone(), |at| text[at..].to_owned())
        };
        let folders = folders.into_iter().map(|folder| (folder.key, shown(folder.directory), folder.is_default));
        (folders.collect(), problems.iter().map(ToString::to_string).collect())
    }

    fn rows(rows: &[(&str, &str, bool)]) -> Vec<(String, String, bool)> {
        rows.iter().map(|(key, path, first)| ((*key).to_owned(), (*path).to_owned(), *first)).collect()
    }

    #[test]
    fn sections_with_and_without_a_base_and_several_paths_a_key_are_read() {
        let text = "\
# comment
other_ui:
    base_path: ~/webui
    checkpoints: models/Stable-diffusion
    loras: |
         models/Lora
         models/../models/LyCORIS

    custom_nodes: extensions
    gguf_things: /abs/gguf
empty:
second:
    is_default: true
    base_path: ${ART}/$NONE/x
    unet: u
third:
    vae: ../vae
";
        let (folders, problems) = parsed(text);
        assert_eq!(problems, [""; 0]);
        let expected = [
            ("checkpoints", "/home/ann/webui/models/Stable-diffusion", false),
            ("loras", "/home/ann/webui/models/Lora", false),
            ("loras", "/home/ann/webui/models/LyCORIS", false),
            ("gguf_things", "/abs/gguf", false),
            ("unet", "/art/$NONE/x/u", true),
            ("vae", "/vae", false),
        ];
        assert_eq!(folders, rows(&expected));
    }

    #[test]
    fn a_base_may_be_relative_to_the_file() {
        let (folders, problems) = parsed("a:\n  base_path: shared\n  is_default: no\n  loras: l\n");
        assert_eq!((folders, problems), (rows(&[("loras", "/comfy/shared/l", false)]), vec![]));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_the_rest_goes_on() {
        let text = "a:\n  base_path:\n  loras: x\nb:\n  loras:\n    - x\n  vae:\n  checkpoints: /c\nc: text\n";
        let (folders, problems) = parsed(text);
        assert_eq!(folders.len(), 1);
        let expected = [
            "extra_model_paths.yaml:2: `base_path` of `a` is empty; a path is wanted",
            "extra_model_paths.yaml:5: `loras` is a list; a path is wanted, or several, one a line after `|`",
            "extra_model_paths.yaml:7: `vae` is empty; a path is wanted, or several, one a line after `|`",
            "extra_model_paths.yaml:9: the section `c` is text; folder keys with paths are wanted",
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.ends_with(expected), "{problem}");
        }
    }

    #[test]
    fn a_file_of_comments_says_nothing_and_one_that_is_no_yaml_is_named() {
        assert_eq!(parsed("#comfyui:\n#  base_path: x\n"), (vec![], vec![]));
        let (folders, problems) = parsed("a:\n  b: [\n");
        assert!(folders.is_empty() && problems[0].contains("extra_model_paths.yaml:"), "{problems:?}");
        assert!(parsed("- a\n").1[0].contains("is a list; sections are wanted"));
    }

    #[test]
    fn a_file_that_is_not_there_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let absent = read(&folder.path().join(FILE_NAME));
        assert!(absent.folders.is_empty() && absent.problems.is_empty());
    }
}
