//! What commands do that rewrite files which a running ComfyUI reads: they stop, unless told to stop it or to go on.

use crate::environment::Environment;
use crate::environment::launch::running;
use crate::environment::launch::stopping::{self, PATIENCE, Stopped};

use super::{Exit, Failure, Session};

/// The options of such commands.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct WhileRunning {
    /// Stop ComfyUI first, if it runs
    #[arg(long, conflicts_with = "while_running")]
    pub stop: bool,
    /// Go on although ComfyUI runs
    #[arg(long)]
    pub while_running: bool,
}

impl Session<'_> {
    /// Sees to it that the environment's ComfyUI does not run, or that going on is wished all the same.
    pub fn comfyui_at_rest(&mut self, environment: &Environment, how: WhileRunning) -> Result<(), Failure> {
        if how.while_running {
            return Ok(());
        }
        let Some(running) = running::of(environment) else { return Ok(()) };
        let (name, process) = (environment.name(), running.process());
        if !how.stop {
            return Err(Failure::new(Exit::Conflict, format!("ComfyUI of {name} is running (process {process})"))
                .hint(format!("`comfrey stop {name}` stops it, --stop does so first; --while-running goes on")));
        }
        match stopping::stop(environment, PATIENCE, self.observer)? {
            Stopped::NothingRan => Ok(()),
            Stopped::Ended(process) => self.note(format_args!("stopped ComfyUI of {name} (process {process})")),
            Stopped::Killed(process) => {
                self.note(format_args!("ComfyUI of {name} (process {process}) did not end and was killed"))
            }
        }
    }
}
