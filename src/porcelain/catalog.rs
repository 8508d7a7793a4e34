//! `catalog`: what is known of node classes, packages and models.

use std::time::Duration;

use serde_json::{Value, json};

use crate::catalog::nodes::{self, Part};
use crate::catalog::registry_map::Source;
use crate::catalog::update::{self, DEFAULT_SOURCES, Freshness, State};
use crate::catalog::{Catalog as Known, Matched, Origin, Owner, models};
use crate::environment::launch::learning::{LARGEST_ANSWER, Learning};
use crate::net::address::{is_url, shown};
use crate::net::{Answer, Client, Expected, Fetch, Offline, Request, client};
use crate::object::Time;
use crate::ui::program::Command;
use crate::ui::report::{Align, Bytes, Table, ago, count, grouped};
use crate::ui::{Exit, Failure, Session, catalog};

#[derive(Debug, clap::Args)]
pub struct Catalog {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Bring the lists of packages, node classes and models up to date
    Update(Update),
    /// Learn the node classes of an environment from its running ComfyUI
    Learn(Learn),
    /// Show what the catalog holds, or who owns a node class
    Show(Show),
    /// Search for packages of custom nodes
    Search(Search),
}

/// Brings the lists of packages, node classes and models up to date.
///
/// They are ComfyUI-Manager's lists, unless `catalog.sources` in the settings names others. A list is fetched once a day, and
/// only if it changed; one that cannot be had is answered from its last copy. All of it is put in place at once, or nothing.
#[derive(Debug, clap::Args)]
struct Update {
    /// Read this list instead of those of the settings; several times for several
    #[arg(long, value_name = "FILE|URL")]
    from: Vec<String>,
    /// Ask hosts however young the copies are
    #[arg(long, conflicts_with = "offline")]
    force: bool,
    /// Ask no host: work from the last copies
    #[arg(long)]
    offline: bool,
    /// How many hours a copy counts as new
    #[arg(long, value_name = "HOURS", default_value_t = 24.0)]
    max_age: f64,
}

/// Learns the node classes of the environment at work from what its running ComfyUI answers at /object_info.
///
/// Its lists of choices tell which inputs name files of which models folder: run `models index` before.
#[derive(Debug, clap::Args)]
struct Learn {
    /// ComfyUI's address, such as http://127.0.0.1:8188, or a file that holds its answer
    #[arg(value_name = "FILE|URL")]
    from: String,
}

/// Shows what the catalog holds and how old it is; with TYPE, who owns a node class and how that is known.
#[derive(Debug, clap::Args)]
struct Show {
    /// A node class, as a workflow writes it
    #[arg(value_name = "TYPE")]
    class: Option<String>,
}

/// Searches names, titles, node classes, authors and descriptions of packages.
#[derive(Debug, clap::Args)]
struct Search {
    /// What to look for
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<String>,
    /// Show at most this many
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20)]
    number: usize,
}

impl Command for Catalog {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        match self.what {
            What::Update(update) => update.run(session),
            What::Learn(learn) => learn.run(session),
            What::Show(show) => show.run(session),
            What::Search(search) => search.run(session),
        }
    }
}

impl Update {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let workspace = session.workspace()?;
        let sources = if self.from.is_empty() {
            let set = &workspace.config().settings().catalog_sources;
            // Paths in the settings are relative to the folder that they stand in.
            let there = |text: &String| match is_url(text) {
                true => text.clone(),
                false => workspace.root().join(text).to_string_lossy().into_owned(),
            };
            match set.is_empty() {
                true => DEFAULT_SOURCES.map(str::to_owned).to_vec(),
                false => set.iter().map(there).collect(),
            }
        } else {
            self.from
        };
        let freshness = match (self.offline, self.force) {
            (true, _) => Freshness::Offline,
            (_, true) => Freshness::Always,
            _ => {
                let age = Duration::try_from_secs_f64(self.max_age * 3600.0);
                Freshness::OlderThan(age.map_err(|_| {
                    Failure::new(Exit::Usage, format!("--max-age {}: a number of hours is wanted", self.max_age))
                })?)
            }
        };
        let fetched_by: Box<dyn Fetch> = match self.offline || !sources.iter().any(|source| is_url(source)) {
            true => Box::new(Offline),
            false => Box::new(Client::new(client::Options::default())?),
        };
        let now = session.now()?;
        let folder = catalog::folder(&workspace);
        let updated = update::update(&folder, &sources, freshness, now.milliseconds, &*fetched_by, session.observer)?;
        if session.globals.json {
            let sources: Vec<Value> =
                updated.sources.iter().map(|one| source_json(&one.source, Some(&one.state))).collect();
            let counts = updated.counts;
            let (classes, packages, models) = (counts.classes, counts.packages, counts.models);
            let bytes = counts.size;
            let answer = json!({ "classes": classes, "packages": packages, "models": models, "bytes": bytes, "sources": sources });
            session.print_json(&answer)?;
        } else {
            let mut table = Table::new([Align::Left, Align::Right, Align::Left]);
            for one in &updated.sources {
                let state = match &one.state {
                    State::Fetched => "fetched".to_owned(),
                    State::Unchanged => "unchanged".to_owned(),
                    State::Read => "read".to_owned(),
                    State::Fresh => format!("fetched {}", age(&one.source, now)),
                    State::FromCopy(_) => format!("copy fetched {}", age(&one.source, now)),
                };
                table.row([one.source.kind.name().to_owned(), entries(&one.source), state]);
            }
            table.write(session.out)?;
            writeln!(session.out, "{}", totals(updated.counts))?;
        }
        let mut exit = Exit::Done;
        for one in updated.sources {
            if one.source.skipped > 0 {
                let skipped = count(one.source.skipped as usize, "entry");
                session.warn(format_args!("{}: {skipped} could not be used", one.source.from))?;
            }
            if let State::FromCopy(Some(reason)) = one.state {
                let failure = Failure::from(reason);
                exit = failure.exit;
                session.complain(&failure)?;
            }
        }
        Ok(exit)
    }
}

