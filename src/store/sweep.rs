//! Carrying out a plan of [`gc`].
//!
//! Living objects of segments that are given up are appended to another segment and synced; one commit of the index names them there and
//! forgets what is deleted; then the files go. Whatever dies when, each needed object is named where it is.

use std::collections::{HashMap, HashSet};

use super::gc::{self, Done, Plan};
use super::index::{Additions, Corrections};
use super::inventory::Inventory;
use super::locator::{At, Located};
use super::segment::{FULL, Frames, OpenSegment, Stretch};
use super::{Error, Result, Store, segment};
use crate::object::ObjectId;
use crate::observer::{Observer, Silent, Unit};
use crate::platform::lock::LockFile;

/// What becomes of the file of a segment that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Old {
    Removed,
    /// Renamed to `NUMBER.damaged`, for who wants to look at what was lost.
    SetAside,
}

/// Plans and carries it out, with all writers kept out. `shown` sees the plan before anything is done, and can refuse by an error.
pub fn collect<E: From<Error>>(
    store: &Store,
    options: &gc::Options,
    observer: &dyn Observer,
    shown: impl FnOnce(&Plan) -> Result<(), E>,
) -> Result<(Plan, Done), E> {
    let lock = store.lock_for_deleting()?;
    store.sweep_staging();
    let plan = gc::plan(store, options, observer)?;
    shown(&plan)?;
    let done = carry_out(store, &plan, Old::Removed, observer)?;
    drop(lock);
    Ok((plan, done))
}

/// The caller holds the store's lock for deleting.
pub(super) fn carry_out(store: &Store, plan: &Plan, old: Old, observer: &dyn Observer) -> Result<Done> {
    let mut done = Done::default();
    store.records(super::RecordTable::GarbageMarks).apply(plan.mark_changes())?;
    for leftover in &plan.downloads {
        if store.remove_leftover(leftover)? {
            done.freed += leftover.size;
        }
    }
    let deleted: Vec<Located> = plan.deleted().map(gc::Garbage::located).collect();
    if deleted.is_empty() && plan.shrunk.is_empty() {
        return Ok(done);
    }
    let gone: HashSet<ObjectId> = deleted.iter().map(|(id, _)| *id).collect();
    observer.started("moving what is needed", Unit::Bytes, Some(plan.shrunk.iter().map(|shrink| shrink.living).sum()));
    let mut moved = Moved::default();
    for shrink in &plan.shrunk {
        // Nobody writes while we hold the lock; one that died may have left a lock file, never a lock.
        let Some(lock) = store.segments().try_lock(shrink.segment)? else { continue };
        moved.given_up.push((shrink.segment, shrink.length, lock));
    }
    let numbers: Vec<u32> = moved.given_up.iter().map(|(number, ..)| *number).collect();
    for (number, living) in living(store, &numbers, &gone)? {
        moved.rescue(store, number, &living, &mut done, observer)?;
    }
    moved
        .given_up
        .retain(|(number, ..)| !done.left_alone.iter().any(|(path, _)| *path == store.segments().path(*number)));
    moved.sync()?;
    observer.finished();

    let mut places = Vec::new();
    for (id, locator) in &deleted {
        if !matches!(locator.at, At::Segment { .. }) {
            places.extend(store.index().places(&id.0)?.into_iter().map(|(key, _)| key));
        }
    }
    let corrections = Corrections {
        removed: deleted.iter().map(|(id, _)| *id).collect(),
        removed_places: places,
        removed_segments: moved.given_up.iter().map(|(number, ..)| *number).collect(),
        added: Additions { objects: moved.objects, segments: moved.lengths, ..Additions::default() },
    };
    store.index().correct(&corrections)?;

    store.segments().forget_open_files();
    for (number, length, lock) in moved.given_up {
        match old {
            Old::Removed => {
                store.segments().remove(number)?;
                done.freed += length;
            }
            Old::SetAside => {
                let path = store.segments().path(number);
                let aside = path.with_extension("damaged");
                store.faults().rename(&path, &aside).map_err(Error::io(&path))?;
            }
        }
        lock.remove().map_err(Error::io(store.segments().path(number)))?;
    }
    done.freed = done.freed.saturating_sub(moved.bytes);
    for (id, locator) in &deleted {
        if locator.at == At::Large {
            store.large().remove(id)?;
            done.freed += locator.size;
        }
    }
    Ok(done)
}

