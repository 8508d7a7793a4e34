//! `operations`: what was done to the workspace, command by command.

use crate::history;
use crate::ui::operations::{OperationShape, Told};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
Every command that changed refs or rewrote files, newest first, with the refs it changed. `@{n}` in front of it is how a
revision says `as it was after this operation`: `comfrey show main@{2}`. `comfrey undo` takes the newest back.

The log is of the whole workspace; with --environment only what concerns one environment is listed, and the numbers stay those
of the whole.";

/// Lists the operations, newest first.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Operations {
    /// At most N operations
    #[arg(short = 'n', long, value_name = "N")]
    max_count: Option<usize>,
    /// A line each
    #[arg(long)]
    oneline: bool,
}

impl Command for Operations {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let only = session.environment_named().map(|_| revisions.environment.clone());
        let objects = revisions.objects();
        let mut left = self.max_count.unwrap_or(usize::MAX);
        let mut any = false;
        for (n, found) in (0..).zip(history::operations(objects, objects.head_operation()?)) {
            if left == 0 {
                break;
            }
            if session.observer.interrupted() {
                return Err(history::Error::Interrupted.into());
            }
            any = true;
            let (id, operation) = found?;
            let told = Told::of(objects, id, operation)?;
            if only.as_ref().is_some_and(|environment| !told.concerns(environment)) {
                continue;
            }
            left -= 1;
            if session.globals.json {
                session.print_json(&OperationShape::of(&told, Some(n)))?;
            } else if self.oneline {
                writeln!(session.out, "{}", told.title(Some(n), session.paint))?;
            } else {
                told.print(session, Some(n))?;
            }
        }
        if !any {
            session.note("no operation yet")?;
        }
        Ok(Exit::Done)
    }
}
