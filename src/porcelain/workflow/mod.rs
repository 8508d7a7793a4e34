//! `workflow`: the workflows of the environment at work, and others, one file a subcommand.
//!
//! - [`diff`]: what differs between two, by node and widget
//! - [`resolve`]: finds what they refer to, asks, and remembers
//! - [`named`]: which workflow an argument means

mod diff;
mod named;
mod resolve;

use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

pub use diff::Diff;
pub use resolve::Resolve;

#[derive(Debug, clap::Args)]
pub struct Workflow {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show what differs between two workflows, by node and widget
    Diff(Diff),
    /// Find what workflows refer to, and remember what is chosen
    Resolve(Resolve),
}

impl Command for Workflow {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        match self.what {
            What::Diff(diff) => diff.run(session),
            What::Resolve(resolve) => resolve.run(session),
        }
    }
}
