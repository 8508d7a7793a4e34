//! `revert`: what one version changed is taken back, as a new version.

use crate::environment::merging::Roots;
use crate::object::{ObjectId, Snapshot};
use crate::ui::program::Command;
use crate::ui::snapshots::Names;
use crate::ui::{Exit, Failure, Session};

use super::carrying::{self, Goal, How, Outcome, Wish};

const HELP: &str = "\
What the version changed against the one before it is taken back, and what came after it stays: a merge with the version
before, in which the version itself is the common one. What was changed again since is a conflict, as with `merge`.

Examples:
  comfrey revert v3                 takes back what version 3 changed
  comfrey revert HEAD               takes back the last version, and keeps it in the history
  comfrey revert v3 --dry-run
  comfrey revert v5 --mainline 1    of a merge: takes back what it brought into its first parent";

/// Takes back what one version changed, as a new version.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Revert {
    /// What the new version is about [default: Revert "SUBJECT"]
    #[arg(short, long, value_name = "MESSAGE")]
    message: Option<String>,
    /// Of a merge: the parent to go back to, from 1
    #[arg(long, value_name = "N")]
    mainline: Option<usize>,
    #[command(flatten)]
    how: How,
    /// The version to take back
    #[arg(value_name = "REV")]
    revision: String,
}

impl Command for Revert {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        let id = view.snapshot(&self.revision)?;
        let snapshot: Snapshot = view.objects().read(&id)?;
        let name = Names::of(&view)?.short(&id);
        let parent = self.parent(&name, &snapshot)?;
        let before: Snapshot = view.objects().read(&parent)?;
        let message = self
            .message
            .clone()
            .unwrap_or_else(|| format!("Revert \"{}\"\n\nThis takes back {name}, {id}.", snapshot.subject()));
        let (working, _lock) = carrying::open(session, &self.how)?;
        let around = working.around(session.observer);
        let (head, current, ours) = carrying::head(&around)?;
        let goal = Goal::Merge {
            roots: Roots { base: Some(snapshot.tree), ours: ours.tree, theirs: before.tree },
            parents: vec![current],
            message,
            result: Outcome::Reverted,
        };
        carrying::carry_out(session, &working, &head, &Wish { base: Some(id), theirs: parent, goal }, &self.how)
    }
}

impl Revert {
    /// The version to go back to.
    fn parent(&self, name: &str, snapshot: &Snapshot) -> Result<ObjectId, Failure> {
        let parents = &snapshot.parents;
        match (parents.as_slice(), self.mainline) {
            ([], _) => Err(Failure::new(
                Exit::Conflict,
                format!("{name} is the first version: there is none before it to go back to"),
            )),
            ([only], None | Some(1)) => Ok(*only),
            ([_], Some(_)) => Err(Failure::new(Exit::Usage, format!("{name} is no merge: it has one parent"))
                .hint("leave --mainline out")),
            (several, Some(number)) if (1..=several.len()).contains(&number) => Ok(several[number - 1]),
            (several, _) => Err(Failure::new(Exit::Usage, format!("{name} is a merge of {} versions", several.len()))
                .hint(
                    "--mainline 1 goes back to the branch that it was made on, --mainline 2 to the one that came in",
                )),
        }
    }
}
