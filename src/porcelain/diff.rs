//! `diff`: what differs, by path.

use std::collections::HashMap;

use crate::environment::draft;
use crate::environment::state::Keep;
use crate::history::TreeDiff;
use crate::history::syntax::range;
use crate::object::{ObjectId, RelativePath, Tree};
use crate::ui::changes::{Form, Printer, paths};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};
use crate::worktree::KeepTree;

const HELP: &str = "\
A line a path that differs: A added, D deleted, M modified, T of another type, then the path.

Examples:
  comfrey diff                  what the next commit would record
  comfrey diff v2               what differs from version 2
  comfrey diff v2 v3            what differs between two versions
  comfrey diff v2..v3           the same
  comfrey diff v2 -- nodes      only below one folder";

/// Shows what differs between two revisions, or a revision and the working state.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Diff {
    /// One revision (against the working state) or two; HEAD if none is given
    #[arg(value_name = "REV", num_args = 0..=2)]
    revisions: Vec<String>,
    /// Print paths only
    #[arg(long)]
    name_only: bool,
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

/// A tree that need not be in the store.
pub struct Working {
    pub root: ObjectId,
    /// Those of its trees that are not in the store, by id.
    pub trees: HashMap<ObjectId, Tree>,
}

impl Command for Diff {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        let words: Vec<&str> = self.revisions.iter().map(String::as_str).collect();
        let (old, new) = match words[..] {
            [] => ("HEAD", None),
            [one] => range(one).map_or((one, None), |(old, new)| (old, Some(new))),
            [old, new] => (old, Some(new)),
            _ => return Err(Failure::new(Exit::Usage, "diff: two revisions at most")),
        };
        // Before the first snapshot everything is new.
        let old = if words.is_empty() && view.head()?.is_none() { None } else { Some(view.tree(old)?) };
        let (new, trees) = match new {
            Some(new) => (view.tree(new)?, HashMap::new()),
            None => {
                let Working { root, trees } = working_state(session)?;
                (root, trees)
            }
        };
        let below: Vec<RelativePath> = paths(&self.paths)?;
        let read = |id: &ObjectId| trees.get(id).cloned().map_or_else(|| view.objects().read(id), Ok);
        let diff = TreeDiff::with(read, old, Some(new))?.below(below);
        let form = if self.name_only { Form::Name } else { Form::Status };
        let differs = Printer { form, nul: self.nul }.all(session, diff)?;
        Ok(if differs && self.exit_code { Exit::Negative } else { Exit::Done })
    }
}

/// The working state.
fn working_state(session: &mut Session<'_>) -> Result<Working, Failure> {
    let working = session.working()?;
    let around = working.around(session.observer);
    let draft = draft::draft(&around, Keep::IdsOnly)?;
    let problems: Vec<String> = draft.state.problems.iter().map(ToString::to_string).collect();
    for problem in problems {
        session.warn(problem)?;
    }
    let root = KeepTree::keep(&draft.state.trees, &draft.tree)?;
    Ok(Working { root, trees: draft.state.trees.into_fresh() })
}
