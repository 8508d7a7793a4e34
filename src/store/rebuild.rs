//! The index made again from what lies in the store: segments, large files, references.
//!
//! Every frame is read and verified, because without the index nothing says how much of a segment was ever promised. Large
//! files are taken by their names and hashed before they are next used. The newest operation that is nobody's parent
//! becomes the head: the end of the longest chain, and of two as long the later one (invariant H8).

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::index::Additions;
use super::inventory::{Inventory, value};
use super::large::{self, PlaceRecord, Shelved};
use super::locator::{At, Located, Locator};
use super::segment::{self, Frames, Stretch, Trouble};
use super::tables::RecordTable;
use super::{Error, Result, Store, reference_log};
use crate::object::{Kind, ObjectId, Operation};
use crate::observer::{Observer, Unit};
use crate::platform::identity::FileStamp;

/// What lies in a store.
#[derive(Debug, Default)]
pub struct Found {
    pub additions: Additions,
    /// Stretches and frames of segments that are no objects, and why.
    pub damage: Vec<(PathBuf, String)>,
}

/// What a rebuilt index holds.
#[derive(Debug, Clone, Default)]
pub struct Rebuilt {
    pub objects: u64,
    pub references: u64,
    /// Operations found.
    pub operations: u64,
    pub head: Option<ObjectId>,
    /// Other operations that are nobody's parent: what was never made the newest, or came from elsewhere.
    pub other_heads: Vec<ObjectId>,
    pub damage: Vec<(PathBuf, String)>,
}

/// Looks at every file of the store. Reads and verifies every small object.
pub fn scan(store: &Store, observer: &dyn Observer) -> Result<Found> {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    let segments = store.segments().list()?;
    observer.started("reading segments", Unit::Bytes, Some(segments.iter().map(|(_, length)| length).sum()));
    for (number, _) in segments {
        scan_segment(store, number, &mut seen, &mut found, observer)?;
    }
    observer.finished();
    for shelved in store.large().list()? {
        if let Shelved::Object { id, size, path } = shelved
            && seen.insert(id)
        {
            found.additions.objects.push((id, Locator { kind: Kind::Blob, size, at: At::Large }));
            found.additions.places.extend(place(&id, &path, false));
        }
    }
    for reference in reference_log::read(store.dir())? {
        let is_new = seen.insert(reference.id);
        if is_new {
            let locator = Locator { kind: Kind::Blob, size: reference.size, at: At::Reference };
            found.additions.objects.push((reference.id, locator));
        }
        found.additions.places.push(place(&reference.id, &reference.path, true).unwrap_or_else(|| {
            // A file that is not there now may come back: another disk.
            let stamp = FileStamp { device: 0, inode: 0, size: reference.size, modified: 0, changed: 0 };
            large::place_row(&reference.id, Some(&reference.path), &PlaceRecord { stamp, verified: 0 })
        }));
    }
    Ok(found)
}

/// A place whose bytes are to be hashed before they are used.
fn place(id: &ObjectId, path: &std::path::Path, is_reference: bool) -> Option<(Vec<u8>, Vec<u8>)> {
    let stamp = FileStamp::of_path(path).ok()?;
    Some(large::place_row(id, is_reference.then_some(path), &PlaceRecord { stamp, verified: 0 }))
}

fn scan_segment(
    store: &Store,
    number: u32,
    seen: &mut HashSet<ObjectId>,
    found: &mut Found,
    observer: &dyn Observer,
) -> Result<()> {
    let path = store.segments().path(number);
    let mut frames = Frames::open(&path)?;
    let mut committed = segment::START;
    while let Some(stretch) = frames.next() {
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        match stretch? {
            Stretch::Frame { offset, header } => {
                observer.advanced(header.length());
                match frames.object(offset, &header) {
                    Ok(_) => {
                        committed = offset + header.length();
                        if seen.insert(header.id) {
                            found.additions.objects.push((header.id, segment::locator(number, offset, &header)));
                        }
                    }
                    Err(Trouble::Io(source)) => return Err(Error::Io { path, source }),
                    Err(Trouble::Damage(reason)) => {
                        found.damage.push((path.clone(), format!("object {} at {offset}: {reason}", header.id)));
                    }
                }
            }
            Stretch::Damage { from, to } => {
                observer.advanced(to - from);
                found.damage.push((path.clone(), format!("bytes {from} to {to} are no objects")));
            }
        }
    }
    found.additions.segments.push((number, committed));
    Ok(())
}

/// Makes the index again and puts it in the place of the old one, with all writers kept out. What the old one still tells (digests
/// of files, the tables of the floors above) is taken over.
pub fn rebuild(store: &Store, observer: &dyn Observer) -> Result<Rebuilt> {
    let lock = store.lock_for_deleting()?;
    let Found { mut additions, damage } = scan(store, observer)?;
    let references = additions.objects.iter().filter(|(_, locator)| locator.at == At::Reference).count() as u64;
    let inventory = Inventory::of(additions.objects.clone());
    let operations = operations(store, inventory.objects());
    let mut heads = heads(&operations);
    let head = (!heads.is_empty()).then(|| heads.remove(0));

    // The old index may still be readable where it matters.
    additions.places.extend(store.index().places(&[]).unwrap_or_default().into_iter().filter(|(key, _)| {
        large::parse_place_key(key).is_some_and(|(id, path)| path.is_some() && inventory.position(&id).is_some())
    }));
    let kept: Vec<_> = RecordTable::ALL
        .into_iter()
        .filter(|table| *table != RecordTable::GarbageMarks)
        .filter_map(|table| Some((table, store.records(table).range(&[]).ok()?)))
        .collect();
    store.segments().forget_open_files();
    store.index().replace(head, &additions)?;
    for (table, rows) in kept {
        store.records(table).apply(rows.into_iter().map(|(key, value)| (key, Some(value))).collect())?;
    }
    drop(lock);
    Ok(Rebuilt {
        objects: inventory.objects().len() as u64,
        references,
        operations: operations.len() as u64,
        head,
        other_heads: heads,
        damage,
    })
}

/// The operation that would become the head.
pub(super) fn newest_operation(store: &Store, inventory: &Inventory) -> Option<ObjectId> {
    heads(&operations(store, inventory.objects())).first().copied()
}

fn operations(store: &Store, objects: &[Located]) -> HashMap<ObjectId, Operation> {
    let operations = objects.iter().filter(|(_, locator)| locator.kind == Kind::Operation);
    operations.filter_map(|(id, locator)| Some((*id, value(store, id, locator).ok()?))).collect()
}

/// Operations that are nobody's parent, the one with the longest chain first.
fn heads(operations: &HashMap<ObjectId, Operation>) -> Vec<ObjectId> {
    let parents: HashSet<ObjectId> = operations.values().filter_map(|operation| operation.parent).collect();
    let length = |mut id: ObjectId| {
        let mut length = 0_usize;
        // A chain cannot come back to itself: an id depends on its parent's. The bound is for a hash that is broken one day.
        while let Some(parent) = operations.get(&id).and_then(|operation| operation.parent)
            && length <= operations.len()
        {
            (id, length) = (parent, length + 1);
        }
        length
    };
    let mut heads: Vec<_> = operations
        .iter()
        .filter(|(id, _)| !parents.contains(*id))
        .map(|(id, operation)| (length(*id), operation.time.milliseconds, *id))
        .collect();
    heads.sort_unstable_by(|a, b| b.cmp(a));
    heads.into_iter().map(|(_, _, id)| id).collect()
}
