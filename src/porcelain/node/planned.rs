//! A change of custom nodes and of what they require of Python: planned, shown, asked about, and carried out.

use serde::Serialize;

use crate::environment::head::Head;
use crate::environment::manifest::{Manifest, ReadError, group_of_node};
use crate::environment::nodes::required::{self, Keeper};
use crate::environment::nodes::{Change, NodeError};
use crate::environment::python::Python;
use crate::environment::python::installed::Difference;
use crate::environment::python::requirements::Requirements;
use crate::environment::rollback::Prepared;
use crate::ui::packages::{self, PackageShape};
use crate::ui::plans::{self, Form, StepShape};
use crate::ui::working::Working;
use crate::ui::{Exit, Failure, Session};

use super::at_work::How;

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
    /// What comes, in which version; for when it is only shown.
    pub what: Option<String>,
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
        let path = working.environment.manifest_path();
        let mut manifest =
            Manifest::parse(&self.change.manifest).map_err(|source| ReadError::Manifest { path, source })?;
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
        if let Some(what) = &plan.what {
            session.note(format_args!("{what}; nothing was done, as this was to be shown"))?;
        }
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
