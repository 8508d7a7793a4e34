//! `models duplicates`: equal files, and the room that they waste, given back.

use serde::Serialize;

use crate::environment::lock::Lock;
use crate::models::duplicates::{Duplicates, Group, find};
use crate::models::linking::{Linker, Outcome, Refusal, Sharing};
use crate::models::{Depth, IndexedFile, ModelIndex};
use crate::object::ObjectId;
use crate::store::Store;
use crate::ui::program::Command;
use crate::ui::report::{Bytes, count};
use crate::ui::{Exit, Failure, Session, json};

use super::Place;

const HELP: &str = "\
Files that may be equal are read whole: only their ids prove it. Hard links to one file take its room once and do not count.

--link makes equal files on one disk share their room: by reflink where the file system can (btrfs, XFS, APFS, ReFS), so that they stay
files of their own; else as hard links to one file, which then have one time, one owner, and change together. Each file is read once more right
before, and replaced in one step; whatever goes wrong, every name leads to a whole file. --undo gives hard links files of their own again.

Examples:
  comfrey models duplicates
  comfrey models duplicates --link --dry-run   what would be linked
  comfrey models duplicates --undo             takes the last --link back";

/// Finds equal model files, says how much room they waste, and gives it back.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Find {
    /// Make equal files share their room, by reflink or hard link
    #[arg(long)]
    link: bool,
    /// Give the files of the last --link room of their own again
    #[arg(long, conflicts_with = "link")]
    undo: bool,
    /// Say what would be linked or undone, and do nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Shape {
    groups: Vec<GroupShape>,
    /// Bytes, in all.
    wasted: u64,
    dry_run: bool,
    done: Vec<Done>,
}

#[derive(Serialize)]
struct GroupShape {
    id: ObjectId,
    size: u64,
    wasted: u64,
    copies: Vec<CopyShape>,
}

/// One file on disk.
#[derive(Serialize)]
struct CopyShape {
    /// Its places below `models/`.
    paths: Vec<String>,
    files: Vec<String>,
    shares: bool,
}

/// What was done to one file.
#[derive(Serialize)]
struct Done {
    file: String,
    id: ObjectId,
    size: u64,
    /// Bytes.
    freed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    how: Option<Sharing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Done {
    fn of(outcome: &Outcome) -> Self {
        Done {
            file: json::path(&outcome.path),
            id: outcome.id,
            size: outcome.size,
            freed: outcome.freed,
            how: outcome.result.as_ref().ok().copied(),
            reason: outcome.result.as_ref().err().map(ToString::to_string),
        }
    }
}

impl Command for Find {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let Place { workspace, roots, .. } = super::place(session)?;
        let store = workspace.store();
        let path = store.dir().join("models.lock");
        let alone = (self.link || self.undo) && !self.dry_run;
        let _lock = alone.then(|| Lock::acquire(&path, "linking of models", &session.waiting())).transpose()?;
        if self.undo {
            return self.take_back(store, session);
        }
        let index = ModelIndex::new(store);
        let updated = index.update(&roots, Depth::Quick, session.observer)?;
        let Duplicates { groups, mut problems } = find(store, updated.files, session.observer)?;
        problems.extend(updated.problems);
        let wasted = groups.iter().map(Group::wasted).sum();
        let mut exit = crate::ui::model_files::complain(problems, session)?;
        if !session.globals.json {
            show(&groups, wasted, session)?;
        }
        let mut done = Vec::new();
        if self.link && !self.dry_run && wasted > 0 && session.agree("Make them share their room?", true)? {
            let mut linker = Linker::new(store, session.observer)?;
            for group in &groups {
                let outcomes = linker.link(group)?;
                // The rows of the index are to show the stamps of now, and nothing is read for that.
                let files: Vec<IndexedFile> = group.copies.iter().flat_map(|copy| copy.files.clone()).collect();
                index.read(&files, Depth::Quick, session.observer)?;
                exit = report(&outcomes, exit, session)?;
                done.extend(outcomes);
            }
            if !session.globals.json {
                conclude(&done, session)?;
            }
        } else if !session.globals.json && wasted > 0 {
            let text =
                if self.link { "nothing was changed" } else { "`comfrey models duplicates --link` gives that back" };
            session.note(text)?;
        }
        if session.globals.json {
            let done = done.iter().map(Done::of).collect();
            let groups = groups.iter().map(shape).collect();
            session.print_json(&Shape { groups, wasted, dry_run: self.dry_run, done })?;
        }
        Ok(exit)
    }
}

