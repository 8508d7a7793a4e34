//! What a git clone says of itself, read from its files: neither git nor a lock is needed, and it takes microseconds.
//!
//! Sources: git's own `gitrepository-layout` and `git-worktree` pages (HEAD, `gitdir:` files, `commondir`, packed-refs).

use std::path::{Path, PathBuf};

use crate::platform::git_refs::without_credentials;

/// Where a clone stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GitFacts {
    /// The commit checked out, 40 (or 64) hex digits; absent in a clone without commits.
    pub commit: Option<String>,
    /// The branch checked out; absent when HEAD is detached.
    pub branch: Option<String>,
    /// The URL of the remote `origin`, else of the first remote, as written; credentials in it are left out.
    pub url: Option<String>,
}

/// The facts of the clone whose top folder is `folder`; nothing if it is no clone.
pub fn facts(folder: &Path) -> Option<GitFacts> {
    let git = git_folder(folder)?;
    let common = common_folder(&git);
    let head = std::fs::read_to_string(git.join("HEAD")).ok()?;
    let (branch, commit) = match head.trim().strip_prefix("ref:") {
        Some(name) => {
            let name = name.trim();
            let branch = name.strip_prefix("refs/heads/").unwrap_or(name);
            (
                Some(branch.to_owned()),
                loose(&git, name).or_else(|| loose(&common, name)).or_else(|| packed(&common, name)),
            )
        }
        None => (None, hex(&head)),
    };
    let config = std::fs::read(common.join("config")).unwrap_or_default();
    Some(GitFacts { commit, branch, url: remote_url(&String::from_utf8_lossy(&config)) })
}

/// What the worktrees of a repository share.
fn common_folder(git: &Path) -> PathBuf {
    match std::fs::read_to_string(git.join("commondir")) {
        Ok(text) => git.join(text.trim()),
        Err(_) => git.to_owned(),
    }
}

/// `.git` is a folder, or in a worktree or submodule a file that names one.
fn git_folder(folder: &Path) -> Option<PathBuf> {
    let git = folder.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = std::fs::read_to_string(&git).ok()?;
    let named = folder.join(text.strip_prefix("gitdir:")?.trim());
    named.is_dir().then_some(named)
}

fn loose(git: &Path, name: &str) -> Option<String> {
    if name.split('/').any(|part| part == "..") {
        return None;
    }
    hex(&std::fs::read_to_string(git.join(name)).ok()?)
}

fn packed(git: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(git.join("packed-refs")).ok()?;
    text.lines().find_map(|line| {
        let (id, found) = line.split_once(' ')?;
        if found.trim() == name { hex(id) } else { None }
    })
}

fn hex(text: &str) -> Option<String> {
    let text = text.trim();
    let well = matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
    well.then(|| text.to_ascii_lowercase())
}

fn remote_url(config: &str) -> Option<String> {
    let mut remote = None;
    let mut found: Vec<(String, String)> = Vec::new();
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            remote = line.strip_prefix("[remote \"").and_then(|rest| rest.split('"').next()).map(str::to_owned);
        } else if let (Some(name), Some((key, value))) = (&remote, line.split_once('='))
            && key.trim().eq_ignore_ascii_case("url")
        {
            found.push((name.clone(), value.trim().trim_matches('"').to_owned()));
        }
    }
    let origin = found.iter().position(|(name, _)| name == "origin").unwrap_or(0);
    found.get(origin).map(|(_, url)| without_credentials(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "a125cd84b054a57729b5eecab930ca9408719832";

    fn write(path: PathBuf, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_branch_is_followed_to_a_loose_or_packed_ref() {
        let dir = tempfile::tempdir().unwrap();
        let git = dir.path().join(".git");
        write(git.join("HEAD"), "ref: refs/heads/master\n");
        write(git.join("packed-refs"), &format!("# pack-refs with: peeled\n{ID} refs/heads/master\n"));
        write(
            git.join("config"),
            "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = https://me:secret@github.com/comfyanonymous/ComfyUI.git\n",
        );
        let found = facts(dir.path()).unwrap();
        assert_eq!(found.commit.as_deref(), Some(ID));
        assert_eq!(found.branch.as_deref(), Some("master"));
        assert_eq!(found.url.as_deref(), Some("https://github.com/comfyanonymous/ComfyUI.git"));
        let newer = "b".repeat(40);
        write(git.join("refs/heads/master"), &newer);
        assert_eq!(facts(dir.path()).unwrap().commit, Some(newer));
    }

    #[test]
    fn a_detached_head_and_a_submodule_are_understood() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path().join("modules/node/HEAD"), &format!("{ID}\n"));
        write(dir.path().join("node/.git"), "gitdir: ../modules/node\n");
        let found = facts(&dir.path().join("node")).unwrap();
        assert_eq!((found.commit.as_deref(), found.branch), (Some(ID), None));
        assert_eq!(facts(dir.path()), None);
    }
}
