//! What nobody needs: found, marked, and a day later deleted.
//!
//! An object is needed if it can be reached from an operation that [counts](super::inventory::counting_operations). What is not
//! needed is marked with the time. It is deleted only when it has been marked for [`Options::wait`], is still not needed, and
//! nothing that is not to be deleted itself needs it: so a pipeline that stores blobs, then trees, then a snapshot has that
//! long until a ref must name them. Writers are kept out meanwhile; one that counts on an object takes its mark off
//! (invariant S7).
//!
//! A plan is a value: a dry run prints it, a real run carries it out. Order: index, then data (the refs that named it went long ago),
//! so that a run that dies leaves files that nothing names and never names without files (invariant S6).

use std::collections::HashMap;
use std::path::PathBuf;

use super::inventory::{Inventory, Reached, counting_operations, named_snapshots, value};
use super::large::Shelved;
use super::locator::{At, Located, Locator};
use super::partial::Leftover;
use super::tables::RecordTable;
use super::{Error, Result, Store, segment};
use crate::object::{Kind, ObjectId, Operation};
use crate::observer::{Observer, Unit};
use crate::platform::identity::{self, FileStamp};

/// How long operations count, in milliseconds: 14 days.
pub const GRACE: i64 = 14 * DAY;
/// How long what was fetched is kept after its last use, in milliseconds: 90 days.
pub const KEPT: i64 = 90 * DAY;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// What may be deleted.
#[derive(Debug, Clone)]
pub struct Options {
    /// The time of this run, milliseconds since 1970.
    pub now: i64,
    /// Operations younger than this count, in milliseconds.
    pub grace: i64,
    /// How long an object must have been marked, in milliseconds.
    pub wait: i64,
    /// How long a download that was broken off may be gone on with, in milliseconds; nothing: no longer than somebody is at it.
    pub downloads: Option<i64>,
    pub models: Models,
    /// Bytes of living objects that may be copied to shrink segments, in one run.
    pub budget: u64,
}

/// What may happen to large blobs, which models are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Models {
    #[default]
    Keep,
    /// Those whose bytes are somewhere else too.
    Prune,
    /// Also those whose only known copy this is.
    PruneLastCopies,
}

impl Default for Options {
    fn default() -> Self {
        Options { now: 0, grace: GRACE, wait: DAY, downloads: Some(GRACE), models: Models::Keep, budget: 2 << 30 }
    }
}

/// An object that nobody needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbage {
    pub id: ObjectId,
    pub kind: Kind,
    /// Bytes of the object.
    pub size: u64,
    pub fate: Fate,
    locator: Locator,
}

/// What becomes of garbage in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Delete,
    /// Marked now for the first time.
    Mark,
    /// Marked, and not for long enough; the time of the mark in milliseconds since 1970.
    Wait(i64),
    /// Something that waits needs it.
    Spare,
    /// A large blob, of which nothing was said.
    KeepModel,
    /// A large blob whose only known copy this is.
    KeepLastCopy,
}

/// A segment that is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shrink {
    pub segment: u32,
    /// Bytes of the file.
    pub length: u64,
    /// Bytes that are copied to another segment.
    pub living: u64,
}

/// What a run does.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// How many objects are needed, and their bytes.
    pub kept_objects: u64,
    pub kept_bytes: u64,
    /// In the order of ids.
    pub garbage: Vec<Garbage>,
    /// Marked earlier, and needed again.
    pub unmarked: Vec<ObjectId>,
    pub shrunk: Vec<Shrink>,
    /// Segments that would shrink but for the budget of one run.
    pub postponed: usize,
    /// Downloads that were broken off and that nobody went on with.
    pub downloads: Vec<Leftover>,
    pub(super) now: i64,
}

/// What a run did.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Bytes that the file system got back.
    pub freed: u64,
    /// Segments that were left alone because something in them cannot be read, and why.
    pub left_alone: Vec<(PathBuf, String)>,
}

impl Plan {
    pub fn with_fate(&self, fate: Fate) -> impl Iterator<Item = &Garbage> {
        self.garbage.iter().filter(move |garbage| garbage.fate == fate)
    }

    pub fn deleted(&self) -> impl Iterator<Item = &Garbage> {
        self.with_fate(Fate::Delete)
    }
}

