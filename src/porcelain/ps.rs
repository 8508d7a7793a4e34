//! `ps`: which environments run.

use serde_json::json;

use crate::environment::launch::running::{self, Running};
use crate::object::Time;
use crate::ui::program::Command;
use crate::ui::report::{Align, Table, ago};
use crate::ui::{Exit, Failure, Session, json};

/// Shows which environments run, where they answer, and what they log to.
#[derive(Debug, clap::Args)]
pub struct Ps {}

impl Command for Ps {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let workspace = session.workspace()?;
        let now = session.now()?;
        let mut table = Table::new([Align::Left, Align::Left, Align::Left, Align::Right, Align::Left, Align::Left]);
        for name in workspace.environment_names()? {
            let environment = match workspace.environment(name.as_str()) {
                Ok(environment) => environment,
                // One that cannot be read hides no other.
                Err(error) => {
                    session.complain(&error.into())?;
                    continue;
                }
            };
            let found = running::of(&environment);
            if !matches!(found, Some(Running::Ours(_))) && running::sweep(environment.folder()) {
                session.note(format_args!("the last run of {name} ended without a word; its record is taken away"))?;
            }
            let Some(found) = found else { continue };
            let process = found.process();
            match &found {
                Running::Ours(record) if session.globals.json => {
                    let since = Time { milliseconds: record.since, offset_minutes: now.offset_minutes }.to_string();
                    session.print_json(&json!({ "environment": name.as_str(), "process": process,
                        "watcher": record.watcher.number, "port": record.port, "url": record.url, "since": since,
                        "ready": record.ready, "restarts": record.restarts, "log": json::path(&record.log) }))?;
                }
                Running::Foreign { .. } if session.globals.json => {
                    session.print_json(&json!({ "environment": name.as_str(), "process": process, "watcher": null,
                        "port": null, "url": null, "since": null, "ready": null, "restarts": null, "log": null }))?;
                }
                Running::Ours(record) => {
                    let paint = session.paint;
                    let state = if record.ready { paint.good("ready") } else { paint.changed("starting") };
                    let since = ago(Time { milliseconds: record.since, offset_minutes: 0 }, now);
                    let log = paint.faint(record.log.display());
                    let url = paint.typed(&record.url);
                    table.row([name.to_string(), state, url, process.to_string(), since, log]);
                }
                Running::Foreign { .. } => {
                    let by = session.paint.faint("not started by comfrey");
                    table.row([name.to_string(), "runs".into(), String::new(), process.to_string(), String::new(), by]);
                }
            }
        }
        if table.is_empty() && !session.globals.json {
            session.note("no ComfyUI of this workspace runs")?;
        }
        table.write(session.out)?;
        Ok(Exit::Done)
    }
}
