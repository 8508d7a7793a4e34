//! `models`: the model files of the workspace and of the environment at work.
//!
//! - [`index`]: brings the index up to date
//! - [`list`]: what is known, filtered
//! - [`show`]: all that is known of a model
//! - [`verify`]: files read again, and compared with what was recorded
//! - [`duplicates`]: equal files, and the room that they waste, given back
//! - [`add_source`]: remembers where a model can be had
//! - [`selection`]: which models a word means

mod add_source;
mod duplicates;
mod index;
mod list;
mod selection;
mod show;
mod verify;

use crate::environment::{Environment, Workspace};
use crate::models::ModelRoot;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

#[derive(Debug, clap::Args)]
pub struct Models {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Bring the index of model files up to date
    Index(index::Index),
    /// List the model files that are known
    List(list::List),
    /// Show all that is known of a model
    Show(show::Show),
    /// Read model files again and compare them with what was recorded
    Verify(verify::Verify),
    /// Find equal files, and give back the room that they waste
    Duplicates(duplicates::Find),
    /// Remember where a model can be had
    AddSource(add_source::AddSource),
    /// Find what workflows refer to, as `workflow resolve` does
    Resolve(crate::porcelain::workflow::Resolve),
}

impl Command for Models {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        match self.what {
            What::Index(command) => command.run(session),
            What::List(command) => command.run(session),
            What::Show(command) => command.run(session),
            What::Verify(command) => command.run(session),
            What::Duplicates(command) => command.run(session),
            What::AddSource(command) => command.run(session),
            What::Resolve(command) => command.run(session),
        }
    }
}

/// The workspace, the environment at work if there is one, and the models folders that count here.
struct Place {
    workspace: Workspace,
    environment: Option<Environment>,
    roots: Vec<ModelRoot>,
}

/// Without any models folder there is nothing to do, and that is said.
fn place(session: &mut Session<'_>) -> Result<Place, Failure> {
    let workspace = session.workspace()?;
    let environment: Option<Environment> = match session.environment_named() {
        Some(name) => Some(workspace.environment(&name)?),
        None => match workspace.active_name()? {
            Some(_) => Some(session.environment_of(&workspace)?),
            None => None,
        },
    };
    let roots = session.model_roots(&workspace, environment.as_ref())?;
    if roots.is_empty() {
        return Err(Failure::new(Exit::NotFound, "this workspace has no models folder and no environment")
            .hint("`comfrey config models.folders DIR` names a models folder; `comfrey adopt NAME PATH` takes an installation"));
    }
    Ok(Place { workspace, environment, roots })
}
