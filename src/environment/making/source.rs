//! Where a ComfyUI can be had.

use std::path::{Path, PathBuf};

use crate::platform::paths::plain_path;

/// ComfyUI's own repository: where it comes from when nobody says otherwise.
pub const OFFICIAL: &str = "https://github.com/comfyanonymous/ComfyUI.git";

/// Where a ComfyUI can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The newest release in ComfyUI's own repository.
    Official,
    /// A git repository by its URL.
    Git(String),
    /// A git repository on this machine: a clone, or a bare mirror.
    Repository(PathBuf),
    /// A folder with ComfyUI's files.
    Folder(PathBuf),
    /// A `.zip`, `.tar`, `.tar.gz` or `.tar.zst`.
    Archive(PathBuf),
}

/// A text that names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSource {
    #[error("{}: there is no such file or folder", .0.display())]
    Absent(PathBuf),
    /// Addresses of archives are not fetched.
    #[error("{0}: this is the address of an archive, not of a git repository")]
    ArchiveAddress(String),
}

impl Source {
    /// Reads what a person names: a path that is there, else a git URL.
    pub fn parse(text: &str) -> Result<Self, NoSource> {
        let path = plain_path(Path::new(text));
        match std::fs::metadata(&path) {
            Ok(found) if found.is_file() => Ok(Source::Archive(path)),
            Ok(_) if is_repository(&path) => Ok(Source::Repository(path)),
            Ok(_) => Ok(Source::Folder(path)),
            Err(_) if is_url(text) => {
                let plain = text.split(['?', '#']).next().unwrap_or(text);
                if [".zip", ".tar.gz", ".tgz", ".7z"].iter().any(|suffix| plain.ends_with(suffix)) {
                    return Err(NoSource::ArchiveAddress(text.to_owned()));
                }
                Ok(Source::Git(text.to_owned()))
            }
            Err(_) => Err(NoSource::Absent(path)),
        }
    }

    /// What git is to be given, if it is a repository.
    pub fn git(&self) -> Option<String> {
        match self {
            Source::Official => Some(OFFICIAL.to_owned()),
            Source::Git(url) => Some(url.clone()),
            Source::Repository(path) => Some(path.to_string_lossy().into_owned()),
            Source::Folder(_) | Source::Archive(_) => None,
        }
    }
}

/// A clone's folder, or a bare repository.
fn is_repository(folder: &Path) -> bool {
    let is_bare = || folder.join("HEAD").is_file() && folder.join("objects").is_dir() && folder.join("refs").is_dir();
    folder.join(".git").exists() || is_bare()
}

/// `scheme://…`, or `user@host:path` as ssh has it.
fn is_url(text: &str) -> bool {
    if let Some((scheme, rest)) = text.split_once("://") {
        let is_scheme = scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        return !scheme.is_empty() && is_scheme && !rest.is_empty();
    }
    let Some((host, path)) = text.split_once(':') else { return false };
    host.contains('@') && !host.contains(['/', '\\']) && !path.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_told_from_what_git_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in ["plain", "clone/.git", "mirror.git/objects", "mirror.git/refs"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        std::fs::write(at("mirror.git/HEAD"), "ref: refs/heads/main\n").unwrap();
        std::fs::write(at("release.zip"), "PK").unwrap();
        let parse = |path: PathBuf| Source::parse(path.to_str().unwrap()).unwrap();
        assert_eq!(parse(at("plain")), Source::Folder(at("plain")));
        assert_eq!(parse(at("clone")), Source::Repository(at("clone")));
        assert_eq!(parse(at("mirror.git")), Source::Repository(at("mirror.git")));
        assert_eq!(parse(at("release.zip")), Source::Archive(at("release.zip")));
        for url in ["https://example.org/ComfyUI", "git@example.org:me/ComfyUI.git", "ssh://git@example.org/x"] {
            assert_eq!(Source::parse(url), Ok(Source::Git(url.to_owned())));
        }
        assert_eq!(Source::parse(at("absent").to_str().unwrap()), Err(NoSource::Absent(at("absent"))));
        assert!(matches!(Source::parse("https://example.org/v1.zip"), Err(NoSource::ArchiveAddress(_))));
        assert!(matches!(Source::parse("--upload-pack=x"), Err(NoSource::Absent(_))));
    }
}