/// Looks at everything and decides. Reads only. Errors: an object that cannot be read and may need others, because then nothing can be
/// said to be garbage.
pub fn plan(store: &Store, options: &Options, observer: &dyn Observer) -> Result<Plan> {
    let inventory = everything(store, observer)?;
    let (needed, operations) = needed(store, &inventory, options, observer)?;
    let marks = marks(store)?;
    let mut plan = Plan { now: options.now, ..Plan::default() };
    let mut garbage = Vec::new();
    for (position, &(id, locator)) in inventory.objects().iter().enumerate() {
        // An operation is small, and the log is worth having whole.
        if needed.has(position) || locator.kind == Kind::Operation {
            plan.kept_objects += 1;
            plan.kept_bytes += locator.size;
            plan.unmarked.extend(marks.contains_key(&id).then_some(id));
            continue;
        }
        let fate = match marks.get(&id) {
            _ if options.wait == 0 => Fate::Delete,
            None => Fate::Mark,
            Some(&marked) if marked > options.now.saturating_sub(options.wait) => Fate::Wait(marked),
            Some(_) => Fate::Delete,
        };
        garbage.push(Garbage { id, kind: locator.kind, size: locator.size, fate, locator });
    }
    drop(operations);
    spare(store, &inventory, &mut garbage, observer)?;
    for garbage in &mut garbage {
        if garbage.fate == Fate::Delete && !matches!(garbage.locator.at, At::Segment { .. }) {
            garbage.fate = match options.models {
                Models::Keep => Fate::KeepModel,
                Models::Prune if is_last_copy(store, &garbage.id, &garbage.locator)? => Fate::KeepLastCopy,
                Models::Prune | Models::PruneLastCopies => Fate::Delete,
            };
        }
    }
    plan.garbage = garbage;
    let since = options.downloads.map_or(i64::MAX, |age| options.now.saturating_sub(age));
    plan.downloads = store.leftovers(since)?;
    shrink(store, &inventory, options, &mut plan)?;
    Ok(plan)
}

/// The index, and large files that it does not name: what a writer that died has left.
fn everything(store: &Store, observer: &dyn Observer) -> Result<Inventory> {
    let inventory = Inventory::read(store, observer)?;
    let mut strays = Vec::new();
    for shelved in store.large().list()? {
        if let Shelved::Object { id, size, .. } = shelved
            && inventory.position(&id).is_none()
        {
            strays.push((id, Locator { kind: Kind::Blob, size, at: At::Large }));
        }
    }
    if strays.is_empty() {
        return Ok(inventory);
    }
    strays.extend_from_slice(inventory.objects());
    Ok(Inventory::of(strays))
}

type Operations = Vec<(ObjectId, Operation)>;

/// Everything reachable from operations that count, and all operations.
fn needed(
    store: &Store,
    inventory: &Inventory,
    options: &Options,
    observer: &dyn Observer,
) -> Result<(Reached, Operations)> {
    observer.started("finding what is needed", Unit::Items, Some(inventory.objects().len() as u64));
    let head = store.head_operation()?;
    let mut operations = Vec::new();
    for (id, locator) in inventory.objects().iter().filter(|(_, locator)| locator.kind == Kind::Operation) {
        operations.push((*id, value::<Operation>(store, id, locator)?));
    }
    if let Some(head) = head
        && inventory.position(&head).is_none()
    {
        return Err(Error::NotFound(head));
    }
    let counting = counting_operations(&operations, head, options.now, options.grace);
    let mut reached = Reached::new(inventory);
    for (_, operation) in operations.iter().filter(|(id, _)| counting.contains(id)) {
        for (_, snapshot) in named_snapshots(operation) {
            reached.follow(store, inventory, snapshot, observer, &mut |_| {}, &mut |_, error| Err(error))?;
        }
    }
    for tree in fetched(store, options.now)? {
        // What is damaged of it can be fetched again.
        reached.follow(store, inventory, tree, observer, &mut |_| {}, &mut |_, error| match error {
            Error::Interrupted => Err(error),
            _ => Ok(()),
        })?;
    }
    observer.finished();
    Ok((reached, operations))
}

/// Trees that were fetched from outside and used not too long ago, so that they need not be fetched again.
fn fetched(store: &Store, now: i64) -> Result<Vec<ObjectId>> {
    let rows = store.records(RecordTable::Fetched).range(&[])?;
    let tree = |(_, value): (Vec<u8>, Vec<u8>)| {
        let (tree, used) = (value.first_chunk::<32>()?, value.get(32..)?.first_chunk::<8>()?);
        (i64::from_le_bytes(*used) >= now.saturating_sub(KEPT)).then_some(ObjectId(*tree))
    };
    Ok(rows.into_iter().filter_map(tree).collect())
}

