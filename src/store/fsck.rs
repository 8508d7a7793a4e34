//! Everything that is wrong with a store, and who needs what is wrong.
//!
//! The structure is checked always: the index's own pages, that each object it names is where it says, that everything
//! which operations that count name is there. Contents are read on demand, least recently checked first.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::fault::{Fault, What};
use super::inventory::{Inventory, Need, Reached, counting_operations, named_snapshots, value};
use super::large::Shelved;
use super::locator::{At, Located};
use super::segment::{self, Frames, Stretch, Trouble};
use super::tables::RecordTable;
use super::{Error, Result, Store, blame, gc, rebuild};
use crate::digest::{self, Threads, Wanted, in_order};
use crate::object::{Kind, ObjectId, Operation};
use crate::observer::{Observer, Unit};

/// What to look at.
#[derive(Debug, Clone)]
pub struct Options {
    /// The time of this run, milliseconds since 1970.
    pub now: i64,
    /// Operations younger than this count, in milliseconds.
    pub grace: i64,
    pub contents: Option<Contents>,
}

/// How much of the contents to read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contents {
    /// Per cent of all bytes, least recently checked first.
    pub percent: f64,
    pub max_duration: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Options { now: 0, grace: gc::GRACE, contents: None }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    pub objects: u64,
    /// Bytes of all objects.
    pub bytes: u64,
    pub faults: Vec<Fault>,
    /// What is no fault, and worth knowing.
    pub notes: Vec<String>,
    pub read: Option<Read>,
}

/// How much was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Read {
    pub objects: u64,
    pub bytes: u64,
    /// Objects that were to be read and for which there was no time.
    pub objects_left: u64,
}

impl Report {
    /// True when nothing is wrong that was not repaired.
    pub fn is_clean(&self) -> bool {
        self.faults.iter().all(|fault| fault.repaired.is_some())
    }
}

/// Faults of objects, by id: the first that is found counts.
#[derive(Default)]
struct Faults(BTreeMap<ObjectId, Fault>);

impl Faults {
    fn add(&mut self, what: What, id: ObjectId, kind: Option<Kind>, file: Option<&Path>, reason: impl Into<String>) {
        let file = file.map(Path::to_owned);
        let fault =
            Fault { what, id: Some(id), kind, file, reason: reason.into(), needed_by: Vec::new(), repaired: None };
        self.0.entry(id).or_insert(fault);
    }

    /// Says of an object what `error` says. Errors: a wish to stop.
    fn error(&mut self, id: ObjectId, kind: Kind, error: Error) -> Result<()> {
        match error {
            Error::Interrupted => return Err(error),
            Error::Damaged { file, reason, .. } => self.add(What::Damaged, id, Some(kind), Some(&file), reason),
            Error::Changed { file, reason, .. } => self.add(What::Changed, id, Some(kind), Some(&file), reason),
            Error::Io { path, source } => {
                self.add(What::Damaged, id, Some(kind), Some(&path), format!("it cannot be read: {source}"));
            }
            other => self.add(What::Damaged, id, Some(kind), None, other.to_string()),
        }
        Ok(())
    }
}

/// Checks a store. Errors: what keeps it from being looked at at all.
pub fn check(store: &Store, options: &Options, observer: &dyn Observer) -> Result<Report> {
    let mut report = Report::default();
    let mut faults = Faults::default();
    let (inventory, head) = inventory(store, &mut report, observer)?;
    report.objects = inventory.objects().len() as u64;
    report.bytes = inventory.objects().iter().map(|(_, locator)| locator.size).sum();
    segments(store, &inventory, &mut report, &mut faults, observer)?;
    large(store, &inventory, &mut report, &mut faults, observer)?;
    let operations = reachable(store, &inventory, head, options, &mut report, &mut faults, observer)?;
    if let Some(contents) = options.contents {
        report.read = Some(read(store, &inventory, contents, options.now, &mut faults, observer)?);
    }
    blame::blame(store, &inventory, &operations, head, &mut faults.0, observer)?;
    report.faults.extend(faults.0.into_values());
    report.faults.sort_by_key(|fault| fault.what);
    Ok(report)
}

