//! `undo` and `redo`: takes back commands, and brings them back.

use serde::Serialize;

use crate::environment::head::Head;
use crate::environment::rollback::{self, Target};
use crate::environment::state::Keep;
use crate::history::undo::{Stacks, Step};
use crate::object::ObjectId;
use crate::ui::plans;
use crate::ui::program::Command;
use crate::ui::running::WhileRunning;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
Everything is as it was just before the command: versions, tags, and where it rewrote files the files too, those that
were not committed included. What is there now is kept in turn: `comfrey redo` brings it back. Given again and
again, it goes further and further back.

Examples:
  comfrey undo               takes back the last command that changed something
  comfrey undo --dry-run     says what that would do
  comfrey operations         what can be taken back
  comfrey undo 3f2a          takes back that operation and all after it";

/// Takes back the last command that changed something.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Undo {
    /// Take back this operation and all after it [default: the last one]
    #[arg(value_name = "OPERATION")]
    operation: Option<String>,
    #[command(flatten)]
    how: How,
}

/// Brings back what `undo` took back last.
#[derive(Debug, clap::Args)]
pub struct Redo {
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
struct How {
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    running: WhileRunning,
}

#[derive(Serialize)]
struct Shape<'a> {
    /// The command taken back or brought back.
    command: &'a str,
    operation: ObjectId,
    done: bool,
    steps: Vec<plans::StepShape<'a>>,
}

impl Command for Undo {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let stacks = Stacks::new(revisions.objects(), Some(&revisions.environment))?;
        let step = match &self.operation {
            None => stacks.undo()?,
            Some(text) => {
                let id = revisions.view()?.resolve(text)?.id;
                Some(stacks.undo_from(id)?)
            }
        };
        let Some(step) = step else {
            return Err(Failure::new(Exit::Negative, "there is nothing to undo")
                .hint("`comfrey operations` lists what was done"));
        };
        self.how.take(session, &step, "undone")
    }
}

impl Command for Redo {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let stacks = Stacks::new(revisions.objects(), Some(&revisions.environment))?;
        let Some(step) = stacks.redo()? else {
            return Err(Failure::new(Exit::Negative, "there is nothing to redo")
                .hint("only what `comfrey undo` took back last, with no other command since, can be brought back"));
        };
        self.how.take(session, &step, "done again")
    }
}

impl How {
    fn take(&self, session: &mut Session<'_>, step: &Step, word: &str) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let is_there = session.workspace()?.environment_names()?.iter().any(|n| n.as_str() == revisions.environment);
        if !is_there {
            return self.refs_alone(session, step, word);
        }
        let who = session.who()?;
        session.globals.environment = Some(revisions.environment.clone());
        let (working, _lock) = session.working_alone()?;
        let around = working.around(session.observer);
        let head = Head::of(around.store, around.environment.name().as_str())?;
        let target = Target::before(&around, step)?;
        let prepared = rollback::prepare(&around, &head, &target, Keep::IdsOnly)?;
        if self.dry_run {
            return self.say(session, step, &prepared.plan, word, false);
        }
        if !prepared.plan.is_empty() {
            session.comfyui_at_rest(&working.environment, self.running)?;
        }
        drop(prepared);
        let done = rollback::carry_out(&around, &head, &target, &who)?;
        self.say(session, step, &done.plan, word, true)
    }

    /// In a workspace without an environment only refs come back.
    fn refs_alone(&self, session: &mut Session<'_>, step: &Step, word: &str) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        if !self.dry_run {
            let record = crate::history::Record { undoes: Some(step.operation), ..session.record()? };
            revisions.transact(&record, |refs| {
                refs.take_environment(&revisions.environment, &step.refs);
                Ok(())
            })?;
        }
        self.say(session, step, &crate::environment::plan::Plan::default(), word, !self.dry_run)
    }

    fn say(
        &self,
        session: &mut Session<'_>,
        step: &Step,
        plan: &crate::environment::plan::Plan,
        word: &str,
        done: bool,
    ) -> Result<Exit, Failure> {
        if session.globals.json {
            let steps = plan.steps.iter().map(plans::StepShape::from).collect();
            session.print_json(&Shape { command: &step.command, operation: step.operation, done, steps })?;
            return Ok(Exit::Done);
        }
        let command = session.paint.typed(format!("comfrey {}", step.command));
        match done {
            true => writeln!(session.out, "{command}: {word}")?,
            false => writeln!(session.out, "{command} would be {word}")?,
        }
        plans::lines(session, plan)?;
        if done {
            let other = if word == "undone" { "comfrey redo" } else { "comfrey undo" };
            session.note(format_args!("`{other}` takes this back."))?;
        }
        Ok(Exit::Done)
    }
}