impl Find {
    fn take_back(&self, store: &Store, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let mut linker = Linker::new(store, session.observer)?;
        let records = linker.last_run()?;
        if records.is_empty() {
            return Err(Failure::new(Exit::Negative, "nothing is linked that could be undone"));
        }
        if self.dry_run {
            for (_, record) in &records {
                let how = record.how.map_or("", Sharing::as_str);
                if !session.globals.json {
                    writeln!(session.out, "{}  {} to {}", record.path.display(), how, record.kept.display())?;
                }
            }
            if session.globals.json {
                let done = records.iter().map(|(_, record)| Done {
                    file: json::path(&record.path),
                    id: record.id,
                    size: record.was.size,
                    freed: 0,
                    how: record.how,
                    reason: None,
                });
                let done = done.collect();
                session.print_json(&Shape { groups: Vec::new(), wasted: 0, dry_run: true, done })?;
            }
            return Ok(Exit::Done);
        }
        let outcomes = linker.undo(records)?;
        let exit = report(&outcomes, Exit::Done, session)?;
        if session.globals.json {
            let done = outcomes.iter().map(Done::of).collect();
            session.print_json(&Shape { groups: Vec::new(), wasted: 0, dry_run: false, done })?;
            return Ok(exit);
        }
        let by = |how: Sharing| {
            outcomes.iter().filter(|outcome| outcome.result.as_ref().is_ok_and(|done| *done == how)).count()
        };
        let (own, reflinks) = (by(Sharing::HardLinked), by(Sharing::Reflinked));
        if own > 0 || reflinks == 0 {
            let whose = if own == 1 { "its" } else { "their" };
            writeln!(session.out, "{} with room of {whose} own again", count(own, "file"))?;
        }
        if reflinks > 0 {
            let text = "left as they are: reflinks are files of their own, and share room until one is written to";
            writeln!(session.out, "{} {text}", count(reflinks, "file"))?;
        }
        Ok(exit)
    }
}

fn shape(group: &Group) -> GroupShape {
    let copies = group.copies.iter().map(|copy| CopyShape {
        paths: copy.files.iter().map(IndexedFile::place).collect(),
        files: copy.files.iter().map(|file| json::path(&file.file())).collect(),
        shares: copy.is_reflink,
    });
    GroupShape { id: group.id, size: group.size, wasted: group.wasted(), copies: copies.collect() }
}

fn show(groups: &[Group], wasted: u64, session: &mut Session<'_>) -> Result<(), Failure> {
    let paint = session.paint;
    for group in groups {
        let (id, size) = (paint.strong(group.id.short()), Bytes(group.size));
        writeln!(session.out, "{id}  {size}, {}", count(group.copies.len(), "copy"))?;
        for copy in &group.copies {
            for (number, file) in copy.files.iter().enumerate() {
                let remark = match (number, copy.is_reflink) {
                    (0, true) => "  (shares its room already)",
                    (0, false) => "",
                    _ => "  (the same file)",
                };
                writeln!(session.out, "  {}{}", file.place(), paint.faint(remark))?;
            }
        }
    }
    match groups.len() {
        0 => writeln!(session.out, "no two model files are equal, but for links that share their room")?,
        number => writeln!(session.out, "{} of equal files, {} wasted", count(number, "group"), Bytes(wasted))?,
    }
    Ok(())
}

/// Says of each file that was left as it is why.
fn report(outcomes: &[Outcome], mut exit: Exit, session: &mut Session<'_>) -> Result<Exit, Failure> {
    for outcome in outcomes {
        let Err(refusal) = &outcome.result else { continue };
        let path = outcome.path.display();
        match refusal {
            // Nothing failed: there is nothing to give back, or it is not ours to touch.
            Refusal::OtherDisk(_) | Refusal::Symlink | Refusal::Separate | Refusal::Gone => {
                session.note(format_args!("{path}: {refusal}; it stays as it is"))?;
            }
            Refusal::Io { path: failed, source } => {
                exit = Exit::NotFound;
                session.complain(&Failure::io(failed.display(), source))?;
            }
            _ => {
                exit = if matches!(refusal, Refusal::Unsupported(_)) { Exit::NotFound } else { Exit::Conflict };
                session.complain(&Failure::new(exit, format!("{path}: {refusal}; it stays as it is")))?;
            }
        }
    }
    Ok(exit)
}

fn conclude(done: &[Outcome], session: &mut Session<'_>) -> Result<(), Failure> {
    let by = |how: Sharing| done.iter().filter(move |outcome| outcome.result.as_ref().is_ok_and(|done| *done == how));
    for how in [Sharing::Reflinked, Sharing::HardLinked] {
        let number = by(how).count();
        if number > 0 {
            let size: u64 = by(how).map(|outcome| outcome.freed).sum();
            writeln!(session.out, "{} {}, {} freed", count(number, "file"), how.as_str(), Bytes(size))?;
        }
    }
    if by(Sharing::HardLinked).next().is_some() {
        session.note("hard-linked files are one file now, with one time: `comfrey models duplicates --undo` makes them two again")?;
    }
    Ok(())
}
