//! `node add`: a custom node from the registry, a repository, an archive or a folder.

use std::path::Path;

use crate::environment::nodes::scripts::{self, AT_START, INSTALL};
use crate::environment::nodes::steps::{self, Present};
use crate::environment::nodes::{Change, Fetched, NodeError, Request, required};
use crate::environment::python::requirements::{Requirements, Whose};
use crate::object::{EntryKind, Kind};
use crate::platform::paths;
use crate::ui::online::Network;
use crate::ui::program::Command;
use crate::ui::working::Working;
use crate::ui::{Exit, Failure, Session};

use super::at_work::{self, How};
use super::planned::{self, PackagesHow, Plan, Wants};
use super::shape;

const HELP: &str = "\
What is fetched goes into the store first, so that another environment gets it without a network. Nothing in custom_nodes is
touched before all of it is there; then it is one step, which `comfrey undo` takes back.

Examples:
  comfrey node add comfyui-kjnodes               the newest version in the registry
  comfrey node add comfyui-impact-pack@8.22.2    this version
  comfrey node add https://github.com/kijai/ComfyUI-KJNodes@main
  comfrey node add node.zip                      an archive; its address will do, too
  comfrey node add ../my-nodes --dev             a folder that you work in, linked";

/// Adds a custom node from the registry, a repository, an archive or a folder.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Add {
    /// A registry id (NAME or NAME@VERSION), a git URL (URL@REF), the address or path of an archive, a folder
    #[arg(value_name = "NODE")]
    node: String,
    /// Link the folder, in which you go on working
    #[arg(long)]
    dev: bool,
    /// With --dev: copy it instead of linking it
    #[arg(long, requires = "dev")]
    copy: bool,
    /// The folder's name in custom_nodes [default: as its author has it]
    #[arg(long, value_name = "FOLDER")]
    name: Option<String>,
    /// Run its install.py once its files are there
    #[arg(long)]
    allow_scripts: bool,
    /// Ask no host: take what was fetched before
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    packages: PackagesHow,
    #[command(flatten)]
    how: How,
}

