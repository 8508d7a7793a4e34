//! `resolve`: references on standard input, resolutions on standard output.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::catalog::{Catalog, NodeReference, Reference};
use crate::environment::manifest::{self, Manifest};
use crate::environment::nodes::installed;
use crate::environment::readings::need;
use crate::environment::{Environment, Workspace, model_roots};
use crate::models::index::Depth;
use crate::models::{Inventory, ModelIndex};
use crate::resolve::answers::{Answers, FromFile};
use crate::resolve::{
    Automatic, Choose, Installed, Known, KnownNodes, Memory, NodeChoice, NodeNeed, NodeResolution, Resolution,
    is_question, resolve_models, resolve_nodes, settle_models, settle_nodes,
};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
Reads what parse-workflow prints: one JSON object a line, for a model or a node. Prints each line again, in the same order, with what
was found: status (resolved, ambiguous, downloadable, missing, skipped), rule, score, the file or package, candidates, sources.
What was chosen before counts for workflows of the environment. Exit code 1: something is open.

Examples:
  comfrey parse-workflow flow.json | comfrey resolve | jq 'select(.status != \"resolved\")'
  comfrey parse-workflow flow.json | comfrey resolve --answers answers.toml";

/// Finds the files and packages that references on standard input mean.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Resolve {
    /// Take answers to what is open from this file
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
}

/// A line of standard input.
struct Line {
    fields: Map<String, Value>,
    asks: Asks,
}

enum Asks {
    Model(Box<Reference>),
    Node(Box<NodeReference>),
}

/// What was found for a line.
enum Found {
    Model(Box<Resolution>),
    Node(Box<NodeResolution>),
}

impl Command for Resolve {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let answers = match &self.answers {
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|e| Failure::io(file.display(), &e))?;
                Answers::parse(&text).map_err(|error| {
                    let failure = Failure::from(error);
                    Failure { message: format!("{}: {}", file.display(), failure.message), ..failure }
                })?
            }
            None => Answers::default(),
        };
        let workspace = session.workspace()?;
        let environment = environment(session, &workspace)?;
        let lines = lines(session)?;
        let roots = model_roots::of(&workspace, environment.as_ref());
        for problem in &roots.problems {
            session.warn(problem)?;
        }
        let index = ModelIndex::new(workspace.store());
        let updated = index.update(&roots.roots, Depth::Quick, session.observer)?;
        for problem in &updated.problems {
            session.warn(problem)?;
        }
        let inventory = Inventory::new(updated.files);
        let manifest = match &environment {
            Some(environment) => Manifest::read(&environment.manifest_path())?,
            None => None,
        };
        let mut nobody = Automatic;
        let mut choose = FromFile::new(&answers, &index, session.observer, &mut nobody);
        let catalog = match &environment {
            Some(environment) => session.catalog_of(&workspace, environment)?,
            None => session.catalog(&workspace)?,
        };
        let resolving = Resolving {
            catalog: &catalog,
            lines: &lines,
            environment: environment.as_ref(),
            manifest: manifest.as_ref(),
            inventory: &inventory,
            index: &index,
            session,
        };
        let found = resolving.all(&mut choose)?;
        let mut open = false;
        for (line, found) in lines.iter().zip(found) {
            let mut fields = line.fields.clone();
            let value = match (&line.asks, &found) {
                (Asks::Model(reference), Found::Model(resolution)) => {
                    open |= is_question(reference, resolution);
                    serde_json::to_value(resolution)
                }
                (_, Found::Node(resolution)) => {
                    open |= resolution.status.is_open();
                    serde_json::to_value(resolution)
                }
                (_, Found::Model(resolution)) => serde_json::to_value(resolution),
            };
            if let Ok(Value::Object(more)) = value {
                fields.extend(more);
            }
            session.print_json(&fields)?;
        }
        for sentence in choose.unused() {
            session.warn(format_args!("answers: {sentence}"))?;
        }
        Ok(if open { Exit::Negative } else { Exit::Done })
    }
}

/// The environment that is asked for, else the one at work, if there is any.
fn environment(session: &Session<'_>, workspace: &Workspace) -> Result<Option<Environment>, Failure> {
    let is_one = session.environment_named().is_some() || workspace.active_name()?.is_some();
    let only = || workspace.environment_names().is_ok_and(|names| names.len() == 1);
    if is_one || only() { Ok(Some(session.environment_of(workspace)?)) } else { Ok(None) }
}

