//! A node that is a git clone, because someone made it one: git's view of it goes along with its files, and what it alone has stays.

use std::path::{Path, PathBuf};

use crate::environment::clones;
use crate::environment::manifest::NodeSource;
use crate::environment::plan::Step;
use crate::object::{ObjectId, RelativePath};
use crate::platform::git_clone::{Remote, Stand};
use crate::platform::git_program::Git;
use crate::store::staging::Staging;
use crate::worktree::{Trees, tree_at};

use super::edits::Edited;
use super::error::NodeError;
use super::fetch::{Fetched, Sources};
use super::survey::Node;

/// A clone in `custom_nodes`.
pub struct Clone<'a> {
    git: Git<'a>,
    key: String,
    folder: PathBuf,
    pub remote: Remote,
    pub stand: Stand,
}

impl<'a> Clone<'a> {
    /// The clone that the node in `folder` is; nothing where it is none.
    ///
    /// # Errors
    /// It cannot be moved by what it says of itself.
    pub fn of(git: Git<'a>, node: &Node, folder: &Path) -> Result<Option<Self>, NodeError> {
        if node.linked || !folder.join(".git").exists() {
            return Ok(None);
        }
        let none = |reason: &str| NodeError::NoSource { key: node.key.clone(), reason: reason.to_owned() };
        if folder.join(".gitmodules").exists() {
            return Err(none("it is a git clone with submodules; `git pull --recurse-submodules` there updates it"));
        }
        let stand = git.stand_of(folder)?;
        let mut remote = git.remote_of(folder).ok_or_else(|| none("it is a git repository without a remote"))?;
        let beside = folder.join(&remote.url);
        if Path::new(&remote.url).is_relative() && beside.exists() {
            remote.url = beside.to_string_lossy().into_owned();
        }
        Ok(Some(Clone { git, key: node.key.clone(), folder: folder.to_owned(), remote, stand }))
    }

    /// The tree of the commit that it stands at: what its files were before anyone edited them.
    pub fn came(&self, sources: &Sources<'_>) -> Result<ObjectId, NodeError> {
        let staging = Staging::new(sources.store.dir(), "node")?;
        let folder = staging.new_path();
        self.git.export(&self.folder, &self.stand.commit, &folder)?;
        Ok(sources.read(&folder, &self.key)?.tree)
    }

    /// Where it is to stand with what was fetched: on its branch where that is the one followed, else on none.
    fn to(&self, reference: Option<&str>, commit: &str) -> Stand {
        let main = || self.git.main_branch(&self.folder, &self.remote.name);
        let wanted = reference.map(str::to_owned).or_else(main);
        let branch = self.stand.branch.clone().filter(|branch| wanted.as_ref() == Some(branch));
        Stand { branch, commit: commit.to_owned() }
    }

    /// The step by which it follows. Commits that it alone has stay on their branch, which does not move then.
    ///
    /// # Errors
    /// It has such commits, and they are not to be left behind.
    pub fn follow(
        &self,
        path: &RelativePath,
        reference: Option<&str>,
        commit: &str,
        leave_own: bool,
    ) -> Result<Option<Step>, NodeError> {
        let own = self.git.own_commits(&self.folder, commit)?;
        if !own.is_empty() && !leave_own {
            return Err(NodeError::OwnCommits { key: self.key.clone(), commits: own });
        }
        Ok(clones::follow(&self.git, path, &self.folder, self.to(reference, commit)))
    }

    /// Fetches what it is to follow. Files and branches stay as they are.
    pub fn bring(&self, step: &Step) -> Result<(), NodeError> {
        match step {
            Step::Follow { to, .. } => Ok(self.git.bring(&self.folder, &self.remote, &to.commit)?),
            _ => Ok(()),
        }
    }
}

/// What was edited, and what lies beside it: files that no commit had, which git leaves where they are.
pub fn beside(trees: &impl Trees, came: &ObjectId, edited: Edited) -> Result<(Edited, Edited), NodeError> {
    let (mut changed, mut beside) = (Edited::new(), Edited::new());
    for (path, now) in edited {
        let is_new = tree_at(trees, came, &path)?.is_none();
        (if is_new { &mut beside } else { &mut changed }).insert(path, now);
    }
    Ok((changed, beside))
}

/// What was fetched of a repository: what is followed there, and the commit.
pub fn of_repository(fetched: &Fetched) -> Option<(Option<&str>, &str)> {
    match &fetched.source {
        NodeSource::Git { reference, commit: Some(commit), .. } => Some((reference.as_deref(), commit)),
        _ => None,
    }
}
