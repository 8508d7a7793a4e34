//! `workflow list`: the environment's workflows, and what each of them is missing.

use serde::Serialize;

use crate::environment::needs::{Wanted, look};
use crate::environment::snapshot_tree::workflow_key;
use crate::ui::program::Command;
use crate::ui::report::{Align, Table, count};
use crate::ui::{Exit, Failure, Session};
use crate::workflow::file::{self, Held};

use super::named::{InEnvironment, workflows};
use super::summary::{Missing, Summary};

/// Lists the environment's workflows: format, nodes, models, and what is missing.
#[derive(Debug, clap::Args)]
pub struct List {}

#[derive(Serialize)]
struct Line<'a> {
    workflow: &'a str,
    name: &'a str,
    format: &'static str,
    nodes: usize,
    models: usize,
    missing: &'a Missing,
}

#[derive(Serialize)]
struct Broken<'a> {
    workflow: &'a str,
    name: &'a str,
    reason: &'a str,
}

impl Command for List {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let working = session.working()?;
        let all = workflows(&working.environment)?;
        if all.is_empty() {
            session.note("this environment has no workflow")?;
            return Ok(Exit::Done);
        }
        let opened: Vec<(InEnvironment, String, Result<Held, String>)> = all
            .into_iter()
            .map(|found| {
                let key = workflow_key(&found.path).unwrap_or_default();
                let held = file::open(&found.file).map_err(|error| error.to_string());
                (found, key, held)
            })
            .collect();
        let wanted =
            opened.iter().filter_map(|(_, key, held)| Some(Wanted { key: Some(key), held: held.as_ref().ok()? }));
        let catalog = working.catalog.clone();
        let found = look(&working.around(session.observer), &catalog, &wanted.collect::<Vec<_>>())?;
        let mut found = found.iter();
        let mut table = Table::new([Align::Left, Align::Left, Align::Right, Align::Right, Align::Left]);
        for (place, name, held) in &opened {
            let path = place.path.as_str();
            let summary = held.as_ref().map_err(Clone::clone).and_then(|held| {
                let needs = found.next();
                let workflow = held.workflow().map_err(|error| error.to_string())?;
                Ok(Summary::of(&workflow, &catalog, needs))
            });
            match (&summary, session.globals.json) {
                (Ok(summary), true) => session.print_json(&Line {
                    workflow: path,
                    name,
                    format: summary.format,
                    nodes: summary.nodes,
                    models: summary.models.len(),
                    missing: &summary.missing,
                })?,
                (Err(reason), true) => session.print_json(&Broken { workflow: path, name, reason })?,
                (Ok(summary), false) => table.row([
                    name.clone(),
                    summary.format.to_owned(),
                    count(summary.nodes, "node"),
                    count(summary.models.len(), "model"),
                    missing(&summary.missing, session),
                ]),
                (Err(reason), false) => {
                    table.row([name.clone(), "-".into(), "-".into(), "-".into(), session.paint.bad(reason)]);
                }
            }
        }
        table.write(session.out)?;
        Ok(Exit::Done)
    }
}

fn missing(missing: &Missing, session: &Session<'_>) -> String {
    let all: Vec<&str> =
        [&missing.models, &missing.packages, &missing.types].into_iter().flatten().map(String::as_str).collect();
    match all[..] {
        [] => String::new(),
        [one] => session.paint.bad(format_args!("missing {one}")),
        [first, ref more @ ..] => session.paint.bad(format_args!("missing {first} and {} more", more.len())),
    }
}