/// Objects on their way from segments that are given up to others.
#[derive(Default)]
struct Moved {
    /// Number, length and lock.
    given_up: Vec<(u32, u64, LockFile)>,
    target: Option<OpenSegment>,
    objects: Vec<Located>,
    /// Committed lengths of the segments that were appended to.
    lengths: Vec<(u32, u64)>,
    bytes: u64,
}

impl Moved {
    /// Copies what lives in one segment. One that is damaged where something lives is left alone.
    fn rescue(
        &mut self,
        store: &Store,
        number: u32,
        living: &HashMap<ObjectId, u64>,
        done: &mut Done,
        observer: &dyn Observer,
    ) -> Result<()> {
        let path = store.segments().path(number);
        if living.is_empty() {
            return Ok(());
        }
        let mut frames = Frames::open(&path)?;
        let mut found = Vec::new();
        for stretch in &mut frames {
            if let Stretch::Frame { offset, header } = stretch?
                && living.get(&header.id) == Some(&offset)
            {
                found.push((offset, header));
            }
        }
        if found.len() != living.len() {
            done.left_alone.push((path, "objects in it that are needed are damaged".into()));
            return Ok(());
        }
        let mut copied = Vec::new();
        for (offset, header) in found {
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
            if let Err(trouble) = frames.object(offset, &header) {
                let reason = match trouble {
                    segment::Trouble::Io(error) => error.to_string(),
                    segment::Trouble::Damage(reason) => reason,
                };
                done.left_alone.push((path, format!("object {} in it is damaged: {reason}", header.id)));
                return Ok(());
            }
            let raw = frames.raw(offset, &header)?;
            observer.advanced(raw.len() as u64);
            let target = self.target(store)?;
            let to = target.append(&raw)?;
            copied.push((header.id, segment::locator(target.number, to, &header)));
            self.bytes += raw.len() as u64;
        }
        self.objects.append(&mut copied);
        Ok(())
    }

    /// The segment to append to: none of those that are given up, because we hold their locks.
    fn target(&mut self, store: &Store) -> Result<&mut OpenSegment> {
        if self.target.as_ref().is_some_and(|target| target.end >= FULL) {
            self.sync()?;
        }
        match &mut self.target {
            Some(_) => {}
            none => {
                let (taken, mut kept) = store.segments().take(store.index())?;
                self.objects.append(&mut kept);
                *none = Some(taken);
            }
        }
        self.target.as_mut().ok_or(Error::Abandoned)
    }

    fn sync(&mut self) -> Result<()> {
        if let Some(target) = self.target.take() {
            target.sync()?;
            self.lengths.push((target.number, target.end));
        }
        Ok(())
    }
}

/// By segment, objects that the index has there and that stay, with their offsets.
fn living(store: &Store, numbers: &[u32], gone: &HashSet<ObjectId>) -> Result<HashMap<u32, HashMap<ObjectId, u64>>> {
    let mut living: HashMap<u32, HashMap<ObjectId, u64>> = numbers.iter().map(|n| (*n, HashMap::new())).collect();
    for (id, locator) in Inventory::read(store, &Silent)?.objects() {
        if let At::Segment { segment, offset, .. } = locator.at
            && !gone.contains(id)
            && let Some(here) = living.get_mut(&segment)
        {
            here.insert(*id, u64::from(offset));
        }
    }
    Ok(living)
}
