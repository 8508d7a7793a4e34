//! `rev-parse`: revisions to ids.

use std::num::NonZeroUsize;

use serde::Serialize;

use crate::history::ref_name::short;
use crate::history::{Resolved, View};
use crate::object::{IdPrefix, Kind, ObjectId};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
How revisions are written:
  HEAD, @           the snapshot that the environment is on
  v3                version 3: the third snapshot along first parents of the current branch
  main, heads/main  a branch
  x, tags/x         a tag
  ENV/x             a branch, tag, HEAD or version of another environment: demo/v2, demo/HEAD, demo/heads/main
  3f9c2d            the first digits of an id, four at least
  REV~, REV~n       one, n first parents back
  REV^, REV^n       the first, the n-th parent
  NAME@{n}, @{n}    as it was n operations ago (see `comfrey operations`)
  REV^{tree}        the tree of a snapshot
  REV:path          what stands at a path; `REV:` is the root

A name beats a version and both beat the digits of an id; a branch beats a tag of the same name.
Digits that several objects begin with are an error that lists them.";

/// Prints the id that each revision names, a line each.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct RevParse {
    /// Exactly one revision, or fail
    #[arg(long)]
    verify: bool,
    /// Print the shortest digits that name the object, N at least
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10")]
    short: Option<NonZeroUsize>,
    /// Print the full name of the ref; nothing for a revision that is none
    #[arg(long, conflicts_with_all = ["short", "abbrev_ref", "kind"])]
    symbolic_full_name: bool,
    /// Print the branch or tag; for HEAD the current branch
    #[arg(long, conflicts_with_all = ["short", "kind"])]
    abbrev_ref: bool,
    /// Print `blob`, `tree`, `snapshot` or `operation` before the id
    #[arg(long)]
    kind: bool,
    /// Revisions
    #[arg(value_name = "REV", required = true)]
    revisions: Vec<String>,
}

#[derive(Serialize)]
struct Parsed<'a> {
    revision: &'a str,
    id: ObjectId,
    kind: Kind,
    /// The full name of the ref that was named.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    ref_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

impl Command for RevParse {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        if self.verify && self.revisions.len() != 1 {
            return Err(Failure::new(Exit::Usage, "rev-parse: --verify wants exactly one revision"));
        }
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        let mut exit = Exit::Done;
        for revision in &self.revisions {
            // One that cannot be found does not keep the others from being printed; its line is missing.
            match self.print(&view, revision, session) {
                Ok(()) => {}
                Err(failure) if self.revisions.len() == 1 || failure.message.is_empty() => return Err(failure),
                Err(failure) => {
                    exit = failure.exit;
                    session.complain(&failure)?;
                }
            }
        }
        Ok(exit)
    }
}

impl RevParse {
    fn print(&self, view: &View<'_>, revision: &str, session: &mut Session<'_>) -> Result<(), Failure> {
        if self.symbolic_full_name || self.abbrev_ref {
            return self.print_name(view, revision, session);
        }
        let found = view.resolve(revision)?;
        if session.globals.json {
            let version = if found.kind == Kind::Snapshot { view.versions()?.name(&found.id) } else { None };
            return session.print_json(&Parsed {
                revision,
                id: found.id,
                kind: found.kind,
                ref_name: found.ref_name.as_deref(),
                version,
                path: found.path.as_ref().map(|path| path.as_str()),
                entry: found.entry.as_ref().map(|entry| entry.kind.as_str()),
                size: found.entry.as_ref().map(|entry| entry.size),
            });
        }
        if self.kind {
            write!(session.out, "{} ", found.kind)?;
        }
        match self.short {
            Some(least) => writeln!(session.out, "{}", shortest(view, &found, least.get())?)?,
            None => writeln!(session.out, "{}", found.id)?,
        }
        Ok(())
    }

    /// Prints the ref; a branch that has no snapshot yet has a name too.
    fn print_name(&self, view: &View<'_>, revision: &str, session: &mut Session<'_>) -> Result<(), Failure> {
        let name = match revision {
            "HEAD" | "@" => Some(format!("{}/HEAD", view.environment())),
            _ => view.resolve(revision)?.ref_name,
        };
        let Some(name) = name else { return Ok(()) };
        let leaf = view.refs().leaf(&name)?;
        let text = match self.abbrev_ref {
            true => leaf.split_once('/').map_or(leaf.as_str(), |(_, local)| short(local)),
            false => &leaf,
        };
        writeln!(session.out, "{text}")?;
        Ok(())
    }
}

/// The shortest prefix of the id, `least` digits or more, that no other object begins with.
fn shortest(view: &View<'_>, found: &Resolved, least: usize) -> Result<String, Failure> {
    let hex = found.id.to_hex();
    for digits in least.clamp(4, 64)..64 {
        let Ok(prefix) = hex[..digits].parse::<IdPrefix>() else { continue };
        if view.objects().matching(&prefix, 2)?.len() < 2 {
            return Ok(hex[..digits].to_owned());
        }
    }
    Ok(hex)
}
