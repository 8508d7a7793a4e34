//! `checkout-tree`: a tree to a folder.

use std::path::PathBuf;

use serde::Serialize;

use crate::object::quote::quoted;
use crate::object::{ObjectId, RelativePath};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session, json};
use crate::worktree::check_out::compare::Plan;
use crate::worktree::check_out::{self, AbsentModel, Changed, Displaced, Extra};
use crate::worktree::{CheckOutOptions, CheckedOut};

const HELP: &str = "\
DIR is made if it is absent. Files that are right already are left alone; files that differ are replaced; what the tree
does not have stays, unless --exact is given. Everything is written beside DIR first, each object verified, and then moved into
place: a failure changes nothing. No symbolic link is followed in DIR, and links of the tree are written as they are.

A model whose bytes the store does not hold is printed as `absent ID SIZE PATH`, and the exit code is 1.

Examples:
  comfrey checkout-tree v3:workflows /tmp/workflows
  comfrey checkout-tree HEAD:nodes/impact-pack custom_nodes/impact-pack --exact -n";

/// Writes a tree into a folder.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct CheckoutTree {
    /// Remove what the tree does not have, save what `write-tree` would leave out
    #[arg(long)]
    exact: bool,
    /// Move what is replaced or removed into this folder, on the same file system
    #[arg(long, value_name = "FOLDER")]
    move_aside: Option<PathBuf>,
    /// Refuse to replace a file that differs
    #[arg(long)]
    no_overwrite: bool,
    /// Print what would be done (A added, M replaced, D removed), and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// A tree, or a snapshot, or a folder in one as REV:path
    #[arg(value_name = "REV")]
    revision: String,
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Serialize)]
struct Answer {
    tree: ObjectId,
    written: u64,
    /// Bytes written.
    bytes: u64,
    unchanged: u64,
    /// Paths that were replaced or removed.
    displaced: u64,
    absent: Vec<AbsentShape>,
}

#[derive(Serialize)]
struct AbsentShape {
    path: RelativePath,
    id: ObjectId,
    size: u64,
}

#[derive(Serialize)]
struct Step<'a> {
    /// `A`, `M` or `D`.
    status: &'a str,
    path: String,
}

impl Command for CheckoutTree {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let tree = revisions.view()?.tree(&self.revision)?;
        let options = CheckOutOptions {
            extra: if self.exact { Extra::Displace } else { Extra::Keep },
            changed: if self.no_overwrite { Changed::Refuse } else { Changed::Replace },
            displaced: match &self.move_aside {
                Some(folder) => Displaced::MovedTo(folder.clone()),
                None => Displaced::Removed,
            },
            ..CheckOutOptions::default()
        };
        let store = &revisions.store;
        if self.dry_run {
            let plan = check_out::plan(store, &tree, &self.folder, &options, session.observer)?;
            return self.show(&plan, session);
        }
        let done = check_out::check_out(store, &tree, &self.folder, &options, session.observer)?;
        print(tree, &done, session)
    }
}

impl CheckoutTree {
    fn show(&self, plan: &Plan, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let puts = plan.puts.iter().map(|put| {
            let status = if put.over.is_some() { "M" } else { "A" };
            (status, plan.path_of_put(put))
        });
        let extras = plan.extras.iter().map(|extra| ("D", plan.path_of(extra.folder).join(&extra.name)));
        let mut steps: Vec<(&str, PathBuf)> = puts.chain(extras).collect();
        if !plan.has_target() {
            steps = vec![("A", self.folder.clone())];
        }
        steps.sort_by(|a, b| a.1.cmp(&b.1));
        for (status, path) in steps {
            let path = json::path(&path);
            match session.globals.json {
                true => session.print_json(&Step { status, path })?,
                false => writeln!(session.out, "{status}\t{}", quoted(&path))?,
            }
        }
        Ok(Exit::Done)
    }
}

fn print(tree: ObjectId, done: &CheckedOut, session: &mut Session<'_>) -> Result<Exit, Failure> {
    if session.globals.json {
        let absent =
            |AbsentModel { path, id, size }: &AbsentModel| AbsentShape { path: path.clone(), id: *id, size: *size };
        session.print_json(&Answer {
            tree,
            written: done.written,
            bytes: done.bytes,
            unchanged: done.unchanged,
            displaced: done.displaced,
            absent: done.absent.iter().map(absent).collect(),
        })?;
    } else {
        for AbsentModel { path, id, size } in &done.absent {
            writeln!(session.out, "absent {id} {size}\t{}", quoted(path.as_str()))?;
        }
        session.note(format_args!("{} written, {} right already", done.written, done.unchanged))?;
    }
    if let Some(folder) = &done.left_behind {
        session.warn(format_args!("{} could not be removed; what gave way is in it", folder.display()))?;
    }
    Ok(if done.absent.is_empty() { Exit::Done } else { Exit::Negative })
}
