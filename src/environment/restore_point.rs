//! A snapshot of the working state just before a command rewrites files, so that nothing is ever lost by one.
//!
//! It is an ordinary snapshot whose parent is the version that was current. The operation that rewrote the files names it; no
//! branch does.

use std::collections::BTreeMap;

use crate::object::{ObjectId, RelativePath, Snapshot, Time};

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

const LINK: &str = "Link: ";
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

/// The same, which knows of these links.
pub fn with_links(snapshot: Snapshot, links: &Links) -> Snapshot {
    let Some((said, scope)) = snapshot.message.rsplit_once('\n') else { return snapshot };
    // A target that is no line is brought back as files.
    let links = links.iter().filter(|(_, target)| !target.chars().any(char::is_control));
    let links: String = links.map(|(path, target)| format!("{LINK}{path}\t{target}\n")).collect();
    Snapshot { message: format!("{said}\n{links}{scope}"), ..snapshot }
}

/// The links that were there.
pub fn links(snapshot: &Snapshot) -> Links {
    // What comes after the last empty line is ours; a command may quote anything.
    let ours = snapshot.message.rsplit("\n\n").next().unwrap_or_default();
    let link = |line: &str| {
        let (path, target) = line.strip_prefix(LINK)?.split_once('\t')?;
        Some((RelativePath::new(path).ok()?, target.to_owned()))
    };
    ours.lines().filter_map(link).collect()
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
            assert_eq!(super::links(&made), Links::new());
            let links = Links::from([(RelativePath::new("nodes/mine").unwrap(), "/home/ann/mine".to_owned())]);
            let made = with_links(made, &links);
            assert_eq!((super::scope(&made), super::links(&made)), (scope, links));
        }
    }
}
