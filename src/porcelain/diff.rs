//! `diff`: what differs, by path, and within workflows by node and widget.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::environment::draft;
use crate::environment::snapshot_tree::workflow_key;
use crate::environment::state::Keep;
use crate::history::syntax::range;
use crate::history::{Change, TreeDiff};
use crate::object::{Entry, EntryKind, ObjectId, RelativePath, Tree};
use crate::resolve::Automatic;
use crate::ui::changes::{Form, Printer, paths};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};
use crate::workflow::{self, Layout, WorkflowDiff};
use crate::worktree::KeepTree;

const HELP: &str = "\
A line a path that differs: A added, D deleted, M modified, T of another type, then the path. Below a workflow that was modified
stands what differs in it, by node and widget; --name-status, --name-only and -z leave that out.

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
    /// Print status and path only
    #[arg(long, conflicts_with = "name_only")]
    name_status: bool,
    /// Of workflows places, sizes and colours too
    #[arg(long)]
    layout: bool,
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
    /// Its workflows, whose bytes need not be in the store either.
    pub workflows: HashMap<ObjectId, PathBuf>,
}

/// Larger ones are not compared node by node: that is no workflow, or nothing that a person reads.
const LARGEST_WORKFLOW: u64 = 64 << 20;

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
        let Working { root, trees, workflows } = match new {
            Some(new) => Working { root: view.tree(new)?, trees: HashMap::new(), workflows: HashMap::new() },
            None => working_state(session)?,
        };
        let below: Vec<RelativePath> = paths(&self.paths)?;
        let read = |id: &ObjectId| trees.get(id).cloned().map_or_else(|| view.objects().read(id), Ok);
        let diff = TreeDiff::with(read, old, Some(root))?.below(below);
        let form = if self.name_only { Form::Name } else { Form::Status };
        let plain = self.name_only || self.name_status || self.nul;
        let layout = if self.layout { Layout::Compared } else { Layout::LeftOut };
        let inside = |change: &Change| match within(change) {
            Some((old, new)) if !plain => {
                let old = revisions.store.read_text(&old.id)?;
                let new = match workflows.get(&new.id) {
                    Some(file) => std::fs::read(file).map_err(|error| Failure::io(file.display(), &error))?,
                    None => revisions.store.read_text(&new.id)?,
                };
                Ok(compared(&old, &new, layout))
            }
            _ => Ok(None),
        };
        let differs = Printer { form, nul: self.nul }.all_with(session, diff, inside)?;
        Ok(if differs && self.exit_code { Exit::Negative } else { Exit::Done })
    }
}

/// Both sides of a workflow that was modified.
fn within(change: &Change) -> Option<(&Entry, &Entry)> {
    let is_file = |entry: &&Entry| {
        matches!(entry.kind, EntryKind::File | EntryKind::Executable) && entry.size <= LARGEST_WORKFLOW
    };
    let (old, new) = (change.old.as_ref().filter(is_file)?, change.new.as_ref().filter(is_file)?);
    (workflow_key(&change.path).is_some() && old.id != new.id).then_some((old, new))
}

/// What differs between two workflows; nothing where one cannot be read or they are of two formats: then its line says
/// all there is to say.
fn compared(old: &[u8], new: &[u8], layout: Layout) -> Option<WorkflowDiff> {
    let (old, new) = (workflow::read(old).ok()?, workflow::read(new).ok()?);
    workflow::diff(&old, &new, layout).ok()
}

/// The working state.
fn working_state(session: &mut Session<'_>) -> Result<Working, Failure> {
    let working = session.working()?;
    let around = working.around(session.observer);
    let draft = draft::draft(&around, Keep::IdsOnly, &mut Automatic)?;
    let problems: Vec<String> = draft.state.problems.iter().map(ToString::to_string).collect();
    for problem in problems {
        session.warn(problem)?;
    }
    let root = KeepTree::keep(&draft.state.trees, &draft.tree)?;
    let workflows = draft.state.workflows.values().map(|found| (found.id, found.file.clone())).collect();
    Ok(Working { root, trees: draft.state.trees.into_fresh(), workflows })
}
