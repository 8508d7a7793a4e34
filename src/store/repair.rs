//! What can be done about faults that [`fsck`](super::fsck) found.
//!
//! The index is made again if it is wrong. A wrong object is taken from another place that has it: another frame with the same id, a
//! file that the store refers to, a file that the caller knows of. What is nowhere is set aside, so that the store no longer claims
//! to have it and its bytes can be stored again. Nothing is deleted: files that were wrong get the ending `.damaged`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::fault::{Fault, What};
use super::faults::Faults;
use super::fsck::Report;
use super::gc::{Plan, Shrink};
use super::index::{Additions, Corrections};
use super::large::LinkPolicy;
use super::locator::{At, Located};
use super::segment::{self, Frames, Stretch};
use super::{Error, Result, Store, StoreOptions, format, rebuild, sweep};
use crate::digest::{self, Threads, Wanted};
use crate::object::{Kind, ObjectId};
use crate::observer::{Observer, Silent};

/// Knows files that may hold the bytes of an object, of this size where it is known.
pub type Elsewhere<'a> = dyn Fn(&ObjectId, Option<u64>) -> Vec<PathBuf> + 'a;

/// Writes a damaged or lost `format` file again, if the rest of the store shows that it was one of the only version there is. Answers
/// with the fault that it was; nothing when there was none.
///
/// Errors: as [`Store::open`], where nothing shows what it was.
pub fn format_file(folder: &Path, options: &StoreOptions) -> Result<Option<Fault>> {
    let reason = match format::check(folder) {
        Ok(()) => return Ok(None),
        Err(Error::FormatDamaged(_)) => "it is damaged",
        Err(Error::NotAStore(_)) if folder.join("segments").is_dir() => "it is gone",
        Err(error) => return Err(error),
    };
    let store = Store::assemble(folder, options, Faults::of_environment());
    if !is_of_this_version(&store)? {
        return format::check(folder).map(|()| None);
    }
    format::create(folder)?;
    Ok(Some(Fault {
        what: What::Format,
        id: None,
        kind: None,
        file: Some(folder.join(format::NAME)),
        reason: reason.into(),
        needed_by: Vec::new(),
        repaired: Some("written again; index and segments are of the version that this program knows".into()),
    }))
}

