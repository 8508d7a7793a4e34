//! The options that decide conflicts, and conflicts as a person reads them.

use serde_json::Value;

use crate::environment::merging::{Choices, Conflict, Kind};
use crate::history::Side;
use crate::ui::failure::closest;
use crate::ui::report::count;
use crate::ui::{Exit, Failure, Session};

/// Who wins where both changed something.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Deciding {
    /// Take ours wherever both changed something
    #[arg(long, conflicts_with = "theirs")]
    ours: bool,
    /// Take theirs wherever both changed something
    #[arg(long)]
    theirs: bool,
    /// Take ours for this conflict, or for all in this workflow or node of one
    #[arg(long, value_name = "NAME")]
    take_ours: Vec<String>,
    /// The same, with theirs
    #[arg(long, value_name = "NAME")]
    take_theirs: Vec<String>,
}

impl Deciding {
    pub fn choices(&self) -> Choices {
        let all = match (self.ours, self.theirs) {
            (true, _) => Some(Side::Ours),
            (_, true) => Some(Side::Theirs),
            _ => None,
        };
        let named = |names: &[String], side| names.iter().map(move |name| (name.clone(), side)).collect::<Vec<_>>();
        Choices { all, named: [named(&self.take_ours, Side::Ours), named(&self.take_theirs, Side::Theirs)].concat() }
    }
}

/// A name that nothing is called by is a mistake: what it was meant for would be decided otherwise.
///
/// # Errors
/// There is one.
pub fn check_names(choices: &Choices, conflicts: &[Conflict]) -> Result<(), Failure> {
    let Some(idle) = choices.idle(conflicts).first().copied() else { return Ok(()) };
    let failure = Failure::new(Exit::NotFound, format!("no conflict is called `{idle}`"));
    let names = conflicts.iter().map(|conflict| conflict.name.as_str());
    // What was left out may be the folder.
    let names = names.flat_map(|name| [Some(name), name.rsplit('/').next()]).flatten();
    Err(match (closest(idle, names), conflicts) {
        (Some(meant), _) => failure.hint(format!("did you mean `{meant}`?")),
        (None, []) => failure.hint("there is none: leave the option out"),
        (None, _) => failure.hint("--dry-run lists them"),
    })
}

/// Prints conflicts, each with what all three have.
pub fn print(session: &mut Session<'_>, conflicts: &[&Conflict]) -> Result<(), Failure> {
    for conflict in conflicts {
        let word = match conflict.taken {
            None => session.paint.bad("conflict  "),
            Some(Side::Ours) => session.paint.changed("ours      "),
            Some(Side::Theirs) => session.paint.changed("theirs    "),
        };
        let about = about(conflict).map(|about| format!(": {about}")).unwrap_or_default();
        writeln!(session.out, "  {word} {}{about}", conflict.name)?;
        let versions = [("before", &conflict.base), ("ours", &conflict.ours), ("theirs", &conflict.theirs)];
        for (whose, value) in versions {
            writeln!(
                session.out,
                "               {whose:6} {}",
                value.as_ref().map_or("none".into(), |value| shown(conflict, value))
            )?;
        }
    }
    Ok(())
}

/// What the name alone does not say.
fn about(conflict: &Conflict) -> Option<String> {
    match conflict.kind {
        Kind::Workflow => Some("changed in ways that cannot be put together".to_owned()),
        Kind::Node => Some("other files on each side".to_owned()),
        _ => {
            let title = conflict.title.as_ref().filter(|title| Some(*title) != conflict.class.as_ref());
            let title = title.map(|title| format!(" \"{title}\"")).unwrap_or_default();
            conflict.class.as_ref().map(|class| format!("{class}{title}"))
        }
    }
}

/// A value on one line. What is told in words has no quotes.
fn shown(conflict: &Conflict, value: &Value) -> String {
    /// So many characters are shown.
    const MOST: usize = 72;
    let text = match value {
        Value::String(text) if conflict.kind != Kind::Value => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What ends a merge that nobody decided.
pub fn undecided(open: usize) -> Failure {
    Failure::new(Exit::Conflict, format!("{}, and nothing was changed", count(open, "conflict"))).hint(
        "run it again with --take-ours NAME or --take-theirs NAME for each, or --ours or --theirs for all; the values can be changed afterwards",
    )
}