/// Objects marked as garbage, with the time in milliseconds since 1970.
fn marks(store: &Store) -> Result<HashMap<ObjectId, i64>> {
    let rows = store.records(RecordTable::GarbageMarks).range(&[])?;
    let mark = |(key, value): (Vec<u8>, Vec<u8>)| {
        let (id, time) = (key.try_into().ok()?, value.try_into().ok()?);
        Some((ObjectId(id), i64::from_le_bytes(time)))
    };
    Ok(rows.into_iter().filter_map(mark).collect())
}

/// What is needed by garbage that is not deleted yet is not deleted either.
fn spare(store: &Store, inventory: &Inventory, garbage: &mut [Garbage], observer: &dyn Observer) -> Result<()> {
    let mut reached = Reached::new(inventory);
    for one in garbage.iter().filter(|garbage| garbage.fate != Fate::Delete && garbage.kind != Kind::Blob) {
        // Garbage that cannot be read needs nothing any more.
        reached.follow(store, inventory, one.id, observer, &mut |_| {}, &mut |_, error| match error {
            Error::Interrupted => Err(error),
            _ => Ok(()),
        })?;
    }
    for one in garbage.iter_mut().filter(|garbage| garbage.fate == Fate::Delete) {
        if inventory.position(&one.id).is_some_and(|position| reached.has(position)) {
            one.fate = Fate::Spare;
        }
    }
    Ok(())
}

/// True when deleting this large blob would lose its bytes, as far as the store can know.
fn is_last_copy(store: &Store, id: &ObjectId, locator: &Locator) -> Result<bool> {
    if locator.at == At::Reference {
        // Only the memory of where it is goes; the user's file stays.
        return Ok(false);
    }
    if identity::count_names(&store.large().path(id)).is_ok_and(|names| names > 1) {
        return Ok(false);
    }
    for (reference, record) in store.places(id)? {
        let now = reference.and_then(|path| FileStamp::of_path(&path).ok());
        if record.zip(now).is_some_and(|(record, now)| record.trusts(&now)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Chooses segments of which more than a third is garbage, those with the most of it first.
fn shrink(store: &Store, inventory: &Inventory, options: &Options, plan: &mut Plan) -> Result<()> {
    let mut living: HashMap<u32, u64> = HashMap::new();
    let deleted: std::collections::HashSet<ObjectId> = plan.deleted().map(|garbage| garbage.id).collect();
    for (id, locator) in inventory.objects() {
        if let At::Segment { segment, stored, .. } = locator.at
            && !deleted.contains(id)
        {
            *living.entry(segment).or_default() += u64::from(stored) + super::frame::HEADER as u64;
        }
    }
    let mut shrinks: Vec<Shrink> = store
        .segments()
        .list()?
        .into_iter()
        .map(|(segment, length)| Shrink { segment, length, living: living.get(&segment).copied().unwrap_or(0) })
        .filter(|shrink| shrink.length > segment::START)
        .filter(|shrink| (shrink.length - segment::START).saturating_sub(shrink.living) > shrink.length / 3)
        .collect();
    shrinks.sort_by_key(|shrink| (shrink.living.saturating_mul(1000) / shrink.length.max(1), shrink.segment));
    let mut left = options.budget;
    for shrink in shrinks {
        if shrink.living <= left {
            left -= shrink.living;
            plan.shrunk.push(shrink);
        } else {
            plan.postponed += 1;
        }
    }
    Ok(())
}

impl Plan {
    /// The changes of marks: what is marked now, what is needed again.
    pub(super) fn mark_changes(&self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let marked =
            self.with_fate(Fate::Mark).map(|garbage| (garbage.id.0.to_vec(), Some(self.now.to_le_bytes().to_vec())));
        let unmarked = self.unmarked.iter().map(|id| (id.0.to_vec(), None));
        marked.chain(unmarked).collect()
    }
}

impl Garbage {
    pub(super) fn located(&self) -> Located {
        (self.id, self.locator)
    }

    /// Where its bytes are, for people.
    pub fn place(&self) -> &'static str {
        match self.locator.at {
            At::Segment { .. } => "segment",
            At::Large => "large",
            At::Reference => "reference",
        }
    }
}
