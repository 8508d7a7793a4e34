//! The requirements of a folder: ComfyUI's, or a node's.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::platform::git_refs::without_credentials;

use super::super::torch;
use super::{Requirement, project, setup, text_file};

/// Whose requirements they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// ComfyUI's own: it says which torch there is.
    ComfyUi,
    /// A node's: it gets the torch that is there.
    Node,
}

/// What a folder asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// In the order in which they are written, each once.
    pub accepted: Vec<Requirement>,
    /// What was not taken over, and why.
    pub refused: Vec<Refused>,
    /// The files that were read, relative to the folder, with `/`.
    pub files: Vec<String>,
}

/// Something that was asked for and that is not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// As it is written, without names and passwords.
    pub line: String,
    pub from: Origin,
    pub reason: Reason,
}

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Relative to the folder, with `/`.
    pub file: String,
    /// From 1; 0 where it is not known.
    pub line: usize,
}

/// Why something is not taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("not a requirement: {0}")]
    Invalid(String),
    #[error("a file or folder of one machine")]
    LocalPath,
    #[error("a URL that does not say which package it is; write `NAME @ URL`")]
    NoName,
    #[error("it needs a variable of one machine")]
    Variable,
    /// torch and what is bound to one version of it.
    #[error("torch and what is bound to its version come with ComfyUI")]
    Torch,
    #[error("where packages come from is for you to set, for instance with UV_INDEX")]
    Index,
    #[error("an option of pip's that uv does not take from a requirements file")]
    Option,
    #[error("a constraint on a package that it does not require; `comfrey constraint add` makes it hold for all")]
    Constraint,
    #[error("a file that is not there")]
    Absent,
    #[error("a file outside the folder")]
    Outside,
    #[error("a file that has to be fetched")]
    Remote,
    #[error("worked out by a program, which is not run")]
    Computed,
    #[error("not readable: {0}")]
    Unreadable(String),
}

impl Reason {
    /// One word for JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Reason::Invalid(_) => "invalid",
            Reason::LocalPath => "local-path",
            Reason::NoName => "no-name",
            Reason::Variable => "variable",
            Reason::Torch => "torch",
            Reason::Index => "index",
            Reason::Option => "option",
            Reason::Constraint => "constraint",
            Reason::Absent => "absent",
            Reason::Outside => "outside",
            Reason::Remote => "remote",
            Reason::Computed => "computed",
            Reason::Unreadable(_) => "unreadable",
        }
    }

    /// True where nobody need do anything: it is meant to be so.
    pub fn is_expected(&self) -> bool {
        matches!(self, Reason::Torch)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused { line, from, reason } = self;
        match from.line {
            0 => write!(f, "{}: `{line}` is left out: {reason}", from.file),
            number => write!(f, "{}:{number}: `{line}` is left out: {reason}", from.file),
        }
    }
}

impl Requirements {
    /// Reads what the folder asks for. A node that is a single file asks for nothing.
    ///
    /// Nothing fails: what cannot be read is among the refused.
    pub fn of(folder: &Path, whose: Whose) -> Self {
        let mut found = Requirements::default();
        let readers: [fn(&Path, &mut Requirements) -> bool; 3] = [text_file::read, project::read, setup::read];
        for read in readers {
            if read(folder, &mut found) {
                break;
            }
        }
        found.leave_torch(whose);
        let mut seen = BTreeSet::new();
        found.accepted.retain(|requirement| seen.insert(requirement.as_str().to_owned()));
        found
    }

    /// torch decides which version of some packages there is; a node that asks for another one would break it, or be broken.
    fn leave_torch(&mut self, whose: Whose) {
        if whose == Whose::ComfyUi {
            return;
        }
        let (torch, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.accepted).into_iter().partition(|found| torch::belongs_to_torch(found.package()));
        self.accepted = rest;
        let file = self.files.first().cloned().unwrap_or_default();
        self.refused.extend(torch.into_iter().map(|found| Refused {
            line: found.to_string(),
            from: Origin { file: file.clone(), line: 0 },
            reason: Reason::Torch,
        }));
    }

    /// As they stand in a manifest.
    pub fn texts(&self) -> Vec<String> {
        self.accepted.iter().map(ToString::to_string).collect()
    }