/// What the index names; what lies in the store where the index cannot say.
fn inventory(store: &Store, report: &mut Report, observer: &dyn Observer) -> Result<(Inventory, Option<ObjectId>)> {
    let fault = |error: Error, report: &mut Report| -> Result<()> {
        let Error::Index { path, reason } = error else { return Err(error) };
        report.faults.push(Fault {
            what: What::Index,
            id: None,
            kind: None,
            file: Some(path),
            reason,
            needed_by: Vec::new(),
            repaired: None,
        });
        Ok(())
    };
    let looked = match store.index().check() {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::PermissionDenied => {
            report.notes.push("the index's own pages were not checked, because it cannot be written to".into());
            Ok(())
        }
        checked => checked,
    };
    let readable = looked.and_then(|()| Ok((Inventory::read(store, observer)?, store.head_operation()?)));
    match readable {
        Ok(both) => Ok(both),
        Err(error) => {
            fault(error, report)?;
            let found = rebuild::scan(store, observer)?;
            report.notes.push(format!("{} objects were found without the index", found.additions.objects.len()));
            let inventory = Inventory::of(found.additions.objects);
            let head = rebuild::newest_operation(store, &inventory);
            Ok((inventory, head))
        }
    }
}

/// Each object that the index has in a segment is where it says.
fn segments(
    store: &Store,
    inventory: &Inventory,
    report: &mut Report,
    faults: &mut Faults,
    observer: &dyn Observer,
) -> Result<()> {
    let mut by_segment: BTreeMap<u32, Vec<(u64, Located)>> = BTreeMap::new();
    for located in inventory.objects() {
        if let At::Segment { segment, offset, .. } = located.1.at {
            by_segment.entry(segment).or_default().push((u64::from(offset), *located));
        }
    }
    let committed: HashMap<u32, u64> = store.index().segments().unwrap_or_default().into_iter().collect();
    for number in committed.keys() {
        by_segment.entry(*number).or_default();
    }
    let there: HashMap<u32, u64> = store.segments().list()?.into_iter().collect();
    observer.started("checking segments", Unit::Bytes, Some(there.values().sum()));
    for (number, mut named) in by_segment {
        named.sort_unstable_by_key(|(offset, _)| *offset);
        let path = store.segments().path(number);
        let mut wrong = |reason: String| {
            report.faults.push(Fault {
                what: What::Segment,
                id: None,
                kind: None,
                file: Some(path.clone()),
                reason,
                needed_by: Vec::new(),
                repaired: None,
            });
        };
        let Some(&length) = there.get(&number) else {
            wrong("the file is absent".into());
            for (_, (id, locator)) in named {
                faults.add(What::Damaged, id, Some(locator.kind), Some(&path), "the file is absent");
            }
            continue;
        };
        let promised = committed.get(&number).copied().unwrap_or(0);
        if length < promised {
            wrong(format!("it is cut short: {length} of {promised} bytes"));
        }
        if promised > 0 && !segment::is_titled(&path, number) {
            wrong("it does not begin as a segment does".into());
        }
        let mut frames = Frames::open(&path)?;
        let mut named = named.into_iter().peekable();
        let mut lost = |(id, locator): Located, reason: &str| {
            faults.add(What::Damaged, id, Some(locator.kind), Some(&path), reason);
        };
        for stretch in &mut frames {
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
            match stretch? {
                Stretch::Frame { offset, header } => {
                    observer.advanced(header.length());
                    while let Some((_, located)) = named.next_if(|(at, _)| *at < offset) {
                        lost(located, "there is no frame at its place");
                    }
                    if let Some((_, (id, locator))) = named.next_if(|(at, _)| *at == offset)
                        && (id, locator) != (header.id, segment::locator(number, offset, &header))
                    {
                        lost((id, locator), "there is another frame at its place");
                    }
                }
                Stretch::Damage { from, to } => {
                    observer.advanced(to - from);
                    if from < promised {
                        wrong(format!("bytes {from} to {} are no objects", to.min(promised)));
                    }
                }
            }
        }
        for (at, located) in named {
            lost(located, if at >= length { "the file ends before it" } else { "there is no frame at its place" });
        }
    }
    observer.finished();
    Ok(())
}

