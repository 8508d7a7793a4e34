//! `sync`: Python packages as the manifest and uv's lock say.

use serde::Serialize;

use crate::environment::head::Head;
use crate::environment::python::TorchBackend;
use crate::environment::python::installed::{Difference, Installed};
use crate::environment::python::packages::{self, LockWish, Prepared, Scan, Wish};
use crate::environment::python::requirements::Refused;
use crate::ui::packages::{PackageShape, RefusedShape, lines};
use crate::ui::program::Command;
use crate::ui::report::count;
use crate::ui::running::WhileRunning;
use crate::ui::working::Working;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
What ComfyUI and new custom nodes require goes into the manifest, uv finds versions that fit all of it, and the environment's
own virtual environment gets exactly these. It happens as a whole or not at all; `comfrey undo` takes it back. torch and what is
bound to its version never come from a node.

Examples:
  comfrey sync                          after a node was put there by hand, or pyproject.toml was edited
  comfrey sync --frozen                 just what uv.lock says
  comfrey sync --upgrade numpy          a newer numpy, if there is one that fits
  comfrey sync --own-python 3.12        an adopted ComfyUI gets a Python of its own; the one that it had stays as it is
  comfrey sync --torch-backend cu128    another build of torch, on this machine";

/// Makes the Python packages those of the manifest and uv.lock.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Sync {
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Take uv.lock as it is, and read no requirements
    #[arg(long, conflicts_with_all = ["upgrade", "rescan"])]
    frozen: bool,
    /// Read the requirements of ComfyUI and all nodes again, also where the manifest has some
    #[arg(long)]
    rescan: bool,
    /// Take a newer version of this package, if one fits
    #[arg(long, value_name = "PACKAGE")]
    upgrade: Vec<String>,
    /// Make a Python of its own for an environment that has none, or someone else's
    #[arg(long, value_name = "VERSION", num_args = 0..=1)]
    own_python: Option<Option<String>>,
    /// The build of torch for this machine: auto, cpu, cu128, rocm6.4, …, or none for what the index has
    #[arg(long, value_name = "BACKEND")]
    torch_backend: Option<String>,
    #[command(flatten)]
    running: WhileRunning,
}

#[derive(Serialize)]
struct Shape<'a> {
    environment: &'a str,
    done: bool,
    /// False when all was so already.
    changed: bool,
    packages: Vec<PackageShape<'a>>,
    made_python: bool,
    refused: Vec<RefusedShape<'a>>,
}

impl Command for Sync {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let torch = self.torch_backend.as_deref().map(str::parse::<TorchBackend>).transpose()?;
        let (working, _lock) = session.working_alone()?;
        let around = working.around(session.observer);
        let mut wish = Wish::of_manifest(working.environment.manifest()?);
        let mut refused = Vec::new();
        if self.frozen {
            wish.lock = LockWish::Frozen;
        } else {
            let scan = if self.rescan { Scan::All } else { Scan::New };
            refused = packages::take_requirements(&around, &mut wish.manifest, scan);
        }
        // An interpreter's path says nothing of versions.
        let is_version = |text: &&String| text.starts_with(|c: char| c.is_ascii_digit());
        if let Some(version) = self.own_python.as_ref().and_then(Option::as_ref).filter(is_version) {
            wish.manifest.set_requires_python(&format!(">={version}"));
        }
        wish.upgrade = self.upgrade;
        wish.own_python = self.own_python;
        wish.torch = torch;
        let how = How { dry_run: self.dry_run, running: self.running, refused: &refused };
        how.carry_out(session, &working, &wish)
    }
}

/// How a wish for packages is carried out and told: the same for `sync`, `py` and `constraint`.
pub(super) struct How<'a> {
    pub dry_run: bool,
    pub running: WhileRunning,
    pub refused: &'a [(Option<String>, Refused)],
}

impl How<'_> {
    pub fn carry_out(&self, session: &mut Session<'_>, working: &Working, wish: &Wish) -> Result<Exit, Failure> {
        let who = session.who()?;
        let around = working.around(session.observer);
        let head = Head::of(around.store, around.environment.name().as_str())?;
        let uv = working.uv(session.observer)?;
        let prepared = packages::prepare(&around, wish, &uv)?;
        for (node, refused) in self.refused.iter().filter(|(_, refused)| !refused.reason.is_expected()) {
            let who = node.as_deref().unwrap_or("ComfyUI");
            session.warn(format_args!("{who}: {refused}"))?;
        }
        // A new virtual environment has nothing to begin with.
        let before = if prepared.makes_venv { Installed::new() } else { packages::installed_of(&around)? };
        if !self.dry_run && !prepared.is_done() {
            session.comfyui_at_rest(&working.environment, self.running)?;
            packages::carry_out(&around, &head, &who, &prepared, &uv)?;
        }
        let now = if self.dry_run { None } else { Some(packages::installed_of(&around)?) };
        let changes = match now {
            Some(now) => packages::changes(&before, &now),
            None => prepared.packages.clone(),
        };
        self.report(session, &around.environment.name().to_string(), &prepared, &changes)
    }

    fn report(
        &self,
        session: &mut Session<'_>,
        environment: &str,
        prepared: &Prepared,
        changes: &[Difference],
    ) -> Result<Exit, Failure> {
        let done = !self.dry_run;
        if session.globals.json {
            let refused = self.refused.iter().map(|(node, refused)| RefusedShape::of(node.as_deref(), refused));
            session.print_json(&Shape {
                environment,
                done,
                changed: !prepared.is_done(),
                packages: changes.iter().map(PackageShape::from).collect(),
                made_python: prepared.makes_venv,
                refused: refused.collect(),
            })?;
            return Ok(Exit::Done);
        }
        if prepared.is_done() {
            writeln!(session.out, "Nothing to do: the Python packages of {environment} are as uv.lock says.")?;
            return Ok(Exit::Done);
        }
        match (done, prepared.makes_venv) {
            (true, true) => writeln!(session.out, "Made a Python environment for {environment}:")?,
            (true, false) => {}
            (false, true) => writeln!(session.out, "A Python environment would be made for {environment}.")?,
            (false, false) => writeln!(session.out, "This would be done:")?,
        }
        lines(session, changes)?;
        if prepared.rewrites {
            let would = if done { "" } else { "would be " };
            writeln!(session.out, "  {would}{} pyproject.toml, uv.lock", session.paint.changed("rewritten "))?;
        }
        if done {
            let number = count(changes.len(), "package");
            let records = if prepared.rewrites { "`comfrey commit` records it, " } else { "" };
            session.note(format_args!("{number} changed; {records}`comfrey undo` takes it back."))?;
        }
        Ok(Exit::Done)
    }
}
