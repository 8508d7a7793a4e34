//! `comfrey adopt`: take an existing ComfyUI as it lies.

use std::path::PathBuf;

use serde::Serialize;

use crate::environment::adopt::{self, Adoption};
use crate::environment::layout::{self, Contents};
use crate::environment::{EnvironmentName, Workspace};
use crate::ui::program::Command;
use crate::ui::report::count;
use crate::ui::{Exit, Failure, Session, json};

/// Take an existing ComfyUI as it lies
///
/// It may be a git clone, an unpacked release, the Windows portable folder, or the desktop app's folder. Nothing in it is
/// changed. Its models folder is added to the workspace's.
#[derive(clap::Args)]
pub struct Adopt {
    /// What to call the environment
    name: String,
    /// The ComfyUI folder, or the one around it
    path: PathBuf,
    /// Show what would be done and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    name: &'a EnvironmentName,
    comfyui: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    python: Option<String>,
    workflows: usize,
    nodes: usize,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_model_folder: Option<String>,
    dry_run: bool,
}

impl Command for Adopt {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let name = EnvironmentName::new(self.name)?;
        let mut workspace = session.workspace()?;
        let adoption = adopt::plan(&workspace, name, &self.path)?;
        if !self.dry_run {
            adoption.stage(&workspace)?.publish(&mut workspace, &session.waiting())?;
        }
        let contents = layout::contents(&adoption.installation.base);
        if session.globals.json {
            return print_json(&adoption, contents, self.dry_run, session);
        }
        report(&adoption, contents, self.dry_run, session)?;
        if !self.dry_run {
            next_steps(&workspace, &adoption, session)?;
        }
        Ok(Exit::Done)
    }
}

fn print_json(
    adoption: &Adoption,
    contents: Contents,
    dry_run: bool,
    session: &mut Session<'_>,
) -> Result<Exit, Failure> {
    let git = adoption.version.git.as_ref();
    session.print_json(&Answer {
        name: &adoption.birth.name,
        comfyui: json::path(&adoption.installation.base),
        kind: adoption.installation.kind.name(),
        version: adoption.version.number.as_deref(),
        commit: git.and_then(|git| git.commit.as_deref()),
        python: adoption.installation.python.as_deref().map(json::path),
        workflows: contents.workflows,
        nodes: contents.nodes,
        active: adoption.birth.becomes_active,
        new_model_folder: adoption.birth.new_model_folder.as_deref().map(json::path),
        dry_run,
    })?;
    Ok(Exit::Done)
}

fn report(adoption: &Adoption, contents: Contents, dry_run: bool, session: &mut Session<'_>) -> Result<(), Failure> {
    let did = if dry_run { "Would adopt" } else { "Adopted" };
    let base = adoption.installation.base.display();
    writeln!(session.out, "{did} {base} as `{}`", adoption.birth.name)?;
    let version = adoption.version.summary().map(|version| format!(", ComfyUI {version}")).unwrap_or_default();
    let held = format!("{} and {}", count(contents.workflows, "workflow"), count(contents.nodes, "custom node"));
    writeln!(session.out, "  {}{version}: {held}", adoption.installation.kind.about())?;
    if let Some(folder) = &adoption.birth.new_model_folder {
        let is = if dry_run { "would be" } else { "is now" };
        writeln!(session.out, "  {} {is} among the workspace's model folders", folder.display())?;
    }
    if adoption.birth.becomes_active {
        let is = if dry_run { "would be" } else { "is" };
        writeln!(session.out, "  `{}` {is} the active environment", adoption.birth.name)?;
    }
    if let Some(extra) = &adoption.extra_model_paths {
        let folder = "`comfrey config --add models.folders DIR`";
        session.note(format_args!("note: {} may name further model folders; {folder} adds one", extra.display()))?;
    }
    Ok(())
}

fn next_steps(workspace: &Workspace, adoption: &Adoption, session: &mut Session<'_>) -> Result<(), Failure> {
    let active = workspace.active_name()?.is_some_and(|active| active == adoption.birth.name);
    let select = if active { String::new() } else { format!("comfrey use {} && ", adoption.birth.name) };
    let line = format!("{select}comfrey models index && comfrey commit -m \"as it was\"");
    let paint = session.paint;
    writeln!(session.out, "\nNext:\n  {}", paint.typed(line))?;
    Ok(())
}
