//! `update-ref`: a ref changed, if it is what was expected.

use serde::Serialize;

use crate::history::refs::Expected;
use crate::history::{RefName, Refs, View};
use crate::object::{ObjectId, RefTarget};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
REF is HEAD, heads/BRANCH, tags/TAG, or a full name such as ENV/heads/BRANCH. HEAD changes the branch it points at, unless
--no-deref is given. OLD is what the ref must name for the change to be made; 64 zeros or an empty word mean that it must not
be there. If it is something else, nothing is changed and the exit code is 4.

With --stdin all changes are read first and made as one operation, all or none, one a line:
  update REF NEW [OLD]
  create REF NEW
  delete REF [OLD]
  verify REF [OLD]
  symbolic REF TARGET
With -z a NUL ends each of them, and words are still parted by one space.

Every change is an operation, which `comfrey operations` lists and `comfrey undo` takes back.

Examples:
  comfrey update-ref HEAD \"$new\" \"$old\"
  comfrey update-ref -d tags/tried
  comfrey update-ref --symbolic HEAD heads/experiment";

/// Changes refs, if they are what was expected.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct UpdateRef {
    /// Delete the ref
    #[arg(short, long, conflicts_with_all = ["symbolic", "stdin"])]
    delete: bool,
    /// Make REF point at another ref, whose name NEW is
    #[arg(long, conflicts_with_all = ["stdin", "no_deref"])]
    symbolic: bool,
    /// Change REF itself, even if it points at another
    #[arg(long)]
    no_deref: bool,
    /// Read changes from standard input, and make all or none
    #[arg(long)]
    stdin: bool,
    /// With --stdin: changes end with NUL
    #[arg(short = 'z', requires = "stdin")]
    nul: bool,
    /// The ref
    #[arg(value_name = "REF", required_unless_present = "stdin", conflicts_with = "stdin")]
    name: Option<String>,
    /// The snapshot that it is to name (with -d: the one that it must name)
    #[arg(value_name = "NEW")]
    new: Option<String>,
    /// The snapshot that it must name now
    #[arg(value_name = "OLD")]
    old: Option<String>,
}

/// One change, looked up.
#[derive(Debug, Clone)]
enum Change {
    Set { name: RefName, new: ObjectId, expected: Expected, itself: bool },
    Symbolic { name: RefName, target: RefName },
    Delete { name: RefName, expected: Expected, itself: bool },
    Verify { name: RefName, expected: Expected },
}

#[derive(Serialize)]
struct Report {
    /// Absent when nothing changed.
    operation: Option<ObjectId>,
    changes: Vec<Changed>,
}

#[derive(Serialize)]
struct Changed {
    #[serde(rename = "ref")]
    name: String,
    old: Option<String>,
    new: Option<String>,
}

impl Command for UpdateRef {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let view = revisions.view()?;
        let changes = match self.stdin {
            true => self.as_read(&view, session)?,
            false => vec![self.as_argued(&view)?],
        };
        let mut changed = Vec::new();
        let operation = revisions.transact(&session.record()?, |refs| {
            let before = refs.clone();
            changes.iter().try_for_each(|change| change.make(refs))?;
            changed = refs.changes_since(&before);
            Ok(())
        })?;
        if session.globals.json {
            let text = |target: &Option<RefTarget>| target.as_ref().map(RefTarget::to_string);
            let changes = changed.iter();
            let changes =
                changes.map(|c| Changed { name: c.name.clone(), old: text(&c.old), new: text(&c.new) }).collect();
            session.print_json(&Report { operation, changes })?;
        }
        Ok(Exit::Done)
    }
}

impl UpdateRef {
    fn as_argued(&self, view: &View<'_>) -> Result<Change, Failure> {
        let words = [&self.name, &self.new, &self.old].map(Option::as_deref);
        let verb = match (self.delete, self.symbolic) {
            (true, _) => "delete",
            (_, true) => "symbolic",
            _ => "update",
        };
        let words: Vec<&str> = words.into_iter().flatten().collect();
        self.change(view, verb, &words).map_err(|failure| match failure.message.is_empty() {
            true => Failure::new(Exit::Usage, format!("update-ref: {}", form(verb)))
                .hint("`comfrey update-ref --help` has examples"),
            false => failure,
        })
    }

