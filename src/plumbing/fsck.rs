//! `fsck`: everything that is wrong with the store, and who needs it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::environment::Search;
use crate::environment::copies::Copies;
use crate::environment::workspace::STORE_FOLDER;
use crate::store::fault::Fault;
use crate::store::fsck::{self, Contents, Options, Report};
use crate::store::rebuild::{self, Rebuilt};
use crate::store::{Store, repair};
use crate::ui::program::Command;
use crate::ui::report::{self, count, grouped};
use crate::ui::{Exit, Failure, Session};

/// Checks the store, and lists every fault with each ref and path that needs the object.
#[derive(Debug, clap::Args)]
pub struct Fsck {
    /// Read and hash contents too, all of them or so many per cent, least recently checked first
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, require_equals = true, default_missing_value = "100")]
    read_data: Option<Percent>,
    /// Read contents for no longer than this, such as `90s`, `10m`, `2h`
    #[arg(long, value_name = "DURATION", requires = "read_data", value_parser = duration)]
    max_duration: Option<Duration>,
    /// Repair what can be repaired: the index from the objects, an object from another place that has it
    #[arg(long)]
    repair: bool,
    /// Make the index again from what lies in the store, whether it is wrong or not
    #[arg(long)]
    rebuild_index: bool,
}

/// `10` or `10%`.
#[derive(Debug, Clone, Copy)]
struct Percent(f64);

impl std::str::FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number: Result<f64, _> = text.strip_suffix('%').unwrap_or(text).parse();
        number
            .ok()
            .filter(|number| (0.0..=100.0).contains(number))
            .map(Percent)
            .ok_or_else(|| format!("`{text}` is no share: a number from 0 to 100 is wanted"))
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration: a form like 90s, 10m or 2h is wanted");
    let (number, unit) = match text.char_indices().last() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => (&text[..at], unit),
        _ => (text, 's'),
    };
    let seconds = match unit {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())
}

impl Command for Fsck {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let folder = Search::from_here(session.globals.workspace.as_deref()).find()?.join(STORE_FOLDER);
        let format = if self.repair { repair::format_file(&folder, &session.store_options())? } else { None };
        let store = session.store()?;
        let rebuilt = if self.rebuild_index { Some(rebuild::rebuild(&store, session.observer)?) } else { None };
        if let Some(rebuilt) = &rebuilt
            && !session.globals.json
        {
            tell_rebuilt(rebuilt, session)?;
        }
        let contents = self.read_data.map(|Percent(percent)| Contents { percent, max_duration: self.max_duration });
        let options = Options { now: session.now()?.milliseconds, contents, ..Options::default() };
        let mut report = fsck::check(&store, &options, session.observer)?;
        if self.repair {
            self.repair(&store, &mut report, session)?;
        }
        report.faults.splice(0..0, format);
        if session.globals.json {
            session.print_json(&document(&report, rebuilt.as_ref()))?;
        } else {
            tell(&store, &report, session)?;
        }
        Ok(if report.is_clean() { Exit::Done } else { Exit::Damaged })
    }
}

impl Fsck {
    /// With copies from the model folders and the working files, as far as the workspace can be asked for them.
    fn repair(&self, store: &Store, report: &mut Report, session: &mut Session<'_>) -> Result<(), Failure> {
        if report.faults.iter().all(|fault| fault.id.is_none()) {
            return Ok(repair::repair(store, report, &|_, _| Vec::new(), session.observer)?);
        }
        let observer = session.observer;
        let workspace = match session.workspace() {
            Ok(workspace) => Some(workspace),
            Err(failure) => {
                session.warn(format_args!("copies are looked for in the store alone: {}", failure.message))?;
                None
            }
        };
        let copies = workspace.as_ref().and_then(|workspace| Copies::new(workspace, observer).ok());
        let elsewhere = |id: &_, size| copies.as_ref().map(|copies| copies.of(id, size)).unwrap_or_default();
        Ok(repair::repair(store, report, &elsewhere, observer)?)
    }
}

