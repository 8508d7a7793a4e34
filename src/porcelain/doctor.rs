//! `doctor`: what is wrong with an environment, how that is known, and what mends it.

use serde_json::{Value, json};

use crate::environment::doctor::mending;
use crate::environment::doctor::{Check, Examination, Finding, Severity, examine};
use crate::environment::lock::Lock;
use crate::environment::model_roots;
use crate::ui::program::Command;
use crate::ui::report::count;
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
Nothing is changed without --fix, and no network is used. Exit 1 if something does not work.

Examples:
  comfrey doctor            what is wrong, and the command that mends it
  comfrey doctor --fix      mends what can be mended without asking
  comfrey doctor --json     for scripts";

/// Looks for what is wrong with the environment: its tools, Python, torch, disks, links, custom nodes, models, store.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Doctor {
    /// Mend what can be mended without asking
    #[arg(long)]
    fix: bool,
    /// With --fix: show what would be mended, and do nothing
    #[arg(short = 'n', long, requires = "fix")]
    dry_run: bool,
}

/// A finding, and what was done about it.
struct Seen {
    finding: Finding,
    mended: Option<String>,
}

impl Command for Doctor {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let now = session.now()?;
        let mut working = session.working()?;
        let problems: Vec<String> = {
            let found = model_roots::of(&working.workspace, Some(&working.environment));
            found.problems.iter().map(ToString::to_string).collect()
        };
        let found = examine(&Examination {
            workspace: &working.workspace,
            environment: &working.environment,
            models: &working.models,
            model_problems: &problems,
            around: working.around(session.observer),
            now: now.milliseconds,
            observer: session.observer,
        });
        let lock: Option<Lock> = match self.fix && !self.dry_run {
            true => Some(working.environment.lock(&session.waiting())?),
            false => None,
        };
        let mut seen = Vec::new();
        for finding in found {
            let mended = match &lock {
                Some(_) => mending::mend(&finding, &working.workspace, &mut working.environment)?,
                None => None,
            };
            seen.push(Seen { finding, mended });
        }
        let is_wrong = |seen: &Seen| seen.finding.severity == Severity::Error && seen.mended.is_none();
        let exit = if seen.iter().any(is_wrong) { Exit::Negative } else { Exit::Done };
        let name = working.environment.name().to_string();
        match session.globals.json {
            true => print_json(&name, &seen, session)?,
            false => self.print(&name, &seen, session)?,
        }
        Ok(exit)
    }
}

fn number(seen: &[Seen], severity: Severity) -> usize {
    seen.iter().filter(|seen| seen.finding.severity == severity).count()
}

/// The checks that found nothing.
fn sound(seen: &[Seen]) -> Vec<Check> {
    Check::ALL.into_iter().filter(|check| seen.iter().all(|seen| seen.finding.check != *check)).collect()
}

fn print_json(name: &str, seen: &[Seen], session: &mut Session<'_>) -> Result<(), Failure> {
    let finding = |seen: &Seen| -> Value {
        let finding = &seen.finding;
        json!({ "check": finding.check.word(), "severity": finding.severity, "message": finding.message,
            "evidence": finding.evidence, "advice": finding.advice, "command": finding.command,
            "fixable": finding.mend.is_some(), "fixed": seen.mended })
    };
    let sound: Vec<&str> = sound(seen).into_iter().map(Check::word).collect();
    session.print_json(&json!({ "environment": name, "errors": number(seen, Severity::Error),
        "warnings": number(seen, Severity::Warning), "notes": number(seen, Severity::Note),
        "findings": seen.iter().map(finding).collect::<Vec<_>>(), "sound": sound }))
}

impl Doctor {
    fn print(&self, name: &str, seen: &[Seen], session: &mut Session<'_>) -> Result<(), Failure> {
        let paint = session.paint;
        for Seen { finding, mended } in seen {
            let word = match finding.severity {
                Severity::Error => paint.bad(finding.severity.word()),
                Severity::Warning => paint.changed(finding.severity.word()),
                Severity::Note => paint.faint(finding.severity.word()),
            };
            writeln!(session.out, "{word} ({}): {}", finding.check.word(), finding.message)?;
            for line in &finding.evidence {
                writeln!(session.out, "    {}", paint.faint(line))?;
            }
            if let Some(mended) = mended {
                writeln!(session.out, "  mended: {mended}")?;
                continue;
            }
            if let Some(advice) = finding.advice.as_ref().filter(|advice| !advice.is_empty()) {
                writeln!(session.out, "  {advice}")?;
            }
            if let Some(command) = &finding.command {
                writeln!(session.out, "  {}", paint.typed(command))?;
            }
            if self.dry_run && finding.mend.is_some() {
                writeln!(session.out, "  would be mended")?;
            }
        }
        let sound = sound(seen).len();
        let counts =
            [Severity::Error, Severity::Warning, Severity::Note].map(|severity| (number(seen, severity), severity));
        let wrong: Vec<String> = counts
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, severity)| count(*number, severity.word()))
            .collect();
        let wrong = if wrong.is_empty() { String::new() } else { format!("{}; ", wrong.join(", ")) };
        let checks = if sound == 1 { "1 check of".to_owned() } else { format!("{sound} checks of") };
        session.note(format_args!("{wrong}{checks} {} found nothing wrong with {name}", Check::ALL.len()))
    }
}
