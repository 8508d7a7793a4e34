//! `switch`: another branch becomes the current one, and the working files those of its newest version.

use serde::Serialize;

use crate::environment::head::Head;
use crate::environment::python::Python;
use crate::environment::rollback::{self, Prepared, Target};
use crate::environment::state::{Keep, Surroundings};
use crate::history::RefName;
use crate::history::refs::Expected;
use crate::object::{ObjectId, Snapshot};
use crate::ui::plans::{self, Form};
use crate::ui::program::Command;
use crate::ui::revisions::Revisions;
use crate::ui::running::WhileRunning;
use crate::ui::uncommitted::{self, LeftBehind};
use crate::ui::{Exit, Failure, Session};

use super::branch::{new_name, no_such_branch, taken};

const HELP: &str = "\
Workflows, custom nodes, the manifest and Python become those of the branch's newest version, as one step that `comfrey undo` takes
back. Nodes that it does not have are disabled, never deleted. What was not committed is not carried along: commit it first.

Examples:
  comfrey switch flux           to the branch flux
  comfrey switch -c flux        begins it here, and goes there
  comfrey switch -c old v3      begins it at version 3, and goes there
  comfrey switch main --dry-run";

/// Goes to another branch.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Switch {
    /// Begin the branch
    #[arg(short, long)]
    create: bool,
    #[command(flatten)]
    left_behind: LeftBehind,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    running: WhileRunning,
    /// The branch
    #[arg(value_name = "BRANCH")]
    branch: String,
    /// Where a new branch begins [default: the newest version]
    #[arg(value_name = "REV", requires = "create")]
    revision: Option<String>,
}

#[derive(Serialize)]
struct Shape<'a> {
    branch: &'a str,
    id: Option<ObjectId>,
    created: bool,
    done: bool,
    #[serde(flatten)]
    what: plans::RollbackShape<'a>,
}

impl Command for Switch {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        let environment = &revisions.environment;
        let now = view.refs().resolve(RefName::head(environment)?.as_str())?;
        let name = match self.create {
            true => new_name(environment, &self.branch)?,
            false => RefName::branch(environment, &self.branch)?,
        };
        if view.refs().current_branch(environment)?.as_deref() == Some(self.branch.as_str()) {
            session.note(format_args!("`{}` is the current branch already", self.branch))?;
            return Ok(Exit::Done);
        }
        let id = match (&self.revision, self.create) {
            (Some(revision), true) => Some(view.snapshot(revision)?),
            (None, true) => now,
            (_, false) => {
                let id = view.refs().resolve(name.as_str())?;
                Some(id.ok_or_else(|| no_such_branch(&view, &self.branch))?)
            }
        };
        if self.create {
            view.refs().check(&name, Expected::Absent).map_err(|error| taken(&self.branch, error))?;
        }
        match id {
            Some(id) if Some(id) != now => {
                let snapshot: Snapshot = view.objects().read(&id)?;
                self.with_files(session, &name, id, &snapshot)
            }
            // The files stay, and with them what was not committed.
            _ => self.refs_alone(session, &revisions, &name, id),
        }
    }
}

impl Switch {
    fn refs_alone(
        &self,
        session: &mut Session<'_>,
        revisions: &Revisions,
        name: &RefName,
        id: Option<ObjectId>,
    ) -> Result<Exit, Failure> {
        if !self.dry_run {
            let head = RefName::head(&revisions.environment)?;
            revisions.transact(&session.record()?, |refs| {
                if let (true, Some(id)) = (self.create, id) {
                    refs.compare_and_set(name, id, Expected::Absent).map_err(|error| taken(&self.branch, error))?;
                }
                Ok(refs.set_symbolic(&head, name)?)
            })?;
        }
        self.say(session, id, None)
    }

    fn with_files(
        &self,
        session: &mut Session<'_>,
        name: &RefName,
        id: ObjectId,
        snapshot: &Snapshot,
    ) -> Result<Exit, Failure> {
        if self.dry_run {
            let working = session.working()?;
            let around = working.around(session.observer);
            let head = Head::of(around.store, around.environment.name().as_str())?;
            uncommitted::check(&around, &head, self.left_behind)?;
            let target = self.target(&around, &head, name, id, snapshot)?;
            let prepared = rollback::prepare(&around, &head, &target, Keep::IdsOnly)?;
            return self.say(session, Some(id), Some(&prepared));
        }
        let who = session.who()?;
        let (working, _lock) = session.working_alone()?;
        session.comfyui_at_rest(&working.environment, self.running)?;
        let around = working.around(session.observer);
        let head = Head::of(around.store, around.environment.name().as_str())?;
        uncommitted::check(&around, &head, self.left_behind)?;
        let target = self.target(&around, &head, name, id, snapshot)?;
        let prepared = rollback::prepare(&around, &head, &target, Keep::IdsOnly)?;
        let uv = if prepared.installs() { Some(working.uv(session.observer)?) } else { None };
        drop(prepared);
        let python = uv.as_ref().map(|uv| uv as &dyn Python);
        let done = rollback::carry_out(&around, &head, &target, &who, python)?;
        self.say(session, Some(id), Some(&done))
    }

    fn target(
        &self,
        around: &Surroundings<'_>,
        head: &Head,
        name: &RefName,
        id: ObjectId,
        snapshot: &Snapshot,
    ) -> Result<Target, Failure> {
        let mut refs = crate::history::refs(around.store)?;
        if self.create {
            refs.compare_and_set(name, id, Expected::Absent).map_err(|error| taken(&self.branch, error))?;
        } else {
            refs.check(name, Expected::Snapshot(id))?;
        }
        refs.set_symbolic(&head.name, name)?;
        Ok(Target::branch(around.environment.name().as_str(), snapshot, head, &refs))
    }

    fn say(
        &self,
        session: &mut Session<'_>,
        id: Option<ObjectId>,
        files: Option<&Prepared<'_>>,
    ) -> Result<Exit, Failure> {
        let done = !self.dry_run;
        if session.globals.json {
            let what = files.map(plans::RollbackShape::from).unwrap_or_default();
            session.print_json(&Shape { branch: &self.branch, id, created: self.create, done, what })?;
            return Ok(Exit::Done);
        }
        if let Some(prepared) = files {
            plans::of_rollback(session, prepared, if done { Form::Done } else { Form::WouldDo })?;
        }
        let (new, branch) = (if self.create { "new " } else { "" }, &self.branch);
        match done {
            true => session.note(format_args!("On the {new}branch `{branch}`; `comfrey undo` goes back"))?,
            false => session.note(format_args!("Would go to the {new}branch `{branch}`"))?,
        }
        Ok(Exit::Done)
    }
}
