//! What commands do that put another version in the place of the files: what was not committed is not left behind unasked.

use crate::environment::head::Head;
use crate::environment::plan::Step;
use crate::environment::rollback::{self, Target};
use crate::environment::state::{Keep, Surroundings};

use super::{Exit, Failure};

/// The option of such commands.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct LeftBehind {
    /// Leave what was not committed behind, in the restore point that undo brings back
    #[arg(long)]
    pub discard_changes: bool,
}

/// Nothing may be left behind that nobody decided to leave: what is not as in the current version, but for nodes that are disabled.
///
/// # Errors
/// There is something.
pub fn check(around: &Surroundings<'_>, head: &Head, how: LeftBehind) -> Result<(), Failure> {
    let Some((_, current)) = head.snapshot.as_ref().filter(|_| !how.discard_changes) else { return Ok(()) };
    let open = rollback::prepare(around, head, &Target::version(current), Keep::IdsOnly)?.plan;
    // A model that has gone from disk is no work of anybody's.
    let is_work = |step: &&Step| step.changes_files() && !matches!(step, Step::BringBack { .. });
    let changes: Vec<&Step> = open.steps.iter().filter(is_work).collect();
    let Some(first) = changes.first() else { return Ok(()) };
    let more = match changes.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(Failure::new(Exit::Conflict, format!("{}{more} would be left behind, not committed", first.path()))
        .hint("`comfrey commit -m MESSAGE` keeps it on this branch; --discard-changes leaves it for `comfrey undo`"))
}