    pub(super) fn take(&mut self, line: &str, from: Origin) {
        match Requirement::parse(line) {
            Ok(requirement) => self.accepted.push(requirement),
            Err(reason) => self.refuse(line, from, reason),
        }
    }

    pub(super) fn refuse(&mut self, line: &str, from: Origin, reason: Reason) {
        self.refused.push(Refused { line: without_secrets(line), from, reason });
    }
}

/// A line without the names and passwords in its addresses.
fn without_secrets(line: &str) -> String {
    let word = |word: &str| match word.find("http") {
        Some(at) => format!("{}{}", &word[..at], without_credentials(&word[at..])),
        None => word.to_owned(),
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// A file of this size asks for nothing that a person wrote.
const MOST_BYTES: u64 = 1 << 20;

/// The text of a file of the folder, in the encodings that editors on Windows write; nothing when there is none.
pub(super) fn text_of(path: &Path) -> io::Result<Option<String>> {
    let bytes = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.is_file() => return Ok(None),
        Ok(metadata) if metadata.len() > MOST_BYTES => return Err(io::Error::other("it is too large")),
        Ok(_) => std::fs::read(path)?,
    };
    let units = |decode: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| decode([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    Ok(Some(match bytes.as_slice() {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        all => String::from_utf8_lossy(all).into_owned(),
    }))
}

/// `a/b/../c` without going through the file system; nothing where it leads out of the folder.
pub(super) fn inside(folder: &str, path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    if path.starts_with('/') || Path::new(&path).is_absolute() || path.contains(':') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A path relative to the folder as a path of this system.
pub(super) fn below(folder: &Path, relative: &str) -> PathBuf {
    relative.split('/').fold(folder.to_owned(), |path, part| path.join(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = below(folder.path(), name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        folder
    }

    #[test]
    fn the_first_file_that_is_there_says_all() {
        let all: [(&str, &[u8]); 3] = [
            ("requirements.txt", b"from-text\n"),
            ("pyproject.toml", b"[project]\ndependencies = [\"from-project\"]\n"),
            ("setup.py", b"setup(install_requires=['from-setup'])\n"),
        ];
        for (from, name) in [(0, "from-text"), (1, "from-project"), (2, "from-setup"), (3, "")] {
            let folder = folder(&all[from..]);
            let found = Requirements::of(folder.path(), Whose::Node);
            assert_eq!(found.texts().join(","), name);
            assert_eq!(found.refused, []);
        }
    }

    #[test]
    fn torch_comes_from_comfyui_alone() {
        let text = b"torch>=2.4\ntorchvision\ntorchaudio==2.9\nTriton; sys_platform == 'linux'\nnvidia-cublas-cu12==12.6\nxformers\nnumpy\nnumpy\n";
        let folder = folder(&[("requirements.txt", text)]);
        let of_node = Requirements::of(folder.path(), Whose::Node);
        assert_eq!(of_node.texts(), ["numpy"]);
        assert_eq!(of_node.refused.len(), 6);
        assert!(of_node.refused.iter().all(|refused| refused.reason == Reason::Torch));
        let of_comfyui = Requirements::of(folder.path(), Whose::ComfyUi);
        assert_eq!(of_comfyui.accepted.len(), 7);
        assert_eq!(of_comfyui.refused, []);
    }

    #[test]
    fn what_editors_on_windows_write_is_read() {
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("numpy\r\nscipy\r\n".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        for bytes in [utf16.as_slice(), b"\xef\xbb\xbfnumpy\r\nscipy\r\n"] {
            let folder = folder(&[("requirements.txt", bytes)]);
            assert_eq!(Requirements::of(folder.path(), Whose::Node).texts(), ["numpy", "scipy"]);
        }
    }

    #[test]
    fn paths_stay_inside_the_folder() {
        assert_eq!(inside("", "a/./b.txt").as_deref(), Some("a/b.txt"));
        assert_eq!(inside("sub", "../b.txt").as_deref(), Some("b.txt"));
        assert_eq!(inside("sub", "..\\..\\b.txt"), None);
        assert_eq!(inside("", "/etc/passwd"), None);
        assert_eq!(inside("", "C:\\x"), None);
    }
}
