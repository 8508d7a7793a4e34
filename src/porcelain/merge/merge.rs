//! `merge`: what another branch has comes into the current one.

use crate::environment::merging::Roots;
use crate::history::{RefName, View, merge_bases};
use crate::object::{ObjectId, Snapshot};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

use super::carrying::{self, Goal, How, Outcome, Wish};

const HELP: &str = "\
Three versions are compared: that of the current branch, the other, and the last one that both come from. What one side changed is
taken. Custom nodes and ComfyUI itself are taken as wholes, the manifest is merged by key. What both sides
changed otherwise is a conflict: all are listed, and nothing is done until each is decided.

Examples:
  comfrey merge flux                                   brings the branch flux into the current one
  comfrey merge flux --dry-run                         says what that would do
  comfrey merge flux --take-theirs nodes/Impact        decides one conflict
  comfrey merge flux --theirs                          decides all of them";

/// Brings what another branch, or any version, has into the current branch.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Merge {
    /// What the new version is about [default: Merge branch 'NAME']
    #[arg(short, long, value_name = "MESSAGE")]
    message: Option<String>,
    /// Make a new version even where the branch could just go forward
    #[arg(long)]
    no_ff: bool,
    #[command(flatten)]
    how: How,
    /// What to merge: a branch, a version, a tag, an id
    #[arg(value_name = "REV")]
    revision: String,
}

impl Command for Merge {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        let theirs = view.snapshot(&self.revision)?;
        let snapshot: Snapshot = view.objects().read(&theirs)?;
        let message = self.message.clone().unwrap_or_else(|| self.usual_message(&view, &revisions.environment));
        let (working, _lock) = carrying::open(session, &self.how)?;
        let around = working.around(session.observer);
        let (head, id, ours) = carrying::head(&around)?;
        let bases = merge_bases(view.objects(), id, theirs, session.observer)?;
        if bases.first() == Some(&theirs) {
            let told = format!("Nothing to merge: all of {} is in it already.", self.revision);
            return carrying::nothing(session, &around, &head, theirs, &told);
        }
        let base = bases.first().copied();
        let goal = match base {
            Some(base) if base == id && !self.no_ff => Goal::Forward(theirs, snapshot),
            _ => Goal::Merge {
                roots: Roots { base: tree_of(&view, base)?, ours: ours.tree, theirs: snapshot.tree },
                parents: vec![id, theirs],
                message,
                result: Outcome::Merged,
            },
        };
        if base.is_none() {
            session.note("note: the two have no version in common: whatever differs is a conflict")?;
        }
        carrying::carry_out(session, &working, &head, &Wish { base, theirs, goal }, &self.how)
    }
}

impl Merge {
    fn usual_message(&self, view: &View<'_>, environment: &str) -> String {
        let name = RefName::branch(environment, &self.revision);
        let is_branch = name.is_ok_and(|name| view.refs().get(name.as_str()).is_some());
        format!("Merge {}'{}'", if is_branch { "branch " } else { "" }, self.revision)
    }
}

fn tree_of(view: &View<'_>, snapshot: Option<ObjectId>) -> Result<Option<ObjectId>, Failure> {
    let read = |id: ObjectId| view.objects().read::<Snapshot>(&id).map(|snapshot| snapshot.tree);
    Ok(snapshot.map(read).transpose()?)
}
