//! `import`: a bundle becomes an environment.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::archive::guard::Limits;
use crate::bundle::import::{self, Fate, ImportError, Plan, PlannedModel, Whereabouts};
use crate::bundle::opened;
use crate::environment::adopt::{self, Adoption};
use crate::environment::state::Surroundings;
use crate::environment::{EnvironmentName, model_roots, recovery};
use crate::object::{ObjectId, RelativePath};
use crate::ui::program::Command;
use crate::ui::report::{Bytes, count};
use crate::ui::running::WhileRunning;
use crate::ui::working::Working;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
Every byte of the bundle is checked against its lock before anything is written. Workflows and nodes are added to the ComfyUI
that is named; models are found by their hash wherever they lie, also under another name, and the workflows say so then.
What stands in the way is named, and nothing is changed.

Examples:
  comfrey import portrait.tar.zst --preview --name portrait --comfyui ~/ComfyUI
  comfrey import portrait.tar.zst --name portrait --comfyui ~/ComfyUI";

/// Makes an environment of a bundle, in a ComfyUI that is there.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Import {
    /// The bundle
    file: PathBuf,
    /// What to call the environment
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The ComfyUI folder that is to be it
    #[arg(long, value_name = "PATH")]
    comfyui: PathBuf,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long, visible_alias = "dry-run")]
    preview: bool,
    /// End with 1 if models or nodes are missing; otherwise that is no failure: what is missing is listed
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    running: WhileRunning,
    /// Refuse a bundle that becomes so many times larger
    #[arg(long, value_name = "N")]
    max_ratio: Option<u64>,
}

impl Command for Import {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let name = EnvironmentName::new(self.name.clone())?;
        let mut workspace = session.workspace()?;
        let adoption = adopt::plan(&workspace, name, &self.comfyui)?;
        let file = File::open(&self.file).map_err(|e| Failure::io(self.file.display(), &e))?;
        let mut limits = Limits::default();
        limits.ratio = self.max_ratio.unwrap_or(limits.ratio);
        let opened = opened::open(workspace.store(), file, limits, session.observer)?;
        let staged = adoption.stage(&workspace)?;
        import::prepare(&opened, &staged.environment()?.cec())?;
        let environment = staged.environment()?;
        let models = session.model_roots(&workspace, Some(&environment))?;
        let working = {
            let catalog = session.catalog(&workspace)?;
            Working { environment, workspace, models, catalog }
        };
        let seen = model_roots::seen_by(&working.workspace, &working.environment);
        let plan = import::plan(&opened, &working.around(session.observer), &seen)?;
        workspace = working.workspace;
        let conflicts = plan.conflicts();
        if self.preview || !conflicts.is_empty() {
            if self.preview {
                self.report(session, &adoption, &opened.lock, &plan, None)?;
            }
            if conflicts.is_empty() {
                return Ok(self.exit(&plan));
            }
            for (path, reason) in &conflicts {
                session.warn(format_args!("{}: {reason}", path.display()))?;
            }
            return Err(ImportError::Conflicts(conflicts).into());
        }
        session.comfyui_at_rest(&working.environment, self.running)?;
        let who = session.who()?;
        let lock = opened.lock.clone();
        let message = format!("Imported {}", lock.snapshot.message);
        let catalog = session.catalog(&workspace)?;
        let done = staged
            .publish_unfilled(&mut workspace, &who.command, &session.waiting())
            .map_err(Failure::from)
            .and_then(|(environment, _lock)| {
                let around = Surroundings {
                    environment: &environment,
                    store: workspace.store(),
                    models: model_roots::of(&workspace, Some(&environment)).roots,
                    policy: workspace.config().settings().store_models.unwrap_or_default(),
                    observer: session.observer,
                    catalog,
                };
                Ok(import::carry_out(opened, &plan, &around, adoption.birth.born(), &message, &who)?)
            });
        let snapshot = match done {
            Ok(snapshot) => snapshot,
            Err(failure) => {
                // What cannot be taken back now is taken back by the next command, which says so.
                let pending = recovery::pending(workspace.root());
                drop(recovery::recover(workspace.root(), &pending, workspace.store(), &session.waiting()));
                return Err(failure);
            }
        };
        self.report(session, &adoption, &lock, &plan, Some(snapshot))?;
        Ok(self.exit(&plan))
    }
}

impl Import {
    fn exit(&self, plan: &Plan) -> Exit {
        if self.exit_code && plan.is_incomplete() { Exit::Negative } else { Exit::Done }
    }

