//! `comfrey clone`: a copy of an environment.

use serde::Serialize;

use crate::environment::EnvironmentName;
use crate::environment::making::clone::{self, Cloned};
use crate::environment::making::create::Making;
use crate::environment::python::{Python, Uv};
use crate::object::ObjectId;
use crate::ui::program::Command;
use crate::ui::report::Bytes;
use crate::ui::{Exit, Failure, Session, json};

const HELP: &str = "\
The copy has everything that the environment has now, what is not committed included: ComfyUI, custom nodes, workflows, inputs, and
the same versions of Python packages. Outputs and history stay behind; models are shared. Where the file system can, files share
their bytes until one of them is changed.

Examples:
  comfrey clone demo try
  comfrey clone demo try --no-python";

/// Copy an environment
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Clone {
    /// The environment
    original: String,
    /// What to call the copy
    name: String,
    /// Make no virtual environment; `comfrey sync` makes it later
    #[arg(long)]
    no_python: bool,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    name: &'a EnvironmentName,
    original: &'a EnvironmentName,
    comfyui: String,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    copied: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<ObjectId>,
    dry_run: bool,
}

#[derive(Serialize)]
struct Amount {
    files: u64,
    bytes: u64,
    shared_bytes: u64,
}

impl Command for Clone {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let name = EnvironmentName::new(self.name)?;
        session.globals.environment = Some(self.original);
        let (mut working, _lock) = session.working_alone()?;
        let creation = clone::plan(&working.workspace, name)?;
        let place = working.workspace.environments_dir().join(creation.birth.name.as_str()).join("ComfyUI");
        let (name, original) = (&creation.birth.name, working.environment.clone());
        let answer = |done: Option<&Cloned>| Answer {
            name,
            original: original.name(),
            comfyui: json::path(&place),
            port: creation.port,
            copied: done.map(|done| Amount {
                files: done.copied.files,
                bytes: done.copied.bytes,
                shared_bytes: done.copied.shared,
            }),
            snapshot: done.map(|done| done.snapshot),
            dry_run: done.is_none(),
        };
        if self.dry_run {
            if session.globals.json {
                session.print_json(&answer(None))?;
                return Ok(Exit::Done);
            }
            let (to, port) = (place.display(), creation.port);
            writeln!(session.out, "Would clone `{}` as `{name}` to {to}, port {port}", original.name())?;
            return Ok(Exit::Done);
        }
        let store = working.workspace.store().dir().to_owned();
        let uv = match self.no_python || !original.venv().is_present() {
            true => None,
            false => Some(Uv::find(&store, session.observer)?.with_log(store.join("logs").join("clone.log"))),
        };
        let who = session.who()?;
        let making = Making {
            who: &who,
            waiting: session.waiting(),
            catalog: working.catalog.clone(),
            observer: session.observer,
            python: uv.as_ref().map(|uv| uv as &dyn Python),
        };
        let cloned = clone::carry_out(&creation, &mut working.workspace, &original, &making)?;
        drop(making);
        if session.globals.json {
            session.print_json(&answer(Some(&cloned)))?;
            return Ok(Exit::Done);
        }
        let copied = &cloned.copied;
        writeln!(session.out, "Cloned `{}` as `{name}`", original.name())?;
        writeln!(session.out, "  at {}, port {}", place.display(), creation.port)?;
        let shared = match copied.shared {
            0 => String::new(),
            shared => format!(", {} of them shared", Bytes(shared)),
        };
        writeln!(session.out, "  {} files, {}{shared}", copied.files, Bytes(copied.bytes))?;
        match cloned.environment.venv().version() {
            Some(version) => writeln!(session.out, "  Python {version}")?,
            None => writeln!(session.out, "  no Python yet: `comfrey sync` makes it")?,
        }
        writeln!(session.out, "  recorded as v1 {}", cloned.snapshot.short())?;
        Ok(Exit::Done)
    }
}
