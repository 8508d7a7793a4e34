//! `constraint add|remove|list`: bounds that hold for a package whoever wants it.

use serde::Serialize;

use crate::environment::manifest::Manifest;
use crate::environment::python::requirements::{Requirement, normalized};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

use super::py::{Add, Remove};

const HELP: &str = "\
A constraint installs nothing. It says which versions of a package are allowed, for all who want it: ComfyUI, nodes, other
packages. It stands in the manifest under [tool.uv] constraint-dependencies.

Examples:
  comfrey constraint add \"numpy<2\"
  comfrey constraint remove numpy
  comfrey constraint list";

/// Lists, adds and removes bounds on versions of Python packages.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Constraint {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Add constraints; one on the same package is replaced
    Add(Add),
    /// Remove the constraints on these packages
    Remove(Remove),
    /// List the constraints
    List,
}

#[derive(Serialize)]
struct Line<'a> {
    constraint: &'a str,
}

impl Command for Constraint {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Add(add) => add.carry_out(session, Manifest::constraints, Manifest::set_constraints),
            Verb::Remove(remove) => remove.carry_out(session, remove_from),
            Verb::List => list(session),
        }
    }
}

fn remove_from(manifest: &mut Manifest, names: &[String]) -> Result<(), Failure> {
    let mut there = manifest.constraints();
    for name in names {
        let (plain, before) = (normalized(name), there.len());
        there.retain(|text| Requirement::parse(text).map_or(true, |found| found.package() != plain));
        if there.len() == before {
            return Err(Failure::new(Exit::NotFound, format!("there is no constraint on {name}"))
                .hint("`comfrey constraint list` shows those that there are"));
        }
    }
    manifest.set_constraints(&there);
    Ok(())
}

fn list(session: &mut Session<'_>) -> Result<Exit, Failure> {
    let working = session.working()?;
    let manifest = working.environment.manifest()?;
    for constraint in manifest.constraints() {
        match session.globals.json {
            true => session.print_json(&Line { constraint: &constraint })?,
            false => writeln!(session.out, "{constraint}")?,
        }
    }
    Ok(Exit::Done)
}
