//! `comfrey create`: a new environment with a ComfyUI of its own.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use crate::environment::making::create::{self, Created, Creation, From, Making, Program, Wish};
use crate::environment::making::fetch::{Fetching, How, Release};
use crate::environment::making::folders::{self, Sharing};
use crate::environment::making::source::Source;
use crate::environment::python::{Python, TorchBackend, Uv};
use crate::environment::{EnvironmentName, Workspace};
use crate::object::{ObjectId, Snapshot};
use crate::platform::git_program::{Git, Questions};
use crate::ui::packages::RefusedShape;
use crate::ui::plans::{self, StepShape};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session, json};

const HELP: &str = "\
ComfyUI comes from a git URL, a local clone or bare mirror, a folder, or a .zip or .tar.gz of a release. Git sources are fetched
with your own git, so with your credentials and proxies. What was fetched stays in the store: the next environment is made without
a network. If making it fails or is interrupted, nothing of it is left.

Examples:
  comfrey create demo                                       the newest release of ComfyUI
  comfrey create demo --ref v0.3.64 --python 3.12
  comfrey create demo --comfyui ~/src/ComfyUI --ref master
  comfrey create demo --comfyui ComfyUI-0.3.64.zip --no-python
  comfrey create try --from-snapshot v3                     nodes, workflows and packages of version 3";

/// Make an environment with a ComfyUI of its own
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Create {
    /// What to call the environment
    name: String,
    /// Where ComfyUI comes from [default: its own repository]
    #[arg(long, value_name = "SOURCE")]
    comfyui: Option<String>,
    /// The tag, branch or commit [default: the newest release of ComfyUI's repository, the HEAD of any other]
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// The Python version, or the path of an interpreter [default: uv's choice]
    #[arg(long, value_name = "VERSION")]
    python: Option<String>,
    /// Which build of torch: auto, cpu, cu128, rocm6.4 …, or none for that of the package index
    #[arg(long, value_name = "BACKEND", default_value_t)]
    torch_backend: TorchBackend,
    /// Bring along nodes, workflows, manifest and lock of this version, and its ComfyUI unless another is named
    #[arg(long, value_name = "REV", conflicts_with = "template")]
    from_snapshot: Option<String>,
    /// Begin with this pyproject.toml
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Make no virtual environment; `comfrey sync` makes it later
    #[arg(long)]
    no_python: bool,
    /// How it comes to the workspace's models: a link, or extra_model_paths.yaml
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    models: Models,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Models {
    /// A link where one can be made
    #[default]
    Auto,
    Link,
    File,
}

#[derive(Serialize)]
struct Answer<'a> {
    name: &'a EnvironmentName,
    comfyui: String,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    fetched: &'static str,
    port: u16,
    models: &'static str,
    model_folders: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    python: Option<String>,
    active: bool,
    snapshot: ObjectId,
    steps: Vec<StepShape<'a>>,
    refused: Vec<RefusedShape<'a>>,
}

#[derive(Serialize)]
struct Intention<'a> {
    name: &'a EnvironmentName,
    comfyui: String,
    port: u16,
    model_folders: Vec<String>,
    active: bool,
    dry_run: bool,
}

impl Command for Create {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let name = EnvironmentName::new(self.name.clone())?;
        let mut workspace = session.workspace()?;
        let creation = create::plan(&workspace, name)?;
        let (release, wish) = match self.prepare(session, &workspace)? {
            Some(found) => found,
            None => return intention(session, &workspace, &creation),
        };
        let who = session.who()?;
        let uv = match self.no_python {
            true => None,
            false => {
                let log = workspace.store().dir().join("logs").join("create.log");
                Some(Uv::find(workspace.store().dir(), session.observer)?.with_log(log))
            }
        };
        let release = match release {
            Wanted::Held(release) => release,
            Wanted::Fetch(source, reference) => {
                let questions = if session.can_ask { Questions::Allowed } else { Questions::Never };
                let git = Git { questions, observer: session.observer };
                let fetching = Fetching { store: workspace.store(), git, now: session.now()? };
                fetching.fetch(&source, reference.as_deref())?
            }
        };
        let catalog = session.catalog(&workspace)?;
        let making = Making {
            who: &who,
            waiting: session.waiting(),
            catalog,
            observer: session.observer,
            python: uv.as_ref().map(|uv| uv as &dyn Python),
        };
        let created = create::carry_out(&creation, &mut workspace, &wish, &release, &making)?;
        drop(making);
        if session.globals.json {
            return answer(session, &workspace, &creation, &release, &created);
        }
        report(session, &workspace, &creation, &release, &created)?;
        Ok(Exit::Done)
    }
}

/// The ComfyUI that is wanted.
enum Wanted {
    Held(Release),
    Fetch(Source, Option<String>),
}