impl Learn {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let working = session.working()?;
        let bytes = if is_url(&self.from) {
            let address = self.from.trim_end_matches('/').trim_end_matches("/object_info");
            let request = Request::new(format!("{address}/object_info"), Expected::Json, LARGEST_ANSWER);
            match Client::new(client::Options::default())?.fetch(&request, session.observer)? {
                Answer::New { bytes, .. } => bytes,
                Answer::Unchanged => Vec::new(),
            }
        } else {
            std::fs::read(&self.from).map_err(|error| Failure::io(&self.from, &error))?
        };
        let learning = Learning::of(&working.environment, working.workspace.store(), &working.models)?;
        let learned = learning.learn(&bytes)?;
        let name = working.environment.name();
        if session.globals.json {
            session.print_json(
                &json!({ "environment": name.as_str(), "classes": learned.len(), "loaders": learned.loaders() }),
            )?;
        } else {
            let loaders = count(learned.loaders(), "class");
            writeln!(
                session.out,
                "{name}: {}, {loaders} with lists of model files",
                count(learned.len(), "node class")
            )?;
        }
        Ok(Exit::Done)
    }
}

impl Show {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let workspace = session.workspace()?;
        let environment = match session.environment_named().is_some() || workspace.active_name()?.is_some() {
            true => Some(session.environment_of(&workspace)?),
            false => None,
        };
        let known = match &environment {
            Some(environment) => session.catalog_of(&workspace, environment)?,
            None => session.catalog(&workspace)?,
        };
        match self.class {
            Some(class) => show_class(&known, &class, session),
            None => show_all(&known, session),
        }
    }
}

fn show_all(known: &Known, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let (classes, templates) = (nodes::all().count(), models::count_of_templates());
    let registry = known.registry();
    if session.globals.json {
        let registry = registry.map(|registry| {
            let counts = registry.counts();
            let sources: Vec<Value> = registry.sources().iter().map(|source| source_json(source, None)).collect();
            json!({ "classes": counts.classes, "packages": counts.packages, "models": counts.models, "bytes": counts.size,
                "sources": sources })
        });
        let built_in = json!({ "comfyui": nodes::READ_FROM, "classes": classes, "models": templates });
        session.print_json(&json!({ "built_in": built_in, "registry": registry }))?;
        return Ok(Exit::Done);
    }
    let paint = session.paint;
    writeln!(session.out, "{}  ComfyUI up to {}", paint.strong("built in"), nodes::READ_FROM)?;
    writeln!(session.out, "  {}, {}", count(classes, "node class"), count(templates, "model source"))?;
    let Some(registry) = registry else {
        session.note("the registries' lists were never fetched; `comfrey catalog update` does that")?;
        return Ok(Exit::Done);
    };
    let now = session.now()?;
    writeln!(session.out, "{}  {}", paint.strong("registries"), totals(registry.counts()))?;
    let mut table = Table::new([Align::Left, Align::Right, Align::Left, Align::Left]).indent(2);
    for source in registry.sources() {
        table.row([source.kind.name().to_owned(), entries(&source), age(&source, now), paint.faint(&source.from)]);
    }
    table.write(session.out)?;
    Ok(Exit::Done)
}