/// Each large blob has a place whose bytes are right: unchanged since they were, or read now.
fn large(
    store: &Store,
    inventory: &Inventory,
    report: &mut Report,
    faults: &mut Faults,
    observer: &dyn Observer,
) -> Result<()> {
    observer.started("checking large files", Unit::Bytes, None);
    for (id, locator) in inventory.objects().iter().filter(|(_, l)| !matches!(l.at, At::Segment { .. })) {
        let path = store.large().path(id);
        if locator.at == At::Large && std::fs::metadata(&path).is_ok_and(|there| there.len() != locator.size) {
            faults.add(What::Damaged, *id, Some(locator.kind), Some(&path), "it has another length");
            continue;
        }
        if let Err(error) = store.open_observed(id, observer) {
            match error {
                // Without an index there is nobody to ask; the file's length is right.
                Error::Index { .. } => {}
                error => faults.error(*id, locator.kind, error)?,
            }
        }
    }
    let (mut strays, mut bytes) = (0, 0);
    for shelved in store.large().list()? {
        match shelved {
            Shelved::Object { id, size, .. } if inventory.position(&id).is_none() => {
                (strays, bytes) = (strays + 1, bytes + size);
            }
            Shelved::Object { .. } => {}
            Shelved::Stray(path) => report.notes.push(format!("{} is no object", path.display())),
        }
    }
    if strays > 0 {
        report.notes.push(format!("{strays} large files of {bytes} bytes are in no index; `gc --models` removes them"));
    }
    observer.finished();
    Ok(())
}

/// Everything that operations which count need is there, and can be read as far as it needs more.
fn reachable(
    store: &Store,
    inventory: &Inventory,
    head: Option<ObjectId>,
    options: &Options,
    report: &mut Report,
    faults: &mut Faults,
    observer: &dyn Observer,
) -> Result<Vec<(ObjectId, Operation)>> {
    observer.started("following what is needed", Unit::Items, Some(inventory.objects().len() as u64));
    let mut operations = Vec::new();
    for (id, locator) in inventory.objects().iter().filter(|(_, locator)| locator.kind == Kind::Operation) {
        match value::<Operation>(store, id, locator) {
            Ok(operation) => operations.push((*id, operation)),
            Err(error) => faults.error(*id, Kind::Operation, error)?,
        }
    }
    if let Some(head) = head
        && inventory.position(&head).is_none()
    {
        faults.add(
            What::Missing,
            head,
            Some(Kind::Operation),
            None,
            "it is the newest operation, and not in the store",
        );
    }
    let counting = counting_operations(&operations, head, options.now, options.grace);
    for (id, operation) in &operations {
        if let Some(parent) = operation.parent
            && inventory.position(&parent).is_none()
            && counting.contains(id)
        {
            let reason = format!("operation {id} came after it");
            faults.add(What::Missing, parent, Some(Kind::Operation), None, reason);
        }
    }
    let mut reached = Reached::new(inventory);
    let roots: Vec<ObjectId> = operations
        .iter()
        .filter(|(id, _)| counting.contains(id))
        .flat_map(|(_, operation)| named_snapshots(operation))
        .map(|(_, id)| id)
        .collect();
    let mut absent: Vec<Need> = Vec::new();
    let mut broken = Vec::new();
    for root in roots {
        reached.follow(store, inventory, root, observer, &mut |need| absent.push(need.clone()), &mut |id, error| {
            if matches!(error, Error::Interrupted) {
                return Err(error);
            }
            broken.push((id, error));
            Ok(())
        })?;
    }
    for (id, error) in broken {
        let kind = inventory.locator(&id).map_or(Kind::Blob, |locator| locator.kind);
        faults.error(id, kind, error)?;
    }
    for need in absent {
        faults.add(What::Missing, need.id, Some(need.kind), None, "it is needed, and not in the store");
    }
    let unneeded = inventory.objects().iter().enumerate().filter(|(at, _)| !reached.has(*at));
    let count = unneeded.filter(|(_, (_, locator))| locator.kind != Kind::Operation).count();
    if count > 0 {
        report.notes.push(format!("{count} objects are needed by no ref; `gc` removes them in time"));
    }
    observer.finished();
    Ok(operations)
}

