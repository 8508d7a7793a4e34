//! A clone on this machine, asked and moved by the user's own git: where it stands, and what it alone has.
//!
//! Nothing here touches a working file, and no branch loses a commit by it.

use std::ffi::OsString;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::git_program::{Git, GitError};

/// Where a clone stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stand {
    /// The branch that is checked out; nothing where HEAD is detached.
    pub branch: Option<String>,
    /// 40 (or 64) hex digits.
    pub commit: String,
}

/// The remote that a clone came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    pub name: String,
    /// As it is written, with names and passwords.
    pub url: String,
}

/// In git's own log of what a branch was.
const REASON: &str = "comfrey";
/// So many commits are worth naming.
const FEW: &str = "--max-count=6";

impl Git<'_> {
    /// Where the clone stands.
    ///
    /// # Errors
    /// It has no commit, or is no clone.
    pub fn stand_of(&self, clone: &Path) -> Result<Stand, GitError> {
        let about = clone.to_string_lossy();
        let head = self.ask(&about, Some(clone), ["rev-parse", "--symbolic-full-name", "HEAD"])?;
        let branch = head.trim().strip_prefix("refs/heads/").map(str::to_owned);
        Ok(Stand { branch, commit: self.commit_of(clone)? })
    }

    /// The remote `origin`, else the first one.
    pub fn remote_of(&self, clone: &Path) -> Option<Remote> {
        let names = self.ask("", Some(clone), ["remote"]).ok()?;
        let name = names.lines().find(|name| *name == "origin").or_else(|| names.lines().next())?.to_owned();
        let url = self.ask("", Some(clone), ["config", "--get", &format!("remote.{name}.url")]).ok()?;
        Some(Remote { name, url: url.trim().to_owned() })
    }

    /// The branch that the remote's HEAD names, as far as the clone knows.
    pub fn main_branch(&self, clone: &Path, remote: &str) -> Option<String> {
        let head = format!("refs/remotes/{remote}/HEAD");
        let named = self.ask("", Some(clone), ["symbolic-ref", "--quiet", &head]).ok()?;
        Some(named.trim().strip_prefix(&format!("refs/remotes/{remote}/"))?.to_owned())
    }

    pub fn has_commit(&self, clone: &Path, commit: &str) -> bool {
        self.ask("", Some(clone), ["cat-file", "-e", &format!("{commit}^{{commit}}")]).is_ok()
    }

    pub fn has_branch(&self, clone: &Path, branch: &str) -> bool {
        self.ask("", Some(clone), ["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")]).is_ok()
    }

    /// Fetches from the remote, as `git fetch` does, until the commit is there. Files, index and own branches stay as they are.
    pub fn bring(&self, clone: &Path, remote: &Remote, commit: &str) -> Result<(), GitError> {
        if self.has_commit(clone, commit) {
            return Ok(());
        }
        self.ask(&remote.url, Some(clone), ["fetch", "--quiet", &remote.name])?;
        if !self.has_commit(clone, commit) {
            self.ask(&remote.url, Some(clone), ["fetch", "--quiet", "--no-tags", &remote.name, commit])?;
        }
        Ok(())
    }

    /// Commits of HEAD that neither a remote has, as far as the clone knows, nor the commit `but`: beginnings of their ids with their first lines.
    pub fn own_commits(&self, clone: &Path, but: &str) -> Result<Vec<String>, GitError> {
        let mut words = vec!["log", "--no-show-signature", "--format=%h %s", FEW, "HEAD", "--not", "--remotes"];
        words.extend(self.has_commit(clone, but).then_some(but));
        let told = self.ask("", Some(clone), words)?;
        Ok(told.lines().map(str::to_owned).collect())
    }

    /// True where the branch has nothing that would be lost if it were at this commit: all of it is there, or on a remote.
    pub fn may_move(&self, clone: &Path, branch: &str, to: &str) -> bool {
        if !self.has_branch(clone, branch) {
            return true;
        }
        let branch = format!("refs/heads/{branch}");
        let own = self.ask("", Some(clone), ["rev-list", "--max-count=1", &branch, "--not", "--remotes", to]);
        own.is_ok_and(|own| own.trim().is_empty())
    }

    /// Lets the clone stand there: index, branch and HEAD. Files stay as they are.
    pub fn stand_at(&self, clone: &Path, stand: &Stand) -> Result<(), GitError> {
        if self.stand_of(clone)? == *stand {
            return Ok(());
        }
        let ask = |words: &[&str]| self.ask("", Some(clone), words.iter().copied());
        // HEAD comes last: where it is right, all is.
        ask(&["read-tree", &stand.commit])?;
        match &stand.branch {
            Some(branch) => {
                let name = format!("refs/heads/{branch}");
                ask(&["update-ref", "-m", REASON, &name, &stand.commit])?;
                ask(&["symbolic-ref", "-m", REASON, "HEAD", &name])?;
            }
            None => drop(ask(&["update-ref", "--no-deref", "-m", REASON, "HEAD", &stand.commit])?),
        }
        // It ends with 1 where files were edited.
        drop(ask(&["update-index", "-q", "--refresh"]));
        Ok(())
    }

    /// Writes the files of a commit of the clone into `folder`, as git would check them out there.
    pub fn export(&self, clone: &Path, commit: &str, folder: &Path) -> Result<(), GitError> {
        std::fs::create_dir_all(folder).map_err(GitError::Start)?;
        let index = folder.with_extension("index");
        let mut prefix = OsString::from("--prefix=");
        prefix.push(folder);
        prefix.push("/");
        let as_there = self.own_settings(clone);
        self.run_with_index("read-tree", &as_there, clone, &index, ["read-tree".into(), commit.into()])?;
        let words = ["checkout-index".into(), "--all".into(), "--quiet".into(), prefix];
        let written = self.run_with_index("checkout-index", &as_there, clone, &index, words);
        drop(std::fs::remove_file(&index));
        written.map(drop)
    }

    /// What the user has set for line endings: with that, git wrote the files that are there.
    fn own_settings(&self, clone: &Path) -> Vec<String> {
        let of = |scope: &str| {
            let told = self.ask("", Some(clone), ["config", scope, "--get", "core.autocrlf"]).ok()?;
            Some(format!("core.autocrlf={}", told.trim()))
        };
        ["--local", "--global", "--system"].into_iter().find_map(of).into_iter().collect()
    }
}
