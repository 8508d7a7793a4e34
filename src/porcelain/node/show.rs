//! `node show`: all that is known of a custom node.

use serde::Serialize;

use crate::environment::nodes::{Edits, edits, scripts};
use crate::object::EntryKind;
use crate::ui::program::Command;
use crate::ui::report::Bytes;
use crate::ui::{Exit, Failure, Session};

use super::at_work;
use super::shape::{self, Shape};

/// Shows all that is known of a custom node: where it came from, what someone edited in it, its scripts.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// Its folder, id or repository
    #[arg(value_name = "NODE")]
    node: String,
}

#[derive(Debug, Serialize)]
struct Answer {
    #[serde(flatten)]
    node: Shape,
    /// Files that differ from what came.
    edited: Vec<String>,
    scripts: Vec<&'static str>,
    folder: String,
}

impl Command for Show {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let working = session.working()?;
        let around = working.around(session.observer);
        let at_work = at_work::look(&around)?;
        let node = at_work.named(&self.node)?;
        let edited = match node.edits() {
            // A tree that the store never had tells nothing.
            Edits::Since(came) => edits::since(&at_work.state, node, &came).unwrap_or_default(),
            _ => Default::default(),
        };
        let edited: Vec<String> = edited.keys().map(ToString::to_string).collect();
        let scripts = match node.entry.kind {
            EntryKind::Tree => scripts::scripts(&at_work.state.trees, &node.entry.id)?,
            _ => Vec::new(),
        };
        let folder = around.places().of(&node.path).unwrap_or_default();
        let shape = Shape::from(node);
        if session.globals.json {
            let folder = crate::ui::json::path(&folder);
            session.print_json(&Answer { node: shape, edited, scripts, folder })?;
            return Ok(Exit::Done);
        }
        let paint = session.paint;
        let state = if shape.enabled { "" } else { "  (off)" };
        writeln!(session.out, "{}{state}", paint.strong(&shape.name))?;
        let version = shape::version(node);
        let files = match (shape.files, edited.len()) {
            ("as-it-came", _) => "as they came".to_owned(),
            ("edited", 0) => "edited".to_owned(),
            ("edited", number) => format!("edited: {number} differ"),
            _ => "nobody knows whether they were edited; a commit takes note of them".to_owned(),
        };
        let mut lines = vec![("source", shape::source(node))];
        lines.extend((!version.is_empty()).then_some(("version", version)));
        lines.extend(
            shape.reference.clone().filter(|name| Some(name) != shape.commit.as_ref()).map(|name| ("follows", name)),
        );
        lines.extend(shape.commit.clone().map(|commit| ("commit", commit)));
        lines.extend([("folder", folder.display().to_string()), ("size", Bytes(shape.size).to_string())]);
        lines.push(("files", files));
        lines.extend(edited.iter().map(|path| ("", path.clone())));
        lines.extend((!scripts.is_empty()).then(|| ("scripts", scripts.join(", "))));
        for (what, value) in lines {
            writeln!(session.out, "  {} {value}", paint.faint(format!("{what:<8}")))?;
        }
        Ok(Exit::Done)
    }
}
