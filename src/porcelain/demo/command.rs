//! The command: its options, and the folder in which it plays.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::observer::Unit;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

use super::installation::Size;
use super::stage::Stage;
use super::story;

/// Show the whole path on made-up data
///
/// Index, commit, edit, status, rollback, undo, export, import, fsck: everything happens in a temporary folder, without a
/// network. Each step shows the command line that you would type, its real output, and the time it took; after each, what
/// it claims is checked, and the demo ends with an error if it is not so.
#[derive(clap::Args)]
pub struct Demo {
    /// Play in this folder, which must be empty or absent, and leave everything there
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// How much data to make
    #[arg(long, value_enum, default_value = "normal")]
    size: Size,
}

impl Command for Demo {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        match &self.keep {
            Some(folder) => {
                let folder = std::path::absolute(folder).map_err(|e| Failure::io(folder.display(), &e))?;
                empty(&folder)?;
                self.play(&folder, Some(&folder), session)?;
            }
            None => {
                let temporary = tempfile::Builder::new().prefix("comfrey-demo-").tempdir();
                let temporary = temporary.map_err(|e| Failure::io("a temporary folder", &e))?;
                self.play(temporary.path(), None, session)?;
            }
        }
        Ok(Exit::Done)
    }
}

/// Makes the folder; what is in it already is not to be touched.
fn empty(folder: &Path) -> Result<(), Failure> {
    let io = |error| Failure::io(folder.display(), &error);
    std::fs::create_dir_all(folder).map_err(io)?;
    if folder.read_dir().map_err(io)?.next().is_some() {
        return Err(Failure::new(Exit::Conflict, format!("{}: the folder is not empty", folder.display()))
            .hint("name a folder that is not there yet"));
    }
    Ok(())
}

impl Demo {
    fn play(&self, folder: &Path, kept: Option<&Path>, session: &mut Session<'_>) -> Result<(), Failure> {
        let begun = Instant::now();
        session.note(format_args!("Making a ComfyUI to play with in {} …", folder.display()))?;
        session.observer.started("making models", Unit::Items, None);
        story::prepare(folder, self.size).map_err(|e| Failure::io(folder.display(), &e))?;
        session.observer.finished();
        let prepared = begun.elapsed();
        let mut stage = Stage::new(session, folder)?;
        story::play(&mut stage)?;
        stage.end(prepared, kept)
    }
}
