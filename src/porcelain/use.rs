//! `comfrey use`: which environment commands work on.

use serde::Serialize;

use crate::environment::EnvironmentName;
use crate::environment::config::Key;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

/// Make an environment the active one
///
/// Commands work on it when none is named
#[derive(clap::Args)]
pub struct Use {
    /// The environment
    name: String,
    /// Show what would be done and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Answer {
    active: EnvironmentName,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<EnvironmentName>,
    dry_run: bool,
}

impl Command for Use {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let mut workspace = session.workspace()?;
        let environment = workspace.environment(&self.name)?;
        let before = workspace.config().settings().active.clone();
        let changes = before.as_ref() != Some(environment.name());
        if changes && !self.dry_run {
            let name = environment.name().to_string();
            workspace.edit_config(&session.waiting(), |config| config.with(Key::Active, &[name]))?;
        }
        if session.globals.json {
            let active = environment.name().clone();
            session.print_json(&Answer { active, before, dry_run: self.dry_run })?;
            return Ok(Exit::Done);
        }
        let is = match (changes, self.dry_run) {
            (false, _) => "is the active environment already",
            (true, false) => "is the active environment now",
            (true, true) => "would be the active environment",
        };
        writeln!(session.out, "`{}` {is}", environment.name())?;
        Ok(Exit::Done)
    }
}
