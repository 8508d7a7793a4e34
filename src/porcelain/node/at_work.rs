//! The nodes that are there, and the right to change them.

use crate::environment::head::Head;
use crate::environment::lock::Lock;
use crate::environment::manifest::Manifest;
use crate::environment::nodes::{self, Found, Node, NodeError};
use crate::environment::state::{self, Keep, State};
use crate::ui::running::WhileRunning;
use crate::ui::working::Working;
use crate::ui::{Failure, Session};

/// Options of every command that changes nodes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct How {
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub running: WhileRunning,
}

/// The environment's nodes, as they are.
pub struct AtWork<'a> {
    pub state: State<'a>,
    pub manifest: Manifest,
    pub nodes: Vec<Node>,
    pub head: Head,
}

/// The environment, and the right to change it unless only a look is wanted.
pub fn open(session: &mut Session<'_>, how: &How) -> Result<(Working, Option<Lock>), Failure> {
    if how.dry_run {
        return Ok((session.working()?, None));
    }
    let (working, lock) = session.working_alone()?;
    session.comfyui_at_rest(&working.environment, how.running)?;
    Ok((working, Some(lock)))
}

/// Reads the nodes of an environment.
pub fn look<'a>(around: &state::Surroundings<'a>) -> Result<AtWork<'a>, Failure> {
    let head = Head::of(around.store, around.environment.name().as_str())?;
    let state = state::read(around, Keep::IdsOnly)?;
    let manifest = around.environment.manifest()?;
    let nodes = nodes::survey(around, &state, &manifest.nodes())?;
    Ok(AtWork { state, manifest, nodes, head })
}

impl AtWork<'_> {
    /// The node that a word names.
    pub fn named(&self, name: &str) -> Result<&Node, NodeError> {
        match nodes::find(&self.nodes, name) {
            Found::One(node) => Ok(node),
            Found::Many(found) => Err(NodeError::Ambiguous {
                name: name.to_owned(),
                found: found.iter().map(|node| node.key.clone()).collect(),
            }),
            Found::None(near) => Err(NodeError::NoSuchNode { name: name.to_owned(), near }),
        }
    }
}
