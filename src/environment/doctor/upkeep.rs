//! The workspace: commands that were interrupted, runs that were killed, the store.

use crate::observer::Observer;
use crate::store::fsck::{self, Options};

use super::super::Workspace;
use super::super::environment::Environment;
use super::super::launch::running::{self, Running};
use super::super::recovery;
use super::finding::{Check, Finding, Mend, Severity};

const SHOWN: usize = 5;

/// Looks at what commands left, and at the structure of the store; no contents are read. `now` is in milliseconds since 1970.
pub fn look(workspace: &Workspace, environment: &Environment, now: i64, observer: &dyn Observer) -> Vec<Finding> {
    let mut found = Vec::new();
    // Every command ends them when it begins: what is still there could not be ended, or is at work.
    for folder in recovery::pending(workspace.root()) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        found.push(
            Finding::new(
                Check::Operations,
                Severity::Warning,
                format!("a command in {name} is at work, or could not be ended"),
            )
            .evidence(folder.display().to_string())
            .command("comfrey status"),
        );
    }
    let folder = environment.folder();
    let is_left = folder.join(running::FILE).exists() && !matches!(running::of(environment), Some(Running::Ours(_)));
    if is_left {
        found.push(
            Finding::new(Check::Operations, Severity::Note, "the last run ended without a word: it was killed")
                .evidence(folder.join(running::FILE).display().to_string())
                .command("comfrey doctor --fix")
                .mend(Mend::SweepRecord),
        );
    }
    match fsck::check(workspace.store(), &Options { now, ..Options::default() }, observer) {
        Ok(report) if report.is_clean() => {}
        Ok(report) => {
            let faults: Vec<_> = report.faults.iter().filter(|fault| fault.repaired.is_none()).collect();
            let message = format!(
                "the store has {}",
                if faults.len() == 1 { "1 fault".into() } else { format!("{} faults", faults.len()) }
            );
            let mut finding = Finding::new(Check::Store, Severity::Error, message).command("comfrey fsck --repair");
            for fault in faults.iter().take(SHOWN) {
                let what = fault.id.map(|id| format!(" {}", id.short())).unwrap_or_default();
                finding = finding.evidence(format!("{}{what}: {}", fault.what.as_str(), fault.reason));
            }
            found.push(finding);
        }
        Err(error) => found.push(
            Finding::new(Check::Store, Severity::Error, "the store cannot be looked at")
                .evidence(error.to_string())
                .command("comfrey fsck"),
        ),
    }
    found
}
