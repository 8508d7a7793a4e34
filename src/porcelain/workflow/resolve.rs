//! `workflow resolve`: finds what workflows refer to, asks where it is not clear, and remembers the answers.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::environment::head::Head;
use crate::environment::resolving::{self, NewValue, Resolved, Wish};
use crate::environment::state::Keep;
use crate::environment::uses::{Use, WorkflowUses};
use crate::models::ModelIndex;
use crate::observer::Observer;
use crate::resolve::answers::{Answers, FromFile, Recording};
use crate::resolve::{Automatic, Choose, NodeNeed, NodeResolution, Once, Status};
use crate::ui::choosing::Interactive;
use crate::ui::program::Command;
use crate::ui::report::{Bytes, count};
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
Models are found by what was chosen before, by declared hash, by path and by name; packages of nodes by what the workflow names and by
what is installed. What is not clear is asked on a terminal, or taken from a file of answers, and remembered in pyproject.toml, so that it
is asked once. With --rewrite, values of models that lie elsewhere become what ComfyUI lists here; nothing else in the file
changes, and `comfrey undo` takes it back. Exit code 1: something is open.

Examples:
  comfrey workflow resolve                                   all workflows
  comfrey workflow resolve portrait --record answers.toml    write down what is answered
  comfrey workflow resolve --answers answers.toml --rewrite --dry-run";

/// Finds what workflows refer to, and remembers what is chosen.
#[derive(Debug, Default, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Resolve {
    /// Workflows by name or path [default: all]
    #[arg(value_name = "NAME")]
    workflows: Vec<String>,
    /// Take answers from this file
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Write the answers that are given to this file
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Make the workflows name the models as they lie here
    #[arg(long)]
    rewrite: bool,
    /// Show what would be written, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// Who is asked, and what came of it.
struct Asked<T> {
    result: T,
    recorded: Answers,
    /// Answers of the file that were of no use.
    unused: Vec<String>,
}

impl Command for Resolve {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let answers = match &self.answers {
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|e| Failure::io(file.display(), &e))?;
                Answers::parse(&text).map_err(|error| in_file(file, error.into()))?
            }
            None => Answers::default(),
        };
        let wish = Wish { workflows: &self.workflows, rewrite: self.rewrite };
        if self.dry_run {
            let working = session.working()?;
            let around = working.around(session.observer);
            let index = ModelIndex::new(around.store);
            let asked =
                asked(session, &answers, &index, |choose| resolving::find(&around, Keep::IdsOnly, &wish, choose))?;
            return self.report(session, asked);
        }
        let who = session.who()?;
        let (working, _lock) = session.working_alone()?;
        let around = working.around(session.observer);
        let index = ModelIndex::new(around.store);
        let head = Head::of(around.store, around.environment.name().as_str())?;
        let writer = around.store.writer()?;
        let asked =
            asked(session, &answers, &index, |choose| resolving::find(&around, Keep::Stored(&writer), &wish, choose))?;
        resolving::carry_out(&around, &head, &asked.result, &who)?;
        self.report(session, asked)
    }
}

fn in_file(file: &std::path::Path, failure: Failure) -> Failure {
    Failure { message: format!("{}: {}", file.display(), failure.message), ..failure }
}

/// Runs `find` with the file of answers, then the terminal where there is one, as strategies; each thing is asked once.
fn asked<'a>(
    session: &mut Session<'_>,
    answers: &Answers,
    index: &ModelIndex<'_>,
    find: impl FnOnce(&mut dyn Choose) -> Result<Resolved<'a>, resolving::ResolvingError>,
) -> Result<Asked<Resolved<'a>>, Failure> {
    let observer: &dyn Observer = session.observer;
    let mut nobody = Automatic;
    let mut person = session.prompt().map(Interactive::new);
    let last: &mut dyn Choose = match &mut person {
        Some(person) => person,
        None => &mut nobody,
    };
    let mut once = Once::new(last);
    let mut from_file = FromFile::new(answers, index, observer, &mut once);
    let mut recording = Recording::new(&mut from_file);
    let result = find(&mut recording)?;
    let recorded = std::mem::take(&mut recording.answers);
    drop(recording);
    let unused = from_file.unused();
    Ok(Asked { result, recorded, unused })
}

impl Resolve {
    fn report(&self, session: &mut Session<'_>, asked: Asked<Resolved<'_>>) -> Result<Exit, Failure> {
        let Asked { result: resolved, recorded, unused } = asked;
        if let Some(file) = &self.record {
            std::fs::write(file, recorded.to_string()).map_err(|e| Failure::io(file.display(), &e))?;
        }
        for sentence in &unused {
            session.warn(format_args!("answers: {sentence}"))?;
        }
        for file in &resolved.uses.unreadable {
            session.warn(format_args!("{}: {}", file.path, file.reason))?;
        }
        let open = resolved.open();
        if session.globals.json {
            session.print_json(&self.shape(&resolved, unused))?;
        } else {
            self.print(session, &resolved, open)?;
        }
        Ok(if open > 0 { Exit::Negative } else { Exit::Done })
    }