/// Reads contents in parallel, least recently checked first.
fn read(
    store: &Store,
    inventory: &Inventory,
    contents: Contents,
    now: i64,
    faults: &mut Faults,
    observer: &dyn Observer,
) -> Result<Read> {
    let began = Instant::now();
    let is_late = || contents.max_duration.is_some_and(|limit| began.elapsed() >= limit);
    let chosen = chosen(store, inventory, contents.percent);
    let bytes: u64 = chosen.iter().map(|(_, locator)| locator.size).sum();
    observer.started("reading contents", Unit::Bytes, Some(bytes));
    let mut done = Read::default();
    let threads = Threads::All.count();
    /// Between two looks at the clock and two records of what was checked.
    const BATCH: usize = 4096;
    let mut rest = &chosen[..];
    while !rest.is_empty() && !is_late() {
        // A large file is a batch of its own: all threads work on it.
        let small = rest.iter().take(BATCH).take_while(|(_, l)| matches!(l.at, At::Segment { .. })).count();
        let (batch, later) = rest.split_at(small.max(1));
        rest = later;
        let mut batch = batch.to_vec();
        batch.sort_unstable_by_key(|(_, locator)| match locator.at {
            At::Segment { segment, offset, .. } => (segment, offset),
            _ => (u32::MAX, 0),
        });
        let mut checked = Vec::with_capacity(batch.len());
        let mut errors = Vec::new();
        let mut at = 0;
        let ended = in_order::in_order(
            &batch,
            threads,
            |located| read_one(store, located, observer),
            |answer| {
                if let in_order::Answer::Next(result) = answer {
                    let (id, locator) = batch[at];
                    at += 1;
                    match result {
                        Err(Error::Interrupted) => return std::ops::ControlFlow::Break(()),
                        Err(error) => errors.push((id, locator.kind, error)),
                        Ok(()) => checked.push((id.0.to_vec(), Some(now.to_le_bytes().to_vec()))),
                    }
                    done.objects += 1;
                    done.bytes += locator.size;
                }
                std::ops::ControlFlow::Continue(())
            },
        );
        if ended.is_break() {
            return Err(Error::Interrupted);
        }
        for (id, kind, error) in errors {
            faults.error(id, kind, error)?;
        }
        // A store that cannot be written to can still be read; then the next run begins where this one did.
        drop(store.records(RecordTable::Checked).apply(checked));
    }
    done.objects_left = rest.len() as u64;
    observer.finished();
    Ok(done)
}

/// So many per cent of all bytes: first what was never checked, then what was longest ago.
fn chosen(store: &Store, inventory: &Inventory, percent: f64) -> Vec<Located> {
    let rows = store.records(RecordTable::Checked).range(&[]).unwrap_or_default();
    let time = |value: Vec<u8>| Some(i64::from_le_bytes(value.try_into().ok()?));
    let times: HashMap<Vec<u8>, i64> = rows.into_iter().filter_map(|(key, value)| Some((key, time(value)?))).collect();
    let mut all: Vec<(i64, Located)> = inventory
        .objects()
        .iter()
        .map(|located| (times.get(located.0.0.as_slice()).copied().unwrap_or(i64::MIN), *located))
        .collect();
    all.sort_by_key(|(time, (_, locator))| (*time, !matches!(locator.at, At::Segment { .. })));
    let whole: u64 = all.iter().map(|(_, (_, locator))| locator.size).sum();
    let wanted = whole as f64 * percent.clamp(0.0, 100.0) / 100.0;
    let mut so_far = 0.0;
    let within = |(_, (_, locator)): &(i64, Located)| {
        let is_wanted = so_far < wanted || percent >= 100.0;
        so_far += locator.size as f64;
        is_wanted
    };
    all.into_iter().take_while(within).map(|(_, located)| located).collect()
}

/// Reads one object and computes its id, whatever is remembered of it.
fn read_one(store: &Store, (id, locator): &Located, observer: &dyn Observer) -> Result<()> {
    if let At::Segment { segment, .. } = locator.at {
        observer.advanced(locator.size);
        let file = || store.segments().path(segment);
        return match store.segments().read(id, locator) {
            Ok(_) => Ok(()),
            Err(Trouble::Io(source)) => Err(Error::Io { path: file(), source }),
            Err(Trouble::Damage(reason)) => Err(Error::Damaged { id: *id, file: file(), reason }),
        };
    }
    let mut fault = None;
    let mut paths: Vec<PathBuf> = Vec::new();
    if locator.at == At::Large {
        paths.push(store.large().path(id));
    }
    if locator.at == At::Reference {
        paths.extend(store.places(id)?.into_iter().filter_map(|(path, _)| path));
    }
    for path in paths {
        match digest::file(&path, Wanted::ID, Threads::All, observer) {
            Ok(digests) if digests.id == Some(*id) => return Ok(()),
            Ok(_) if locator.at == At::Reference => {
                fault = Some(Error::Changed { id: *id, file: path, reason: "has other bytes now".into() });
            }
            Ok(_) => fault = Some(Error::Damaged { id: *id, file: path, reason: "it has other bytes".into() }),
            Err(digest::Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => fault = Some(Error::Damaged { id: *id, file: path, reason: error.to_string() }),
        }
    }
    Err(fault.unwrap_or(Error::NotFound(*id)))
}
