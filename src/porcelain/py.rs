//! `py add|remove|list`: packages that the user wants beside those of ComfyUI and its nodes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::environment::manifest::{ADDED, Manifest};
use crate::environment::python::packages::{self, Wish};
use crate::environment::python::requirements::{Requirement, normalized};
use crate::ui::program::Command;
use crate::ui::report::{Align, Table};
use crate::ui::running::WhileRunning;
use crate::ui::{Exit, Failure, Session};

use super::sync::How;

const HELP: &str = "\
What is added stands in the manifest's dependency group `added`, and comes and goes with versions like everything else.

Examples:
  comfrey py add \"rich>=13\" tabulate
  comfrey py remove rich
  comfrey py list                  what is installed, and who wants it";

/// Lists, adds and removes Python packages.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Py {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Add packages; one that was added before gets the new requirement
    Add(Add),
    /// Remove packages that were added
    Remove(Remove),
    /// List the packages that are locked, and who wants them
    List,
}

/// What is added, of `py` and of `constraint`.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// Names of packages and what is asked of them, such as `rich>=13`
    #[arg(value_name = "REQUIREMENT", required = true)]
    requirements: Vec<String>,
    #[command(flatten)]
    way: Way,
}

/// What is removed, of `py` and of `constraint`.
#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    /// Names of packages
    #[arg(value_name = "PACKAGE", required = true)]
    packages: Vec<String>,
    #[command(flatten)]
    way: Way,
}

#[derive(Debug, clap::Args)]
struct Way {
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    running: WhileRunning,
}

impl Add {
    /// The list of requirements that `of` reads and `set` writes, with these in it.
    pub fn carry_out(
        &self,
        session: &mut Session<'_>,
        of: impl FnOnce(&Manifest) -> Vec<String>,
        set: impl FnOnce(&mut Manifest, &[String]),
    ) -> Result<Exit, Failure> {
        let wanted = parsed(&self.requirements)?;
        self.way.edit(session, |manifest| {
            let all = merged(of(manifest), &wanted);
            set(manifest, &all);
            Ok(())
        })
    }
}

impl Remove {
    /// The manifest without these packages, as `change` takes them away.
    pub fn carry_out(
        &self,
        session: &mut Session<'_>,
        change: impl FnOnce(&mut Manifest, &[String]) -> Result<(), Failure>,
    ) -> Result<Exit, Failure> {
        self.way.edit(session, |manifest| change(manifest, &self.packages))
    }
}

impl Way {
    fn edit(
        &self,
        session: &mut Session<'_>,
        change: impl FnOnce(&mut Manifest) -> Result<(), Failure>,
    ) -> Result<Exit, Failure> {
        let (working, _lock) = session.working_alone()?;
        let mut wish = Wish::of_manifest(working.environment.manifest()?);
        change(&mut wish.manifest)?;
        How { dry_run: self.dry_run, running: self.running, refused: &[] }.carry_out(session, &working, &wish)
    }
}

impl Command for Py {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Add(add) => {
                add.carry_out(session, |manifest| manifest.group(ADDED), |manifest, all| manifest.set_group(ADDED, all))
            }
            Verb::Remove(remove) => remove.carry_out(session, remove_from),
            Verb::List => list(session),
        }
    }
}

/// Requirements as a person types them.
fn parsed(texts: &[String]) -> Result<Vec<Requirement>, Failure> {
    let parse = |text: &String| {
        Requirement::parse(text).map_err(|reason| {
            Failure::new(Exit::Usage, format!("`{text}` cannot be used: {reason}"))
                .hint("a requirement is a name and what is asked of it, such as \"numpy>=1.26,<3\"")
        })
    };
    texts.iter().map(parse).collect()
}

