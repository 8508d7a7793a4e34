//! `status`: what is different now from the last version, and what does not fit together.

use std::collections::{BTreeMap, BTreeSet};

use crate::environment::head::Head;
use crate::environment::status::{self, ModelShape, Status as Found, Unresolved};
use crate::ui::program::Command;
use crate::ui::report::{Bytes, count};
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
Examples:
  comfrey status
  comfrey status --json | jq .unresolved
  comfrey status --exit-code || comfrey commit -m \"what is there now\"";

/// Shows what changed since the last version, and models that are missing.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Status {
    /// Exit with 1 if anything changed
    #[arg(long)]
    exit_code: bool,
}

impl Command for Status {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let working = session.working()?;
        let around = working.around(session.observer);
        let head = Head::of(around.store, around.environment.name().as_str())?;
        let found = status::status(&around, &head)?;
        if session.globals.json {
            session.print_json(&found)?;
        } else {
            print(session, &found)?;
        }
        Ok(match (found.incomplete, found.clean) {
            (true, _) => Exit::NotFound,
            (false, false) if self.exit_code => Exit::Negative,
            _ => Exit::Done,
        })
    }
}

fn print(session: &mut Session<'_>, found: &Found) -> Result<(), Failure> {
    let paint = session.paint;
    let environment = paint.strong(&found.environment);
    let branch = match &found.branch {
        Some(branch) => format!("on branch {branch}"),
        None => "on no branch".to_owned(),
    };
    match &found.head {
        Some(head) => {
            writeln!(session.out, "Environment {environment}, {branch}, at {} {}", head.version, head.id.short())?;
        }
        None => writeln!(session.out, "Environment {environment}, {branch}, no version yet")?,
    }
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    let mut group = |title, lines: Vec<String>| {
        if !lines.is_empty() {
            groups.push((title, lines));
        }
    };
    let list = |word: &str, names: &[String]| -> Vec<String> {
        let word = match word {
            "new" | "enabled" => paint.good(format!("{word:9}")),
            "gone" | "disabled" => paint.bad(format!("{word:9}")),
            _ => paint.changed(format!("{word:9}")),
        };
        names.iter().map(|name| format!("{word} {name}")).collect()
    };
    let workflows = &found.workflows;
    group(
        "Workflows",
        [list("new", &workflows.added), list("changed", &workflows.modified), list("gone", &workflows.deleted)]
            .concat(),
    );
    let nodes = &found.nodes;
    let versions: Vec<String> = nodes
        .changed_version
        .iter()
        .map(|change| {
            let side = |version: &Option<String>| version.clone().unwrap_or_else(|| "unknown".to_owned());
            format!("{} {} -> {}", change.name, side(&change.from), side(&change.to))
        })
        .collect();
    group(
        "Custom nodes",
        [
            list("new", &nodes.added),
            list("changed", &nodes.modified),
            list("version", &versions),
            list("disabled", &nodes.disabled),
            list("enabled", &nodes.enabled),
            list("gone", &nodes.removed),
            list("file", &nodes.files),
        ]
        .concat(),
    );
    let models = &found.models;
    let shown = |models: &[ModelShape]| -> Vec<String> { models.iter().map(model).collect() };
    let moved: Vec<String> = models.moved.iter().map(|model| format!("{} -> {}", model.path, model.to)).collect();
    group(
        "Models",
        [list("gone", &shown(&models.missing)), list("moved", &moved), list("changed", &shown(&models.changed))]
            .concat(),
    );
    let mut other = Vec::new();
    if found.comfyui.changed {
        let side = |version: &Option<String>| version.clone().unwrap_or_else(|| "unknown".to_owned());
        let (from, to) = (side(&found.comfyui.from), side(&found.comfyui.to));
        match from == to {
            true => other.extend(list("changed", &[format!("files of ComfyUI {to} itself")])),
            false => other.extend(list("version", &[format!("ComfyUI {from} -> {to}")])),
        }
    }
    if found.python.manifest_edited && found.head.is_some() {
        other.extend(list("changed", &["pyproject.toml".to_owned()]));
    }
    if found.python.lock_changed && found.head.is_some() {
        other.extend(list("changed", &["uv.lock".to_owned()]));
    }
    group("Environment", other);
    group("Python", python(found));
    for (title, lines) in &groups {
        writeln!(session.out, "\n{title}:")?;
        for line in lines {
            writeln!(session.out, "  {line}")?;
        }
    }
    print_open(session, found)?;
    for problem in &found.problems {
        session.warn(&problem.message)?;
    }
    if let Some(error) = &found.manifest_error {
        session.warn(error)?;
    }
    writeln!(session.out)?;
    next(session, found)
}

