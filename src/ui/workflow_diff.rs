//! Differences of workflows as lines, in the colours of what happened.

use crate::workflow::WorkflowDiff;
use crate::workflow::diff::Change;

use super::{Failure, Session};

/// Prints what differs, each line this many spaces in.
pub fn print(diff: &WorkflowDiff, indent: usize, session: &mut Session<'_>) -> Result<(), Failure> {
    let paint = session.paint;
    for line in diff.lines() {
        let sign = match line.change {
            Some(Change::Added) => paint.good('+') + " ",
            Some(Change::Removed) => paint.bad('-') + " ",
            Some(Change::Changed) => paint.changed('~') + " ",
            // What stands below a sign stands behind it.
            None => "  ".to_owned(),
        };
        let space = indent + 2 * line.depth;
        writeln!(session.out, "{:space$}{sign}{}", "", line.text)?;
    }
    Ok(())
}
