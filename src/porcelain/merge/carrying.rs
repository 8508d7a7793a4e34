//! A merge shown, and carried out: the same for `merge` and `revert`.

use serde::Serialize;

use crate::environment::commit::{self, Who};
use crate::environment::head::Head;
use crate::environment::journal::RefEdit;
use crate::environment::lock::Lock;
use crate::environment::merging::{self, Conflict, Merged, MergedPath, Roots};
use crate::environment::nodes::required;
use crate::environment::python::Python;
use crate::environment::rollback::{self, Prepared, Target};
use crate::environment::state::{Keep, Surroundings};
use crate::object::{ObjectId, Snapshot};
use crate::ui::plans::{self, Form};
use crate::ui::running::WhileRunning;
use crate::ui::uncommitted::{self, LeftBehind};
use crate::ui::working::Working;
use crate::ui::{Exit, Failure, Session};

use super::deciding::{self, Deciding};

/// The options of both commands.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct How {
    #[command(flatten)]
    deciding: Deciding,
    #[command(flatten)]
    left_behind: LeftBehind,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    running: WhileRunning,
}

/// What becomes of it, in one word for JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Merged,
    Reverted,
    FastForward,
    /// There was nothing to do.
    UpToDate,
    /// Somebody has to decide.
    Conflicts,
}

/// A merge in JSON.
#[derive(Serialize)]
struct Shape<'a> {
    result: Outcome,
    done: bool,
    /// Null where HEAD is on none.
    branch: Option<&'a str>,
    /// The version after it.
    version: String,
    /// Its snapshot; null where it is not made.
    id: Option<ObjectId>,
    /// The snapshot that both came from; null where there is none.
    base: Option<ObjectId>,
    /// What was merged.
    theirs: ObjectId,
    merged: &'a [MergedPath],
    conflicts: &'a [Conflict],
    #[serde(flatten)]
    what: plans::RollbackShape<'a>,
}

/// What is to be brought about.
pub struct Wish {
    /// The snapshots that are merged, for JSON.
    pub base: Option<ObjectId>,
    pub theirs: ObjectId,
    pub goal: Goal,
}

/// How.
pub enum Goal {
    /// The branch goes forward to a snapshot that is there.
    Forward(ObjectId, Snapshot),
    /// Three trees are merged into a new snapshot with these parents.
    Merge { roots: Roots, parents: Vec<ObjectId>, message: String, result: Outcome },
}

/// The environment, and the right to change it unless only a look is wanted.
pub fn open(session: &mut Session<'_>, how: &How) -> Result<(Working, Option<Lock>), Failure> {
    if how.dry_run {
        return Ok((session.working()?, None));
    }
    let (working, lock) = session.working_alone()?;
    Ok((working, Some(lock)))
}

/// The version that the environment is at.
///
/// # Errors
/// There is none yet.
pub fn head(around: &Surroundings<'_>) -> Result<(Head, ObjectId, Snapshot), Failure> {
    let head = Head::of(around.store, around.environment.name().as_str())?;
    match head.snapshot.clone() {
        Some((id, snapshot)) => Ok((head, id, snapshot)),
        None => Err(Failure::new(Exit::NotFound, "there is no version to merge into yet")
            .hint("`comfrey commit -m MESSAGE` makes the first")),
    }
}

/// Says that there is nothing to do.
pub fn nothing(
    session: &mut Session<'_>,
    around: &Surroundings<'_>,
    head: &Head,
    theirs: ObjectId,
    told: &str,
) -> Result<Exit, Failure> {
    if !session.globals.json {
        session.note(told)?;
        return Ok(Exit::Done);
    }
    session.print_json(&Shape {
        result: Outcome::UpToDate,
        done: false,
        branch: head.branch.as_deref(),
        version: format!("v{}", head.version(around.store)?),
        id: head.id(),
        base: Some(theirs),
        theirs,
        merged: &[],
        conflicts: &[],
        what: plans::RollbackShape::default(),
    })?;
    Ok(Exit::Done)
}

/// Merges, shows what comes of it, and carries it out unless only a look is wanted.
pub fn carry_out(
    session: &mut Session<'_>,
    working: &Working,
    head: &Head,
    wish: &Wish,
    how: &How,
) -> Result<Exit, Failure> {
    let around = working.around(session.observer);
    uncommitted::check(&around, head, how.left_behind)?;
    let choices = how.deciding.choices();
    let merged = match &wish.goal {
        Goal::Forward(..) => None,
        Goal::Merge { roots, .. } => Some(merging::compose(&around, roots, &choices)?),
    };
    let conflicts = merged.as_ref().map_or(&[][..], |merged| &merged.conflicts);
    let open: Vec<&Conflict> = merged.iter().flat_map(Merged::open).collect();
    let said = Said { head, wish, merged: merged.as_ref() };
    if !open.is_empty() {
        said.conflicts(session, &around, &open)?;
        deciding::check_names(&choices, conflicts)?;
        return if session.globals.json { Ok(Exit::Conflict) } else { Err(deciding::undecided(open.len())) };
    }
    deciding::check_names(&choices, conflicts)?;
    let who = session.who()?;
    let (id, snapshot) = match (&wish.goal, &merged) {
        (Goal::Merge { parents, message, .. }, Some(merged)) => {
            let snapshot = snapshot(session, working, &around, merged, (parents, message), &who)?;
            if Some(snapshot.tree) == head.tree() && parents.len() == 1 {
                return nothing(
                    session,
                    &around,
                    head,
                    wish.theirs,
                    "Nothing to take back: all of it is gone already.",
                );
            }
            (commit::keep(&around.store.writer()?, &snapshot)?, snapshot)
        }
        (Goal::Forward(id, snapshot), _) => (*id, snapshot.clone()),
        // Merged above.
        (Goal::Merge { .. }, None) => return Ok(Exit::Done),
    };
    let target = Target {
        refs: RefEdit::Set { name: head.name.as_str().to_owned(), new: id, expected: head.id() },
        version: Some(Some(snapshot.tree)),
        ..Target::version(&snapshot)
    };
    let prepared = rollback::prepare(&around, head, &target, Keep::IdsOnly)?;
    if how.dry_run {
        return said.done(session, &around, None, &prepared);
    }
    session.comfyui_at_rest(&working.environment, how.running)?;
    let uv = if prepared.installs() { Some(working.uv(session.observer)?) } else { None };
    drop(prepared);
    let python = uv.as_ref().map(|uv| uv as &dyn Python);
    let done = rollback::carry_out(&around, head, &target, &who, python)?;
    said.done(session, &around, Some(id), &done)
}

