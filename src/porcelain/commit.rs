//! `commit`: records workflows, nodes and the models in use as a new version.

use serde::Serialize;

use crate::environment::commit::{self, Committed};
use crate::environment::draft::{self, Draft};
use crate::environment::head::Head;
use crate::environment::layout::WORKFLOW_INDEX;
use crate::environment::snapshot_tree::{MODELS, NODES, USERS, WORKFLOWS};
use crate::environment::state::Keep;
use crate::environment::status::ProblemShape;
use crate::environment::uses::{self, Meaning};
use crate::history::ChangeKind;
use crate::object::{Encoded, Entry, EntryKind, ObjectId, RelativePath, Tree};
use crate::resolve::{Automatic, Choose, Once};
use crate::ui::choosing::Interactive;
use crate::ui::program::Command;
use crate::ui::report::{Bytes, count};
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
Workflows and custom nodes are recorded file by file, models that workflows use by their hash. ComfyUI's folder is not
touched; .cec gets the new manifest and copies of the workflows.

Examples:
  comfrey commit -m \"portrait with a new sampler\"
  comfrey commit --dry-run         what would be recorded
  comfrey commit --show-manifest   the pyproject.toml that would be recorded";

/// Records workflows, custom nodes and the models in use as a new version.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Commit {
    /// What this version is about
    #[arg(short, long, value_name = "MESSAGE", required_unless_present_any = ["dry_run", "show_manifest"])]
    message: Option<String>,
    /// Say what would be recorded, and record nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Print the manifest that would be recorded, and record nothing
    #[arg(long)]
    show_manifest: bool,
    /// Exit with 1 if there was nothing to record
    #[arg(long)]
    exit_code: bool,
}

/// A commit in JSON.
#[derive(Serialize)]
struct Shape {
    environment: String,
    /// False when there was nothing to record.
    changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<ObjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    tree: ObjectId,
    summary: Summary,
    unresolved: Vec<Open>,
    unresolved_types: Vec<OpenType>,
    unreadable: Vec<Unreadable>,
    problems: Vec<ProblemShape>,
    /// False where `uv.lock` was made for other dependencies than the manifest's.
    lock_follows: bool,
}

/// How many of what changed.
#[derive(Debug, Default, Serialize)]
struct Summary {
    workflows: Counts,
    nodes: Counts,
    /// Models that the version refers to.
    models: usize,
    model_bytes: u64,
    files: u64,
    /// Bytes of workflows and nodes.
    bytes: u64,
}

#[derive(Debug, Default, Serialize)]
struct Counts {
    added: usize,
    modified: usize,
    deleted: usize,
}

#[derive(Serialize)]
struct Open {
    workflow: String,
    scope: Vec<String>,
    node: String,
    #[serde(rename = "type")]
    node_type: String,
    value: String,
    status: &'static str,
    candidates: Vec<String>,
    sources: Vec<String>,
}

#[derive(Serialize)]
struct OpenType {
    workflow: String,
    #[serde(rename = "type")]
    node_type: String,
    status: &'static str,
    candidates: Vec<String>,
}

#[derive(Serialize)]
struct Unreadable {
    path: String,
    reason: String,
}

impl Command for Commit {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let message = self.message.as_deref().unwrap_or_default().trim();
        if message.is_empty() && !self.dry_run && !self.show_manifest {
            return Err(
                Failure::new(Exit::Usage, "the message is empty").hint("say what this version is about: -m MESSAGE")
            );
        }
        if self.dry_run || self.show_manifest {
            let working = session.working()?;
            let around = working.around(session.observer);
            let head = Head::of(around.store, around.environment.name().as_str())?;
            let draft = draft::draft(&around, Keep::IdsOnly, &mut Automatic)?;
            if self.show_manifest {
                write!(session.out, "{}", draft.manifest)?;
                return Ok(Exit::Done);
            }
            return self.report(session, &head, &draft, None);
        }
        let who = session.who()?;
        let (working, _lock) = session.working_alone()?;
        let around = working.around(session.observer);
        let head = Head::of(around.store, around.environment.name().as_str())?;
        let mut nobody = Automatic;
        // With --yes what is unclear is recorded as such, as with --no-input: there is nothing that it could agree to.
        let mut person = if session.globals.yes { None } else { session.prompt().map(Interactive::new) };
        let last: &mut dyn Choose = match &mut person {
            Some(person) => person,
            None => &mut nobody,
        };
        let committed = commit::commit(&around, &head, message, &who, &mut Once::new(last));
        let Committed { snapshot, draft } = committed?;
        self.report(session, &head, &draft, snapshot)
    }
}

