//! `tag`: lasting names for snapshots.

use serde::Serialize;

use crate::history::refs::Expected;
use crate::history::syntax::version_number;
use crate::history::{RefName, View};
use crate::object::{ObjectId, Snapshot};
use crate::ui::program::Command;
use crate::ui::snapshots::Names;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
A tag is a name that stays with a snapshot. Every command takes it where it takes a revision.
Names like v3 are refused: they would hide the version of that number.

Examples:
  comfrey tag                  all tags, with what they name
  comfrey tag portrait-final   the newest snapshot gets a name
  comfrey tag before-flux v3   version 3 gets a name
  comfrey tag -d before-flux   the name goes; the snapshot stays";

/// Lists, sets and deletes tags.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Tag {
    /// Delete these tags
    #[arg(short, long, value_name = "NAME", num_args = 1.., conflicts_with_all = ["name", "force"])]
    delete: Vec<String>,
    /// Move a tag that is there already
    #[arg(short, long)]
    force: bool,
    /// The tag's name; none lists all tags
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The snapshot to name
    #[arg(value_name = "REV", default_value = "HEAD")]
    revision: String,
}

#[derive(Serialize)]
struct Line<'a> {
    tag: &'a str,
    id: ObjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Command for Tag {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        if !self.delete.is_empty() {
            let names = self.delete.iter().map(|name| RefName::tag(&revisions.environment, name));
            let names: Vec<RefName> = names.collect::<Result<_, _>>()?;
            revisions.transact(&session.record()?, |refs| {
                for name in &names {
                    refs.delete(name, Expected::Anything).map_err(|error| no_such_tag(&view, name, error))?;
                }
                Ok(())
            })?;
            for name in &names {
                let tag = name.local().trim_start_matches("tags/");
                match (session.globals.json, view.refs().resolve(name.as_str())?) {
                    (true, Some(id)) => {
                        session.print_json(&Line { tag, id, version: None, time: None, message: None })?;
                    }
                    (_, was) => {
                        let was = was.map(|id| format!("; it named {}", id.short())).unwrap_or_default();
                        session.note(format_args!("Deleted the tag `{tag}`{was}"))?;
                    }
                }
            }
            return Ok(Exit::Done);
        }
        match &self.name {
            Some(name) => self.set(name, session),
            None => list(&view, session),
        }
    }
}

impl Tag {
    fn set(&self, tag: &str, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        let name = RefName::tag(&revisions.environment, tag)?;
        if version_number(tag).is_some() {
            let message = format!("`{tag}` cannot be a tag: it would hide the version of that number");
            return Err(
                Failure::new(Exit::Usage, message).hint(format!("choose another name, such as `release-{tag}`"))
            );
        }
        let id = view.snapshot(&self.revision)?;
        let expected = if self.force { Expected::Anything } else { Expected::Absent };
        revisions.transact(&session.record()?, |refs| {
            // To say again what is so already does no harm.
            if refs.resolve(name.as_str())? == Some(id) {
                return Ok(());
            }
            refs.compare_and_set(&name, id, expected).map_err(|error| taken(tag, error))
        })?;
        let names = Names::of(&view)?;
        let snapshot: Snapshot = view.objects().read(&id)?;
        if session.globals.json {
            session.print_json(&line(tag, &names, id, &snapshot))?;
        } else {
            session.note(format_args!("Tagged {} `{}` as `{tag}`", names.short(&id), snapshot.subject()))?;
        }
        Ok(Exit::Done)
    }
}

fn list(view: &View<'_>, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let names = Names::of(view)?;
    let mut tags = Vec::new();
    for (local, _) in view.refs().of_environment(view.environment()) {
        let Some(tag) = local.strip_prefix("tags/") else { continue };
        let full = format!("{}/{local}", view.environment());
        if let Some(id) = view.refs().resolve(&full)? {
            tags.push((tag, id));
        }
    }
    let width = tags.iter().map(|(tag, _)| tag.chars().count()).max().unwrap_or(0);
    for (tag, id) in tags {
        let snapshot: Snapshot = view.objects().read(&id)?;
        if session.globals.json {
            session.print_json(&line(tag, &names, id, &snapshot))?;
        } else {
            let (time, subject) = (snapshot.time.to_minutes(), snapshot.subject());
            writeln!(session.out, "{tag:width$}  {:10}  {time}  {subject}", names.short(&id))?;
        }
    }
    Ok(Exit::Done)
}

fn line<'a>(tag: &'a str, names: &Names<'_>, id: ObjectId, snapshot: &Snapshot) -> Line<'a> {
    let version = names.shape(&id, snapshot).version;
    Line { tag, id, version, time: Some(snapshot.time.to_string()), message: Some(snapshot.message.clone()) }
}

fn taken(tag: &str, error: crate::history::Error) -> Failure {
    match error {
        crate::history::Error::Moved { found: Some(id), .. } => {
            Failure::new(Exit::Conflict, format!("the tag `{tag}` is there already and names {}", id.short()))
                .hint("choose another name, or move it with --force")
        }
        other => other.into(),
    }
}

fn no_such_tag(view: &View<'_>, name: &RefName, error: crate::history::Error) -> Failure {
    let tags = view.refs().of_environment(view.environment()).filter_map(|(local, _)| local.strip_prefix("tags/"));
    match error {
        crate::history::Error::NoSuchRef { .. } => {
            let tag = name.local().trim_start_matches("tags/").to_owned();
            let near = crate::history::revision::near(&tag, tags);
            let failure = Failure::new(Exit::NotFound, format!("there is no tag `{tag}`"));
            match near.first() {
                Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
                None => failure.hint("`comfrey tag` lists the tags"),
            }
        }
        other => other.into(),
    }
}
