//! `write-tree`: a folder to a tree.

use std::path::PathBuf;

use serde::Serialize;

use crate::object::ObjectId;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session, json};
use crate::worktree::{self, IgnoreRules, Mode, Problem, Weights, WriteOptions, Written};

const HELP: &str = "\
Prints the id of the tree. Files, the executable bit, empty folders and symbolic links (as links, never followed) are kept.

Left out: .git, .hg, .svn, .comfrey, __pycache__ and *.pyc, *.pyo, caches of tools (.mypy_cache, .pytest_cache, .ruff_cache,
.ipynb_checkpoints), virtual environments (.venv, and any folder with a pyvenv.cfg), .DS_Store, Thumbs.db, and what the files
.comfreyignore and .comfydock_ignore in any folder say, in the syntax of .gitignore; `!NAME` there brings a file back. A
.gitignore says nothing here: nodes list in it what a user needs, such as weights.

A file whose size, times and place on the disk are known from before is not read.

What no tree can hold (names that are not UTF-8 or have a backslash, fifos, sockets, devices), what cannot be read, and
what changes while it is read is an error that names it; the rest is written, and the exit code is 3. Names that Windows or
macOS could not have are kept, with a warning.

Examples:
  tree=$(comfrey write-tree .cec)
  comfrey write-tree --models custom_nodes        weights, and files over 32 MiB, as `model` entries
  comfrey write-tree -n . --json                  only the id and the counts";

/// Stores a folder as a tree and prints the tree's id.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct WriteTree {
    /// Store nothing, only make the id
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Keep weight files, and all files over 32 MiB, as `model` entries
    #[arg(long)]
    models: bool,
    /// Leave out what this pattern matches, in the syntax of .gitignore; may be given again
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Leave out nothing
    #[arg(long, conflicts_with = "exclude")]
    no_ignore: bool,
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Serialize)]
struct Answer {
    id: ObjectId,
    size: u64,
    files: u64,
    models: u64,
    links: u64,
    folders: u64,
    /// Files that had to be read.
    read: u64,
    problems: Vec<ProblemShape>,
}

/// A problem in JSON.
#[derive(Serialize)]
struct ProblemShape {
    path: String,
    reason: &'static str,
    message: String,
    /// Whether it is in the tree nevertheless.
    kept: bool,
}

impl From<&Problem> for ProblemShape {
    fn from(problem: &Problem) -> Self {
        ProblemShape {
            path: json::path(&problem.path),
            reason: problem.reason.as_str(),
            message: problem.reason.to_string(),
            kept: !problem.reason.left_out(),
        }
    }
}

impl Command for WriteTree {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let workspace = session.workspace()?;
        let store = workspace.store();
        let mut options = WriteOptions {
            ignore: if self.no_ignore { IgnoreRules::nothing() } else { IgnoreRules::default() },
            weights: if self.models { Weights::IN_NODES } else { Weights::AsFiles },
            models: workspace.config().settings().store_models.unwrap_or_default(),
            ..WriteOptions::default()
        };
        options.ignore.lines.extend(self.exclude);
        let written = if self.dry_run {
            worktree::write_tree(store, Mode::HashOnly, &self.folder, &options, session.observer)?
        } else {
            let writer = store.writer()?;
            let written = worktree::write_tree(store, Mode::Store(&writer), &self.folder, &options, session.observer)?;
            writer.publish()?;
            written
        };
        print(&written, session)
    }
}

fn print(written: &Written, session: &mut Session<'_>) -> Result<Exit, Failure> {
    if session.globals.json {
        let counts = &written.counts;
        session.print_json(&Answer {
            id: written.id,
            size: written.size,
            files: counts.files,
            models: counts.models,
            links: counts.links,
            folders: counts.folders,
            read: counts.read,
            problems: written.problems.iter().map(ProblemShape::from).collect(),
        })?;
    } else {
        writeln!(session.out, "{}", written.id)?;
    }
    for problem in &written.problems {
        if problem.reason.left_out() {
            session.complain(&Failure::new(Exit::NotFound, problem.to_string()))?;
        } else {
            session.warn(problem)?;
        }
    }
    Ok(if written.is_incomplete() { Exit::NotFound } else { Exit::Done })
}
