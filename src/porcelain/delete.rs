//! `comfrey delete`: an environment goes to the trash.

use serde::Serialize;

use crate::environment::EnvironmentName;
use crate::environment::layout::{self, Kind};
use crate::environment::making::trash;
use crate::ui::program::Command;
use crate::ui::report::count;
use crate::ui::running::WhileRunning;
use crate::ui::{Exit, Failure, Session, json};

const HELP: &str = "\
It goes to a trash inside the workspace with all that is in it, and `comfrey undo` brings it back; `comfrey gc` empties the trash
of what is older than 14 days. An adopted environment's ComfyUI is not touched, and neither are models.

Examples:
  comfrey delete try
  comfrey delete try --yes
  comfrey undo -E try        brings it back";

/// Move an environment to the trash
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Delete {
    /// The environment
    name: String,
    /// Stop its ComfyUI first, if that runs
    #[arg(long)]
    stop: bool,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    name: &'a EnvironmentName,
    comfyui: String,
    /// Whether ComfyUI's folder goes too.
    with_comfyui: bool,
    workflows: usize,
    nodes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    trash: Option<String>,
    dry_run: bool,
}

impl Command for Delete {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        session.globals.environment = Some(self.name);
        let (mut working, lock) = session.working_alone()?;
        let environment = working.environment.clone();
        let comfyui = environment.comfyui();
        let with_comfyui = environment.facts().kind == Kind::Created;
        let contents = layout::contents(&comfyui);
        let answer = |trash: Option<String>| Answer {
            name: environment.name(),
            comfyui: json::path(&comfyui),
            with_comfyui,
            workflows: contents.workflows,
            nodes: contents.nodes,
            dry_run: trash.is_none(),
            trash,
        };
        if with_comfyui && !self.dry_run {
            session.comfyui_at_rest(&environment, WhileRunning { stop: self.stop, while_running: false })?;
        }
        if !session.globals.json {
            let would = if self.dry_run { "Would move" } else { "Moves" };
            writeln!(session.out, "{would} `{}` to the trash:", environment.name())?;
            let held =
                format!("{} and {}", count(contents.workflows, "workflow"), count(contents.nodes, "custom node"));
            match with_comfyui {
                true => writeln!(session.out, "  its ComfyUI at {}: {held}", comfyui.display())?,
                false => writeln!(session.out, "  its manifest and history; {} stays as it is", comfyui.display())?,
            }
            if environment.venv().is_present() {
                writeln!(session.out, "  its Python environment")?;
            }
            session.out.flush()?;
        }
        if self.dry_run {
            if session.globals.json {
                session.print_json(&answer(None))?;
            }
            return Ok(Exit::Done);
        }
        if !session.agree(&format!("Delete {}?", environment.name()), false)? {
            let failure = Failure::new(Exit::Negative, "nothing was deleted");
            return Err(if session.can_ask { failure } else { failure.hint("`--yes` agrees to what is shown") });
        }
        let who = session.who()?;
        let deleted = trash::delete(&mut working.workspace, &environment, lock, &who, None, &session.waiting())?;
        if session.globals.json {
            session.print_json(&answer(Some(json::path(&deleted.folder))))?;
            return Ok(Exit::Done);
        }
        writeln!(session.out, "Deleted `{}`", environment.name())?;
        session.note(format_args!("`comfrey undo -E {}` brings it back", environment.name()))?;
        Ok(Exit::Done)
    }
}
