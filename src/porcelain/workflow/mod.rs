//! `workflow`: the workflows of the environment at work, and others, one file a subcommand.
//!
//! - [`diff`]: what differs between two, by node and widget
//! - [`named`]: which workflow an argument means

mod diff;
mod named;

use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

pub use diff::Diff;

#[derive(Debug, clap::Args)]
pub struct Workflow {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show what differs between two workflows, by node and widget
    Diff(Diff),
}

impl Command for Workflow {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        match self.what {
            What::Diff(diff) => diff.run(session),
        }
    }
}
