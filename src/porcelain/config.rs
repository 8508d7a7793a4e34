//! `comfrey config`: look at and change the workspace's settings.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::environment::Workspace;
use crate::environment::config::{Config as Settings, Key, Shape};
use crate::net::address::is_url;
use crate::platform::paths::plain_path;
use crate::ui::program::Command;
use crate::ui::report::{Align, Table};
use crate::ui::{Exit, Failure, Session};

/// Look at and change the workspace's settings
///
/// They stand in comfrey.toml. With KEY prints what is set (exit 1 if nothing is), with KEY and VALUE sets it, with neither
/// lists all settings.
#[derive(clap::Args)]
pub struct Config {
    /// The setting, such as models.folders
    #[arg(conflicts_with = "list")]
    key: Option<String>,
    /// What to set it to; several for a setting that holds a list
    #[arg(requires = "key")]
    values: Vec<String>,
    /// Add to the list instead of replacing it
    #[arg(long, requires = "values")]
    add: bool,
    /// Take a setting out of the file
    #[arg(long, value_name = "KEY", conflicts_with_all = ["key", "list"])]
    unset: Option<String>,
    /// List all settings with what they are for
    #[arg(short, long)]
    list: bool,
    /// Show the file as it would be and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

impl Command for Config {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let mut workspace = session.workspace()?;
        let key = self.key.as_deref().map(str::parse::<Key>).transpose()?;
        let unset = self.unset.as_deref().map(str::parse::<Key>).transpose()?;
        match (key, unset) {
            (None, None) => list(&workspace, session),
            (Some(key), _) if self.values.is_empty() => show(&workspace, key, session),
            (Some(key), _) => {
                let given = values(&workspace, key, &self.values, self.add, session)?;
                change(&mut workspace, self.dry_run, session, |settings| {
                    // What is added to is what stands in the file now, under its lock.
                    let mut values = if self.add { settings.get(key) } else { Vec::new() };
                    values.extend(given);
                    let mut seen = BTreeSet::new();
                    values.retain(|value| seen.insert(value.clone()));
                    settings.with(key, &values)
                })
            }
            (None, Some(key)) => change(&mut workspace, self.dry_run, session, |settings| settings.without(key)),
        }
    }
}

/// The values to set, checked as far as the file itself cannot: paths made absolute, environments there.
fn values(
    workspace: &Workspace,
    key: Key,
    given: &[String],
    add: bool,
    session: &mut Session<'_>,
) -> Result<Vec<String>, Failure> {
    if add && key.shape() == Shape::One {
        return Err(Failure::new(Exit::Usage, format!("`{}` holds one value; nothing can be added", key.name()))
            .hint(format!("`comfrey config {} VALUE` replaces it", key.name())));
    }
    let mut checked = |text: &String| match key {
        Key::Active => Ok(workspace.environment(text)?.name().to_string()),
        Key::ModelFolders => path(text, "folder", session),
        Key::ExtraPaths => path(text, "file", session),
        Key::CatalogSources if is_url(text) => Ok(text.clone()),
        Key::CatalogSources => path(text, "file", session),
        Key::Author | Key::RegistryUrl | Key::StoreModels => Ok(text.clone()),
    };
    given.iter().map(&mut checked).collect()
}

/// A path as typed: relative to where the user is, so absolute in the file. `~` stays as it is.
fn path(text: &str, what: &str, session: &mut Session<'_>) -> Result<String, Failure> {
    if text.starts_with('~') {
        return Ok(text.to_owned());
    }
    let path = plain_path(Path::new(text));
    let is_there = if what == "folder" { path.is_dir() } else { path.is_file() };
    if !is_there {
        session.warn(format_args!("{}: there is no such {what} yet", path.display()))?;
    }
    path.into_os_string().into_string().map_err(|path| {
        Failure::new(Exit::Usage, format!("{}: a path that is not UTF-8 cannot be a setting", path.display()))
    })
}

fn change(
    workspace: &mut Workspace,
    dry_run: bool,
    session: &mut Session<'_>,
    edit: impl FnOnce(&Settings) -> Result<Settings, crate::environment::config::ConfigError>,
) -> Result<Exit, Failure> {
    if dry_run {
        let text = edit(workspace.config())?.text();
        session.out.write_all(text.as_bytes())?;
        return Ok(Exit::Done);
    }
    workspace.edit_config(&session.waiting(), edit)?;
    if session.globals.json {
        return list(workspace, session);
    }
    Ok(Exit::Done)
}

fn show(workspace: &Workspace, key: Key, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let set = workspace.config().get(key);
    if session.globals.json {
        let one = json!({ "key": key.name(), "value": value(workspace.config(), key) });
        session.print_json(&one)?;
    } else {
        let shown = if set.is_empty() { key.default().into_iter().map(str::to_owned).collect() } else { set.clone() };
        for value in &shown {
            writeln!(session.out, "{value}")?;
        }
    }
    Ok(if set.is_empty() && key.default().is_none() { Exit::Negative } else { Exit::Done })
}

/// What holds for `key`, as JSON: a list, text, or null.
fn value(settings: &Settings, key: Key) -> Value {
    let set = settings.get(key);
    match key.shape() {
        Shape::Many => json!(set),
        Shape::One => json!(set.first().map(String::as_str).or(key.default())),
    }
}

fn list(workspace: &Workspace, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let settings = workspace.config();
    if session.globals.json {
        let all: Map<String, Value> =
            Key::ALL.into_iter().map(|key| (key.name().to_owned(), value(settings, key))).collect();
        session.print_json(&all)?;
        return Ok(Exit::Done);
    }
    let paint = session.paint;
    writeln!(session.out, "{}", paint.faint(settings.path().display()))?;
    let mut table = Table::new([Align::Left]);
    for key in Key::ALL {
        let set = settings.get(key);
        let shown = match (set.split_first(), key.default()) {
            (Some((first, _)), _) => first.clone(),
            (None, Some(default)) => paint.faint(format!("{default} (default)")),
            (None, None) => paint.faint("not set"),
        };
        table.row([paint.strong(key.name()), shown, paint.faint(key.about())]);
        for more in set.iter().skip(1) {
            table.row(["", more.as_str()]);
        }
    }
    table.write(session.out)?;
    Ok(Exit::Done)
}
