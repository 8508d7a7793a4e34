//! `node list`: the custom nodes that are there.

use crate::environment::nodes::Edits;
use crate::ui::program::Command;
use crate::ui::report::{Align, Table};
use crate::ui::{Exit, Failure, Session};

use super::at_work;
use super::shape::{self, Shape};

/// Lists the custom nodes that are there: where each came from, its version, and whether someone edited it.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only those that are on
    #[arg(long, conflicts_with = "disabled")]
    enabled: bool,
    /// Only those that are off
    #[arg(long)]
    disabled: bool,
    /// Only those that were edited since they came
    #[arg(long)]
    edited: bool,
}

impl Command for List {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let working = session.working()?;
        let around = working.around(session.observer);
        let at_work = at_work::look(&around)?;
        let is_wanted = |node: &&crate::environment::nodes::Node| {
            let is_off = node.name.disabled;
            let by_switch = if is_off { !self.enabled } else { !self.disabled };
            by_switch && (!self.edited || matches!(node.edits(), Edits::Since(_)))
        };
        let mut table = Table::new([Align::Left, Align::Left, Align::Left, Align::Left]);
        let paint = session.paint;
        let mut shown = 0;
        for node in at_work.nodes.iter().filter(is_wanted) {
            shown += 1;
            if session.globals.json {
                session.print_json(&Shape::from(node))?;
                continue;
            }
            let mut marks = Vec::new();
            if node.name.disabled {
                marks.push(paint.faint("off"));
            }
            if node.linked {
                marks.push(paint.faint("linked"));
            }
            if matches!(node.edits(), Edits::Since(_)) {
                marks.push(paint.changed("edited"));
            }
            let name = if node.name.disabled { paint.faint(&node.key) } else { node.key.clone() };
            table.row([name, shape::version(node), shape::source(node), marks.join(", ")]);
        }
        table.write(session.out)?;
        if shown == 0 {
            let none = match (self.enabled, self.disabled, self.edited) {
                (false, false, false) => "there is no custom node yet; `comfrey node add NODE` adds one",
                _ => "there is no such custom node; `comfrey node list` shows all",
            };
            session.note(none)?;
        }
        Ok(Exit::Done)
    }
}
