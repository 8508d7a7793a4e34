//! `commit-tree`: a snapshot of a tree.

use std::path::PathBuf;

use serde::Serialize;

use crate::history::View;
use crate::object::{ObjectId, Snapshot, Time};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
The snapshot holds the tree, its parents in the order given, the environment's name, author, time, message and the
program's version. The same of all these make the same id. No ref is changed: `comfrey update-ref` does that.

Author and time are those of --author and --time, else of COMFREY_AUTHOR and COMFREY_TIME, else the user and the clock.

Example, the whole of a commit by hand:
  tree=$(comfrey write-tree .cec)
  new=$(comfrey commit-tree \"$tree\" -p HEAD -m 'second')
  comfrey update-ref HEAD \"$new\"";

/// Makes a snapshot of a tree and prints its id.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct CommitTree {
    /// The tree, or a snapshot whose tree is meant
    #[arg(value_name = "TREE")]
    tree: String,
    /// A snapshot that this one follows; the first given is its first parent
    #[arg(short, long = "parent", value_name = "REV")]
    parent: Vec<String>,
    /// The message; each further one is a paragraph [default: standard input]
    #[arg(short, long, value_name = "TEXT")]
    message: Vec<String>,
    /// Read the message from a file, `-` for standard input
    #[arg(short = 'F', long, value_name = "FILE", conflicts_with = "message")]
    file: Option<PathBuf>,
    /// Who made it, such as "Name <mail@example.org>"
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// When, such as 2026-11-20T10:15:30+01:00
    #[arg(long, value_name = "TIME")]
    time: Option<Time>,
}

#[derive(Serialize)]
struct Made {
    id: ObjectId,
    tree: ObjectId,
    parents: Vec<ObjectId>,
}

impl Command for CommitTree {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        let tree = view.tree(&self.tree)?;
        let parents = self.parents(&view, session)?;
        let snapshot = Snapshot {
            tree,
            parents,
            environment: revisions.snapshot_environment().to_owned(),
            author: self.author.clone().unwrap_or_else(|| session.author()),
            time: self.time.map_or_else(|| session.now(), Ok)?,
            message: self.message(session)?,
            tool: Snapshot::TOOL.to_owned(),
        };
        let id = revisions.objects().put_value(&snapshot)?;
        if session.globals.json {
            session.print_json(&Made { id, tree, parents: snapshot.parents })?;
        } else {
            writeln!(session.out, "{id}")?;
        }
        Ok(Exit::Done)
    }
}

impl CommitTree {
    /// The parents, each once.
    fn parents(&self, view: &View<'_>, session: &mut Session<'_>) -> Result<Vec<ObjectId>, Failure> {
        let mut parents = Vec::new();
        for revision in &self.parent {
            let id = view.snapshot(revision)?;
            if parents.contains(&id) {
                session.warn(format_args!("the parent `{revision}` was given already, and is taken once"))?;
            } else {
                parents.push(id);
            }
        }
        Ok(parents)
    }

    fn message(&self, session: &mut Session<'_>) -> Result<String, Failure> {
        if !self.message.is_empty() {
            return Ok(self.message.join("\n\n"));
        }
        let named = self.file.as_ref().filter(|file| file.as_os_str() != "-");
        let text = match named {
            Some(path) => std::fs::read_to_string(path).map_err(|e| Failure::io(path.display(), &e))?,
            None => {
                let mut text = String::new();
                session.input.read_to_string(&mut text).map_err(|e| Failure::io("standard input", &e))?;
                text
            }
        };
        // A file ends with a line feed; the message that `-m` would give does not.
        Ok(text.trim_end_matches(['\n', '\r']).to_owned())
    }
}
