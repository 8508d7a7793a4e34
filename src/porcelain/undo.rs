//! `undo` and `redo`: takes back commands, and brings them back.

use serde::Serialize;

use crate::environment::head::Head;
use crate::environment::layout::Kind;
use crate::environment::making::trash;
use crate::environment::python::Python;
use crate::environment::rollback::{self, Prepared, Target};
use crate::environment::state::Keep;
use crate::history::undo::{Stacks, Step};
use crate::object::ObjectId;
use crate::ui::plans::{self, Form};
use crate::ui::program::Command;
use crate::ui::running::WhileRunning;
use crate::ui::working::Working;
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
    #[serde(flatten)]
    what: plans::RollbackShape<'a>,
}

/// An environment that came out of the trash.
#[derive(Serialize)]
struct BroughtBack<'a> {
    environment: &'a str,
    done: bool,
}

/// True for what made the environment, or brought it back: taking that back takes the environment away.
fn is_birth(step: &Step, working: &Working) -> bool {
    let name = working.environment.name().as_str();
    let had_refs = step.refs.environments().any(|known| known == name);
    let is_made = working.environment.facts().kind == Kind::Created;
    !had_refs && !step.restore.contains_key(name) && (is_made || step.command.starts_with("delete "))
}

impl Command for Undo {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        if self.operation.is_none()
            && let Some(exit) = self.how.out_of_the_trash(session)?
        {
            return Ok(exit);
        }
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
        if let Some(exit) = self.how.out_of_the_trash(session)? {
            return Ok(exit);
        }
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
        let (mut working, lock) = session.working_alone()?;
        if is_birth(step, &working) {
            if !self.dry_run {
                if working.environment.facts().kind == Kind::Created {
                    session.comfyui_at_rest(&working.environment, self.running)?;
                }
                let environment = working.environment.clone();
                let undoes = Some(step.operation);
                trash::delete(&mut working.workspace, &environment, lock, &who, undoes, &session.waiting())?;
            }
            self.say(session, step, None, word, !self.dry_run)?;
            let name = &revisions.environment;
            if !session.globals.json && !self.dry_run {
                session.note(format_args!("`{name}` is in the trash: `comfrey redo -E {name}` brings it back"))?;
            }
            return Ok(Exit::Done);
        }
        let around = working.around(session.observer);
        let head = Head::of(around.store, around.environment.name().as_str())?;
        let target = Target::before(&around, step)?;
        let prepared = rollback::prepare(&around, &head, &target, Keep::IdsOnly)?;
        if self.dry_run {
            self.say(session, step, Some(&prepared), word, false)?;
            return Ok(Exit::Done);
        }
        if !prepared.is_empty() {
            session.comfyui_at_rest(&working.environment, self.running)?;
        }
        let uv = if prepared.installs() { Some(working.uv(session.observer)?) } else { None };
        drop(prepared);
        let python = uv.as_ref().map(|uv| uv as &dyn Python);
        let done = rollback::carry_out(&around, &head, &target, &who, python)?;
        self.say(session, step, Some(&done), word, true)?;
        self.way_back(session, word)
    }

    /// An environment that was deleted comes back: one that was named, or that which went by the last command of all.
    fn out_of_the_trash(&self, session: &mut Session<'_>) -> Result<Option<Exit>, Failure> {
        let mut workspace = session.workspace()?;
        let named = session.environment_named();
        let mut deleted = None;
        for found in trash::list(workspace.root()) {
            let is_meant = match &named {
                Some(name) => found.environment == *name,
                None => found.is_newest(workspace.store())?,
            };
            if is_meant {
                deleted = Some(found);
                break;
            }
        }
        let known = workspace.environment_names()?;
        let Some(deleted) = deleted.filter(|found| known.iter().all(|name| name.as_str() != found.environment)) else {
            return Ok(None);
        };
        let name = deleted.environment.clone();
        if !self.dry_run {
            let who = session.who()?;
            trash::bring_back(&mut workspace, &deleted, &who, &session.waiting())?;
        }
        if session.globals.json {
            session.print_json(&BroughtBack { environment: &name, done: !self.dry_run })?;
            return Ok(Some(Exit::Done));
        }
        let is = if self.dry_run { "would be brought" } else { "is" };
        writeln!(session.out, "`{name}` {is} back, as it was when it was deleted")?;
        Ok(Some(Exit::Done))
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
        self.say(session, step, None, word, !self.dry_run)?;
        if self.dry_run { Ok(Exit::Done) } else { self.way_back(session, word) }
    }

    fn say(
        &self,
        session: &mut Session<'_>,
        step: &Step,
        files: Option<&Prepared<'_>>,
        word: &str,
        done: bool,
    ) -> Result<(), Failure> {
        if session.globals.json {
            let what = files.map(plans::RollbackShape::from).unwrap_or_default();
            return session.print_json(&Shape { command: &step.command, operation: step.operation, done, what });
        }
        let command = session.paint.typed(format!("comfrey {}", step.command));
        match done {
            true => writeln!(session.out, "{command}: {word}")?,
            false => writeln!(session.out, "{command} would be {word}")?,
        }
        match files {
            Some(prepared) => plans::of_rollback(session, prepared, if done { Form::Done } else { Form::WouldDo }),
            None => Ok(()),
        }
    }

    fn way_back(&self, session: &mut Session<'_>, word: &str) -> Result<Exit, Failure> {
        if !session.globals.json {
            let other = if word == "undone" { "comfrey redo" } else { "comfrey undo" };
            session.note(format_args!("`{other}` takes this back."))?;
        }
        Ok(Exit::Done)
    }
}