fn tell_rebuilt(rebuilt: &Rebuilt, session: &mut Session<'_>) -> Result<(), Failure> {
    writeln!(
        session.out,
        "index made again: {} objects, {} references, {} operations",
        grouped(rebuilt.objects),
        grouped(rebuilt.references),
        grouped(rebuilt.operations)
    )?;
    if let Some(head) = rebuilt.head {
        writeln!(session.out, "newest operation: {head}")?;
    }
    for other in &rebuilt.other_heads {
        session.note(format_args!(
            "note: operation {other} is nobody's parent either, and has fewer before it or is older"
        ))?;
    }
    for (path, reason) in &rebuilt.damage {
        session.warn(format_args!("{}: {reason}", path.display()))?;
    }
    Ok(())
}

fn tell(store: &Store, report: &Report, session: &mut Session<'_>) -> Result<(), Failure> {
    for fault in &report.faults {
        let below = |path: &std::path::Path| {
            let below = path.strip_prefix(store.dir()).unwrap_or(path);
            below.display().to_string().replace(std::path::MAIN_SEPARATOR, "/")
        };
        let object = fault.id.map(|id| {
            let kind = fault.kind.map_or("object", |kind| kind.as_str());
            format!("{kind} {id}")
        });
        let file = fault.file.as_deref().map(below);
        let subject = match (object, file) {
            (Some(object), Some(file)) => format!("{object} in {file}"),
            (object, file) => object.or(file).unwrap_or_default(),
        };
        writeln!(session.out, "{} {subject}: {}", fault.what.as_str(), fault.reason)?;
        for needed in &fault.needed_by {
            let snapshot = needed.snapshot.map(|id| format!(" ({})", id.short())).unwrap_or_default();
            let more = match needed.snapshots {
                0 | 1 => String::new(),
                several => format!(" in {several} snapshots"),
            };
            let path = if needed.path.is_empty() { String::new() } else { format!(": {}", needed.path) };
            writeln!(session.out, "  needed by {}{snapshot}{more}{path}", needed.name)?;
        }
        if let Some(repaired) = &fault.repaired {
            writeln!(session.out, "  repaired: {repaired}")?;
        }
    }
    for note in &report.notes {
        session.note(format_args!("note: {note}"))?;
    }
    if let Some(read) = report.read {
        let left = match read.objects_left {
            0 => String::new(),
            left => format!("; no time for {}", grouped(left)),
        };
        let (objects, size) = (grouped(read.objects), report::Bytes(read.bytes));
        writeln!(session.out, "read {objects} objects, {size}{left}")?;
    }
    let open = report.faults.iter().filter(|fault| fault.repaired.is_none()).count();
    let state = match (report.faults.len(), open) {
        (0, _) => "no faults".to_owned(),
        (all, 0) => format!("{}, all repaired", count(all, "fault")),
        (all, open) if open == all => count(all, "fault"),
        (all, open) => format!("{}, {open} not repaired", count(all, "fault")),
    };
    writeln!(session.out, "{} objects, {}: {state}", grouped(report.objects), report::Bytes(report.bytes))?;
    Ok(())
}

fn document(report: &Report, rebuilt: Option<&Rebuilt>) -> Value {
    let fault = |fault: &Fault| {
        let needed: Vec<Value> = fault
            .needed_by
            .iter()
            .map(|n| json!({ "name": n.name, "snapshot": n.snapshot, "snapshots": n.snapshots, "path": n.path }))
            .collect();
        json!({
            "what": fault.what.as_str(), "id": fault.id, "kind": fault.kind.map(|kind| kind.as_str()),
            "file": fault.file, "reason": fault.reason, "needed_by": needed, "repaired": fault.repaired,
        })
    };
    json!({
        "clean": report.is_clean(),
        "objects": report.objects,
        "bytes": report.bytes,
        "faults": report.faults.iter().map(fault).collect::<Vec<_>>(),
        "notes": report.notes,
        "read": report.read.map(|r| json!({ "objects": r.objects, "bytes": r.bytes, "objects_left": r.objects_left })),
        "rebuilt": rebuilt.map(|r| json!({
            "objects": r.objects, "references": r.references, "operations": r.operations, "head": r.head,
            "other_heads": r.other_heads,
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_durations_are_read_as_people_write_them() {
        assert_eq!("10%".parse::<Percent>().map(|p| p.0), Ok(10.0));
        assert_eq!("2.5".parse::<Percent>().map(|p| p.0), Ok(2.5));
        assert!(["", "101", "-1", "x%", "NaN"].iter().all(|text| text.parse::<Percent>().is_err()));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        assert!(["", "x", "-1s", "3d", "1e999h"].iter().all(|text| duration(text).is_err()));
    }
}