/// What `sync` has to do.
fn python(found: &Found) -> Vec<String> {
    /// So many packages are named.
    const MOST: usize = 5;
    let python = &found.python;
    let mut lines = Vec::new();
    if !python.lock_follows {
        lines.push("uv.lock is not what pyproject.toml asks for".to_owned());
    }
    for package in python.packages.iter().take(MOST) {
        let name = &package.package;
        lines.push(match (&package.locked, &package.installed) {
            (Some(locked), Some(installed)) => format!("{name} is {installed}, locked is {locked}"),
            (Some(locked), None) => format!("{name} {locked} is not installed"),
            (None, installed) => {
                format!("{name} {} is installed, and not in uv.lock", installed.as_deref().unwrap_or_default())
            }
        });
    }
    if !python.in_sync && python.lock_follows && python.packages.is_empty() {
        lines.push("the Python of this environment is not there".to_owned());
    }
    if python.packages.len() > MOST {
        lines.push(format!("and {} more", python.packages.len() - MOST));
    }
    lines
}

fn model(model: &ModelShape) -> String {
    let how = match (model.in_store, model.sources.first()) {
        (true, _) => ", held by the store".to_owned(),
        (false, Some(source)) => format!(", to be had from {source}"),
        (false, None) => String::new(),
    };
    format!("{} ({}{how})", model.path, Bytes(model.size))
}

fn print_open(session: &mut Session<'_>, found: &Found) -> Result<(), Failure> {
    let wanted = wanted(&found.unresolved);
    if !wanted.is_empty() {
        writeln!(session.out, "\nModels that workflows want and that were not found:")?;
    }
    for model in &wanted {
        let status = session.paint.changed(model.status);
        let by = match (model.places.as_slice(), session.globals.verbose) {
            ([place], _) => format!(", wanted by {place}"),
            (places, 0) => format!(", wanted by {} and {} more", places[0], places.len() - 1),
            _ => String::new(),
        };
        writeln!(session.out, "  {} ({}): {status}{by}", model.value, model.class)?;
        if session.globals.verbose > 0 && model.places.len() > 1 {
            for place in &model.places {
                writeln!(session.out, "      wanted by {place}")?;
            }
        }
        for candidate in &model.candidates {
            writeln!(session.out, "      could be {candidate}")?;
        }
        for source in &model.sources {
            writeln!(session.out, "      to be had from {source}")?;
        }
    }
    print_missing_nodes(session, found)?;
    if !found.unreadable.is_empty() {
        writeln!(session.out, "\nNot workflows (kept as they are):")?;
        for file in &found.unreadable {
            writeln!(session.out, "  {}: {}", file.path, file.reason)?;
        }
    }
    Ok(())
}

/// One row a package, or a type of which no package is known.
fn print_missing_nodes(session: &mut Session<'_>, found: &Found) -> Result<(), Failure> {
    if found.missing_nodes.is_empty() {
        return Ok(());
    }
    let mut rows: BTreeMap<&str, WantedPackage<'_>> = BTreeMap::new();
    for node in &found.missing_nodes {
        let row = rows.entry(node.package.as_deref().unwrap_or(&node.node_type)).or_default();
        row.is_known |= node.package.is_some();
        row.version = row.version.or(node.version.as_deref());
        row.types.insert(&node.node_type);
        row.workflows.extend(node.workflows.iter().map(String::as_str));
        row.candidates.extend(node.candidates.iter().filter(|_| node.package.is_none()).map(String::as_str));
    }
    writeln!(session.out, "\nCustom nodes that workflows want and that are not installed:")?;
    for (name, row) in rows {
        let by = match row.workflows.iter().collect::<Vec<_>>().as_slice() {
            [only] => format!("wanted by {only}"),
            several => format!("wanted by {}", count(several.len(), "workflow")),
        };
        if row.is_known {
            let version = row.version.map(|version| format!(" {version}")).unwrap_or_default();
            let name = session.paint.changed(name);
            writeln!(session.out, "  {name}{version}: {}, {by}", count(row.types.len(), "node type"))?;
        } else {
            let what = if row.candidates.is_empty() { "no package is known" } else { "several packages may be meant" };
            writeln!(session.out, "  type {name}: {what}, {by}")?;
        }
        for candidate in row.candidates {
            writeln!(session.out, "      could be {candidate}")?;
        }
    }
    Ok(())
}

