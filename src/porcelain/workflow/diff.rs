//! `workflow diff`: what differs between two workflows, by node and widget.

use serde::Serialize;

use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session, workflow_diff};
use crate::workflow::{Format, Layout, WorkflowDiff, diff};

use super::named::{self, Named};

const HELP: &str = "\
Nodes that were added, removed and changed: values by widget, what feeds an input, whether they run. Where nodes stand and what was in
view is left out. A workflow is a file (JSON, or media with one inside), REV:path, or a name in the environment; one
name alone is compared with the last version. Nodes with other numbers that say the same are the same.

Examples:
  comfrey workflow diff portrait                       what changed since the last version
  comfrey workflow diff a.json b.json                  two files
  comfrey workflow diff v2:workflows/a.json a          then and now
  comfrey workflow diff old.png new.png                what made two images";

/// Shows what differs between two workflows, by node and widget.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Diff {
    /// The workflow before
    #[arg(value_name = "WORKFLOW")]
    old: String,
    /// The workflow after
    #[arg(value_name = "WORKFLOW")]
    new: Option<String>,
    /// Places, sizes, colours and groups too
    #[arg(long)]
    layout: bool,
    /// Exit with 1 if anything differs
    #[arg(long)]
    exit_code: bool,
}

#[derive(Serialize)]
struct Shape<'a> {
    old: &'a str,
    new: &'a str,
    same: bool,
    #[serde(flatten)]
    diff: &'a WorkflowDiff,
}

impl Command for Diff {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let (old, new) = match &self.new {
            Some(new) => (named::open(&self.old, session)?, named::open(new, session)?),
            None => named::before_and_now(&self.old, session)?,
        };
        let layout = if self.layout { Layout::Compared } else { Layout::LeftOut };
        let diff = compared(&old, &new, layout)?;
        let same = diff.is_empty();
        if session.globals.json {
            session.print_json(&Shape { old: &old.name, new: &new.name, same, diff: &diff })?;
        } else {
            workflow_diff::print(&diff, 0, session)?;
            if same && old.held.document != new.held.document {
                session.note("nothing differs but the form of the file and, without --layout, the layout")?;
            } else if same {
                session.note("nothing differs")?;
            }
        }
        Ok(if self.exit_code && !same { Exit::Negative } else { Exit::Done })
    }
}

/// Compares documents of one format. Media can hold both formats; of two that do, what ran is compared, unless the
/// layout, which only the editor knows, is asked for.
fn compared(old: &Named, new: &Named, layout: Layout) -> Result<WorkflowDiff, Failure> {
    let (before, after) = (old.read(&old.held.document)?, new.read(&new.held.document)?);
    let drawn = |named: &Named, format| format == Format::Api && named.held.editor.is_some();
    let wants_drawing = before.format != after.format || layout == Layout::Compared;
    if wants_drawing && (drawn(old, before.format) || drawn(new, after.format)) {
        let document = |named: &Named| named.held.editor.clone().unwrap_or_else(|| named.held.document.clone());
        let (old_document, new_document) = (document(old), document(new));
        let (before, after) = (old.read(&old_document)?, new.read(&new_document)?);
        return Ok(diff(&before, &after, layout)?);
    }
    Ok(diff(&before, &after, layout)?)
}
