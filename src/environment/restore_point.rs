//! A snapshot of the working state just before a command rewrites files, so that nothing is ever lost by one.
//!
//! It is an ordinary snapshot whose parent is the version that was current. The operation that rewrote the files names it; no
//! branch does.

use crate::object::{ObjectId, Snapshot, Time};

/// What the command was about to rewrite, and so what `undo` brings back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Workflows, nodes, manifest: everything that a snapshot holds.
    Files,
    /// The manifest alone, as a commit does: work done since stays when the commit is undone.
    Manifest,
}

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
        }
    }
}