    fn as_read(&self, view: &View<'_>, session: &mut Session<'_>) -> Result<Vec<Change>, Failure> {
        let mut text = String::new();
        session.input.read_to_string(&mut text).map_err(|e| Failure::io("standard input", &e))?;
        let separator = if self.nul { '\0' } else { '\n' };
        let mut changes = Vec::new();
        for (number, line) in text.split(separator).enumerate().filter(|(_, line)| !line.is_empty()) {
            let mut words = line.split(' ');
            let verb = words.next().unwrap_or_default();
            let words: Vec<&str> = words.collect();
            let at = |message: &str| format!("standard input, change {}: {message}", number + 1);
            changes.push(self.change(view, verb, &words).map_err(|failure| match failure.message.is_empty() {
                true => Failure::new(Exit::Usage, at(form(verb))),
                false => Failure { message: at(&failure.message), ..failure },
            })?);
        }
        Ok(changes)
    }

    /// Looks up one change. An empty failure: it has not the form of `verb`.
    fn change(&self, view: &View<'_>, verb: &str, words: &[&str]) -> Result<Change, Failure> {
        let name = |text: &str| ref_named(view, text);
        Ok(match (verb, words) {
            ("update", [name_text, new, rest @ ..]) if rest.len() < 2 => Change::Set {
                name: name(name_text)?,
                new: view.snapshot(new)?,
                expected: expected(view, rest.first().copied())?,
                itself: self.no_deref,
            },
            ("create", [name_text, new]) => Change::Set {
                name: name(name_text)?,
                new: view.snapshot(new)?,
                expected: Expected::Absent,
                itself: self.no_deref,
            },
            ("delete", [name_text, rest @ ..]) if rest.len() < 2 => {
                let expected = expected(view, rest.first().copied())?;
                Change::Delete { name: name(name_text)?, expected, itself: self.no_deref }
            }
            ("verify", [name_text, rest @ ..]) if rest.len() < 2 => {
                let expected = if rest.is_empty() { Expected::Absent } else { expected(view, rest.first().copied())? };
                Change::Verify { name: name(name_text)?, expected }
            }
            ("symbolic", [name_text, target]) => Change::Symbolic { name: name(name_text)?, target: name(target)? },
            _ => return Err(Failure::new(Exit::Usage, "")),
        })
    }
}

fn form(verb: &str) -> &'static str {
    match verb {
        "update" => "`update REF NEW [OLD]` is wanted",
        "create" => "`create REF NEW` is wanted",
        "delete" => "`delete REF [OLD]` is wanted",
        "verify" => "`verify REF [OLD]` is wanted",
        "symbolic" => "`symbolic REF TARGET` is wanted",
        _ => "a line begins with update, create, delete, verify or symbolic",
    }
}

/// The ref that a person means; for a short name, the names it could have meant.
fn ref_named(view: &View<'_>, text: &str) -> Result<RefName, Failure> {
    let environment = view.environment();
    RefName::within(environment, text).map_err(|error| {
        let failure = Failure::from(error);
        match RefName::branch(environment, text.strip_prefix("refs/heads/").unwrap_or(text)) {
            Ok(branch) => failure.hint(format!("did you mean the branch `{}`?", branch.local())),
            Err(_) => failure,
        }
    })
}

fn expected(view: &View<'_>, old: Option<&str>) -> Result<Expected, Failure> {
    Ok(match old {
        None => Expected::Anything,
        Some(text) if text.is_empty() || (text.len() == 64 && text.bytes().all(|b| b == b'0')) => Expected::Absent,
        // A snapshot that is not in the store can be expected, and is not found.
        Some(text) => match text.parse() {
            Ok(id) => Expected::Snapshot(id),
            Err(_) => Expected::Snapshot(view.snapshot(text)?),
        },
    })
}

impl Change {
    fn make(&self, refs: &mut Refs) -> Result<(), Failure> {
        match self {
            Change::Set { name, new, expected, itself: false } => refs.compare_and_set(name, *new, *expected)?,
            Change::Set { name, new, expected, itself: true } => refs.set_itself(name, *new, *expected)?,
            Change::Symbolic { name, target } => refs.set_symbolic(name, target)?,
            Change::Delete { name, expected, itself: true } => drop(refs.delete(name, *expected)?),
            Change::Delete { name, expected, itself: false } => {
                let leaf = RefName::new(refs.leaf(name.as_str())?)?;
                refs.delete(&leaf, *expected)?;
            }
            Change::Verify { name, expected } => refs.check(name, *expected)?,
        }
        Ok(())
    }
}
