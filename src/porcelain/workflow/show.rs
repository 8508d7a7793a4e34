//! `workflow show`: what a workflow is for, what it uses, and what is missing.

use serde::Serialize;

use crate::catalog::Catalog;
use crate::catalog::purpose::{Medium, Purpose};
use crate::environment::needs::{Wanted, look};
use crate::ui::program::Command;
use crate::ui::report::{Align, Bytes, Table, count};
use crate::ui::working::Working;
use crate::ui::{Exit, Failure, Session};

use super::named;
use super::summary::{Model, Package, Summary};

const HELP: &str = "\
What it takes and makes (as far as names of nodes tell), the models that it names and where they are, its nodes by package, and what
is missing. A workflow is a file (JSON, or media with one inside), REV:path, or a name in the environment. Outside a
workspace nothing is looked up.

Examples:
  comfrey workflow show portrait            one of the environment's
  comfrey workflow show image.png           what made an image
  comfrey workflow show v2:workflows/a.json";

/// Shows what a workflow is for, what it uses, and what is missing.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Show {
    /// A file, REV:path or a name
    #[arg(value_name = "WORKFLOW")]
    workflow: String,
}

#[derive(Serialize)]
struct Shape<'a> {
    workflow: &'a str,
    /// The container that it was in.
    container: Option<&'static str>,
    #[serde(flatten)]
    summary: &'a Summary,
}

impl Command for Show {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let named = named::open(&self.workflow, session)?;
        let workflow = named.workflow()?;
        let working = working(session)?;
        let catalog = working.as_ref().map_or_else(Catalog::built_in, |working| working.catalog.clone());
        let wanted = Wanted { key: named.key.as_deref(), held: &named.held };
        let needs = match &working {
            Some(working) => look(&working.around(session.observer), &catalog, &[wanted])?.pop(),
            None => None,
        };
        let summary = Summary::of(&workflow, &catalog, needs.as_ref());
        let container = named.held.part.container();
        if session.globals.json {
            let container = container.map(|container| container.as_str());
            session.print_json(&Shape { workflow: &named.name, container, summary: &summary })?;
            return Ok(Exit::Done);
        }
        let inside = container.map(|container| format!(", in {container}")).unwrap_or_default();
        let format = if summary.format == "api" { "what runs (API format)" } else { "the editor's format" };
        let mut size = count(summary.nodes, "node");
        if summary.subgraphs > 0 {
            size += &format!(", {}", count(summary.subgraphs, "subgraph"));
        }
        writeln!(session.out, "{}: {format}{inside}, {size}", session.paint.strong(&named.name))?;
        if let Some(purpose) = told(&summary.purpose) {
            writeln!(session.out, "{purpose}")?;
        }
        print_models(&summary.models, session)?;
        print_packages(&summary.packages, session)?;
        for part in &summary.unread {
            session.warn(part)?;
        }
        if needs.is_none() {
            session.note("outside a workspace; what of it is here was not looked up")?;
        } else if !summary.missing.is_empty() {
            let missing = &summary.missing;
            let parts =
                [(&missing.models, "model"), (&missing.packages, "package"), (&missing.types, "unknown node type")];
            let parts = parts.iter().filter(|(list, _)| !list.is_empty());
            let parts: Vec<String> = parts.map(|(list, what)| count(list.len(), what)).collect();
            writeln!(session.out, "\n{}", session.paint.bad(format_args!("Missing: {}", parts.join(", "))))?;
        }
        Ok(Exit::Done)
    }
}

/// The environment at work; nothing outside a workspace, where a file can be looked at all the same.
fn working(session: &mut Session<'_>) -> Result<Option<Working>, Failure> {
    match session.working() {
        Ok(working) => Ok(Some(working)),
        Err(failure) if failure.exit == Exit::NotFound && session.globals.workspace.is_none() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// `text to image: 1 sampler, 2 prompts`.
fn told(purpose: &Purpose) -> Option<String> {
    let media = |media: &[Medium]| media.iter().map(|medium| medium.as_str()).collect::<Vec<_>>().join(" and ");
    let mut way = match (purpose.takes.is_empty(), purpose.makes.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!("takes {}", media(&purpose.takes)),
        (true, false) => format!("makes {}", media(&purpose.makes)),
        (false, false) => format!("{} to {}", media(&purpose.takes), media(&purpose.makes)),
    };
    let parts = [(purpose.samplers, "sampler"), (purpose.prompts, "prompt")];
    let parts = parts.iter().filter(|(number, _)| *number > 0).map(|(number, what)| count(*number, what));
    let parts = parts.collect::<Vec<_>>().join(", ");
    if !way.is_empty() && !parts.is_empty() {
        way += ": ";
    }
    Some(way + &parts).filter(|told| !told.is_empty())
}

fn print_models(models: &[Model], session: &mut Session<'_>) -> Result<(), Failure> {
    if models.is_empty() {
        return Ok(());
    }
    writeln!(session.out, "\n{}", session.paint.strong("Models"))?;
    let mut table = Table::new([Align::Left, Align::Left, Align::Right, Align::Left]).indent(2);
    for model in models {
        let by = match &model.used_by[..] {
            [one] => one.clone(),
            [first, more @ ..] => format!("{first} and {} more", more.len()),
            [] => String::new(),
        };
        let place = match (&model.local, model.status, model.sources.first()) {
            (Some(local), ..) => session.paint.good(local),
            (None, Some(status), Some(source)) => format!("{} from {source}", session.paint.changed(status)),
            (None, Some(status), None) => session.paint.bad(status),
            (None, None, _) => String::new(),
        };
        let size = model.size.map(|size| Bytes(size).to_string()).unwrap_or_default();
        let place = if model.active { place } else { format!("{place} (switched off)").trim_start().to_owned() };
        table.row([model.value.clone(), by, size, place]);
    }
    table.write(session.out)?;
    Ok(())
}

fn print_packages(packages: &[Package], session: &mut Session<'_>) -> Result<(), Failure> {
    /// How many types of a package are named.
    const MOST: usize = 6;
    if packages.is_empty() {
        return Ok(());
    }
    writeln!(session.out, "\n{}", session.paint.strong("Nodes"))?;
    let mut table = Table::new([Align::Left, Align::Right, Align::Left]).indent(2);
    for package in packages {
        let version = package.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
        let name = match package.package.as_deref() {
            Some("comfy-core") => "ComfyUI".to_owned(),
            Some(name) => format!("{name}{version}"),
            None => "of no known package".to_owned(),
        };
        let mut types: Vec<(&String, &usize)> = package.types.iter().collect();
        types.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
        let told = |(class, number): &(&String, &usize)| {
            if **number > 1 { format!("{class} ×{number}") } else { (*class).clone() }
        };
        let mut shown: Vec<String> = types.iter().take(MOST).map(told).collect();
        if types.len() > MOST {
            shown.push(format!("{} more", types.len() - MOST));
        }
        let absent =
            if package.installed == Some(false) { session.paint.bad("  not installed") } else { String::new() };
        table.row([name, package.nodes.to_string(), shown.join(", ") + &absent]);
    }
    table.write(session.out)?;
    Ok(())
}