    fn print(&self, session: &mut Session<'_>, resolved: &Resolved<'_>, open: usize) -> Result<(), Failure> {
        for (key, uses) in &resolved.uses.workflows {
            let Some(found) = resolved.state.workflows.get(key) else { continue };
            let (models, nodes) = (uses.models.len(), uses.nodes.len());
            let done = uses.models.iter().filter(|found| !found.resolution.status.is_open()).count()
                + uses.nodes.iter().filter(|(_, found)| !found.status.is_open()).count();
            if models + nodes == 0 {
                writeln!(session.out, "{}: refers to nothing", found.path)?;
                continue;
            }
            let title = session.paint.strong(&found.path);
            writeln!(session.out, "{title}: {done} of {} found", count(models + nodes, "reference"))?;
            let verbose = session.globals.verbose > 0;
            for found in &uses.models {
                if verbose || found.resolution.status.is_open() || found.chosen {
                    print_model(session, found)?;
                }
            }
            for (_, found) in &uses.nodes {
                if verbose || found.status != Status::Resolved || !found.installed {
                    print_node(session, found)?;
                }
            }
            let Some(rewriting) = resolved.rewritings.get(key) else { continue };
            let word = if self.dry_run { "would say" } else { "says" };
            for NewValue { node, old, new, .. } in &rewriting.values {
                writeln!(session.out, "  node {node} {word} {new} instead of {old}")?;
            }
            for NewValue { node, old, .. } in &rewriting.disputed {
                session.warn(format_args!(
                    "node {node} stands in a subgraph that is used several times with different models for {old}; it stays"
                ))?;
            }
        }
        let remembered = count(resolved.remembered, "answer");
        match (resolved.remembered, self.dry_run) {
            (0, _) => {}
            (_, true) => writeln!(session.out, "{remembered} would be remembered")?,
            (_, false) => writeln!(session.out, "{remembered} remembered in pyproject.toml")?,
        }
        if open > 0 && !session.can_ask && self.answers.is_none() {
            session.note("hint: run this on a terminal to choose, or give a file with --answers")?;
        }
        Ok(())
    }

    fn shape(&self, resolved: &Resolved<'_>, unused: Vec<String>) -> Value {
        let workflow = |(key, uses): (&String, &WorkflowUses)| {
            let path = resolved.state.workflows.get(key)?.path.to_string();
            let rewriting = resolved.rewritings.get(key);
            let (models, nodes): (Vec<_>, Vec<_>) =
                (uses.models.iter().map(model_json).collect(), uses.nodes.iter().map(node_json).collect());
            Some(json!({
                "workflow": path, "models": models, "nodes": nodes,
                "rewritten": rewriting.map(|rewriting| rewriting.values.clone()).unwrap_or_default(),
                "disputed": rewriting.map(|rewriting| rewriting.disputed.clone()).unwrap_or_default(),
            }))
        };
        let unreadable = resolved.uses.unreadable.iter();
        let unreadable = unreadable.map(|file| json!({ "path": file.path, "reason": file.reason }));
        json!({
            "workflows": resolved.uses.workflows.iter().filter_map(workflow).collect::<Vec<_>>(),
            "unreadable": unreadable.collect::<Vec<_>>(),
            "open": resolved.open(), "remembered": resolved.remembered, "unused_answers": unused, "dry_run": self.dry_run,
        })
    }
}

/// The fields of two values as one object; what cannot be written as JSON is left out.
fn joined(first: impl serde::Serialize, second: impl serde::Serialize) -> Value {
    let mut all = serde_json::Map::new();
    for value in [serde_json::to_value(first), serde_json::to_value(second)] {
        if let Ok(Value::Object(fields)) = value {
            all.extend(fields);
        }
    }
    Value::Object(all)
}

fn model_json(found: &Use) -> Value {
    joined(&found.reference, &found.resolution)
}

fn node_json((need, found): &(NodeNeed, NodeResolution)) -> Value {
    joined(json!({ "type": need.node_type }), found)
}

fn print_model(session: &mut Session<'_>, found: &Use) -> Result<(), Failure> {
    let (reference, resolution) = (&found.reference, &found.resolution);
    let (node, class, value) = (&reference.node, &reference.node_type, &reference.value);
    let paint = session.paint;
    let status = match resolution.status {
        Status::Resolved => paint.good(resolution.local().unwrap_or_default()),
        status => paint.changed(status.as_str()),
    };
    let rule = match resolution.rule.and_then(|rule| serde_json::to_value(rule).ok()) {
        Some(Value::String(rule)) if resolution.status == Status::Resolved => format!(", by {rule}"),
        _ => String::new(),
    };
    writeln!(session.out, "  node {node} ({class}) {value}: {status}{rule}")?;
    for candidate in &resolution.candidates {
        let size = Bytes(candidate.file.size());
        writeln!(session.out, "      could be {} ({size})", candidate.local())?;
    }
    for hint in &resolution.hints {
        writeln!(session.out, "      {} has that name, where {class} does not look", hint.local())?;
    }
    for similar in &resolution.similar {
        writeln!(session.out, "      {} is like it", similar.candidate.local())?;
    }
    for source in resolution.sources.iter().filter(|_| resolution.status.is_open()) {
        writeln!(session.out, "      to be had from {source}")?;
    }
    Ok(())
}

fn print_node(session: &mut Session<'_>, found: &NodeResolution) -> Result<(), Failure> {
    let paint = session.paint;
    let version = found.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let package = match (&found.package, found.installed, found.status) {
        (_, _, Status::Skipped) => paint.changed("skipped"),
        (Some(package), true, _) => format!("{}{version}", paint.good(package)),
        (Some(package), false, _) => format!("{}{version}, not installed", paint.changed(package)),
        (None, ..) => paint.changed(found.status.as_str()),
    };
    writeln!(session.out, "  type {}: {package}", found.node_type)?;
    for candidate in found.candidates.iter().filter(|_| found.status.is_open()) {
        let stars = candidate.stars.map(|stars| format!(", {stars} stars")).unwrap_or_default();
        writeln!(session.out, "      could be {}{stars}", candidate.package)?;
    }
    Ok(())
}
