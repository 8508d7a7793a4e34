//! `stop`: ends an environment's ComfyUI.

use std::time::Duration;

use serde_json::json;

use crate::environment::Environment;
use crate::environment::launch::running;
use crate::environment::launch::stopping::{self, Stopped};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

/// Stops the environment's ComfyUI and all that it started.
#[derive(Debug, clap::Args)]
pub struct Stop {
    /// The environment [default: the one at work]
    #[arg(value_name = "NAME", conflicts_with = "all")]
    name: Option<String>,
    /// Stop what runs in any environment
    #[arg(long)]
    all: bool,
    /// Kill it if it has not ended after so long
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    timeout: f64,
    /// Show what would be stopped
    #[arg(short = 'n', long)]
    dry_run: bool,
}

impl Command for Stop {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let patience = Duration::try_from_secs_f64(self.timeout).map_err(|_| {
            Failure::new(Exit::Usage, format!("--timeout {}: a number of seconds is wanted", self.timeout))
        })?;
        let workspace = session.workspace()?;
        let environments: Vec<Environment> = match &self.name {
            Some(name) => vec![workspace.environment(name)?],
            None if self.all => {
                let names = workspace.environment_names()?;
                names.iter().filter_map(|name| workspace.environment(name.as_str()).ok()).collect()
            }
            None => vec![session.environment_of(&workspace)?],
        };
        let mut any = false;
        for environment in &environments {
            let name = environment.name();
            let stopped = match self.dry_run {
                false => stopping::stop(environment, patience, session.observer)?,
                true => running::of(environment).map_or(Stopped::NothingRan, |found| Stopped::Ended(found.process())),
            };
            let (process, killed) = match stopped {
                Stopped::NothingRan if self.all => continue,
                Stopped::NothingRan => (None, false),
                Stopped::Ended(process) => (Some(process), false),
                Stopped::Killed(process) => (Some(process), true),
            };
            any |= process.is_some();
            if session.globals.json {
                session.print_json(&json!({ "environment": name.as_str(), "process": process, "killed": killed,
                    "dry_run": self.dry_run }))?;
                continue;
            }
            match process {
                None => session.note(format_args!("ComfyUI of {name} does not run"))?,
                Some(process) if self.dry_run => {
                    writeln!(session.out, "Would stop ComfyUI of {name} (process {process})")?
                }
                Some(process) if killed => {
                    writeln!(session.out, "ComfyUI of {name} (process {process}) did not end and was killed")?;
                }
                Some(process) => writeln!(session.out, "Stopped ComfyUI of {name} (process {process})")?,
            }
        }
        if self.all && !any && !session.globals.json {
            session.note("no ComfyUI of this workspace runs")?;
        }
        Ok(Exit::Done)
    }
}