impl Command for Add {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let here = std::env::current_dir().map_err(|error| Failure::io("the current folder", &error))?;
        let request = Request::parse(&self.node, &here)?;
        let folder = match (&request, self.dev) {
            (Request::Folder { path }, true) => Some(paths::full(path).map_or_else(|_| path.clone(), paths::plain)),
            (_, true) => {
                let message = format!("--dev wants a folder on this machine, and `{request}` is none");
                return Err(Failure::new(Exit::Usage, message));
            }
            _ => None,
        };
        let (working, _lock) = at_work::open(session, &self.how)?;
        let around = working.around(session.observer);
        let at_work = at_work::look(&around)?;
        match steps::present(&at_work.nodes, &request)? {
            Present::No => {}
            Present::On(node) => {
                let what = [shape::version(node), shape::source(node)];
                let what: Vec<&str> = what.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
                let told = format!("{} is there already: {}", node.key, what.join(", "));
                return planned::unchanged(session, vec![node.key.clone()], &told);
            }
            Present::Off(node) => {
                let step = steps::enable(&at_work.nodes, node)?;
                let mut plan = Plan {
                    change: Change::new(&at_work.nodes, &at_work.manifest, &[step])?,
                    result: "enabled",
                    nodes: vec![node.key.clone()],
                    version: node.origin.version.clone(),
                    scripts: Vec::new(),
                    warnings: Vec::new(),
                    question: None,
                    what: None,
                    told: format!("{} was there already and is switched on again", node.name.base),
                };
                if node.entry.kind == EntryKind::Tree {
                    let requirements =
                        Requirements::of(&around.places().of(&node.path).unwrap_or_default(), Whose::Node);
                    plan.require(session, &working, &node.name.base, &Wants::These(&requirements), self.packages)?;
                }
                return planned::carry_out(session, &working, &at_work.head, &plan, &self.how, || Ok(()));
            }
        }
        let network = if self.offline { Network::Refused } else { Network::Allowed };
        let online = session.online(&working.workspace, network)?;
        let registry = online.registry(session.observer);
        let fetched = online.sources(&working.workspace, &registry, session.observer).get(&request);
        let fetched = fetched.map_err(|error| beside(error.into(), &request, &here))?;
        let name = self.name.clone().unwrap_or_else(|| fetched.kept.folder.clone());
        let custom_nodes = around.environment.custom_nodes_dir();
        let step = match folder.as_deref().filter(|_| !self.copy) {
            Some(folder) => link(&working, &at_work, folder, &fetched, &name)?,
            None if self.dev => {
                let fetched =
                    Fetched { source: crate::environment::manifest::NodeSource::Development, ..fetched.clone() };
                steps::add(&at_work.nodes, &custom_nodes, &fetched, &name)?
            }
            None => steps::add(&at_work.nodes, &custom_nodes, &fetched, &name)?,
        };
        let scripts = match fetched.kept.is_file {
            true => Vec::new(),
            false => scripts::scripts(around.store, &fetched.kept.tree)?,
        };
        let mut warnings = fetched.warnings.clone();
        warnings.extend(about_scripts(&name, &scripts, self.allow_scripts));
        let version = fetched.kept.version.clone().or_else(|| fetched.kept.commit.clone());
        let from = if fetched.from_store { ", from the store" } else { "" };
        let mut plan = Plan {
            change: Change::new(&at_work.nodes, &at_work.manifest, &[step])?,
            result: "added",
            nodes: vec![name.clone()],
            what: Some(match &version {
                Some(version) => format!("{name} {version}"),
                None => name.clone(),
            }),
            told: match (&version, folder.as_deref().filter(|_| !self.copy)) {
                (_, Some(folder)) => format!("{name} was added as a link to {}", folder.display()),
                (Some(version), None) => format!("{name} {version} was added{from}"),
                (None, None) => format!("{name} was added{from}"),
            },
            version,
            scripts: scripts.clone(),
            warnings,
            question: None,
        };
        if !fetched.kept.is_file {
            let requirements = required::of_tree(around.store, &fetched.kept.tree)?;
            plan.require(session, &working, &name, &Wants::These(&requirements), self.packages)?;
        }
        let runs = self.allow_scripts && scripts.contains(&INSTALL);
        let (path, tree) = (steps::below_nodes(&name)?, fetched.kept.tree);
        let observer = session.observer;
        planned::carry_out(session, &working, &at_work.head, &plan, &self.how, || match runs {
            true => {
                run_install(&working, &name, observer)?;
                scripts::note_installed(&working.around(observer), &path, std::iter::empty(), &tree)
            }
            false => Ok(()),
        })
    }
}

/// Where an id is not to be had and a folder here has that name, it may have been meant.
fn beside(failure: Failure, request: &Request, here: &Path) -> Failure {
    match request {
        Request::Registry { id, version: None } if here.join(id).is_dir() => {
            let before = failure.hint.clone().map(|hint| format!("{hint}. ")).unwrap_or_default();
            failure.hint(format!("{before}The folder here of that name is `comfrey node add ./{id}`"))
        }
        _ => failure,
    }
}

/// Links the folder; its files are in the store already.
fn link(
    working: &Working,
    at_work: &at_work::AtWork<'_>,
    folder: &Path,
    read: &Fetched,
    name: &str,
) -> Result<crate::environment::nodes::Step, NodeError> {
    let target = folder.to_string_lossy();
    let writer = working.workspace.store().writer()?;
    writer.put(Kind::Blob, target.as_bytes())?;
    writer.publish()?;
    steps::link(&at_work.nodes, &working.environment.custom_nodes_dir(), &target, read, name)
}

/// What is to be said of scripts.
pub fn about_scripts(name: &str, scripts: &[&str], allowed: bool) -> Vec<String> {
    let mut said = Vec::new();
    if scripts.contains(&INSTALL) && !allowed {
        said.push(format!("{name} has an {INSTALL}, which was not run; read it, and give --allow-scripts to run it"));
    }
    if scripts.contains(&AT_START) {
        said.push(format!("{name} has a {AT_START}, which ComfyUI runs at every start"));
    }
    said
}

/// Runs the install script of a node that is in its place.
pub fn run_install(working: &Working, folder: &str, observer: &dyn crate::observer::Observer) -> Result<(), NodeError> {
    let environment = &working.environment;
    let python = environment.python();
    let place = scripts::Place {
        key: folder,
        folder: &environment.custom_nodes_dir().join(folder),
        python: python.as_deref(),
        comfyui: &environment.comfyui(),
        log: &environment.folder().join("logs").join(format!("install-{folder}.log")),
    };
    scripts::run_install(&place, observer)
}