impl Create {
    /// What is wanted, checked; nothing where it is only to be shown.
    fn prepare(&self, session: &mut Session<'_>, workspace: &Workspace) -> Result<Option<(Wanted, Wish)>, Failure> {
        let named = self.comfyui.as_deref().map(Source::parse).transpose()?;
        let template = match &self.template {
            Some(path) => Some(std::fs::read_to_string(path).map_err(|e| Failure::io(path.display(), &e))?),
            None => None,
        };
        let is_named = named.is_some() || self.reference.is_some();
        let from = match &self.from_snapshot {
            Some(revision) => {
                let revisions = session.revisions()?;
                let view = revisions.view()?;
                let id = view.snapshot(revision)?;
                let snapshot: Snapshot = view.objects().read(&id)?;
                Some(From { id, snapshot, program: !is_named })
            }
            None => None,
        };
        let of_version = match &from {
            Some(from) if !is_named => create::program_of(workspace, &from.snapshot)?,
            _ => Program::Unknown,
        };
        let wanted = match of_version {
            Program::Held(release) => Wanted::Held(release),
            Program::Named(facts) => {
                let source = facts.url.as_deref().map_or(Ok(Source::Official), Source::parse)?;
                let version = facts.version.map(|version| format!("v{version}"));
                Wanted::Fetch(source, facts.commit.or(facts.reference).or(version))
            }
            Program::Unknown => Wanted::Fetch(named.unwrap_or(Source::Official), self.reference.clone()),
        };
        let models = match self.models {
            Models::Auto => folders::Wish::Auto,
            Models::Link => folders::Wish::Link,
            Models::File => folders::Wish::File,
        };
        let wish = Wish { python: self.python.clone(), torch: self.torch_backend.clone(), models, template, from };
        Ok((!self.dry_run).then_some((wanted, wish)))
    }
}

fn place(workspace: &Workspace, creation: &Creation) -> PathBuf {
    workspace.environments_dir().join(creation.birth.name.as_str()).join("ComfyUI")
}

fn intention(session: &mut Session<'_>, workspace: &Workspace, creation: &Creation) -> Result<Exit, Failure> {
    let (name, place) = (&creation.birth.name, place(workspace, creation));
    if session.globals.json {
        session.print_json(&Intention {
            name,
            comfyui: json::path(&place),
            port: creation.port,
            model_folders: creation.shared.iter().map(|folder| json::path(folder)).collect(),
            active: creation.birth.becomes_active,
            dry_run: true,
        })?;
        return Ok(Exit::Done);
    }
    writeln!(session.out, "Would create `{name}` at {}, port {}", place.display(), creation.port)?;
    for folder in &creation.shared {
        writeln!(session.out, "  with the models in {}", folder.display())?;
    }
    Ok(Exit::Done)
}

fn report(
    session: &mut Session<'_>,
    workspace: &Workspace,
    creation: &Creation,
    release: &Release,
    created: &Created,
) -> Result<(), Failure> {
    let (name, facts) = (&creation.birth.name, &release.facts);
    writeln!(session.out, "Created `{name}` with ComfyUI {}", create::told(facts))?;
    let reference = facts.reference.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
    let from = facts.url.clone().unwrap_or_else(|| match facts.source.as_str() {
        "git" => "a git repository,".to_owned(),
        "archive" => "an archive".to_owned(),
        other => format!("a {other}"),
    });
    let how = if release.how == How::Fetched { "" } else { ", fetched earlier" };
    writeln!(session.out, "  from {from}{reference}{how}")?;
    writeln!(session.out, "  at {}, port {}", place(workspace, creation).display(), creation.port)?;
    for (number, folder) in creation.shared.iter().enumerate() {
        let how = match created.sharing {
            Sharing::Link if number == 0 => "linked",
            _ => "named in extra_model_paths.yaml",
        };
        writeln!(session.out, "  models in {}, {how}", folder.display())?;
    }
    match created.environment.venv().version() {
        Some(version) => writeln!(session.out, "  Python {version}, torch: {}", created.environment.facts().torch)?,
        None => writeln!(session.out, "  no Python yet: `comfrey sync` makes it")?,
    }
    plans::lines(session, &created.brought)?;
    writeln!(session.out, "  recorded as v1 {}", created.snapshot.short())?;
    if creation.birth.becomes_active {
        writeln!(session.out, "  `{name}` is the active environment")?;
    }
    for refused in created.refused.iter().filter(|refused| !refused.reason.is_expected()) {
        session.warn(format_args!("ComfyUI: {refused}"))?;
    }
    if release.how == How::Remembered {
        session.note("note: its source could not be asked for something newer; this was fetched before")?;
    }
    Ok(())
}

fn answer(
    session: &mut Session<'_>,
    workspace: &Workspace,
    creation: &Creation,
    release: &Release,
    created: &Created,
) -> Result<Exit, Failure> {
    let facts = &release.facts;
    session.print_json(&Answer {
        name: &creation.birth.name,
        comfyui: json::path(&place(workspace, creation)),
        source: &facts.source,
        url: facts.url.as_deref(),
        reference: facts.reference.as_deref(),
        commit: facts.commit.as_deref(),
        version: facts.version.as_deref(),
        fetched: match release.how {
            How::Fetched => "now",
            How::Known => "earlier",
            How::Remembered => "earlier-unasked",
        },
        port: creation.port,
        models: match created.sharing {
            Sharing::Link => "link",
            Sharing::File => "file",
        },
        model_folders: creation.shared.iter().map(|folder| json::path(folder)).collect(),
        python: created.environment.venv().version(),
        active: creation.birth.becomes_active,
        snapshot: created.snapshot,
        steps: created.brought.steps.iter().map(StepShape::from).collect(),
        refused: created.refused.iter().map(|refused| RefusedShape::of(None, refused)).collect(),
    })?;
    Ok(Exit::Done)
}