/// True when the index can be used and names objects, and every segment begins with a whole frame as this program writes them.
fn is_of_this_version(store: &Store) -> Result<bool> {
    if store.index().check().is_err() || store.index().count()? == 0 {
        return Ok(false);
    }
    for (number, _) in store.segments().list()? {
        let mut frames = Frames::open(&store.segments().path(number))?;
        let is_known = match frames.next() {
            Some(Ok(Stretch::Frame { offset, header })) => frames.object(offset, &header).is_ok(),
            None => true,
            _ => false,
        };
        if !is_known {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Repairs what it can, and says of each fault what was done. What `elsewhere` names is verified before it is taken.
pub fn repair(store: &Store, report: &mut Report, elsewhere: &Elsewhere<'_>, observer: &dyn Observer) -> Result<()> {
    if report.faults.iter().any(|fault| fault.what == What::Index) {
        let rebuilt = rebuild::rebuild(store, observer)?;
        for fault in report.faults.iter_mut().filter(|fault| fault.what == What::Index) {
            fault.repaired = Some(format!("made again with {} objects", rebuilt.objects));
        }
    }
    let wrong: Vec<ObjectId> = report.faults.iter().filter_map(|fault| fault.id).collect();
    if !wrong.is_empty() {
        objects(store, report, &wrong, elsewhere, observer)?;
    }
    segments(store, report, observer)
}

fn objects(
    store: &Store,
    report: &mut Report,
    wrong: &[ObjectId],
    elsewhere: &Elsewhere<'_>,
    observer: &dyn Observer,
) -> Result<()> {
    let frames = whole_frames(store, wrong, observer)?;
    let locators: HashMap<ObjectId, _> = wrong.iter().copied().zip(store.index().locators(wrong)?).collect();
    let mut copies: HashMap<ObjectId, PathBuf> = HashMap::new();
    for fault in &report.faults {
        // Trees and the like are in no file but ours.
        let Some(id) = fault.id.filter(|id| !frames.contains_key(id)) else { continue };
        if fault.kind.is_some_and(|kind| kind != Kind::Blob) {
            continue;
        }
        let size = locators.get(&id).copied().flatten().map(|locator| locator.size);
        let mut candidates: Vec<PathBuf> = store.places(&id)?.into_iter().filter_map(|(path, _)| path).collect();
        candidates.extend(elsewhere(&id, size));
        let right = candidates.into_iter().find(|path| {
            digest::file(path, Wanted::ID, Threads::All, observer).is_ok_and(|digests| digests.id == Some(id))
        });
        copies.extend(right.map(|path| (id, path)));
    }
    let lock = store.lock_for_deleting()?;
    let mut corrections = Corrections::default();
    let mut files: Vec<(usize, PathBuf)> = Vec::new();
    for (at, fault) in report.faults.iter_mut().enumerate() {
        let Some(id) = fault.id else { continue };
        if let Some(located) = frames.get(&id) {
            corrections.added.objects.push(*located);
            fault.repaired = Some("found again in a segment".into());
            continue;
        }
        let right = copies.remove(&id);
        let locator = locators.get(&id).copied().flatten();
        if let Some(locator) = locator {
            corrections.removed.push(id);
            corrections.removed_places.extend(store.index().places(&id.0)?.into_iter().map(|(key, _)| key));
            if locator.at == At::Large {
                set_aside(store, &store.large().path(&id))?;
            }
        }
        match right {
            Some(path) => files.push((at, path)),
            None if locator.is_some() => {
                fault.reason += "; set aside, so that its bytes can be stored again";
            }
            None => {}
        }
    }
    store.index().correct(&corrections)?;
    store.segments().forget_open_files();
    drop(lock);
    if files.is_empty() {
        return Ok(());
    }
    let writer = store.writer()?;
    for (at, path) in &files {
        writer.put_file(path, LinkPolicy::Auto, &Silent)?;
        report.faults[*at].repaired = Some(format!("taken from {}", path.display()));
    }
    writer.publish()
}

/// Frames in segments that hold one of these objects, whole.
fn whole_frames(store: &Store, wrong: &[ObjectId], observer: &dyn Observer) -> Result<HashMap<ObjectId, Located>> {
    let wrong: HashSet<&ObjectId> = wrong.iter().collect();
    let mut found = HashMap::new();
    for (number, _) in store.segments().list()? {
        let mut frames = Frames::open(&store.segments().path(number))?;
        while let Some(stretch) = frames.next() {
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
            if let Stretch::Frame { offset, header } = stretch?
                && wrong.contains(&header.id)
                && frames.object(offset, &header).is_ok()
            {
                found.insert(header.id, (header.id, segment::locator(number, offset, &header)));
            }
        }
    }
    Ok(found)
}

fn set_aside(store: &Store, path: &Path) -> Result<()> {
    match store.faults().rename(path, &path.with_extension("damaged")) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path)(e)),
        _ => Ok(()),
    }
}

/// Segments that are damaged are given up: what lives in them moves to another.
fn segments(store: &Store, report: &mut Report, observer: &dyn Observer) -> Result<()> {
    let path_of = |fault: &Fault| fault.file.clone().filter(|_| fault.what == What::Segment);
    let damaged: BTreeSet<PathBuf> = report.faults.iter().filter_map(path_of).collect();
    if damaged.is_empty() {
        return Ok(());
    }
    let lock = store.lock_for_deleting()?;
    let there = store.segments().list()?;
    let is_damaged = |number: &u32| damaged.contains(&store.segments().path(*number));
    let shrunk = there
        .iter()
        .filter(|(number, _)| is_damaged(number))
        .map(|(number, length)| Shrink { segment: *number, length: *length, living: 0 })
        .collect();
    let absent: Vec<u32> = store
        .index()
        .segments()?
        .into_iter()
        .map(|(number, _)| number)
        .filter(|number| is_damaged(number) && there.iter().all(|(is, _)| is != number))
        .collect();
    store.index().correct(&Corrections {
        removed_segments: absent,
        added: Additions::default(),
        ..Corrections::default()
    })?;
    let plan = Plan { shrunk, ..Plan::default() };
    let done = sweep::carry_out(store, &plan, sweep::Old::SetAside, observer)?;
    drop(lock);
    for fault in &mut report.faults {
        let Some(path) = path_of(fault) else { continue };
        fault.repaired = match done.left_alone.iter().find(|(left, _)| *left == path) {
            Some((_, reason)) => {
                fault.reason += &format!("; not repaired, because {reason}");
                None
            }
            None => Some("given up; what was whole in it was moved".into()),
        };
    }
    Ok(())
}