impl Commit {
    fn report(
        &self,
        session: &mut Session<'_>,
        head: &Head,
        draft: &Draft<'_>,
        made: Option<ObjectId>,
    ) -> Result<Exit, Failure> {
        let before = match head.tree() {
            Some(tree) => crate::worktree::Trees::tree(&draft.state.trees, &tree)?,
            None => Tree::default(),
        };
        let changed = !head.tree().is_some_and(|tree| draft.is_in(&tree));
        let summary = summary(draft, &before)?;
        let number = match &head.snapshot {
            Some(_) => head.version(draft.state.trees.store())?,
            None => 0,
        };
        let version = format!("v{}", number + u64::from(changed));
        let problems = draft.state.problems.iter().map(ProblemShape::from);
        let unread = draft.unread.iter().map(|(path, reason)| ProblemShape {
            path: format!("{MODELS}/{path}"),
            reason: "unreadable".to_owned(),
            message: format!("{path}: {reason}"),
        });
        let problems: Vec<ProblemShape> = problems.chain(unread).collect();
        let incomplete =
            !draft.unread.is_empty() || draft.state.problems.iter().any(|problem| problem.reason.left_out());
        let exit = match (incomplete, changed) {
            (true, _) => Exit::NotFound,
            (false, false) if self.exit_code => Exit::Negative,
            _ => Exit::Done,
        };
        let (open, types, unreadable) = (open(draft), open_types(draft), unreadable(draft));
        if session.globals.json {
            session.print_json(&Shape {
                environment: head.name.environment().to_owned(),
                changed,
                id: made.or(head.id().filter(|_| !changed)),
                version: (made.is_some() || (!changed && head.snapshot.is_some())).then_some(version),
                tree: draft.tree.id(),
                summary,
                unresolved: open,
                unresolved_types: types,
                unreadable,
                problems,
                lock_follows: draft.lock_follows,
            })?;
            return Ok(exit);
        }
        let environment = head.name.environment();
        let branch = head.branch.as_deref().unwrap_or("no branch");
        match made {
            Some(id) => {
                let subject = self.message.as_deref().unwrap_or_default().trim().lines().next().unwrap_or_default();
                let title = session.paint.strong(format!("{version} {}", id.short()));
                writeln!(session.out, "[{environment} {branch}] {title} {subject}")?;
            }
            None if changed => writeln!(session.out, "[{environment} {branch}] {version} would record:")?,
            None => writeln!(session.out, "Nothing to commit: all is as in {version}.")?,
        }
        if changed {
            summary.print(session)?;
        }
        for problem in &problems {
            session.warn(&problem.message)?;
        }
        for file in &unreadable {
            session.warn(format_args!("{}: {}; kept as it is, but not as a workflow", file.path, file.reason))?;
        }
        if !draft.lock_follows {
            session
                .warn("uv.lock is not what pyproject.toml asks for; `comfrey sync` makes it so, then commit again")?;
        }
        print_open(session, &open, &types)?;
        Ok(exit)
    }
}

fn print_open(session: &mut Session<'_>, open: &[Open], types: &[OpenType]) -> Result<(), Failure> {
    /// More than this is for `status`.
    const MOST: usize = 10;
    for found in open.iter().take(MOST) {
        let Open { workflow, node, node_type, value, status, .. } = found;
        session.warn(format_args!("{workflow}: node {node} ({node_type}) wants {value}: {status}"))?;
    }
    let room = MOST - open.len().min(MOST);
    for OpenType { workflow, node_type, candidates, .. } in types.iter().take(room) {
        let what = match candidates.as_slice() {
            [] => "no package is known".to_owned(),
            several => format!("several packages have it: {}", several.join(", ")),
        };
        session.warn(format_args!("{workflow}: node type {node_type}: {what}"))?;
    }
    if open.len() + types.len() > MOST {
        session.warn(format_args!("and {} more; `comfrey status` lists all", open.len() + types.len() - MOST))?;
    }
    Ok(())
}

fn open_types(draft: &Draft<'_>) -> Vec<OpenType> {
    let mut list = Vec::new();
    for (key, found) in &draft.uses.workflows {
        let Some(workflow) = draft.state.workflows.get(key) else { continue };
        for (need, found) in found.nodes.iter().filter(|(_, found)| found.status.is_open()) {
            list.push(OpenType {
                workflow: workflow.path.to_string(),
                node_type: need.node_type.clone(),
                status: found.status.as_str(),
                candidates: found.candidates.iter().map(|candidate| candidate.package.clone()).collect(),
            });
        }
    }
    list
}

