//! `diff-tree`: the changes from one tree to another.

use crate::history::TreeDiff;
use crate::object::RelativePath;
use crate::ui::changes::{Form, Printer, paths};
use crate::ui::program::Command;
use crate::ui::revisions::with_first_parent;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
A line a path that differs, folders followed to the bottom:
  STATUS SP KIND SP ID SP KIND SP ID TAB PATH     before and after, `-` where there is nothing
  STATUS TAB PATH                                 with --name-status
STATUS is A added, D deleted, M modified (other bytes, or the executable bit), T of another type (file, symlink, model).
An empty folder stands for itself. Paths with control characters or a quotation mark are quoted as git does, unless -z is given.

Equal folders are never read: the cost follows what differs.

Examples:
  comfrey diff-tree v1 v2 --name-status
  comfrey diff-tree HEAD                          what the newest snapshot changed
  comfrey diff-tree HEAD~3 HEAD -- workflows      only below one folder";

/// Prints the paths that differ between two trees.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct DiffTree {
    /// The tree before; alone, a snapshot that is compared with its first parent
    #[arg(value_name = "A")]
    old: String,
    /// The tree after
    #[arg(value_name = "B")]
    new: Option<String>,
    /// Print the status and the path only
    #[arg(long, conflicts_with = "name_only")]
    name_status: bool,
    /// Print the path only
    #[arg(long)]
    name_only: bool,
    /// Follow folders (always done; taken for git's sake)
    #[arg(short, hide = true)]
    recursive: bool,
    /// Lines end with NUL, and paths are not quoted
    #[arg(short = 'z')]
    nul: bool,
    /// Exit with 1 if anything differs
    #[arg(long)]
    exit_code: bool,
    /// Only these paths and what is below them
    #[arg(value_name = "PATH", last = true)]
    paths: Vec<String>,
}

impl Command for DiffTree {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        let (old, new) = match &self.new {
            Some(new) => (Some(view.tree(&self.old)?), view.tree(new)?),
            None => with_first_parent(&view, view.snapshot(&self.old)?)?,
        };
        let form = match (self.name_status, self.name_only) {
            (true, _) => Form::Status,
            (_, true) => Form::Name,
            _ => Form::Full,
        };
        let below: Vec<RelativePath> = paths(&self.paths)?;
        let diff = TreeDiff::new(revisions.objects(), old, Some(new))?.below(below);
        let differs = Printer { form, nul: self.nul }.all(session, diff)?;
        Ok(if differs && self.exit_code { Exit::Negative } else { Exit::Done })
    }
}
