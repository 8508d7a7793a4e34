//! A snapshot of the working state just before a command rewrites files, so that nothing is ever lost by one.
//!
//! It is an ordinary snapshot whose parent is the version that was current. The operation that rewrote the files names it; no
//! branch does.

use std::collections::BTreeMap;

use crate::object::{ObjectId, RelativePath, Snapshot, Time};
use crate::platform::git_clone::Stand;

/// What the command was about to rewrite, and so what `undo` brings back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Workflows, nodes, manifest: everything that a snapshot holds.
    Files,
    /// The manifest alone, as a commit does: work done since stays when the commit is undone.
    Manifest,
}

/// Nodes (`nodes/NAME`) that are links to folders elsewhere, and where those are: a snapshot has their files in their place.
pub type Links = BTreeMap<RelativePath, String>;

/// Nodes that are git clones, and where those stand: no snapshot has a `.git`.
pub type Stands = BTreeMap<RelativePath, Stand>;

/// What a snapshot has not of working files, and what is needed to bring them back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    pub links: Links,
    pub clones: Stands,
}

const LINK: &str = "Link: ";
const CLONE: &str = "Clone: ";
const FILES: &str = "Rewrites: working files";
const MANIFEST: &str = "Rewrites: manifest";

/// The restore point for a command that is about to run.
pub fn snapshot(
    tree: ObjectId,
    head: Option<ObjectId>,
    environment: &str,
    who: (&str, Time),
    command: &str,
    scope: Scope,
) -> Snapshot {
    let scope = match scope {
        Scope::Files => FILES,
        Scope::Manifest => MANIFEST,
    };
    Snapshot {
        tree,
        parents: head.into_iter().collect(),
        environment: environment.to_owned(),
        author: who.0.to_owned(),
        time: who.1,
        message: format!("Before `{command}`\n\n{scope}"),
        tool: Snapshot::TOOL.to_owned(),
    }
}

/// The same, which knows of these.
pub fn with(snapshot: Snapshot, beside: &Beside) -> Snapshot {
    let Some((said, scope)) = snapshot.message.rsplit_once('\n') else { return snapshot };
    // A target that is no line is brought back as files.
    let links = beside.links.iter().filter(|(_, target)| !target.chars().any(char::is_control));
    let links: String = links.map(|(path, target)| format!("{LINK}{path}\t{target}\n")).collect();
    let clone = |(path, Stand { branch, commit }): (&RelativePath, &Stand)| {
        format!("{CLONE}{path}\t{commit}\t{}\n", branch.as_deref().unwrap_or_default())
    };
    let clones: String = beside.clones.iter().map(clone).collect();
    Snapshot { message: format!("{said}\n{links}{clones}{scope}"), ..snapshot }
}

/// What the restore point knows of those.
pub fn beside(snapshot: &Snapshot) -> Beside {
    // What comes after the last empty line is ours; a command may quote anything.
    let ours = snapshot.message.rsplit("\n\n").next().unwrap_or_default();
    let link = |line: &str| {
        let (path, target) = line.strip_prefix(LINK)?.split_once('\t')?;
        Some((RelativePath::new(path).ok()?, target.to_owned()))
    };
    let clone = |line: &str| {
        let mut parts = line.strip_prefix(CLONE)?.splitn(3, '\t');
        let (path, commit, branch) = (parts.next()?, parts.next()?, parts.next()?);
        let branch = Some(branch.to_owned()).filter(|branch| !branch.is_empty());
        Some((RelativePath::new(path).ok()?, Stand { branch, commit: commit.to_owned() }))
    };
    Beside { links: ours.lines().filter_map(link).collect(), clones: ours.lines().filter_map(clone).collect() }
}

/// What `undo` brings back of this restore point.
pub fn scope(snapshot: &Snapshot) -> Scope {
    // The last line is ours; those before may quote anything.
    if snapshot.message.lines().last() == Some(MANIFEST) { Scope::Manifest } else { Scope::Files }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restore_point_says_what_it_is_for() {
        for scope in [Scope::Files, Scope::Manifest] {
            let time = Time { milliseconds: 0, offset_minutes: 0 };
            let command = "commit -m \"a\nRewrites: manifest\"";
            let made = snapshot(ObjectId::of_blob(b""), None, "demo", ("Ann", time), command, scope);
            assert_eq!(super::scope(&made), scope);
            assert_eq!(super::beside(&made), Beside::default());
            let path = |text: &str| RelativePath::new(text).unwrap();
            let stand = |branch: Option<&str>| Stand { branch: branch.map(str::to_owned), commit: "c".repeat(40) };
            let beside = Beside {
                links: Links::from([(path("nodes/mine"), "/home/ann/mine".to_owned())]),
                clones: Stands::from([(path("nodes/a"), stand(None)), (path("nodes/b"), stand(Some("my/branch")))]),
            };
            let made = with(made, &beside);
            assert_eq!((super::scope(&made), super::beside(&made)), (scope, beside));
        }
    }
}