fn lines(session: &mut Session<'_>) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    let mut text = String::new();
    let mut number = 0;
    loop {
        text.clear();
        if session.input.read_line(&mut text).map_err(|e| Failure::io("standard input", &e))? == 0 {
            return Ok(lines);
        }
        number += 1;
        if text.trim().is_empty() {
            continue;
        }
        let wrong = |error: serde_json::Error| {
            Failure::new(Exit::Usage, format!("line {number} of standard input is no reference: {error}"))
                .hint("`comfrey parse-workflow FILE` prints what is wanted here")
        };
        let fields: Map<String, Value> = serde_json::from_str(&text).map_err(wrong)?;
        let asks = match fields.get("kind").and_then(Value::as_str) {
            Some("node") => Asks::Node(serde_json::from_value(Value::Object(fields.clone())).map_err(wrong)?),
            _ => Asks::Model(serde_json::from_value(Value::Object(fields.clone())).map_err(wrong)?),
        };
        lines.push(Line { fields, asks });
    }
}

struct Resolving<'r, 's> {
    catalog: &'r Catalog,
    lines: &'r [Line],
    environment: Option<&'r Environment>,
    manifest: Option<&'r Manifest>,
    inventory: &'r Inventory,
    index: &'r ModelIndex<'r>,
    session: &'r Session<'s>,
}

impl Resolving<'_, '_> {
    /// The answer for each line. Lines of one workflow are answered together: its nodes tell of each other.
    fn all(&self, choose: &mut dyn Choose) -> Result<Vec<Found>, Failure> {
        let mut workflows: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (number, line) in self.lines.iter().enumerate() {
            let workflow = match &line.asks {
                Asks::Model(reference) => &reference.workflow,
                Asks::Node(node) => &node.workflow,
            };
            workflows.entry(workflow.as_deref().unwrap_or("")).or_default().push(number);
        }
        let installed = self.installed();
        let models = self.manifest.map(Manifest::models).unwrap_or_default();
        let facts = self.manifest.map(Manifest::workflows).unwrap_or_default();
        let sources = manifest::sources(&models);
        let known = Known::new(self.inventory, &sources).and_catalog(self.catalog);
        let nodes = KnownNodes { packages: self.catalog, installed: &installed };
        let mut found: Vec<Option<Found>> = self.lines.iter().map(|_| None).collect();
        for (workflow, numbers) in workflows {
            let facts =
                self.environment.and_then(|environment| key(environment, workflow)).and_then(|key| facts.get(&key));
            let memory: Option<Memory> = facts.map(|facts| facts.memory(&models));
            let said: BTreeMap<String, NodeChoice> = facts.map(|facts| facts.nodes.clone()).unwrap_or_default();
            // In a pipe a workflow is named as it was given; answers name it as a snapshot does.
            let path = facts.map_or(workflow, |facts| facts.path.as_str());
            let (mut references, mut places) = (Vec::new(), Vec::new());
            let mut needs: Vec<NodeNeed> = Vec::new();
            let mut needed = Vec::new();
            for number in numbers {
                match &self.lines[number].asks {
                    Asks::Model(reference) => {
                        references.push(Reference::clone(reference));
                        places.push(number);
                    }
                    Asks::Node(node) => {
                        let need = need(node);
                        let at = needs.iter().position(|other| *other == need).unwrap_or_else(|| {
                            needs.push(need);
                            needs.len() - 1
                        });
                        needed.push((number, at));
                    }
                }
            }
            let mut resolutions =
                resolve_models(&references, memory.as_ref(), &known, self.index, self.session.observer)?;
            settle_models(path, &references, &mut resolutions, &known, choose, |_| true)?;
            for (number, resolution) in places.into_iter().zip(resolutions) {
                found[number] = Some(Found::Model(Box::new(resolution)));
            }
            let mut packages = resolve_nodes(&needs, &said, nodes);
            settle_nodes(path, &needs, &mut packages, nodes, choose, |_| true)?;
            for (number, at) in needed {
                found[number] = Some(Found::Node(Box::new(packages[at].clone())));
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// What is installed, with those types whose package no line names.
    fn installed(&self) -> Installed {
        let Some(environment) = self.environment else { return Installed::default() };
        let wanted = |line: &'_ Line| match &line.asks {
            Asks::Node(node) if node.cnr_id.is_none() && node.aux_id.is_none() && !need(node).built_in => {
                Some(node.node_type.clone())
            }
            _ => None,
        };
        let wanted: HashSet<String> = self.lines.iter().filter_map(wanted).collect();
        installed(&environment.custom_nodes_dir(), &wanted.iter().map(String::as_str).collect())
    }
}

/// The key of a workflow that is named by its file, if it is one of the environment.
fn key(environment: &Environment, workflow: &str) -> Option<String> {
    let file = Path::new(workflow).canonicalize().ok()?;
    environment.workflows_dirs().ok()?.iter().find_map(|folder| {
        let below = file.strip_prefix(folder.folder.canonicalize().ok()?).ok()?;
        let below: Vec<&str> = below.components().map(|part| part.as_os_str().to_str()).collect::<Option<_>>()?;
        let path = format!("{}/{}", folder.snapshot_path(), below.join("/"));
        crate::environment::snapshot_tree::workflow_key(&crate::object::RelativePath::new(path).ok()?)
    })
}
