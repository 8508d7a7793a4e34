//! What the commands for nodes share: the nodes that are there, and a change shown and carried out.

use serde::Serialize;

use crate::environment::draft;
use crate::environment::head::Head;
use crate::environment::lock::Lock;
use crate::environment::manifest::{Manifest, NodeSource, group_of_node};
use crate::environment::nodes::required::{self, Keeper};
use crate::environment::nodes::steps::told;
use crate::environment::nodes::{self, Change, Edits, Found, Node, NodeError};
use crate::environment::python::Python;
use crate::environment::python::installed::Difference;
use crate::environment::python::requirements::Requirements;
use crate::environment::rollback::Prepared;
use crate::environment::state::{self, Keep, State};
use crate::object::ObjectId;
use crate::ui::packages::{self, PackageShape};
use crate::ui::plans::{self, Form, StepShape};
use crate::ui::running::WhileRunning;
use crate::ui::working::Working;
use crate::ui::{Exit, Failure, Session};

/// Options of every command that changes nodes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct How {
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub running: WhileRunning,
}

/// The environment's nodes, as they are.
pub struct AtWork<'a> {
    pub state: State<'a>,
    pub manifest: Manifest,
    pub nodes: Vec<Node>,
    pub head: Head,
}

/// The environment, and the right to change it unless only a look is wanted.
pub fn open(session: &mut Session<'_>, how: &How) -> Result<(Working, Option<Lock>), Failure> {
    if how.dry_run {
        return Ok((session.working()?, None));
    }
    let (working, lock) = session.working_alone()?;
    session.comfyui_at_rest(&working.environment, how.running)?;
    Ok((working, Some(lock)))
}

/// Reads the nodes of an environment.
pub fn look<'a>(around: &state::Surroundings<'a>) -> Result<AtWork<'a>, Failure> {
    let head = Head::of(around.store, around.environment.name().as_str())?;
    let state = state::read(around, Keep::IdsOnly)?;
    let manifest = draft::manifest_on_disk(around, &state)?;
    let nodes = nodes::survey(around, &state, &manifest.nodes())?;
    Ok(AtWork { state, manifest, nodes, head })
}

impl AtWork<'_> {
    /// The node that a word names.
    pub fn named(&self, name: &str) -> Result<&Node, NodeError> {
        match nodes::find(&self.nodes, name) {
            Found::One(node) => Ok(node),
            Found::Many(found) => Err(NodeError::Ambiguous {
                name: name.to_owned(),
                found: found.iter().map(|node| node.key.clone()).collect(),
            }),
            Found::None(near) => Err(NodeError::NoSuchNode { name: name.to_owned(), near }),
        }
    }
}

/// A node in JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Shape {
    pub name: String,
    pub path: String,
    pub enabled: bool,
    /// `registry`, `git`, `development` or `manual`.
    pub source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// What an update follows.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `as-it-came`, `edited` or `unknown`.
    pub files: &'static str,
    /// True where its folder is a link to one elsewhere.
    pub linked: bool,
    /// Bytes.
    pub size: u64,
    pub tree: ObjectId,
}

impl From<&Node> for Shape {
    fn from(node: &Node) -> Self {
        let (source, id, url) = match &node.origin.source {
            NodeSource::Registry { id } => ("registry", Some(id.clone()), None),
            NodeSource::Git { url, .. } => ("git", None, Some(url.clone())),
            NodeSource::Archive { url } => ("manual", None, Some(url.clone())),
            NodeSource::Development => ("development", None, None),
            NodeSource::Manual => ("manual", None, None),
        };
        let (reference, commit) = match &node.origin.source {
            NodeSource::Git { reference, commit, .. } => (reference.clone(), commit.clone()),
            _ => (None, None),
        };
        Shape {
            name: node.key.clone(),
            path: node.path.to_string(),
            enabled: !node.name.disabled,
            source,
            id,
            url,
            commit,
            reference,
            version: node.origin.version.clone(),
            files: match node.edits() {
                Edits::None => "as-it-came",
                Edits::Since(_) => "edited",
                Edits::Unknown => "unknown",
            },
            linked: node.linked,
            size: node.entry.size,
            tree: node.entry.id,
        }
    }
}

