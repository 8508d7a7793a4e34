//! `comfrey list`: the environments of the workspace.

use serde::Serialize;

use crate::environment::{Environment, EnvironmentName};
use crate::history::View;
use crate::object::{ObjectId, Snapshot, Time};
use crate::store::Store;
use crate::ui::program::Command;
use crate::ui::report::{Align, Table, ago};
use crate::ui::{Exit, Failure, Session, json};

/// List the environments
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
    /// Its own port; absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    python: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    present: bool,
    /// The last snapshot; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<Head>,
}

/// An environment's last snapshot.
#[derive(Serialize)]
struct Head {
    id: ObjectId,
    version: String,
    time: String,
    message: String,
    #[serde(skip)]
    at: Time,
}

impl Command for List {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let workspace = session.workspace()?;
        let active = workspace.active_name()?;
        let mut found = Vec::new();
        for name in workspace.environment_names()? {
            match workspace.environment(name.as_str()) {
                Ok(environment) => found.push((environment, head(workspace.store(), &name)?)),
                // One that cannot be read hides no other.
                Err(error) => session.complain(&error.into())?,
            }
        }
        let is_active = |environment: &Environment| Some(environment.name()) == active.as_ref();
        if session.globals.json {
            let rows = found.into_iter().map(|(environment, head)| row(&environment, is_active(&environment), head));
            let environments = rows.collect();
            session.print_json(&Answer { workspace: json::path(workspace.root()), environments })?;
            return Ok(Exit::Done);
        }
        if found.is_empty() {
            session.note(
                "no environment yet: `comfrey create NAME` makes one, `comfrey adopt NAME PATH` takes an existing ComfyUI as it lies",
            )?;
            return Ok(Exit::Done);
        }
        let now = session.now()?;
        let paint = session.paint;
        let mut table = Table::new([Align::Left]);
        for (environment, head) in &found {
            let (mark, name) = match is_active(environment) {
                true => ("*", paint.strong(environment.name())),
                false => (" ", environment.name().to_string()),
            };
            let version = match environment.is_present() {
                true => environment.version().summary().unwrap_or_else(|| paint.faint("version unknown")),
                false => paint.bad("its folder is gone"),
            };
            let last = match head {
                Some(head) => format!("{} {}, {}", head.version, head.message, ago(head.at, now)),
                None => paint.faint("no snapshot yet"),
            };
            table.row([format!("{mark} {name}"), environment.comfyui().display().to_string(), version, last]);
        }
        table.write(session.out)?;
        Ok(Exit::Done)
    }
}

/// The last snapshot of an environment.
fn head(store: &Store, name: &EnvironmentName) -> Result<Option<Head>, Failure> {
    let view = View::now(store, Some(name.as_str()))?;
    let Some(id) = view.head()? else { return Ok(None) };
    let snapshot: Snapshot = view.objects().read(&id)?;
    Ok(Some(Head {
        id,
        version: view.versions()?.name(&id).unwrap_or_else(|| id.short()),
        time: snapshot.time.to_string(),
        message: snapshot.subject().to_owned(),
        at: snapshot.time,
    }))
}

fn row(environment: &Environment, active: bool, head: Option<Head>) -> Row {
    let version = environment.version();
    Row {
        name: environment.name().clone(),
        active,
        comfyui: json::path(&environment.comfyui()),
        kind: environment.facts().kind.name(),
        port: environment.facts().port,
        python: environment.python().map(|python| json::path(&python)),
        version: version.number,
        commit: version.git.and_then(|git| git.commit),
        present: environment.is_present(),
        head,
    }
}
