//! `branch`: lines of versions, listed, begun, renamed and deleted.

use serde::Serialize;

use crate::history::refs::Expected;
use crate::history::syntax::version_number;
use crate::history::walk::{WalkOptions, walk};
use crate::history::{RefName, View};
use crate::object::{ObjectId, Snapshot};
use crate::ui::program::Command;
use crate::ui::snapshots::Names;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
A branch is a name that moves on with every commit. Working files are not touched here; `comfrey switch` goes to another branch.

Examples:
  comfrey branch                 all branches, the current one with a star
  comfrey branch flux            a branch that begins at the newest version
  comfrey branch old v3          one that begins at version 3
  comfrey branch --rename flux2  the current branch gets another name
  comfrey branch -d old          the name goes; its versions can be had again by `comfrey undo`";

/// Lists, begins, renames and deletes branches.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Branch {
    /// Delete these branches
    #[arg(short, long, value_name = "NAME", num_args = 1.., conflicts_with_all = ["name", "rename"])]
    delete: Vec<String>,
    /// Give the current branch, or NAME, this name
    #[arg(short = 'm', long, value_name = "NEW", conflicts_with = "revision")]
    rename: Option<String>,
    /// Delete a branch although no other one has its versions
    #[arg(short, long, requires = "delete")]
    force: bool,
    /// The branch's name; none lists all branches
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Where it begins [default: the newest version]
    #[arg(value_name = "REV", requires = "name")]
    revision: Option<String>,
}

/// A branch in JSON.
#[derive(Serialize)]
struct Line<'a> {
    branch: &'a str,
    /// Absent for a branch without a version.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<ObjectId>,
    current: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Command for Branch {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        if !self.delete.is_empty() {
            return self.delete(session);
        }
        match (&self.rename, &self.name) {
            (Some(new), old) => rename(old.as_deref(), new, session),
            (None, Some(name)) => begin(name, self.revision.as_deref().unwrap_or("HEAD"), session),
            (None, None) => list(session),
        }
    }
}

/// The full name of a branch that is to be made.
pub(super) fn new_name(environment: &str, branch: &str) -> Result<RefName, Failure> {
    if version_number(branch).is_some() || branch == "HEAD" {
        let message = format!("`{branch}` cannot be a branch: it means something else already");
        return Err(Failure::new(Exit::Usage, message).hint(format!("choose another name, such as `try-{branch}`")));
    }
    Ok(RefName::branch(environment, branch)?)
}

/// The failure of making a branch that is there.
pub(super) fn taken(branch: &str, error: crate::history::Error) -> Failure {
    match error {
        crate::history::Error::Moved { found: Some(id), .. } => {
            Failure::new(Exit::Conflict, format!("the branch `{branch}` is there already, at {}", id.short()))
                .hint(format!("choose another name, or go there: `comfrey switch {branch}`"))
        }
        other => other.into(),
    }
}

/// The branches of the environment, by their names.
fn branches<'v>(view: &'v View<'_>) -> impl Iterator<Item = &'v str> {
    view.refs().of_environment(view.environment()).filter_map(|(local, _)| local.strip_prefix("heads/"))
}

/// The failure for a branch that is not there.
pub(super) fn no_such_branch(view: &View<'_>, branch: &str) -> Failure {
    let near = crate::history::revision::near(branch, branches(view));
    let failure = Failure::new(Exit::NotFound, format!("there is no branch `{branch}`"));
    match near.first() {
        Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
        None => failure.hint(format!("`comfrey branch` lists them; `comfrey switch -c {branch}` begins it")),
    }
}

fn begin(branch: &str, revision: &str, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let revisions = session.revisions()?;
    let view = revisions.view()?;
    let name = new_name(&revisions.environment, branch)?;
    let id = view.snapshot(revision)?;
    revisions.transact(&session.record()?, |refs| {
        refs.compare_and_set(&name, id, Expected::Absent).map_err(|error| taken(branch, error))
    })?;
    let snapshot: Snapshot = view.objects().read(&id)?;
    if session.globals.json {
        session.print_json(&line(branch, Some((id, &snapshot)), false))?;
    } else {
        let names = Names::of(&view)?;
        session.note(format_args!("The branch `{branch}` begins at {} `{}`", names.short(&id), snapshot.subject()))?;
        session.note(format_args!("`comfrey switch {branch}` goes there"))?;
    }
    Ok(Exit::Done)
}

