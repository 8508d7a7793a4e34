//! `node remove`: off, or with `--delete` away.

use crate::environment::nodes::{Change, NodeError, steps};
use crate::object::EntryKind;
use crate::ui::program::Command;
use crate::ui::report::Bytes;
use crate::ui::{Exit, Failure, Session};
use crate::worktree::Trees;

use super::at_work::{self, How};
use super::planned::{self, PackagesHow, Plan, Wants};

const HELP: &str = "\
A custom node that is removed is switched off, and can be switched on again without a network. With --delete its folder goes;
`comfrey undo` brings back every file that a snapshot can hold.

Examples:
  comfrey node remove comfyui-kjnodes
  comfrey node remove comfyui-kjnodes --delete";

/// Switches custom nodes off, or deletes them.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Remove {
    /// Their folders, ids or repositories
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
    /// Delete their files
    #[arg(long)]
    delete: bool,
    /// With --delete: also what no snapshot holds and undo cannot bring back, such as a repository
    #[arg(long, requires = "delete")]
    force: bool,
    #[command(flatten)]
    how: How,
}

impl Command for Remove {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        if !self.delete {
            return super::switch::switch(session, &self.nodes, &self.how, PackagesHow::default(), false);
        }
        let (working, _lock) = at_work::open(session, &self.how)?;
        let around = working.around(session.observer);
        let at_work = at_work::look(&around)?;
        let places = around.places();
        let (mut chosen, mut keys, mut size, mut rests) = (Vec::new(), Vec::new(), 0, Vec::new());
        for name in &self.nodes {
            let node = at_work.named(name)?;
            if keys.contains(&node.key) {
                continue;
            }
            if node.entry.kind == EntryKind::Tree
                && !node.linked
                && let Some(folder) = places.of(&node.path)
            {
                let files = steps::not_kept(&folder, &at_work.state.trees.tree(&node.entry.id)?, &at_work.state.trees);
                if !files.is_empty() && !self.force {
                    at_work.state.all_read()?;
                    return Err(NodeError::NotKept { key: node.key.clone(), files }.into());
                }
                if !files.is_empty() {
                    rests.push(node.path.clone());
                }
            }
            chosen.push(steps::remove(node));
            keys.push(node.key.clone());
            size += node.entry.size;
        }
        let mut plan = Plan {
            change: Change::new(&at_work.nodes, &at_work.manifest, &chosen)?.taking_whole(rests),
            result: "deleted",
            question: Some(format!("Delete {} ({})?", keys.join(", "), Bytes(size))),
            what: None,
            told: format!("Deleted: {}", keys.join(", ")),
            nodes: keys,
            version: None,
            scripts: Vec::new(),
            warnings: Vec::new(),
        };
        for node in at_work.nodes.iter().filter(|node| plan.nodes.contains(&node.key)).collect::<Vec<_>>() {
            if !node.name.disabled && node.entry.kind == EntryKind::Tree {
                plan.require(session, &working, &node.name.base, &Wants::Nothing, PackagesHow::default())?;
            }
        }
        planned::carry_out(session, &working, &at_work.head, &plan, &self.how, || Ok(()))
    }
}
