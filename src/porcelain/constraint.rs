//! `constraint add|remove|list`: bounds that hold for a package whoever wants it.

use serde::Serialize;

use crate::environment::manifest::Manifest;
use crate::environment::python::packages;
use crate::environment::python::requirements::{Requirement, normalized};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

use super::py::{Way, edit, merged, parsed};

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

#[derive(Debug, clap::Args)]
struct Add {
    /// Constraints, such as `numpy<2`
    #[arg(value_name = "CONSTRAINT", required = true)]
    constraints: Vec<String>,
    #[command(flatten)]
    way: Way,
}

#[derive(Debug, clap::Args)]
struct Remove {
    /// Names of packages
    #[arg(value_name = "PACKAGE", required = true)]
    packages: Vec<String>,
    #[command(flatten)]
    way: Way,
}

#[derive(Serialize)]
struct Line<'a> {
    constraint: &'a str,
}

impl Command for Constraint {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Add(add) => {
                let wanted = parsed(&add.constraints)?;
                edit(session, &add.way, |manifest| {
                    manifest.set_constraints(&merged(manifest.constraints(), &wanted));
                    Ok(())
                })
            }
            Verb::Remove(remove) => edit(session, &remove.way, |manifest| remove_from(manifest, &remove.packages)),
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
    let manifest = packages::manifest_of(&working.around(session.observer))?;
    for constraint in manifest.constraints() {
        match session.globals.json {
            true => session.print_json(&Line { constraint: &constraint })?,
            false => writeln!(session.out, "{constraint}")?,
        }
    }
    Ok(Exit::Done)
}