/// The list with these in it; of a package there is one requirement.
fn merged(mut there: Vec<String>, wanted: &[Requirement]) -> Vec<String> {
    for requirement in wanted {
        let same = |text: &String| Requirement::parse(text).is_ok_and(|found| found.package() == requirement.package());
        match there.iter_mut().find(|text| same(text)) {
            Some(text) => *text = requirement.to_string(),
            None => there.push(requirement.to_string()),
        }
    }
    there
}

fn remove_from(manifest: &mut Manifest, names: &[String]) -> Result<(), Failure> {
    let mut there = manifest.group(ADDED);
    for name in names {
        let plain = normalized(name);
        let before = there.len();
        there.retain(|text| package_of(text) != plain);
        if there.len() < before {
            continue;
        }
        let failure = Failure::new(Exit::NotFound, format!("{name} was not added with `comfrey py add`"));
        return Err(match wanted_by(manifest).get(&plain) {
            Some(who) => {
                failure.hint(format!("it is wanted by {}", who.iter().cloned().collect::<Vec<_>>().join(", ")))
            }
            None => failure.hint("`comfrey py list` shows what was"),
        });
    }
    match there.as_slice() {
        [] => drop(manifest.remove_group(ADDED)),
        there => manifest.set_group(ADDED, there),
    }
    Ok(())
}

fn package_of(requirement: &str) -> String {
    Requirement::parse(requirement).map(|found| found.package().to_owned()).unwrap_or_default()
}

/// Who asks for a package by name: `ComfyUI`, `added`, or a node's group.
fn wanted_by(manifest: &Manifest) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let own = manifest.comfyui_requirements().into_iter().map(|text| (text, "ComfyUI".to_owned()));
    let groups = manifest
        .groups()
        .into_iter()
        .flat_map(|(group, texts)| texts.into_iter().map(move |text| (text, group.clone())).collect::<Vec<_>>());
    for (text, who) in own.chain(groups) {
        found.entry(package_of(&text)).or_default().insert(who);
    }
    found
}

#[derive(Serialize)]
struct Line {
    package: String,
    /// The locked version; absent where it is installed and not locked.
    #[serde(skip_serializing_if = "Option::is_none")]
    locked: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    installed: Option<String>,
    /// `ComfyUI`, `added`, or a node's dependency group; empty for what another package brings.
    wanted_by: BTreeSet<String>,
}

fn list(session: &mut Session<'_>) -> Result<Exit, Failure> {
    let working = session.working()?;
    let around = working.around(session.observer);
    let manifest = working.environment.manifest()?;
    let wanted_by = wanted_by(&manifest);
    let installed = packages::installed_of(&around)?;
    let locked = packages::locked_of(&around)?;
    let names: BTreeSet<&String> = locked.keys().chain(installed.keys()).chain(wanted_by.keys()).collect();
    let lines = names.into_iter().filter(|name| !name.is_empty()).map(|name| Line {
        package: name.clone(),
        locked: locked.get(name).cloned().flatten(),
        installed: installed.get(name).cloned(),
        wanted_by: wanted_by.get(name).cloned().unwrap_or_default(),
    });
    let lines: Vec<Line> = lines.collect();
    if session.globals.json {
        lines.iter().try_for_each(|line| session.print_json(line))?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new([Align::Left, Align::Left]);
    for line in &lines {
        let version = match (&line.locked, &line.installed) {
            (Some(locked), Some(installed)) if locked == installed => locked.clone(),
            (Some(locked), Some(installed)) => format!("{installed} (locked {locked})"),
            (Some(locked), None) => format!("{locked} (not installed)"),
            (None, Some(installed)) => format!("{installed} (not locked)"),
            (None, None) => "(not locked)".to_owned(),
        };
        table.row([line.package.clone(), version, line.wanted_by.iter().cloned().collect::<Vec<_>>().join(", ")]);
    }
    if table.is_empty() {
        session.note("No Python packages: `comfrey sync` takes in what ComfyUI and its nodes require.")?;
    }
    table.write(session.out)?;
    Ok(Exit::Done)
}
