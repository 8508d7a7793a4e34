//! What a user types for a node that is to be had.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::catalog::package::repository_name;
use crate::net::address::{is_url, shown};
use crate::platform::git_refs::without_credentials;

/// Where a node is to come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A package of the registry, in this version or the newest.
    Registry { id: String, version: Option<String> },
    /// A repository, at this branch, tag or commit, or at what its HEAD names.
    Git { url: String, reference: Option<String> },
    /// An archive or a single file at an address.
    Download { url: String },
    /// An archive or a single file on this machine.
    File { path: PathBuf },
    /// A folder on this machine.
    Folder { path: PathBuf },
}

/// A text that names nothing that could be a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotARequest {
    #[error("`{0}` names no node: a registry id such as comfyui-kjnodes, a git URL, an archive or a folder is wanted")]
    Unclear(String),
    #[error("{}: there is no such file or folder", .0.display())]
    NoPath(PathBuf),
    #[error("a name, a version or a reference is missing around the `@` of `{0}`")]
    HalfVersion(String),
}

/// Endings of what is an archive, or a node of one file.
const FILES: [&str; 8] = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.zstd", ".py"];

impl Request {
    /// Reads what was typed. `here` is the folder that paths are relative to.
    pub fn parse(text: &str, here: &Path) -> Result<Self, NotARequest> {
        let text = text.trim();
        let unclear = || NotARequest::Unclear(shown(text));
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(unclear());
        }
        if let Some(rest) = text.strip_prefix("file://") {
            let path = Path::new(if cfg!(windows) { rest.trim_start_matches('/') } else { rest });
            return match (path.is_file(), path.is_dir() && !is_repository(path)) {
                (true, _) => Ok(Request::File { path: path.to_owned() }),
                (_, true) => Ok(Request::Folder { path: path.to_owned() }),
                _ => Self::git(text, text),
            };
        }
        if let Some(request) = Self::path(text, here) {
            return request;
        }
        if let Some(rest) = text.strip_prefix("git+") {
            return Self::git(rest, text);
        }
        if is_url(text) {
            if let Some(request) = Self::page_of_github(text) {
                return Ok(request);
            }
            let place = text.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
            return match FILES.iter().any(|ending| place.ends_with(ending)) {
                true => Ok(Request::Download { url: text.to_owned() }),
                false => Self::git(text, text),
            };
        }
        if text.contains("://") || is_scp(text) {
            return Self::git(text, text);
        }
        let (name, version) = split_version(text)?;
        let plain = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        match name.split_once('/') {
            // As the lists of packages name what is not in the registry.
            Some((owner, repository)) if plain(owner) && plain(repository) && !owner.starts_with('.') => {
                Ok(Request::Git { url: format!("https://github.com/{name}"), reference: version.map(str::to_owned) })
            }
            None if plain(name) && !name.starts_with('.') => {
                Ok(Request::Registry { id: name.to_owned(), version: version.map(str::to_owned) })
            }
            _ => Err(unclear()),
        }
    }

    /// Something on this machine, if the text is a path: one that is there, or that looks like nothing else.
    fn path(text: &str, here: &Path) -> Option<Result<Self, NotARequest>> {
        // As a person would write it, without `.` in the middle.
        let place = |text: &str| -> PathBuf {
            let path = match text.strip_prefix("~/") {
                Some(rest) => std::env::home_dir().unwrap_or_default().join(rest),
                None => here.join(text),
            };
            path.components().collect()
        };
        let expanded = place(text);
        let of = |path: &Path, reference: Option<&str>| {
            let url = || path.to_string_lossy().into_owned();
            match (path.is_file(), is_bare_repository(path), reference) {
                (true, _, None) => Some(Request::File { path: path.to_owned() }),
                (false, true, _) => Some(Request::Git { url: url(), reference: reference.map(str::to_owned) }),
                (false, _, Some(_)) if is_repository(path) => {
                    Some(Request::Git { url: url(), reference: reference.map(str::to_owned) })
                }
                (false, _, None) if path.is_dir() => Some(Request::Folder { path: path.to_owned() }),
                _ => None,
            }
        };
        // A word without a separator is an id, whatever lies here by that name: `./NAME` is the folder.
        let is_word = !text.contains(['/', '\\']) && !FILES.iter().any(|ending| text.ends_with(ending));
        if is_word && !Path::new(text).is_absolute() && text != "." && text != ".." {
            return None;
        }
        if let Some(found) = of(&expanded, None) {
            return Some(Ok(found));
        }
        if let Some((before, reference)) = text.rsplit_once('@').filter(|(before, _)| !before.is_empty())
            && let Some(found) = of(&place(before), Some(reference))
        {
            return Some(Ok(found));
        }
        let is_clearly_one = Path::new(text).is_absolute()
            || ["./", "../", "~/", ".\\", "..\\"].iter().any(|start| text.starts_with(start))
            || (!text.contains("://") && FILES.iter().any(|ending| text.to_ascii_lowercase().ends_with(ending)));
        is_clearly_one.then_some(Err(NotARequest::NoPath(expanded)))
    }

    fn git(url: &str, typed: &str) -> Result<Self, NotARequest> {
        // The last `@` behind the path's beginning: those before it are of a user's name.
        let from = match url.find("://") {
            Some(at) => at + 3 + url[at + 3..].find('/').unwrap_or(url.len() - at - 3),
            None => url.find(':').unwrap_or(0),
        };
        let at = url[from..].rfind('@').map(|at| from + at);
        let (url, reference) = at.map_or((url, None), |at| (&url[..at], Some(&url[at + 1..])));
        if reference.is_some_and(str::is_empty) {
            return Err(NotARequest::HalfVersion(shown(typed)));
        }
        let url = url.split('#').next().unwrap_or_default().trim_end_matches('/');
        if repository_name(url).is_none() && !url.starts_with("file://") && !is_url(url) {
            return Err(NotARequest::Unclear(shown(typed)));
        }
        Ok(Request::Git { url: url.to_owned(), reference: reference.map(str::to_owned) })
    }

    /// `https://github.com/OWNER/NAME/tree/REF`, as a browser shows it.
    fn page_of_github(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("://")?;
        let rest = rest.strip_prefix("www.").unwrap_or(rest).strip_prefix("github.com/")?;
        let mut parts = rest.trim_end_matches('/').splitn(4, '/');
        let (owner, name, kind, reference) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let reference = match kind {
            "tree" | "commit" => reference,
            "releases" => reference.strip_prefix("tag/")?,
            _ => return None,
        };
        let url = format!("https://github.com/{owner}/{name}");
        Some(Request::Git { url, reference: Some(reference.to_owned()) })
    }

    /// The word by which a node that is there would be the same one; nothing where only its files could tell.
    pub fn word(&self) -> Option<&str> {
        match self {
            Request::Registry { id, .. } => Some(id),
            Request::Git { url, .. } => Some(url),
            Request::Download { .. } | Request::File { .. } | Request::Folder { .. } => None,
        }
    }

    /// The folder that such a node usually gets: the last name of where it comes from.
    pub fn folder(&self) -> String {
        let last = |text: &str| {
            let text = text.split(['?', '#']).next().unwrap_or_default().trim_end_matches(['/', '\\']);
            let name = text.rsplit(['/', '\\', ':']).next().unwrap_or(text);
            let ending = FILES.iter().filter(|ending| **ending != ".py").chain(&[".git"]);
            let plain = ending.filter_map(|ending| name.strip_suffix(ending)).min_by_key(|name| name.len());
            plain.unwrap_or(name).to_owned()
        };
        match self {
            Request::Registry { id, .. } => id.clone(),
            Request::Git { url, .. } | Request::Download { url } => last(url),
            Request::File { path } | Request::Folder { path } => last(&path.to_string_lossy()),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |version: &Option<String>| version.as_deref().map(|text| format!("@{text}")).unwrap_or_default();
        match self {
            Request::Registry { id, version } => write!(f, "{id}{}", at(version)),
            Request::Git { url, reference } => write!(f, "{}{}", without_credentials(url), at(reference)),
            Request::Download { url } => f.write_str(&shown(url)),
            Request::File { path } | Request::Folder { path } => write!(f, "{}", path.display()),
        }
    }
}

