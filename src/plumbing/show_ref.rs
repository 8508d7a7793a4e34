//! `show-ref`: names and what they name.

use serde::Serialize;

use crate::history::ref_name::short;
use crate::object::{ObjectId, RefTarget};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
A line a ref: `ID NAME`, sorted by name. The refs of all environments are listed, or with --environment those of one. With
patterns, only refs whose full name is one of them or ends with `/PATTERN`. If none is found, the exit code is 1.";

/// Lists refs and the snapshots they name.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct ShowRef {
    /// Branches only
    #[arg(long)]
    heads: bool,
    /// Tags only
    #[arg(long)]
    tags: bool,
    /// Print for a ref that points at another `-> NAME` after the line
    #[arg(long)]
    symbolic: bool,
    /// Names, whole or from a slash on
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "ref")]
    name: &'a str,
    /// Absent for a branch that has no snapshot yet.
    id: Option<ObjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbolic: Option<&'a str>,
}

impl Command for ShowRef {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        let only = session.environment_named().map(|_| revisions.environment.as_str());
        let mut found = false;
        for (name, target) in view.refs().iter() {
            let (environment, local) = name.split_once('/').unwrap_or((name, ""));
            if only.is_some_and(|only| only != environment) || !self.shows(name, local) {
                continue;
            }
            let id = view.refs().resolve(name)?;
            let symbolic = match target {
                RefTarget::Symbolic(to) => Some(to.as_str()),
                RefTarget::Snapshot(_) => None,
            };
            if session.globals.json {
                session.print_json(&Line { name, id, symbolic })?;
                found = true;
            } else if let Some(id) = id {
                let arrow = symbolic.filter(|_| self.symbolic).map(|to| format!(" -> {to}")).unwrap_or_default();
                writeln!(session.out, "{id} {name}{arrow}")?;
                found = true;
            }
        }
        Ok(if found { Exit::Done } else { Exit::Negative })
    }
}

impl ShowRef {
    fn shows(&self, name: &str, local: &str) -> bool {
        let group = match (self.heads, self.tags) {
            (false, false) => true,
            (heads, tags) => (heads && local.starts_with("heads/")) || (tags && local.starts_with("tags/")),
        };
        let fits = |pattern: &String| {
            name == pattern || local == pattern || short(local) == pattern || {
                name.strip_suffix(pattern.as_str()).is_some_and(|front| front.ends_with('/'))
            }
        };
        group && (self.patterns.is_empty() || self.patterns.iter().any(fits))
    }
}