/// A package, or a type of which none is known, that is wanted in one or many workflows.
#[derive(Default)]
struct WantedPackage<'a> {
    is_known: bool,
    version: Option<&'a str>,
    types: BTreeSet<&'a str>,
    workflows: BTreeSet<&'a str>,
    candidates: BTreeSet<&'a str>,
}

/// A model that is wanted in one or many places: a person looks for it once.
#[derive(Default)]
struct Wanted<'a> {
    value: &'a str,
    class: &'a str,
    status: &'a str,
    /// `WORKFLOW, node NODE`.
    places: Vec<String>,
    candidates: BTreeSet<&'a str>,
    sources: BTreeSet<&'a str>,
}

/// One row a model, in the order in which workflows name them.
fn wanted(unresolved: &[Unresolved]) -> Vec<Wanted<'_>> {
    let mut rows: Vec<Wanted<'_>> = Vec::new();
    let mut row_of: BTreeMap<&str, usize> = BTreeMap::new();
    for open in unresolved {
        let number = *row_of.entry(&open.value).or_insert_with(|| {
            let class = open.node_type.as_deref().unwrap_or("?");
            rows.push(Wanted { value: &open.value, class, status: &open.status, ..Wanted::default() });
            rows.len() - 1
        });
        let row = &mut rows[number];
        // Where one workflow says where a model can be had, that serves the others too.
        if !open.sources.is_empty() && row.sources.is_empty() && row.candidates.is_empty() {
            row.status = &open.status;
        }
        row.places.push(format!("{}, node {}", open.workflow, open.node));
        row.candidates.extend(open.candidates.iter().map(String::as_str));
        row.sources.extend(open.sources.iter().map(String::as_str));
    }
    rows
}

/// What to type next.
fn next(session: &mut Session<'_>, found: &Found) -> Result<(), Failure> {
    let paint = session.paint;
    let Some(head) = &found.head else {
        let command = paint.typed("comfrey commit -m MESSAGE");
        writeln!(session.out, "{command} records what is there as v1")?;
        return Ok(());
    };
    let back = found.models.missing.iter().filter(|model| model.in_store).count();
    if found.clean {
        writeln!(session.out, "Workflows and custom nodes are as in {}.", head.version)?;
    } else if found.manifest_error.is_some() {
        writeln!(session.out, "Nothing can be recorded until pyproject.toml is corrected.")?;
        writeln!(session.out, "{} goes back to {}", paint.typed("comfrey rollback HEAD"), head.version)?;
        return Ok(());
    } else {
        writeln!(session.out, "{} records this as a new version", paint.typed("comfrey commit -m MESSAGE"))?;
        writeln!(session.out, "{} goes back to {}", paint.typed("comfrey rollback HEAD"), head.version)?;
    }
    if !found.python.in_sync {
        writeln!(session.out, "{} makes Python what it is to be", paint.typed("comfrey sync"))?;
    }
    if back > 0 && found.clean {
        let command = paint.typed("comfrey rollback HEAD");
        writeln!(session.out, "{command} brings back {}", count(back, "model"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(workflow: &str, value: &str, status: &str, sources: &[&str]) -> Unresolved {
        Unresolved {
            workflow: workflow.to_owned(),
            scope: Vec::new(),
            node: "1".to_owned(),
            node_type: Some("VAELoader".to_owned()),
            value: value.to_owned(),
            status: status.to_owned(),
            candidates: Vec::new(),
            sources: sources.iter().map(|source| (*source).to_owned()).collect(),
        }
    }

    #[test]
    fn a_model_that_two_workflows_want_is_one_row_and_one_of_them_may_know_where_it_is() {
        let list = [
            open("a.json", "x.safetensors", "missing", &[]),
            open("b.json", "y.safetensors", "missing", &[]),
            open("c.json", "x.safetensors", "downloadable", &["https://example.org/x"]),
        ];
        let rows = wanted(&list);
        let seen: Vec<_> = rows.iter().map(|row| (row.value, row.status, row.places.len())).collect();
        assert_eq!(seen, [("x.safetensors", "downloadable", 2), ("y.safetensors", "missing", 1)]);
        assert!(rows[0].sources.contains("https://example.org/x"));
    }
}
