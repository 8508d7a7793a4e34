//! `import`: a bundle becomes an environment.

use std::fs::File;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::bundle::guard::Limits;
use crate::bundle::import::{self, Fate, ImportError, Plan, PlannedModel, Whereabouts};
use crate::bundle::opened::{self, Opened};
use crate::environment::adopt::{self, Adoption};
use crate::environment::config::Key;
use crate::environment::{Environment, EnvironmentName, Workspace};
use crate::object::ObjectId;
use crate::ui::program::Command;
use crate::ui::report::{Bytes, count};
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
        let working = Working { environment, workspace, models };
        let plan = import::plan(&opened, &working.around(session.observer))?;
        workspace = working.workspace;
        let conflicts = plan.conflicts();
        if self.preview || !conflicts.is_empty() {
            if self.preview {
                self.report(session, &adoption, &opened, &plan, None)?;
            }
            if conflicts.is_empty() {
                return Ok(Exit::Done);
            }
            for (path, reason) in &conflicts {
                session.warn(format_args!("{}: {reason}", path.display()))?;
            }
            return Err(ImportError::Conflicts(conflicts).into());
        }
        let who = session.who()?;
        let lock = opened.lock.clone();
        let environment = staged.publish(&mut workspace, &session.waiting())?;
        let message = format!("Imported {}", lock.snapshot.message);
        let done = carry_out(session, &workspace, &environment, opened, &plan, &message, &who);
        let snapshot = match done {
            Ok(snapshot) => snapshot,
            Err(failure) => {
                unpublish(session, &mut workspace, &adoption, &environment)?;
                return Err(failure);
            }
        };
        self.report_done(session, &adoption, &lock, &plan, snapshot)?;
        Ok(Exit::Done)
    }
}

fn carry_out(
    session: &mut Session<'_>,
    workspace: &Workspace,
    environment: &Environment,
    opened: Opened,
    plan: &Plan,
    message: &str,
    who: &crate::environment::commit::Who,
) -> Result<Option<ObjectId>, Failure> {
    let _lock = environment.lock(&session.waiting())?;
    let around = crate::environment::state::Surroundings {
        environment,
        store: workspace.store(),
        models: workspace.model_roots(Some(environment)).roots,
        policy: workspace.config().settings().store_models.unwrap_or_default(),
        observer: session.observer,
    };
    Ok(import::carry_out(opened, plan, &around, message, who)?)
}

/// The environment was only just made, and what was to be in it could not be added.
fn unpublish(
    session: &mut Session<'_>,
    workspace: &mut Workspace,
    adoption: &Adoption,
    environment: &Environment,
) -> Result<(), Failure> {
    if crate::environment::transaction::is_pending(environment.folder()) {
        // What could not be taken back is ended by the next command, which finds the journal here.
        return Ok(());
    }
    let aside = workspace.environments_dir().join(format!(".new-{}-failed-{}", adoption.name, std::process::id()));
    std::fs::rename(environment.folder(), &aside).map_err(|e| Failure::io(aside.display(), &e))?;
    drop(std::fs::remove_dir_all(&aside));
    let folder = adoption.new_model_folder.as_deref().and_then(|folder| folder.to_str()).map(str::to_owned);
    workspace.edit_config(&session.waiting(), |config| {
        let mut config = config.clone();
        if adoption.becomes_active {
            config = config.without(Key::Active)?;
        }
        if let Some(folder) = folder {
            let folders: Vec<String> = config.get(Key::ModelFolders).into_iter().filter(|f| *f != folder).collect();
            config = if folders.is_empty() {
                config.without(Key::ModelFolders)?
            } else {
                config.with(Key::ModelFolders, &folders)?
            };
        }
        Ok(config)
    })?;
    Ok(())
}

impl Import {
    fn report(
        &self,
        session: &mut Session<'_>,
        adoption: &Adoption,
        opened: &Opened,
        plan: &Plan,
        snapshot: Option<ObjectId>,
    ) -> Result<(), Failure> {
        self.report_done(session, adoption, &opened.lock, plan, snapshot)
    }

    fn report_done(
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
        let (did, name) = (if self.preview { "Would import" } else { "Imported" }, &adoption.name);
        let base = adoption.installation.base.display();
        writeln!(session.out, "{did} {} as `{name}` into {base}", self.file.display())?;
        let number = |fate: Fate| plan.files.iter().filter(|file| file.fate == fate).count();
        let there = |number: usize| if number == 0 { String::new() } else { format!(", {number} there already") };
        let same = there(number(Fate::Identical));
        writeln!(session.out, "  workflows  {} added{same}", number(Fate::Added))?;
        let number = |fate: Fate| plan.nodes.iter().filter(|node| node.fate == fate).count();
        let (added, same) = (number(Fate::Added) + number(Fate::FromStore), there(number(Fate::Identical)));
        writeln!(session.out, "  nodes      {added} added{same}, {} missing", number(Fate::Missing))?;
        let is = |wanted: fn(&Whereabouts) -> bool| plan.models.iter().filter(|m| wanted(&m.whereabouts)).count();
        let found = is(|w| matches!(w, Whereabouts::Found(_)));
        let put = is(|w| matches!(w, Whereabouts::Put { .. }));
        let missing = is(|w| matches!(w, Whereabouts::Missing));
        writeln!(session.out, "  models     {found} found here, {put} added, {missing} missing")?;
        for file in &plan.files {
            for (node, old, new) in &file.rewritten {
                writeln!(session.out, "  {}: node {node} says {new} instead of {old}", file.path)?;
            }
        }
        let nodes = plan.nodes.iter().filter(|node| node.fate == Fate::Missing);
        for node in nodes {
            writeln!(session.out, "  missing {}{}", node.node.path, sources(&node.node.sources))?;
        }
        for PlannedModel { model, whereabouts } in &plan.models {
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
            Whereabouts::Missing => value["state"] = "missing".into(),
        }
        value
    };
    json!({
        "name": adoption.name, "comfyui": path(&adoption.installation.base), "preview": import.preview,
        "exported": { "environment": lock.snapshot.environment, "snapshot": lock.snapshot.id,
                      "author": lock.snapshot.author, "time": lock.snapshot.time.to_string(),
                      "message": lock.snapshot.message },
        "snapshot": snapshot,
        "workflows": plan.files.iter().map(file).collect::<Vec<_>>(),
        "nodes": plan.nodes.iter().map(node).collect::<Vec<_>>(),
        "models": plan.models.iter().map(model).collect::<Vec<_>>(),
    })
}
