//! `models index`: brings the index up to date, and reads the headers of what is new.

use crate::models::{FileState, Headers, IndexedFile, ModelIndex};
use crate::ui::model_files::{complain, depth, write_json};
use crate::ui::program::Command;
use crate::ui::report::{Bytes, count};
use crate::ui::{Exit, Failure, Session};

use super::Place;

const HELP: &str = "\
Every models folder counts: ComfyUI's own, those that its extra_model_paths.yaml names, those of the setting models.folders. New and
changed files are read for their quick hash (at most 15 MiB) and their header; --full reads them whole, for their id. Files that
are gone stay known, as absent.";

/// Brings the index up to date with every models folder of the workspace and of the environment at work.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Index {
    /// Read each file whole, for its id
    #[arg(long)]
    full: bool,
    /// Read each file whole, for its id and its SHA-256
    #[arg(long)]
    sha256: bool,
}

impl Command for Index {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let Place { workspace, roots, .. } = super::place(session)?;
        let depth = depth(self.full, self.sha256);
        let mut updated = ModelIndex::new(workspace.store()).update(&roots, depth, session.observer)?;
        let present: Vec<&IndexedFile> = updated.files.iter().filter(|file| file.is_present()).collect();
        let problems = Headers::new(workspace.store()).refresh(&present, session.observer)?;
        updated.problems.extend(problems);
        if session.globals.json {
            updated.files.iter().try_for_each(|file| write_json(file, session.out))?;
            return complain(updated.problems, session);
        }
        let number = |state: FileState| updated.files.iter().filter(|file| file.state == state).count();
        let size: u64 = present.iter().map(|file| file.size()).sum();
        writeln!(session.out, "{}, {}", count(present.len(), "model file"), Bytes(size))?;
        let shown =
            [(FileState::New, "new"), (FileState::Changed, "changed"), (FileState::Removed, "not there any more")];
        for (state, text) in shown {
            let number = number(state);
            if number > 0 {
                writeln!(session.out, "{number:>8} {text}")?;
            }
        }
        complain(updated.problems, session)
    }
}