fn rename(old: Option<&str>, new: &str, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let revisions = session.revisions()?;
    let view = revisions.view()?;
    let environment = &revisions.environment;
    let current = view.refs().current_branch(environment)?;
    let Some(old) = old.map(str::to_owned).or_else(|| current.clone()) else {
        return Err(Failure::new(Exit::Usage, "no branch is current").hint("name the one that is to be renamed"));
    };
    let (from, to) = (RefName::branch(environment, &old)?, new_name(environment, new)?);
    let is_current = current.as_deref() == Some(old.as_str());
    let id = view.refs().resolve(from.as_str())?;
    if id.is_none() && !is_current {
        return Err(no_such_branch(&view, &old));
    }
    let head = RefName::head(environment)?;
    revisions.transact(&session.record()?, |refs| {
        refs.check(&to, Expected::Absent).map_err(|error| taken(new, error))?;
        if let Some(id) = id {
            refs.compare_and_set(&to, id, Expected::Absent)?;
            refs.delete(&from, Expected::Snapshot(id))?;
        }
        if is_current { Ok(refs.set_symbolic(&head, &to)?) } else { Ok(()) }
    })?;
    let snapshot = id.map(|id| view.objects().read::<Snapshot>(&id).map(|snapshot| (id, snapshot))).transpose()?;
    if session.globals.json {
        session.print_json(&line(new, snapshot.as_ref().map(|(id, snapshot)| (*id, snapshot)), is_current))?;
    } else {
        session.note(format_args!("The branch `{old}` is `{new}` now"))?;
    }
    Ok(Exit::Done)
}

impl Branch {
    fn delete(&self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        let environment = &revisions.environment;
        let current = view.refs().current_branch(environment)?;
        let mut doomed = Vec::new();
        for branch in &self.delete {
            let name = RefName::branch(environment, branch)?;
            let id = view.refs().resolve(name.as_str())?.ok_or_else(|| no_such_branch(&view, branch))?;
            if current.as_deref() == Some(branch) {
                return Err(Failure::new(Exit::Conflict, format!("`{branch}` is the current branch"))
                    .hint("`comfrey switch` to another one first"));
            }
            doomed.push((branch, name, id));
        }
        if !self.force {
            self.check_reachable(&view, &doomed, session)?;
        }
        revisions.transact(&session.record()?, |refs| {
            for (_, name, id) in &doomed {
                refs.delete(name, Expected::Snapshot(*id))?;
            }
            Ok(())
        })?;
        for (branch, _, id) in &doomed {
            if session.globals.json {
                session.print_json(&Line { branch, id: Some(*id), current: false, time: None, message: None })?;
            } else {
                session.note(format_args!("Deleted the branch `{branch}`; it was at {}", id.short()))?;
            }
        }
        Ok(Exit::Done)
    }

    /// Fails where a branch has versions that nothing else leads to.
    fn check_reachable(
        &self,
        view: &View<'_>,
        doomed: &[(&String, RefName, ObjectId)],
        session: &Session<'_>,
    ) -> Result<(), Failure> {
        let mut kept = WalkOptions::default();
        for (name, _) in view.refs().iter() {
            if !doomed.iter().any(|(_, other, _)| other.as_str() == name) {
                kept.include.extend(view.refs().resolve(name)?);
            }
        }
        for (branch, _, id) in doomed {
            let lost = WalkOptions { include: vec![*id], exclude: kept.include.clone(), ..WalkOptions::default() };
            let lost = walk(view.objects(), &lost, session.observer)?.snapshots.len();
            if lost > 0 {
                let versions = if lost == 1 { "1 version".to_owned() } else { format!("{lost} versions") };
                return Err(Failure::new(Exit::Conflict, format!("only `{branch}` leads to {versions}"))
                    .hint("keep them under another name with `comfrey tag`, or delete it with --force"));
            }
        }
        Ok(())
    }
}

fn list(session: &mut Session<'_>) -> Result<Exit, Failure> {
    let revisions = session.revisions()?;
    let view = revisions.view()?;
    let current = view.refs().current_branch(&revisions.environment)?;
    let mut all: Vec<&str> = branches(&view).collect();
    // Before the first version the current branch is a name only.
    let unborn = current.as_deref().filter(|current| !all.contains(current));
    all.extend(unborn);
    all.sort_unstable();
    let names = Names::of(&view)?;
    let width = all.iter().map(|branch| branch.chars().count()).max().unwrap_or(0);
    for branch in all {
        let is_current = current.as_deref() == Some(branch);
        let id = view.refs().resolve(RefName::branch(&revisions.environment, branch)?.as_str())?;
        let snapshot = id.map(|id| view.objects().read::<Snapshot>(&id).map(|snapshot| (id, snapshot))).transpose()?;
        if session.globals.json {
            session.print_json(&line(branch, snapshot.as_ref().map(|(id, snapshot)| (*id, snapshot)), is_current))?;
            continue;
        }
        let star = if is_current { "*" } else { " " };
        match &snapshot {
            None => writeln!(session.out, "{star} {branch:width$}  no version yet")?,
            Some((id, snapshot)) => {
                let (time, subject) = (snapshot.time.to_minutes(), snapshot.subject());
                writeln!(session.out, "{star} {branch:width$}  {:10}  {time}  {subject}", names.short(id))?;
            }
        }
    }
    Ok(Exit::Done)
}

fn line<'a>(branch: &'a str, at: Option<(ObjectId, &Snapshot)>, current: bool) -> Line<'a> {
    Line {
        branch,
        id: at.map(|(id, _)| id),
        current,
        time: at.map(|(_, snapshot)| snapshot.time.to_string()),
        message: at.map(|(_, snapshot)| snapshot.message.clone()),
    }
}