/// `git@host:owner/name`
fn is_scp(text: &str) -> bool {
    let Some((user, rest)) = text.split_once('@') else { return false };
    !user.contains('/') && rest.split_once(':').is_some_and(|(host, path)| !host.contains('/') && path.contains('/'))
}

fn is_repository(path: &Path) -> bool {
    path.join(".git").exists() || is_bare_repository(path)
}

fn is_bare_repository(path: &Path) -> bool {
    path.join("HEAD").is_file() && path.join("objects").is_dir() && path.join("refs").is_dir()
}

fn split_version(text: &str) -> Result<(&str, Option<&str>), NotARequest> {
    match text.split_once('@') {
        None => Ok((text, None)),
        Some((name, "latest")) if !name.is_empty() => Ok((name, None)),
        Some((name, version)) if !name.is_empty() && !version.is_empty() => Ok((name, Some(version))),
        Some(_) => Err(NotARequest::HalfVersion(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Request {
        Request::parse(text, Path::new("/nowhere")).unwrap()
    }

    fn git(url: &str, reference: Option<&str>) -> Request {
        Request::Git { url: url.into(), reference: reference.map(str::to_owned) }
    }

    #[test]
    fn every_way_to_name_a_node_is_understood() {
        let registry =
            |id: &str, version: Option<&str>| Request::Registry { id: id.into(), version: version.map(str::to_owned) };
        assert_eq!(parse("comfyui-kjnodes"), registry("comfyui-kjnodes", None));
        assert_eq!(parse("ComfyUI_x@1.2.3"), registry("ComfyUI_x", Some("1.2.3")));
        assert_eq!(parse("x@latest"), registry("x", None));
        assert_eq!(parse("kijai/ComfyUI-KJNodes"), git("https://github.com/kijai/ComfyUI-KJNodes", None));
        let url = "https://github.com/kijai/ComfyUI-KJNodes";
        assert_eq!(parse(url), git(url, None));
        assert_eq!(parse(&format!("{url}.git@v1.0")), git(&format!("{url}.git"), Some("v1.0")));
        assert_eq!(parse(&format!("{url}/tree/feature/x")), git(url, Some("feature/x")));
        assert_eq!(parse(&format!("{url}/releases/tag/v2")), git(url, Some("v2")));
        assert_eq!(parse(&format!("git+{url}@main")), git(url, Some("main")));
        assert_eq!(parse("git@example.org:o/n.git"), git("git@example.org:o/n.git", None));
        assert_eq!(parse("git@example.org:o/n.git@side"), git("git@example.org:o/n.git", Some("side")));
        assert_eq!(parse("ssh://git@example.org/o/n@v1"), git("ssh://git@example.org/o/n", Some("v1")));
        assert_eq!(parse("https://me:pw@example.org/o/n"), git("https://me:pw@example.org/o/n", None));
        for url in ["https://example.org/a/node.zip?x=1", "https://example.org/node.tar.gz", "http://example.org/n.py"]
        {
            assert_eq!(parse(url), Request::Download { url: url.into() });
        }
    }

    #[test]
    fn what_lies_on_this_machine_is_told_by_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        for folder in ["plain", "bare.git/objects", "bare.git/refs", "clone/.git", "comfyui-x"] {
            std::fs::create_dir_all(at.join(folder)).unwrap();
        }
        std::fs::write(at.join("bare.git/HEAD"), "ref: refs/heads/main\n").unwrap();
        std::fs::write(at.join("node.zip"), "").unwrap();
        let parse = |text: &str| Request::parse(text, at);
        assert_eq!(parse("./plain"), Ok(Request::Folder { path: at.join("./plain") }));
        assert_eq!(parse("node.zip"), Ok(Request::File { path: at.join("node.zip") }));
        let bare = at.join("bare.git").to_string_lossy().into_owned();
        assert_eq!(parse("./bare.git@v1"), Ok(git(&bare, Some("v1"))));
        assert_eq!(parse("./bare.git"), Ok(git(&bare, None)));
        assert!(matches!(parse("./clone"), Ok(Request::Folder { .. })));
        assert!(matches!(parse("./clone@main"), Ok(Request::Git { .. })));
        assert!(matches!(parse("comfyui-x"), Ok(Request::Registry { .. })), "a folder of the name of an id");
        assert_eq!(parse("./absent"), Err(NotARequest::NoPath(at.join("./absent"))));
        assert_eq!(parse("absent.zip"), Err(NotARequest::NoPath(at.join("absent.zip"))));
    }

    #[test]
    fn what_names_nothing_is_refused_without_its_secrets() {
        for text in ["", "  ", "a b", "a/b/c/d", ".hidden", "x\ny", "ü"] {
            assert!(Request::parse(text, Path::new("/nowhere")).is_err(), "{text}");
        }
        for text in ["x@", "@1.0", "https://github.com/o/n@"] {
            assert!(matches!(Request::parse(text, Path::new("/nowhere")), Err(NotARequest::HalfVersion(_))), "{text}");
        }
        let request = parse("https://me:pw@example.org/o/n");
        assert_eq!(request.to_string(), "https://example.org/o/n");
    }

    #[test]
    fn a_node_gets_the_last_name_of_where_it_comes_from() {
        for (text, folder) in [
            ("comfyui-kjnodes@1.0", "comfyui-kjnodes"),
            ("https://github.com/kijai/ComfyUI-KJNodes.git@main", "ComfyUI-KJNodes"),
            ("git@example.org:o/n.git", "n"),
            ("https://example.org/a/node-1.0.tar.gz?x=1", "node-1.0"),
            ("https://example.org/single.py", "single.py"),
        ] {
            assert_eq!(parse(text).folder(), folder, "{text}");
        }
    }
}
