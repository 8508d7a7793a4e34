//! All objects of a store at one moment, in memory: what `gc` and `fsck` work on. 80 bytes an object.

use super::locator::{At, Located, Locator};
use super::{Error, Result, Store};
use crate::object::{Encoded, EntryKind, Kind, ObjectId, Operation, RefTarget, Snapshot, Tree};
use crate::observer::Observer;

/// Every object that the index names, in the order of ids.
pub struct Inventory {
    objects: Vec<Located>,
}

/// What one object needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    pub id: ObjectId,
    pub kind: Kind,
    /// Its name in a tree; elsewhere empty.
    pub name: String,
    /// The blob of a `model` entry, which may be absent.
    pub may_be_absent: bool,
}

impl Inventory {
    /// Reads the index page by page.
    pub fn read(store: &Store, observer: &dyn Observer) -> Result<Inventory> {
        const PAGE: usize = 50_000;
        let mut objects: Vec<Located> = Vec::new();
        loop {
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
            let page = store.index().page(objects.last().map(|(id, _)| *id), PAGE)?;
            let is_last = page.len() < PAGE;
            objects.extend(page);
            if is_last {
                return Ok(Inventory { objects });
            }
        }
    }

    /// What was found elsewhere than in the index. Of two places of one object the first is kept.
    pub fn of(mut objects: Vec<Located>) -> Inventory {
        objects.sort_by_key(|(id, _)| *id);
        objects.dedup_by_key(|(id, _)| *id);
        Inventory { objects }
    }

    pub fn objects(&self) -> &[Located] {
        &self.objects
    }

    /// The position of an object.
    pub fn position(&self, id: &ObjectId) -> Option<usize> {
        self.objects.binary_search_by_key(id, |(id, _)| *id).ok()
    }

    pub fn locator(&self, id: &ObjectId) -> Option<Locator> {
        self.position(id).map(|at| self.objects[at].1)
    }
}

/// The bytes of an object that is no large blob, verified.
fn bytes(store: &Store, id: &ObjectId, locator: &Locator) -> Result<Vec<u8>> {
    match (locator.at, store.segments().read(id, locator)) {
        (_, Ok(bytes)) => Ok(bytes),
        // The store finds it elsewhere if it was moved meanwhile, and knows the right words if it is damaged.
        (At::Segment { segment, .. }, Err(trouble)) => store.read(id).map(|(_, bytes)| bytes).map_err(|error| {
            let file = store.segments().path(segment);
            match (error, trouble) {
                // The index itself cannot be asked.
                (Error::Index { .. } | Error::NotFound(_), super::segment::Trouble::Damage(reason)) => {
                    Error::Damaged { id: *id, file, reason }
                }
                (Error::Index { .. } | Error::NotFound(_), super::segment::Trouble::Io(source)) => {
                    Error::Io { path: file, source }
                }
                (error, _) => error,
            }
        }),
        (_, Err(_)) => store.read(id).map(|(_, bytes)| bytes),
    }
}

/// A value, verified and decoded.
pub fn value<T: Encoded>(store: &Store, id: &ObjectId, locator: &Locator) -> Result<T> {
    if locator.kind != T::KIND {
        return Err(Error::WrongKind { id: *id, wanted: T::KIND, found: locator.kind });
    }
    T::decode(&bytes(store, id, locator)?).map_err(|source| Error::Malformed { id: *id, source })
}

/// What an object needs directly. An operation needs its parent here; which of its refs count is for the caller.
pub fn needs(store: &Store, id: &ObjectId, locator: &Locator) -> Result<Vec<Need>> {
    let plain = |id, kind| Need { id, kind, name: String::new(), may_be_absent: false };
    Ok(match locator.kind {
        Kind::Blob => Vec::new(),
        Kind::Tree => {
            let tree: Tree = value(store, id, locator)?;
            let need = |entry: &crate::object::Entry| Need {
                id: entry.id,
                kind: if entry.kind == EntryKind::Tree { Kind::Tree } else { Kind::Blob },
                name: entry.name.as_str().to_owned(),
                may_be_absent: entry.kind == EntryKind::Model,
            };
            tree.entries().iter().map(need).collect()
        }
        Kind::Snapshot => {
            let snapshot: Snapshot = value(store, id, locator)?;
            let parents = snapshot.parents.iter().map(|id| plain(*id, Kind::Snapshot));
            std::iter::once(plain(snapshot.tree, Kind::Tree)).chain(parents).collect()
        }
        Kind::Operation => {
            let operation: Operation = value(store, id, locator)?;
            operation.parent.iter().map(|id| plain(*id, Kind::Operation)).collect()
        }
    })
}

/// The snapshots that an operation names, each with what names it: `ref NAME` or `restore point ENVIRONMENT`.
pub fn named_snapshots(operation: &Operation) -> Vec<(String, ObjectId)> {
    let refs = operation.refs.iter().filter_map(|(name, target)| match target {
        RefTarget::Snapshot(id) => Some((format!("ref {name}"), *id)),
        RefTarget::Symbolic(_) => None,
    });
    let restore = operation.restore_points.iter().map(|(name, id)| (format!("restore point of {name}"), *id));
    refs.chain(restore).collect()
}

/// Operations that count at `now` (milliseconds since 1970): the newest, those younger than `grace` (milliseconds), and the one
/// before each, whose refs an undo would bring back. All others may name what is gone.
pub fn counting_operations(
    operations: &[(ObjectId, Operation)],
    head: Option<ObjectId>,
    now: i64,
    grace: i64,
) -> std::collections::HashSet<ObjectId> {
    let mut counting = std::collections::HashSet::new();
    for (id, operation) in operations {
        if Some(*id) == head || operation.time.milliseconds >= now.saturating_sub(grace) {
            counting.insert(*id);
            counting.extend(operation.parent);
        }
    }
    counting
}

/// Objects reached so far, by their positions in an inventory.
pub struct Reached {
    seen: Vec<bool>,
}

impl Reached {
    pub fn new(inventory: &Inventory) -> Reached {
        Reached { seen: vec![false; inventory.objects.len()] }
    }

    pub fn has(&self, position: usize) -> bool {
        self.seen[position]
    }

    /// Reaches `id` and all that it needs. `absent` is told of needed objects that are not there (the id, and by which object
    /// it is needed), `broken` of objects that cannot be read and therefore hide what they need.
    pub fn follow(
        &mut self,
        store: &Store,
        inventory: &Inventory,
        id: ObjectId,
        observer: &dyn Observer,
        absent: &mut dyn FnMut(&Need),
        broken: &mut dyn FnMut(ObjectId, Error) -> Result<()>,
    ) -> Result<()> {
        let Some(start) = inventory.position(&id) else {
            absent(&Need { id, kind: Kind::Snapshot, name: String::new(), may_be_absent: false });
            return Ok(());
        };
        let mut open = vec![start];
        while let Some(position) = open.pop() {
            if std::mem::replace(&mut self.seen[position], true) {
                continue;
            }
            observer.advanced(1);
            let (id, locator) = &inventory.objects[position];
            if locator.kind == Kind::Blob {
                continue;
            }
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
            let found = match needs(store, id, locator) {
                Ok(found) => found,
                Err(error) => {
                    broken(*id, error)?;
                    continue;
                }
            };
            for need in found {
                match inventory.position(&need.id) {
                    Some(position) if self.seen[position] => {}
                    Some(position) => open.push(position),
                    None if need.may_be_absent => {}
                    None => absent(&need),
                }
            }
        }
        Ok(())
    }
}
