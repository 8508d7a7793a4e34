//! `node enable` and `node disable`: on and off by the folder's name, as ComfyUI has it.

use crate::environment::nodes::{Change, steps};
use crate::environment::python::requirements::{Requirements, Whose};
use crate::object::EntryKind;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

use super::at_work::{self, How};
use super::planned::{self, PackagesHow, Plan, Wants};

/// Switches custom nodes on.
#[derive(Debug, clap::Args)]
pub struct Enable {
    /// Their folders, ids or repositories
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
    #[command(flatten)]
    packages: PackagesHow,
    #[command(flatten)]
    how: How,
}

/// Switches custom nodes off. Their files stay.
#[derive(Debug, clap::Args)]
pub struct Disable {
    /// Their folders, ids or repositories
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
    #[command(flatten)]
    how: How,
}

impl Command for Enable {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        switch(session, &self.nodes, &self.how, self.packages, true)
    }
}

impl Command for Disable {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        switch(session, &self.nodes, &self.how, PackagesHow::default(), false)
    }
}

/// Switches nodes on or off; those that are so already are passed over.
pub fn switch(
    session: &mut Session<'_>,
    names: &[String],
    how: &How,
    packages: PackagesHow,
    on: bool,
) -> Result<Exit, Failure> {
    let (working, _lock) = at_work::open(session, how)?;
    let around = working.around(session.observer);
    let at_work = at_work::look(&around)?;
    let mut steps = Vec::new();
    let mut keys: Vec<String> = Vec::new();
    for name in names {
        let node = at_work.named(name)?;
        if node.name.disabled == on && !keys.contains(&node.key) {
            let step = if on { steps::enable(&at_work.nodes, node) } else { steps::disable(&at_work.nodes, node) };
            steps.push(step?);
            keys.push(node.key.clone());
        }
    }
    let word = if on { "on" } else { "off" };
    if steps.is_empty() {
        let told = format!("{}: switched {word} already", names.join(", "));
        return planned::unchanged(session, Vec::new(), &told);
    }
    let mut plan = Plan {
        change: Change::new(&at_work.nodes, &at_work.manifest, &steps)?,
        result: if on { "enabled" } else { "disabled" },
        what: None,
        told: format!("Switched {word}: {}", keys.join(", ")),
        nodes: keys,
        version: None,
        scripts: Vec::new(),
        warnings: Vec::new(),
        question: None,
    };
    for node in at_work.nodes.iter().filter(|node| plan.nodes.contains(&node.key)).collect::<Vec<_>>() {
        if node.entry.kind != EntryKind::Tree {
            continue;
        }
        match on {
            true => {
                let requirements = Requirements::of(&around.places().of(&node.path).unwrap_or_default(), Whose::Node);
                plan.require(session, &working, &node.name.base, &Wants::These(&requirements), packages)?;
            }
            false => plan.require(session, &working, &node.name.base, &Wants::Nothing, packages)?,
        }
    }
    planned::carry_out(session, &working, &at_work.head, &plan, how, || Ok(()))
}