/// A version as a person reads it: its number, or the beginning of its commit.
pub fn version(node: &Node) -> String {
    let commit = match &node.origin.source {
        NodeSource::Git { commit: Some(commit), .. } => Some(commit.chars().take(10).collect()),
        _ => None,
    };
    node.origin.version.clone().or(commit).unwrap_or_default()
}

/// Where a node came from as a person reads it.
pub fn source(node: &Node) -> String {
    told(&node.origin.source)
}

/// What a command did, or would do, in JSON.
#[derive(Debug, Serialize)]
pub struct Answer<'a> {
    pub done: bool,
    /// `added`, `enabled`, `disabled`, `deleted`, `updated`, `repaired` or `unchanged`.
    pub result: &'static str,
    pub nodes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Scripts of the node that run by themselves.
    pub scripts: Vec<&'static str>,
    pub steps: Vec<StepShape<'a>>,
    /// Python packages that were installed or taken away.
    pub packages: Vec<PackageShape<'a>>,
    pub warnings: Vec<String>,
}

/// What becomes of the Python packages that nodes require.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct PackagesHow {
    /// Resolve no Python packages: `comfrey sync` does that later
    #[arg(long)]
    pub no_test: bool,
    /// Go on where its Python packages cannot be had together with the others: they are left out
    #[arg(long)]
    pub force: bool,
}

/// What becomes of the packages of one node.
pub enum Wants<'r> {
    /// It requires these.
    These(&'r Requirements),
    /// It is off, or goes.
    Nothing,
}

/// What a command is about to do.
pub struct Plan {
    pub change: Change,
    pub result: &'static str,
    /// The keys of the nodes.
    pub nodes: Vec<String>,
    pub version: Option<String>,
    pub scripts: Vec<&'static str>,
    pub warnings: Vec<String>,
    /// What is asked before it is done; nothing where nothing can be lost.
    pub question: Option<String>,
    /// The sentence for when it is done.
    pub told: String,
}

impl Plan {
    /// Takes what a node requires into the manifest, and finds versions that fit all of it. Nothing has been touched when this fails.
    pub fn require(
        &mut self,
        session: &mut Session<'_>,
        working: &Working,
        key: &str,
        wants: &Wants<'_>,
        how: PackagesHow,
    ) -> Result<(), Failure> {
        let around = working.around(session.observer);
        let mut manifest = Manifest::parse(&self.change.manifest).map_err(|source| {
            NodeError::from(draft::DraftError::Manifest { path: working.environment.manifest_path(), source })
        })?;
        let before = manifest.dependencies();
        match wants {
            Wants::These(requirements) => {
                let refused = requirements.refused.iter().filter(|refused| !refused.reason.is_expected());
                self.warnings.extend(refused.map(|refused| format!("{key}: {refused}")));
                if Keeper::of(&around) == Keeper::Other {
                    if !requirements.accepted.is_empty() {
                        let texts = requirements.texts().join(", ");
                        self.warnings.push(format!(
                            "{key} requires {texts}, which Comfrey does not install: this environment has no Python of its own (`comfrey sync --own-python` makes one)"
                        ));
                    }
                    return Ok(());
                }
                if !requirements.accepted.is_empty() || manifest.has_group(&group_of_node(key)) {
                    manifest.set_node_requirements(key, &requirements.texts());
                }
            }
            Wants::Nothing => drop(manifest.remove_node_requirements(key)),
        }
        if manifest.dependencies() == before {
            return Ok(());
        }
        if how.no_test || Keeper::of(&around) == Keeper::Other {
            self.change.manifest = manifest.to_string();
            if how.no_test {
                self.warnings
                    .push("no Python packages were resolved or installed; `comfrey sync` does that".to_owned());
            }
            return Ok(());
        }
        let resolved = working.uv(session.observer).and_then(|uv| Ok(required::resolve(&around, &manifest, &uv)?));
        match (resolved, wants) {
            (Ok(lock), _) => {
                self.change.manifest = manifest.to_string();
                self.change.lock = Some(lock);
            }
            (Err(failure), Wants::These(_)) if how.force && failure.exit == Exit::Conflict => {
                self.warnings.push(format!("{}\n{key} comes without its Python packages", failure.message));
            }
            (Err(failure), Wants::These(_)) if failure.exit == Exit::Conflict => {
                let hint = failure.hint.clone().unwrap_or_default();
                return Err(failure.hint(format!("{hint}. --force adds it without its Python packages")));
            }
            // What is wanted no more does no harm where it is.
            (Err(failure), Wants::Nothing) if failure.exit != Exit::Interrupted => {
                let why = failure.message;
                self.warnings.push(format!(
                    "the packages that only {key} wanted stay for now (`comfrey sync` removes them): {why}"
                ));
            }
            (Err(failure), _) => return Err(failure),
        }
        Ok(())
    }
}