fn open(draft: &Draft<'_>) -> Vec<Open> {
    let mut list = Vec::new();
    for (key, found) in &draft.uses.workflows {
        let Some(workflow) = draft.state.workflows.get(key) else { continue };
        for found in &found.models {
            let Meaning::Open { status, sources, candidates } = &found.meaning else { continue };
            if !crate::resolve::is_question(&found.reference, &found.resolution) {
                continue;
            }
            let reference = &found.reference;
            list.push(Open {
                workflow: workflow.path.to_string(),
                scope: reference.scope.clone(),
                node: reference.node.clone(),
                node_type: reference.node_type.clone(),
                value: reference.value.clone(),
                status: status.as_str(),
                candidates: candidates.clone(),
                sources: sources.clone(),
            });
        }
    }
    list
}

fn unreadable(draft: &Draft<'_>) -> Vec<Unreadable> {
    let shape = |found: &uses::Unreadable| Unreadable { path: found.path.clone(), reason: found.reason.clone() };
    draft.uses.unreadable.iter().map(shape).collect()
}

fn summary(draft: &Draft<'_>, before: &Tree) -> Result<Summary, Failure> {
    let id = |tree: &Tree, part: &str| tree.get(part).map(|entry| entry.id);
    let mut summary = Summary { files: draft.state.files, bytes: draft.state.size, ..Summary::default() };
    for part in [WORKFLOWS, USERS] {
        for change in draft.state.trees.changes(id(before, part), id(&draft.tree, part))? {
            // ComfyUI's list of bookmarks is kept, but is no workflow.
            if !change.path.as_str().ends_with(WORKFLOW_INDEX) {
                summary.workflows.add(change.kind);
            }
        }
    }
    let trees = |tree: &Tree| match tree.get(NODES) {
        Some(nodes) => crate::worktree::Trees::tree(&draft.state.trees, &nodes.id),
        None => Ok(Tree::default()),
    };
    let (old, new) = (trees(before)?, trees(&draft.tree)?);
    // A node is a folder or a Python file; `example_node.py.example` is kept, but is none.
    let is_node = |entry: &&Entry| entry.kind == EntryKind::Tree || entry.name.as_str().ends_with(".py");
    for entry in new.entries().iter().filter(is_node) {
        match old.get(entry.name.as_str()) {
            None => summary.nodes.add(ChangeKind::Added),
            Some(was) if was.id != entry.id => summary.nodes.add(ChangeKind::Modified),
            Some(_) => {}
        }
    }
    let gone = old.entries().iter().filter(is_node).filter(|entry| new.get(entry.name.as_str()).is_none());
    summary.nodes.deleted += gone.count();
    if let Some(models) = draft.tree.get(MODELS) {
        summary.model_bytes = models.size;
        let walk = crate::worktree::walk_tree(&draft.state.trees, &models.id);
        for found in walk {
            let (_, entry): (RelativePath, _) = found?;
            summary.models += usize::from(entry.kind != EntryKind::Tree);
        }
    }
    Ok(summary)
}

impl Counts {
    fn add(&mut self, kind: ChangeKind) {
        match kind {
            ChangeKind::Added => self.added += 1,
            ChangeKind::Deleted => self.deleted += 1,
            ChangeKind::Modified | ChangeKind::TypeChanged => self.modified += 1,
        }
    }

    fn words(&self) -> String {
        let parts = [(self.added, "added"), (self.modified, "modified"), (self.deleted, "removed")];
        let said: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        if said.is_empty() { "as before".to_owned() } else { said.join(", ") }
    }
}

impl Summary {
    fn print(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        writeln!(session.out, "  workflows  {}", self.workflows.words())?;
        writeln!(session.out, "  nodes      {}", self.nodes.words())?;
        let (models, bytes) = (count(self.models, "model"), Bytes(self.model_bytes));
        match self.models {
            0 => writeln!(session.out, "  models     none in use")?,
            _ => writeln!(session.out, "  models     {models} in use, {bytes}")?,
        }
        let files = count(usize::try_from(self.files).unwrap_or(usize::MAX), "file");
        writeln!(session.out, "  in all     {files}, {}", Bytes(self.bytes))?;
        Ok(())
    }
}
