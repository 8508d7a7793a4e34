//! Plans as a person and a program read them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::environment::plan::{Plan, Step};
use crate::environment::rollback::Prepared;
use crate::object::{ObjectId, RelativePath};
use crate::platform::git_clone::Stand;

use super::packages::{self, PackageShape};
use super::report::Bytes;
use super::{Failure, Session};

/// When a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Before it is carried out, to someone who is asked.
    WillDo,
    /// Instead of carrying it out.
    WouldDo,
    Done,
}

/// A step in JSON.
#[derive(Debug, Serialize)]
pub struct StepShape<'a> {
    /// `disable`, `enable`, `write`, `replace`, `remove`, `bring-back`, `missing`, `left-alone`, `follow`.
    step: &'static str,
    path: &'a RelativePath,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a RelativePath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<ObjectId>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// Where a clone stood, and where it is to.
    #[serde(skip_serializing_if = "Option::is_none")]
    stood: Option<&'a Stand>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stands: Option<&'a Stand>,
}

impl<'a> From<&'a Step> for StepShape<'a> {
    fn from(step: &'a Step) -> Self {
        let mut shape = StepShape {
            step: step.word(),
            path: step.path(),
            from: None,
            id: None,
            size: None,
            sources: None,
            reason: None,
            stood: None,
            stands: None,
        };
        match step {
            Step::Rename { from, .. } => shape.from = Some(from),
            Step::Write { new, .. } | Step::Replace { new, .. } | Step::BringBack { new, .. } => {
                (shape.id, shape.size) = (Some(new.id), Some(new.size));
            }
            Step::Missing { new, sources, .. } => {
                (shape.id, shape.size, shape.sources) = (Some(new.id), Some(new.size), Some(sources.as_slice()));
            }
            Step::Remove { old, .. } => (shape.id, shape.size) = (Some(old.id), Some(old.size)),
            Step::LeftAlone { reason, .. } => shape.reason = Some(reason),
            Step::Follow { from, to, .. } => (shape.stood, shape.stands) = (Some(from), Some(to)),
        }
        shape
    }
}

/// What a rollback does to files and to Python, in JSON.
#[derive(Debug, Default, Serialize)]
pub struct RollbackShape<'a> {
    steps: Vec<StepShape<'a>>,
    packages: Vec<PackageShape<'a>>,
    /// True where a virtual environment is made, which then has all that the lock says.
    made_python: bool,
}

impl<'a> From<&'a Prepared<'_>> for RollbackShape<'a> {
    fn from(prepared: &'a Prepared<'_>) -> Self {
        RollbackShape {
            steps: prepared.plan.steps.iter().map(StepShape::from).collect(),
            packages: prepared.packages.iter().map(PackageShape::from).collect(),
            made_python: prepared.makes_venv,
        }
    }
}

/// The lines about a rollback.
pub fn of_rollback(session: &mut Session<'_>, prepared: &Prepared<'_>, form: Form) -> Result<(), Failure> {
    lines(session, &prepared.plan)?;
    if prepared.makes_venv {
        let made = if form == Form::Done { "made" } else { "make" };
        writeln!(session.out, "  {} a Python environment", session.paint.good(format!("{made:10}")))?;
    }
    packages::lines(session, &prepared.packages)
}

/// Prints the steps on standard output, with a heading where they are not done yet.
pub fn print(session: &mut Session<'_>, plan: &Plan, form: Form) -> Result<(), Failure> {
    match form {
        Form::Done => {}
        _ if plan.is_empty() => writeln!(session.out, "Nothing would change.")?,
        Form::WillDo => writeln!(session.out, "This will be done:")?,
        Form::WouldDo => writeln!(session.out, "This would be done:")?,
    }
    lines(session, plan)
}

/// The steps, a line each; many files of one node, or of ComfyUI itself, are one line.
pub fn lines(session: &mut Session<'_>, plan: &Plan) -> Result<(), Failure> {
    /// So many files of a node are listed one by one.
    const FEW: usize = 3;
    let paint = session.paint;
    let mut of_node: BTreeMap<String, usize> = BTreeMap::new();
    for step in &plan.steps {
        *of_node.entry(node(step)).or_default() += 1;
    }
    let mut told = std::collections::BTreeSet::new();
    for step in &plan.steps {
        let node = node(step);
        if !node.is_empty() && step.changes_files() && of_node.get(&node).is_some_and(|files| *files > FEW) {
            if told.insert(node.clone()) {
                let files = of_node.get(&node).copied().unwrap_or(0);
                writeln!(session.out, "  {} {node} ({files} files)", paint.changed("rewrite   "))?;
            }
            continue;
        }
        let path = step.path();
        match step {
            Step::Rename { from, to, disables } => {
                let word = if *disables { paint.bad("disable   ") } else { paint.good("enable    ") };
                writeln!(session.out, "  {word} {from} -> {to}")?;
            }
            Step::Write { .. } => writeln!(session.out, "  {} {path}", paint.good("write     "))?,
            Step::Replace { .. } => writeln!(session.out, "  {} {path}", paint.changed("replace   "))?,
            Step::Remove { .. } => writeln!(session.out, "  {} {path}", paint.bad("remove    "))?,
            Step::BringBack { new, to, .. } => {
                let (to, size) = (to.display(), Bytes(new.size));
                writeln!(session.out, "  {} {to} ({size})", paint.good("bring back"))?;
            }
            Step::Missing { new, sources, .. } => {
                writeln!(session.out, "  {} {path} ({})", paint.bad("missing   "), Bytes(new.size))?;
                for source in sources {
                    writeln!(session.out, "             to be had from {source}")?;
                }
                if let Some(source) = sources.first() {
                    let id = new.id;
                    writeln!(session.out, "             comfrey fetch-blob --hash {id} \"{source}\"")?;
                }
            }
            Step::LeftAlone { reason, .. } => {
                writeln!(session.out, "  {} {path}: {reason}", paint.faint("left alone"))?;
            }
            Step::Follow { from, to, .. } => {
                writeln!(session.out, "  {} {path}: {}", paint.changed("git       "), moved(from, to))?;
            }
        }
    }
    Ok(())
}

/// Where git takes a clone to stand before and after, in words.
fn moved(from: &Stand, to: &Stand) -> String {
    let commit = |stand: &Stand| stand.commit.chars().take(10).collect::<String>();
    match (&from.branch, &to.branch) {
        (Some(branch), Some(other)) if branch == other => {
            format!("the clone's branch {branch} goes from {} to {}", commit(from), commit(to))
        }
        (_, Some(branch)) => format!("the clone goes to its branch {branch}, at {}", commit(to)),
        (Some(branch), None) => {
            format!("the clone goes to {} without a branch; {branch} stays at {}", commit(to), commit(from))
        }
        (None, None) => format!("the clone goes from {} to {}", commit(from), commit(to)),
    }
}

/// `nodes/NAME` for a file of a node, `ComfyUI` for one of its own; nothing for everything else.
fn node(step: &Step) -> String {
    let mut names = step.path().as_str().split('/');
    match (names.next(), names.next(), names.next()) {
        (Some("nodes"), Some(name), Some(_)) => format!("nodes/{name}"),
        (Some("comfyui"), Some(_), _) => "ComfyUI".to_owned(),
        _ => String::new(),
    }
}
