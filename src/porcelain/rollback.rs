//! `rollback`: makes workflows and custom nodes what they were in a version.

use serde::Serialize;

use crate::environment::head::Head;
use crate::environment::making::create::told;
use crate::environment::other_comfyui;
use crate::environment::python::Python;
use crate::environment::rollback::{self, Prepared, Target};
use crate::environment::state::{Keep, Surroundings};
use crate::object::Snapshot;
use crate::ui::plans::{self, Form};
use crate::ui::program::Command;
use crate::ui::running::WhileRunning;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
History does not move: what differs afterwards from the last version can be looked at, changed further, and committed.
Custom nodes that the version does not have are disabled, never deleted. Everything that is replaced is kept: `comfrey
undo` brings it back.

Examples:
  comfrey rollback             the version before the current one
  comfrey rollback v3          version 3
  comfrey rollback HEAD        throws away what was not committed (undo brings it back)
  comfrey rollback v3 --dry-run";

/// Makes workflows and custom nodes what they were in a version; history stays.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Rollback {
    /// The version: v3, HEAD~1, a tag, an id [default: the version before the current one]
    #[arg(value_name = "TARGET")]
    target: Option<String>,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    running: WhileRunning,
}

impl Command for Rollback {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        let revision = self.target.as_deref().unwrap_or("HEAD~1");
        if view.head()?.is_none() {
            return Err(Failure::new(Exit::NotFound, "there is no version to go back to yet")
                .hint("`comfrey commit -m MESSAGE` makes the first"));
        }
        let id = match view.snapshot(revision) {
            Err(_) if self.target.is_none() => {
                return Err(Failure::new(Exit::NotFound, "there is no version before the current one")
                    .hint("`comfrey rollback HEAD` goes back to the current one"));
            }
            found => found?,
        };
        let snapshot: Snapshot = view.objects().read(&id)?;
        let title = match crate::ui::snapshots::Names::of(&view)?.shape(&id, &snapshot).version {
            Some(version) => version,
            None => id.short(),
        };
        let target = Target::version(&snapshot);
        if self.dry_run {
            let working = session.working()?;
            let around = working.around(session.observer);
            let head = Head::of(around.store, around.environment.name().as_str())?;
            let prepared = rollback::prepare(&around, &head, &target, Keep::IdsOnly)?;
            show(session, &prepared, Form::WouldDo)?;
            tell_other_comfyui(session, &around, &snapshot, &title)?;
            return Ok(Exit::Done);
        }
        let who = session.who()?;
        let (working, _lock) = session.working_alone()?;
        session.comfyui_at_rest(&working.environment, self.running)?;
        let around = working.around(session.observer);
        let head = Head::of(around.store, around.environment.name().as_str())?;
        let prepared = rollback::prepare(&around, &head, &target, Keep::IdsOnly)?;
        if prepared.is_empty() {
            show(session, &prepared, Form::Done)?;
            session.note(format_args!("Nothing to do: workflows and custom nodes are as in {title}."))?;
            tell_other_comfyui(session, &around, &snapshot, &title)?;
            return Ok(Exit::Done);
        }
        if session.can_ask && !session.globals.yes {
            show(session, &prepared, Form::WillDo)?;
            if !session.agree(&format!("Go back to {title}?"), true)? {
                return Err(Failure::new(Exit::Negative, "nothing was changed"));
            }
        }
        let uv = if prepared.installs() { Some(working.uv(session.observer)?) } else { None };
        drop(prepared);
        let python = uv.as_ref().map(|uv| uv as &dyn Python);
        let done = rollback::carry_out(&around, &head, &target, &who, python)?;
        show(session, &done, Form::Done)?;
        session.note(format_args!("Workflows and custom nodes are as in {title}; `comfrey undo` takes this back."))?;
        tell_other_comfyui(session, &around, &snapshot, &title)?;
        Ok(Exit::Done)
    }
}

/// The program of an adopted environment is its user's: what would bring back that of the version is said, and not done.
fn tell_other_comfyui(
    session: &mut Session<'_>,
    around: &Surroundings<'_>,
    snapshot: &Snapshot,
    title: &str,
) -> Result<(), Failure> {
    let Some(other) = other_comfyui::other(around, &snapshot.tree)? else { return Ok(()) };
    let (then, now) = (told(&other.then), told(&other.now));
    session.note(format_args!("note: {title} had ComfyUI {then}; this ComfyUI is yours, and stays at {now}"))?;
    if let (Some(commit), Some(_)) = (&other.then.commit, &other.now.commit) {
        let command = format!("git -C {} checkout {commit}", around.environment.comfyui().display());
        session.note(format_args!("hint: `{command}` would bring it back"))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Shape<'a> {
    done: bool,
    #[serde(flatten)]
    what: plans::RollbackShape<'a>,
}

/// What is to be done, or was.
fn show(session: &mut Session<'_>, prepared: &Prepared<'_>, form: Form) -> Result<(), Failure> {
    if session.globals.json {
        return match form {
            Form::WillDo => Ok(()),
            _ => session.print_json(&Shape { done: form == Form::Done, what: prepared.into() }),
        };
    }
    match form {
        Form::Done => {}
        _ if prepared.is_empty() => writeln!(session.out, "Nothing would change.")?,
        _ if prepared.plan.is_empty() => writeln!(session.out, "No file changes, but Python packages do:")?,
        Form::WillDo => writeln!(session.out, "This will be done:")?,
        Form::WouldDo => writeln!(session.out, "This would be done:")?,
    }
    plans::of_rollback(session, prepared, form)
}
