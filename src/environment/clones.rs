//! Nodes that are git clones: when their files are rewritten, git's view of them goes along, so that `git status` there says what the user expects.

use std::path::{Path, PathBuf};

use crate::object::{RelativePath, Tree};
use crate::observer::Silent;
use crate::platform::git_clone::Stand;
use crate::platform::git_program::{Git, Questions};
use crate::worktree::{self, Trees};

use super::git;
use super::plan::Step;
use super::snapshot_tree::NODES;

/// The step by which a clone comes to stand there; nothing where it does already. A branch that would lose something stays, and HEAD leaves it.
pub fn follow(git: &Git<'_>, path: &RelativePath, folder: &Path, to: Stand) -> Option<Step> {
    let from = git.stand_of(folder).ok()?;
    let branch = to.branch.filter(|branch| git.may_move(folder, branch, &to.commit));
    let to = Stand { branch, ..to };
    (from != to).then(|| Step::Follow { path: path.clone(), from, to })
}

/// The steps by which clones follow their files, which are to be those of `target`, as far as it was noted where they stood with these.
pub fn following(
    trees: &dyn Trees,
    place: impl Fn(&RelativePath) -> Option<PathBuf>,
    current: &Tree,
    target: &Tree,
    renamed: &[Step],
) -> Result<Vec<Step>, worktree::Error> {
    let git = Git { questions: Questions::Never, observer: &Silent };
    let nodes = |root: &Tree| match root.get(NODES) {
        Some(entry) => trees.tree(&entry.id),
        None => Ok(Tree::default()),
    };
    let (before, after) = (nodes(current)?, nodes(target)?);
    let Ok(above) = RelativePath::new(NODES) else { return Ok(Vec::new()) };
    let mut steps = Vec::new();
    for entry in after.entries() {
        let path = above.join(&entry.name);
        if before.get(entry.name.as_str()).is_some_and(|now| now.id == entry.id) {
            continue;
        }
        let was = renamed.iter().find_map(|step| match step {
            Step::Rename { from, to, .. } if *to == path => Some(from.clone()),
            _ => None,
        });
        let Some(folder) = place(&was.unwrap_or_else(|| path.clone())) else { continue };
        // One look at the file system for those of which nothing is noted.
        if git::is_noted(&folder)
            && let Some(stand) = git.noted(&folder, &entry.id.to_hex())
        {
            steps.extend(follow(&git, &path, &folder, stand));
        }
    }
    Ok(steps)
}
