//! `log`: the history of an environment.

use crate::history::walk::walk;
use crate::history::{self, TreeDiff, View};
use crate::object::{ObjectId, RelativePath, Snapshot};
use crate::ui::changes::paths;
use crate::ui::program::Command;
use crate::ui::revisions::{walk_options, with_first_parent};
use crate::ui::snapshots::Names;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
Each snapshot with its version, its id, the branches and tags that name it, its author, time and message; newest first.
Versions v1, v2, … count the snapshots of the current branch from its first; any command takes them.

Examples:
  comfrey log                  the whole history
  comfrey log -n 3 --oneline   the last three, a line each
  comfrey log v2..             what came after version 2
  comfrey log -- nodes         what changed something in a folder
  comfrey log --json | jq -r .message";

/// Shows the history: snapshots with their versions, newest first.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Log {
    /// At most N snapshots
    #[arg(short = 'n', long, value_name = "N")]
    max_count: Option<usize>,
    /// A line each
    #[arg(long)]
    oneline: bool,
    /// Follow first parents only
    #[arg(long)]
    first_parent: bool,
    /// Begin at every branch and tag of every environment
    #[arg(long)]
    all: bool,
    /// Oldest first
    #[arg(long)]
    reverse: bool,
    /// Where to begin; `^REV` leaves out what is before it, `A..B` is `B ^A` [default: HEAD]
    #[arg(value_name = "REV")]
    revisions: Vec<String>,
    /// Only snapshots that changed these paths or what is below them, against their first parents
    #[arg(value_name = "PATH", last = true)]
    paths: Vec<String>,
}

impl Command for Log {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        let mut options = walk_options(&view, &self.revisions, self.all)?;
        if options.include.is_empty() && !self.all {
            let Some(head) = view.head()? else {
                session.note("no snapshot yet: `comfrey commit -m MESSAGE` makes the first")?;
                return Ok(Exit::Done);
            };
            options.include.push(head);
        }
        options.first_parent = self.first_parent;
        let mut snapshots = walk(view.objects(), &options, session.observer)?.snapshots;
        let below = paths(&self.paths)?;
        if !below.is_empty() {
            snapshots = touching(&view, snapshots, &below, self.max_count, session)?;
        }
        snapshots.truncate(self.max_count.unwrap_or(usize::MAX));
        if self.reverse {
            snapshots.reverse();
        }
        let names = Names::of(&view)?;
        for (number, id) in snapshots.iter().enumerate() {
            let snapshot: Snapshot = view.objects().read(id)?;
            if session.globals.json {
                session.print_json(&names.shape(id, &snapshot))?;
            } else if self.oneline {
                writeln!(session.out, "{} {}", names.title(id, session.paint), snapshot.subject())?;
            } else {
                if number > 0 {
                    writeln!(session.out)?;
                }
                names.print(session, id, &snapshot)?;
            }
        }
        Ok(Exit::Done)
    }
}

/// The first `most` of these snapshots that changed something below one of the paths.
fn touching(
    view: &View<'_>,
    snapshots: Vec<ObjectId>,
    below: &[RelativePath],
    most: Option<usize>,
    session: &Session<'_>,
) -> Result<Vec<ObjectId>, Failure> {
    let mut found = Vec::new();
    for id in snapshots {
        if session.observer.interrupted() {
            return Err(history::Error::Interrupted.into());
        }
        if most.is_some_and(|most| found.len() >= most) {
            break;
        }
        let (old, new) = with_first_parent(view, id)?;
        let mut changes = TreeDiff::new(view.objects(), old, Some(new))?.below(below.to_vec());
        if changes.next().transpose()?.is_some() {
            found.push(id);
        }
    }
    Ok(found)
}