/// Shows the plan, asks where that is due, carries it out, and says so.
pub fn carry_out(
    session: &mut Session<'_>,
    working: &Working,
    head: &Head,
    plan: &Plan,
    how: &How,
    between: impl FnOnce() -> Result<(), NodeError>,
) -> Result<Exit, Failure> {
    let around = working.around(session.observer);
    for warning in &plan.warnings {
        session.warn(warning)?;
    }
    if how.dry_run {
        let prepared = plan.change.prepare(&around, head)?;
        return say(session, plan, &prepared, false);
    }
    if let Some(question) = plan.question.as_ref().filter(|_| session.can_ask && !session.globals.yes) {
        let prepared = plan.change.prepare(&around, head)?;
        plans::print(session, &prepared.plan, Form::WillDo)?;
        if !session.agree(question, true)? {
            return Err(Failure::new(Exit::Negative, "nothing was changed"));
        }
    }
    let who = session.who()?;
    // Without another lock Python stays as it is, whatever else may be amiss there.
    let uv = plan.change.lock.as_ref().map(|_| working.uv(session.observer)).transpose()?;
    let python = uv.as_ref().map(|uv| uv as &dyn Python);
    let done = plan.change.carry_out(&around, head, &who, python, between)?;
    say(session, plan, &done, true)
}

fn say(session: &mut Session<'_>, plan: &Plan, prepared: &Prepared<'_>, done: bool) -> Result<Exit, Failure> {
    let steps = &prepared.plan;
    let changed: &[Difference] = if plan.change.lock.is_some() { &prepared.packages } else { &[] };
    if session.globals.json {
        session.print_json(&Answer {
            done,
            result: plan.result,
            nodes: plan.nodes.clone(),
            version: plan.version.clone(),
            scripts: plan.scripts.clone(),
            steps: steps.steps.iter().map(StepShape::from).collect(),
            packages: changed.iter().map(PackageShape::from).collect(),
            warnings: plan.warnings.clone(),
        })?;
        return Ok(Exit::Done);
    }
    if done {
        plans::lines(session, steps)?;
        packages::lines(session, changed)?;
        session.note(format_args!("{}; `comfrey undo` takes this back.", plan.told))?;
    } else {
        plans::print(session, steps, Form::WouldDo)?;
        packages::lines(session, changed)?;
    }
    Ok(Exit::Done)
}

/// Says that there is nothing to do.
pub fn unchanged(session: &mut Session<'_>, nodes: Vec<String>, told: &str) -> Result<Exit, Failure> {
    if session.globals.json {
        session.print_json(&Answer {
            done: true,
            result: "unchanged",
            nodes,
            version: None,
            scripts: Vec::new(),
            steps: Vec::new(),
            packages: Vec::new(),
            warnings: Vec::new(),
        })?;
    } else {
        session.note(told)?;
    }
    Ok(Exit::Done)
}
