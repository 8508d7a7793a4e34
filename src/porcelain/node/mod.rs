//! `node`: the custom nodes of the environment at work.
//!
//! - [`add`]: from the registry, a repository, an archive, a folder
//! - [`update`]: another version
//! - [`remove`]: off, or away
//! - [`switch`]: on and off
//! - [`repair`]: the files as they were
//! - [`list`]: those that are there
//! - [`show`]: all that is known of one
//! - [`search`]: packages that could be had
//!
//! What these commands share:
//!
//! - [`at_work`]: the nodes that are there
//! - [`planned`]: a change, shown and carried out
//! - [`shape`]: a node as it is told of

mod add;
mod at_work;
mod list;
mod planned;
mod remove;
mod repair;
mod search;
mod shape;
mod show;
mod switch;
mod update;

use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

#[derive(Debug, clap::Args)]
pub struct Node {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Add a custom node from the registry, a repository, an archive or a folder
    Add(add::Add),
    /// Switch a custom node off, or delete it
    Remove(remove::Remove),
    /// List the custom nodes that are there
    List(list::List),
    /// Show all that is known of a custom node
    Show(show::Show),
    /// Bring another version of a custom node
    Update(update::Update),
    /// Switch a custom node on
    Enable(switch::Enable),
    /// Switch a custom node off
    Disable(switch::Disable),
    /// Search for packages of custom nodes
    Search(search::Search),
    /// Make the files of custom nodes what they were
    Repair(repair::Repair),
}

impl Command for Node {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        match self.what {
            What::Add(command) => command.run(session),
            What::Remove(command) => command.run(session),
            What::List(command) => command.run(session),
            What::Show(command) => command.run(session),
            What::Update(command) => command.run(session),
            What::Enable(command) => command.run(session),
            What::Disable(command) => command.run(session),
            What::Search(command) => command.run(session),
            What::Repair(command) => command.run(session),
        }
    }
}
