//! `gc`: what nobody needs is marked, and a day later deleted.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::environment::making::trash::{self, Deleted};
use crate::net::address::shown;
use crate::store::gc::{self, Done, Fate, Garbage, Models, Options, Plan};
use crate::store::partial::Leftover;
use crate::store::sweep;
use crate::ui::program::Command;
use crate::ui::report::{self, count};
use crate::ui::{Exit, Failure, Session};

/// Deletes what nothing needs: marked by one run, deleted by one a day later.
#[derive(Debug, clap::Args)]
pub struct Gc {
    /// Print what would go, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Delete at once what nothing needs now, also what a pipeline at work has not named yet and what a download that was broken
    /// off would go on with
    #[arg(long)]
    now: bool,
    /// Delete large blobs too, which models are, where their bytes are somewhere else as well
    #[arg(long)]
    models: bool,
    /// With --models: also those whose last known copy this is
    #[arg(long, requires = "models")]
    force: bool,
}

impl Command for Gc {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let store = session.store()?;
        let mut options = Options { now: session.now()?.milliseconds, ..Options::default() };
        if self.now {
            options.wait = 0;
            options.downloads = None;
        }
        options.models = match (self.models, self.force) {
            (false, _) => Models::Keep,
            (true, false) => Models::Prune,
            (true, true) => Models::PruneLastCopies,
        };
        let json = session.globals.json;
        // What an environment in the trash needs counts for as long as the deletion does.
        let root = store.dir().parent().unwrap_or(store.dir());
        let trash = trash::sweep(root, options.now.saturating_sub(options.grace), self.dry_run)?;
        if !json {
            for old in &trash {
                let would = if self.dry_run { "would take" } else { "took" };
                writeln!(
                    session.out,
                    "{would} {} out of the trash, deleted {}",
                    old.environment,
                    old.time.to_minutes()
                )?;
            }
        }
        if self.dry_run {
            let plan = gc::plan(&store, &options, session.observer)?;
            if json {
                session.print_json(&document(&plan, None, &trash))?;
            } else {
                show(&plan, session.out, true)?;
            }
            return Ok(Exit::Done);
        }
        let out = &mut *session.out;
        let (plan, done) = sweep::collect(&store, &options, session.observer, |plan| {
            // What will be lost is told before it is.
            if json {
                return Ok(());
            }
            show(plan, out, false)?;
            out.flush().map_err(Failure::from)
        })?;
        for (path, reason) in &done.left_alone {
            session.warn(format_args!("{} was left as it is: {reason}", path.display()))?;
        }
        if json {
            session.print_json(&document(&plan, Some(&done), &trash))?;
        } else {
            writeln!(session.out, "freed {}", report::Bytes(done.freed))?;
        }
        Ok(Exit::Done)
    }
}

fn bytes<'a>(garbage: impl Iterator<Item = &'a Garbage>) -> (usize, u64) {
    garbage.fold((0, 0), |(number, bytes), one| (number + 1, bytes + one.size))
}

/// The plan for people. Each object that goes has a line of its own in a dry run; a large one always has.
fn show(plan: &Plan, out: &mut dyn Write, is_dry: bool) -> Result<(), Failure> {
    for one in plan.deleted().filter(|one| is_dry || one.place() != "segment") {
        let verb = if is_dry { "would delete" } else { "deleting" };
        writeln!(out, "{verb} {} {} {} ({})", one.kind, one.id, report::Bytes(one.size), one.place())?;
    }
    for one in &plan.downloads {
        let verb = if is_dry { "would delete" } else { "deleting" };
        let size = report::Bytes(one.size);
        writeln!(out, "{verb} {size} of a download that was broken off: {}", shown(&one.about))?;
    }
    for one in plan.with_fate(Fate::KeepLastCopy) {
        writeln!(
            out,
            "kept {} {} {}: the last known copy; --force deletes it",
            one.kind,
            one.id,
            report::Bytes(one.size)
        )?;
    }
    let line = |out: &mut dyn Write, what: &str, (number, bytes): (usize, u64), why: &str| -> io::Result<()> {
        if number > 0 {
            writeln!(out, "{what}: {}, {}{why}", count(number, "object"), report::Bytes(bytes))?;
        }
        Ok(())
    };
    let (marks, deletes) = if is_dry { ("would mark", "would delete") } else { ("marked", "deleted") };
    line(out, "needed", (plan.kept_objects as usize, plan.kept_bytes), "")?;
    line(out, deletes, bytes(plan.deleted()), "")?;
    line(out, marks, bytes(plan.with_fate(Fate::Mark)), ", to be deleted by a run a day from now")?;
    let waiting = plan.garbage.iter().filter(|one| matches!(one.fate, Fate::Wait(_) | Fate::Spare));
    line(out, "waiting", bytes(waiting), ", marked less than a day ago or needed by what is")?;
    line(out, "large and needed by nothing", bytes(plan.with_fate(Fate::KeepModel)), "; --models deletes them")?;
    for shrink in &plan.shrunk {
        let (number, saved) = (shrink.segment, report::Bytes(shrink.length.saturating_sub(shrink.living)));
        let verb = if is_dry { "would shrink" } else { "shrinking" };
        writeln!(out, "{verb} segment {number}: {saved} of {} are garbage", report::Bytes(shrink.length))?;
    }
    if plan.postponed > 0 {
        writeln!(out, "{} more for the next run", count(plan.postponed, "segment"))?;
    }
    Ok(())
}

fn download(leftover: &Leftover) -> Value {
    let touched = crate::object::Time { milliseconds: leftover.touched, offset_minutes: 0 };
    json!({ "url": leftover.about, "size": leftover.size, "touched": touched.to_string() })
}

fn document(plan: &Plan, done: Option<&Done>, trash: &[Deleted]) -> Value {
    let garbage = |one: &Garbage| {
        let (fate, since) = match one.fate {
            Fate::Delete => ("delete", None),
            Fate::Mark => ("mark", None),
            Fate::Wait(since) => ("wait", Some(since)),
            Fate::Spare => ("spare", None),
            Fate::KeepModel => ("keep-model", None),
            Fate::KeepLastCopy => ("keep-last-copy", None),
        };
        let mut value = json!({
            "id": one.id, "kind": one.kind.as_str(), "size": one.size, "place": one.place(), "fate": fate,
        });
        if let Some(since) = since {
            let since = crate::object::Time { milliseconds: since, offset_minutes: 0 };
            value["marked"] = since.to_string().into();
        }
        value
    };
    let shrunk = plan.shrunk.iter().map(|s| json!({ "segment": s.segment, "length": s.length, "living": s.living }));
    let mut value = json!({
        "needed": { "objects": plan.kept_objects, "bytes": plan.kept_bytes },
        "garbage": plan.garbage.iter().map(garbage).collect::<Vec<_>>(),
        "needed_again": plan.unmarked.len(),
        "shrunk": shrunk.collect::<Vec<_>>(),
        "postponed": plan.postponed,
        "downloads": plan.downloads.iter().map(download).collect::<Vec<_>>(),
        "trash": trash.iter().map(|old| &old.environment).collect::<Vec<_>>(),
        "dry_run": done.is_none(),
    });
    if let Some(done) = done {
        value["freed"] = done.freed.into();
        let left = done.left_alone.iter().map(|(path, reason)| json!({ "file": path, "reason": reason }));
        value["left_alone"] = left.collect::<Vec<_>>().into();
    }
    value
}