    fn report(
        &self,
        session: &mut Session<'_>,
        adoption: &Adoption,
        lock: &crate::bundle::lock::Lock,
        plan: &Plan,
        snapshot: Option<ObjectId>,
    ) -> Result<(), Failure> {
        if session.globals.json {
            return session.print_json(&shape(self, adoption, lock, plan, snapshot));
        }
        let (did, name) = (if self.preview { "Would import" } else { "Imported" }, &adoption.birth.name);
        let base = adoption.installation.base.display();
        writeln!(session.out, "{did} {} as `{name}` into {base}", self.file.display())?;
        let workflows = || plan.files.iter().filter(|file| file.path.as_str().ends_with(".json"));
        let number = |fate: Fate| workflows().filter(|file| file.fate == fate).count();
        let there = |number: usize| if number == 0 { String::new() } else { format!(", {number} there already") };
        let same = there(number(Fate::Identical));
        writeln!(session.out, "  workflows  {} added{same}", number(Fate::Added))?;
        let number = |fate: Fate| plan.nodes.iter().filter(|node| node.fate == fate).count();
        let (added, same) = (number(Fate::Added) + number(Fate::FromStore), there(number(Fate::Identical)));
        writeln!(session.out, "  nodes      {added} added{same}, {} missing", number(Fate::Missing))?;
        let is = |wanted: fn(&Whereabouts) -> bool| plan.models.iter().filter(|m| wanted(&m.whereabouts)).count();
        let found = is(|w| matches!(w, Whereabouts::Found(_)));
        let put = is(|w| matches!(w, Whereabouts::Put { .. }));
        let elsewhere = is(|w| matches!(w, Whereabouts::Elsewhere(_)));
        let missing = is(|w| matches!(w, Whereabouts::Missing));
        let unseen = if elsewhere == 0 { String::new() } else { format!(", {elsewhere} where it does not look") };
        writeln!(session.out, "  models     {found} found here, {put} added{unseen}, {missing} missing")?;
        let mut rewritten: BTreeMap<(&str, &str), Vec<(&RelativePath, &str)>> = BTreeMap::new();
        for file in &plan.files {
            for (node, old, new) in &file.rewritten {
                rewritten.entry((new, old)).or_default().push((&file.path, node));
            }
        }
        for ((new, old), places) in rewritten {
            let Some((path, node)) = places.first() else { continue };
            let more = places.len() - 1;
            let more = if more == 0 { String::new() } else { format!("; so do {}", count(more, "other place")) };
            writeln!(session.out, "  {path}: node {node} says {new} instead of {old}{more}")?;
        }
        let nodes = plan.nodes.iter().filter(|node| node.fate == Fate::Missing);
        for node in nodes {
            writeln!(session.out, "  missing {}{}", node.node.path, sources(&node.node.sources))?;
        }
        for PlannedModel { model, whereabouts } in &plan.models {
            if let Whereabouts::Elsewhere(file) = whereabouts {
                writeln!(session.out, "  unseen  {}, which lies at {}", model.path, file.display())?;
            }
            if *whereabouts == Whereabouts::Missing {
                let (path, size) = (&model.path, Bytes(model.size));
                writeln!(session.out, "  missing {path}, {size}{}", sources(&model.sources))?;
                if let Some(sha256) = &model.sha256 {
                    writeln!(session.out, "          SHA-256 {sha256}")?;
                }
            }
        }
        if let Some(snapshot) = snapshot {
            writeln!(session.out, "  recorded as v1 {}", snapshot.short())?;
        }
        if elsewhere > 0 && !self.preview {
            session.note(format_args!(
                "hint: this ComfyUI looks into its models folder and those in its extra_model_paths.yaml: link or move {} there, \
                 or name their folder in that file",
                count(elsewhere, "model")
            ))?;
        }
        if missing > 0 && !self.preview {
            let these = count(missing, "model");
            session.note(format_args!(
                "hint: put {these} into a models folder under any name, then `comfrey models index` and `comfrey status`"
            ))?;
        }
        Ok(())
    }
}

fn sources(sources: &[String]) -> String {
    if sources.is_empty() { "; no source is known".to_owned() } else { format!("; from {}", sources.join(" or ")) }
}

fn shape(
    import: &Import,
    adoption: &Adoption,
    lock: &crate::bundle::lock::Lock,
    plan: &Plan,
    snapshot: Option<ObjectId>,
) -> Value {
    let path = |path: &std::path::Path| crate::ui::json::path(path);
    let file = |file: &import::PlannedFile| {
        let rewritten = file.rewritten.iter().map(|(node, old, new)| json!({ "node": node, "old": old, "new": new }));
        json!({ "path": file.path, "place": path(&file.place), "state": file.fate.as_str(),
                "rewritten": rewritten.collect::<Vec<_>>() })
    };
    let node = |node: &import::PlannedNode| {
        json!({ "path": node.node.path, "place": path(&node.place), "state": node.fate.as_str(),
                "tree": node.node.tree, "sources": node.node.sources })
    };
    let model = |planned: &PlannedModel| {
        let mut value = super::export::model_json(&planned.model);
        match &planned.whereabouts {
            Whereabouts::Found(local) => {
                value["state"] = "found".into();
                value["local"] = local.as_str().into();
            }
            Whereabouts::Put { place, fate } => {
                value["state"] = fate.as_str().into();
                value["place"] = path(place).into();
            }
            Whereabouts::Elsewhere(file) => {
                value["state"] = "elsewhere".into();
                value["place"] = path(file).into();
            }
            Whereabouts::Missing => value["state"] = "missing".into(),
        }
        value
    };
    json!({
        "name": adoption.birth.name, "comfyui": path(&adoption.installation.base), "preview": import.preview,
        "exported": { "environment": lock.snapshot.environment, "snapshot": lock.snapshot.id,
                      "author": lock.snapshot.author, "time": lock.snapshot.time.to_string(),
                      "message": lock.snapshot.message },
        "snapshot": snapshot,
        "workflows": plan.files.iter().map(file).collect::<Vec<_>>(),
        "nodes": plan.nodes.iter().map(node).collect::<Vec<_>>(),
        "models": plan.models.iter().map(model).collect::<Vec<_>>(),
    })
}
