//! `comfrey list`: the environments of the workspace.

use serde::Serialize;

use crate::environment::{Environment, EnvironmentName};
use crate::ui::program::Command;
use crate::ui::report::{Align, Table};
use crate::ui::{Exit, Failure, Session, json};

/// List the environments: where each ComfyUI lies, and its last snapshot
#[derive(clap::Args)]
pub struct List {}

#[derive(Serialize)]
struct Answer {
    workspace: String,
    environments: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: EnvironmentName,
    active: bool,
    comfyui: String,
    kind: &'static str,
    version: Option<String>,
    commit: Option<String>,
    present: bool,
}

impl Command for List {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let workspace = session.workspace()?;
        let active = workspace.active_name()?;
        let mut environments = Vec::new();
        for name in workspace.environment_names()? {
            match workspace.environment(name.as_str()) {
                Ok(environment) => environments.push(environment),
                // One that cannot be read hides no other.
                Err(error) => session.complain(&error.into())?,
            }
        }
        let is_active = |environment: &Environment| Some(environment.name()) == active.as_ref();
        if session.globals.json {
            let environments =
                environments.iter().map(|environment| row(environment, is_active(environment))).collect();
            session.print_json(&Answer { workspace: json::path(workspace.root()), environments })?;
            return Ok(Exit::Done);
        }
        if environments.is_empty() {
            session
                .note("no environment yet; `comfrey adopt NAME PATH` takes an existing ComfyUI under Comfrey's care")?;
            return Ok(Exit::Done);
        }
        let paint = session.paint;
        let mut table = Table::new([Align::Left]);
        for environment in &environments {
            let (mark, name) = match is_active(environment) {
                true => ("*", paint.strong(environment.name())),
                false => (" ", environment.name().to_string()),
            };
            let version = match environment.is_present() {
                true => environment.version().summary().unwrap_or_else(|| "unknown version".into()),
                false => paint.bad("its folder is gone"),
            };
            table.row([format!("{mark} {name}"), environment.comfyui().display().to_string(), version]);
        }
        table.write(session.out)?;
        Ok(Exit::Done)
    }
}

fn row(environment: &Environment, active: bool) -> Row {
    let version = environment.version();
    Row {
        name: environment.name().clone(),
        active,
        comfyui: json::path(&environment.comfyui()),
        kind: environment.facts().kind.name(),
        version: version.number,
        commit: version.git.and_then(|git| git.commit),
        present: environment.is_present(),
    }
}