/// The merged version as a snapshot, whose tree is in the store then. Where no lock that is there fits, uv makes one.
fn snapshot(
    session: &Session<'_>,
    working: &Working,
    around: &Surroundings<'_>,
    merged: &Merged<'_>,
    (parents, message): (&[ObjectId], &str),
    who: &Who,
) -> Result<Snapshot, Failure> {
    let lock = match merged.lock {
        merging::Lock::Anew => {
            let uv = working.uv(session.observer)?;
            Some(required::resolve(around, &merged.manifest, &uv)?)
        }
        merging::Lock::Taken(_) => None,
    };
    Ok(Snapshot {
        tree: merged.keep(&around.store.writer()?, lock.as_deref())?,
        parents: parents.to_vec(),
        environment: around.environment.name().as_str().to_owned(),
        author: who.author.clone(),
        time: who.time,
        message: message.to_owned(),
        tool: Snapshot::TOOL.to_owned(),
    })
}

/// What is said of a merge.
struct Said<'s, 'a> {
    head: &'s Head,
    wish: &'s Wish,
    merged: Option<&'s Merged<'a>>,
}

impl Said<'_, '_> {
    fn result(&self) -> Outcome {
        match &self.wish.goal {
            Goal::Forward(..) => Outcome::FastForward,
            Goal::Merge { result, .. } => *result,
        }
    }

    fn json(
        &self,
        session: &mut Session<'_>,
        result: Outcome,
        id: Option<ObjectId>,
        version: String,
        what: plans::RollbackShape<'_>,
    ) -> Result<(), Failure> {
        session.print_json(&Shape {
            result,
            done: id.is_some(),
            branch: self.head.branch.as_deref(),
            version,
            id,
            base: self.wish.base,
            theirs: self.wish.theirs,
            merged: self.merged.map_or(&[], |merged| &merged.paths),
            conflicts: self.merged.map_or(&[], |merged| &merged.conflicts),
            what,
        })
    }

    fn conflicts(
        &self,
        session: &mut Session<'_>,
        around: &Surroundings<'_>,
        open: &[&Conflict],
    ) -> Result<(), Failure> {
        if session.globals.json {
            let version = format!("v{}", self.head.version(around.store)?);
            return self.json(session, Outcome::Conflicts, None, version, plans::RollbackShape::default());
        }
        deciding::print(session, open)
    }

    fn done(
        &self,
        session: &mut Session<'_>,
        around: &Surroundings<'_>,
        id: Option<ObjectId>,
        prepared: &Prepared<'_>,
    ) -> Result<Exit, Failure> {
        let version = match (&self.wish.goal, id) {
            (_, Some(_)) => {
                format!("v{}", Head::of(around.store, around.environment.name().as_str())?.version(around.store)?)
            }
            (Goal::Forward(id, _), None) => {
                format!("v{}", crate::history::version::Versions::of(around.store, Some(*id))?.newest())
            }
            (Goal::Merge { .. }, None) => format!("v{}", self.head.version(around.store)? + 1),
        };
        if session.globals.json {
            self.json(session, self.result(), id, version, prepared.into())?;
            return Ok(Exit::Done);
        }
        let decided: Vec<&Conflict> = self.merged.iter().flat_map(|merged| &merged.conflicts).collect();
        deciding::print(session, &decided)?;
        plans::of_rollback(session, prepared, if id.is_some() { Form::Done } else { Form::WouldDo })?;
        let subject = match &self.wish.goal {
            Goal::Forward(_, snapshot) => format!("fast-forward to {}", snapshot.subject()),
            Goal::Merge { message, .. } => message.lines().next().unwrap_or_default().to_owned(),
        };
        let environment = self.head.name.environment();
        let branch = self.head.branch.as_deref().unwrap_or("no branch");
        let title = match id {
            Some(id) => session.paint.strong(format!("{version} {}", id.short())),
            None => format!("{version} would be:"),
        };
        writeln!(session.out, "[{environment} {branch}] {title} {subject}")?;
        if id.is_some() {
            session.note("`comfrey undo` takes this back.")?;
        }
        Ok(Exit::Done)
    }
}
