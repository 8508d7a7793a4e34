//! Nodes that are git clones: when their files are rewritten, git's view of them goes along, so that `git status` there says what the user expects.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::object::{Entry, RelativePath, Tree};
use crate::observer::Silent;
use crate::platform::git_clone::Stand;
use crate::platform::git_program::{Git, Questions};
use crate::worktree::{self, Trees};

use super::git;
use super::manifest::{NodeFacts, NodeSource};
use super::plan::Step;
use super::restore_point::Stands;
use super::snapshot_tree::NODES;

/// The step by which a clone comes to stand there; nothing where it does already. A branch that would lose something stays, and HEAD leaves it.
pub fn follow(git: &Git<'_>, path: &RelativePath, folder: &Path, to: Stand) -> Option<Step> {
    let from = git.stand_of(folder).ok()?;
    let branch = to.branch.filter(|branch| git.may_move(folder, branch, &to.commit));
    let to = Stand { branch, ..to };
    (from != to).then(|| Step::Follow { path: path.clone(), from, to })
}

/// Where the clones among the nodes of a root tree stand, read from their files.
pub fn stands(
    trees: &dyn Trees,
    root: &Tree,
    place: impl Fn(&RelativePath) -> Option<PathBuf>,
) -> Result<Stands, worktree::Error> {
    let stand = |entry: &Entry| {
        let path = RelativePath::new(NODES).ok()?.join(&entry.name);
        let git::GitFacts { commit, branch, .. } = git::facts(&place(&path)?)?;
        Some((path, Stand { branch, commit: commit? }))
    };
    Ok(nodes(trees, root)?.entries().iter().filter_map(stand).collect())
}

/// What is known of where clones stood with the files that are to come.
pub struct Then<'a> {
    /// Where they stood, as a restore point has it.
    pub stands: &'a Stands,
    /// What the manifest of a version says of its nodes.
    pub nodes: &'a BTreeMap<String, NodeFacts>,
}

impl Then<'_> {
    fn stand(&self, git: &Git<'_>, path: &RelativePath, entry: &Entry, folder: &Path) -> Option<Stand> {
        if let Some(stand) = self.stands.get(path) {
            return Some(stand.clone());
        }
        let facts = self.nodes.values().find(|facts| facts.path == path.as_str() && facts.tree == entry.id)?;
        let NodeSource::Git { reference, commit: Some(commit), .. } = &facts.source else { return None };
        let branch = reference.clone().filter(|name| git.has_branch(folder, name));
        Some(Stand { branch, commit: commit.clone() })
    }
}

/// The steps by which clones follow their files, which are to be those of `target`. Of which commit those are must be known, and the clone must have it.
pub fn following(
    trees: &dyn Trees,
    place: impl Fn(&RelativePath) -> Option<PathBuf>,
    current: &Tree,
    target: &Tree,
    renamed: &[Step],
    then: &Then<'_>,
) -> Result<Vec<Step>, worktree::Error> {
    let git = Git { questions: Questions::Never, observer: &Silent };
    let (before, after) = (nodes(trees, current)?, nodes(trees, target)?);
    let mut steps = Vec::new();
    for entry in after.entries() {
        let Ok(above) = RelativePath::new(NODES) else { continue };
        let path = above.join(&entry.name);
        if before.get(entry.name.as_str()).is_some_and(|now| now.id == entry.id) {
            continue;
        }
        let was = renamed.iter().find_map(|step| match step {
            Step::Rename { from, to, .. } if *to == path => Some(from.clone()),
            _ => None,
        });
        let folder = place(&was.unwrap_or_else(|| path.clone())).filter(|folder| folder.join(".git").exists());
        if let Some(folder) = folder
            && let Some(stand) = then.stand(&git, &path, entry, &folder)
            && git.has_commit(&folder, &stand.commit)
        {
            steps.extend(follow(&git, &path, &folder, stand));
        }
    }
    Ok(steps)
}

fn nodes(trees: &dyn Trees, root: &Tree) -> Result<Tree, worktree::Error> {
    match root.get(NODES) {
        Some(entry) => trees.tree(&entry.id),
        None => Ok(Tree::default()),
    }
}
