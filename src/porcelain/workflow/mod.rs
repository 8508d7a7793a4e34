//! `workflow`: the workflows of the environment at work, and others, one file a subcommand.
//!
//! - [`diff`]: what differs between two, by node and widget
//! - [`list`]: those of the environment, and what each is missing
//! - [`show`]: one of them: what it is for, what it uses, what is missing
//! - [`resolve`]: finds what they refer to, asks, and remembers
//! - [`summary`]: a workflow in a few lines
//! - [`named`]: which workflow an argument means

mod diff;
mod list;
mod named;
mod resolve;
mod show;
mod summary;

use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

pub use diff::Diff;
pub use list::List;
pub use resolve::Resolve;
pub use show::Show;

#[derive(Debug, clap::Args)]
pub struct Workflow {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show what differs between two workflows, by node and widget
    Diff(Diff),
    /// List the environment's workflows, and what each is missing
    List(List),
    /// Find what workflows refer to, and remember what is chosen
    Resolve(Resolve),
    /// Show what a workflow is for, what it uses, and what is missing
    Show(Show),
}

impl Command for Workflow {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        match self.what {
            What::Diff(diff) => diff.run(session),
            What::List(list) => list.run(session),
            What::Resolve(resolve) => resolve.run(session),
            What::Show(show) => show.run(session),
        }
    }
}