fn show_class(known: &Known, class: &str, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let origin = known.origin(class);
    let builtin = nodes::builtin(class);
    let owners = known.owners(class, None);
    let lists = [
        ("preempted", "its own, whoever else has one of this name", &owners.preempted),
        ("by_class", "has a class of this name", &owners.by_class),
        ("by_pattern", "names its classes like this", &owners.by_pattern),
    ];
    let exit = if origin == Origin::Unknown { Exit::Negative } else { Exit::Done };
    if session.globals.json {
        let builtin =
            builtin.map(|node| json!({ "module": node.module, "part": part(node.part), "current": node.current }));
        let mut answer = json!({ "type": class, "origin": origin, "builtin": builtin });
        for (name, _, owners) in lists {
            answer[name] = owners.iter().map(|owner| owner_json(known, owner)).collect();
        }
        session.print_json(&answer)?;
        return Ok(exit);
    }
    let paint = session.paint;
    writeln!(session.out, "{}  {origin}", paint.strong(class))?;
    if let Some(node) = builtin {
        let place = node.module.map_or_else(String::new, |module| format!(", {module}"));
        let gone = if node.current { "" } else { "; newer versions no longer have it" };
        writeln!(session.out, "  part of ComfyUI ({}{place}){gone}", part(node.part))?;
    }
    for (_, about, owners) in lists {
        if owners.is_empty() {
            continue;
        }
        writeln!(session.out, "  {about}:")?;
        let mut table = Table::new([Align::Left, Align::Right, Align::Left, Align::Left]).indent(4);
        for owner in owners {
            let title = known.package(&owner.package).and_then(|package| package.title).unwrap_or_default();
            table.row([
                owner.package.to_string(),
                stars(owner.stars),
                owner.layer.word().to_owned(),
                paint.faint(title),
            ]);
        }
        table.write(session.out)?;
    }
    if exit == Exit::Negative {
        match known.registry() {
            Some(_) => session.note("no list knows this class; `comfrey catalog search` looks for similar names")?,
            None => session.note("the registries' lists were never fetched; `comfrey catalog update` does that")?,
        }
    }
    Ok(exit)
}

impl Search {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let workspace = session.workspace()?;
        let known = session.catalog(&workspace)?;
        let found = known.search(&self.text.join(" "));
        let mut table = Table::new([Align::Left, Align::Right, Align::Left, Align::Left]);
        let paint = session.paint;
        for one in found.iter().take(self.number) {
            let package = &one.package;
            let (matched, class) = match &one.matched {
                Matched::Name => ("name", None),
                Matched::Title => ("title", None),
                Matched::Class(class) => ("class", Some(class.as_str())),
                Matched::Author => ("author", None),
                Matched::Description => ("description", None),
            };
            if session.globals.json {
                let mut line = package_json(package);
                line["score"] = json!((one.score * 1000.0).round() / 1000.0);
                line["matched"] = json!(matched);
                line["class"] = json!(class);
                session.print_json(&line)?;
            } else {
                let title = package.title.clone().unwrap_or_default();
                let what = class.map_or_else(|| matched.to_owned(), |class| format!("class {class}"));
                table.row([package.id.to_string(), stars(package.stars), title, paint.faint(what)]);
            }
        }
        table.write(session.out)?;
        if found.is_empty() {
            if known.registry().is_none() {
                session.note("the registries' lists were never fetched; `comfrey catalog update` does that")?;
            } else {
                session.note("nothing found")?;
            }
            return Ok(Exit::Negative);
        }
        if found.len() > self.number {
            let more = grouped((found.len() - self.number) as u64);
            session.note(format_args!("{more} more; -n NUMBER shows them"))?;
        }
        Ok(Exit::Done)
    }
}

fn part(part: Part) -> &'static str {
    match part {
        Part::Core => "core",
        Part::Extras => "extras",
        Part::Api => "paid service",
        Part::Frontend => "editor",
        Part::Unknown => "newer than the sources that were read",
    }
}

fn stars(stars: Option<u64>) -> String {
    stars.map_or_else(|| "-".into(), |stars| format!("{} ★", grouped(stars)))
}

fn entries(source: &Source) -> String {
    count(usize::try_from(source.entries).unwrap_or(usize::MAX), "entry")
}

fn age(source: &Source, now: Time) -> String {
    ago(Time { milliseconds: source.fetched, offset_minutes: 0 }, now)
}

fn totals(counts: crate::catalog::registry_map::Counts) -> String {
    let (classes, packages) = (count(counts.classes, "node class"), count(counts.packages, "package"));
    format!("{classes}, {packages}, {} ({})", count(counts.models, "model"), Bytes(counts.size as u64))
}

fn source_json(source: &Source, state: Option<&State>) -> Value {
    let fetched = Time { milliseconds: source.fetched, offset_minutes: 0 }.to_string();
    let (name, from) = (source.kind.name(), shown(&source.from));
    let mut line =
        json!({ "name": name, "from": from, "fetched": fetched, "entries": source.entries, "skipped": source.skipped });
    if let Some(state) = state {
        let (state, problem) = match state {
            State::Fetched => ("fetched", None),
            State::Unchanged => ("unchanged", None),
            State::Fresh => ("fresh", None),
            State::Read => ("read", None),
            State::FromCopy(reason) => ("copy", reason.as_ref().map(ToString::to_string)),
        };
        line["state"] = json!(state);
        line["problem"] = json!(problem);
    }
    line
}

fn owner_json(known: &Known, owner: &Owner) -> Value {
    let package = known.package(&owner.package);
    let (title, repository) = package.map_or((None, None), |package| (package.title, package.repository));
    json!({ "package": owner.package.as_str(), "title": title, "repository": repository, "stars": owner.stars,
        "rank": owner.rank, "versions": owner.versions, "known_from": owner.layer.word() })
}

fn package_json(package: &crate::catalog::Package) -> Value {
    json!({ "package": package.id.as_str(), "title": package.title, "author": package.author,
        "description": package.description, "repository": package.repository, "stars": package.stars,
        "classes": package.classes, "known_from": package.layer.word() })
}
