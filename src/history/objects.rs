//! What history asks of the store. Two implementations: the store, and a map for tests.

use crate::object::{Encoded, IdPrefix, Kind, ObjectId};

use crate::platform::lock::LockFile;
use crate::store::{self, Store};

use super::{Error, Result};

/// Objects by id, and the name of the newest operation.
pub trait Objects {
    /// The kind of an object, if it is there.
    fn kind(&self, id: &ObjectId) -> Result<Option<Kind>>;
    /// The bytes of a tree, snapshot or operation, verified. Errors: `Missing`, and what the store says.
    fn bytes(&self, id: &ObjectId) -> Result<(Kind, Vec<u8>)>;
    /// Up to `limit` objects whose ids begin with `prefix`.
    fn matching(&self, prefix: &IdPrefix, limit: usize) -> Result<Vec<(ObjectId, Kind)>>;
    /// Stores an object; durable when this returns.
    fn put(&self, kind: Kind, bytes: &[u8]) -> Result<ObjectId>;
    /// The newest operation.
    fn head_operation(&self) -> Result<Option<ObjectId>>;
    /// Keeps other programs from making operations until what is returned is dropped.
    fn lock_operations(&self) -> Result<Option<LockFile>>;
    /// Makes `new` the newest operation if `expected` still is; false if someone was faster.
    fn advance_operation(&self, expected: Option<ObjectId>, new: ObjectId) -> Result<bool>;
}

impl<'a> dyn Objects + 'a {
    /// Reads a value. Errors: `Missing`, `WrongObject`, `Damaged`.
    pub fn read<T: Encoded>(&self, id: &ObjectId) -> Result<T> {
        let (kind, bytes) = self.bytes(id)?;
        if kind != T::KIND {
            return Err(Error::WrongObject { id: *id, found: kind, wanted: T::KIND });
        }
        T::decode(&bytes).map_err(|source| Error::Damaged { id: *id, source })
    }

    /// Stores a value.
    pub fn put_value<T: Encoded>(&self, value: &T) -> Result<ObjectId> {
        self.put(T::KIND, &value.encode())
    }
}

impl Objects for Store {
    fn kind(&self, id: &ObjectId) -> Result<Option<Kind>> {
        Ok(self.info(id)?.map(|info| info.kind))
    }

    fn bytes(&self, id: &ObjectId) -> Result<(Kind, Vec<u8>)> {
        self.read(id).map_err(|error| match error {
            store::Error::NotFound(id) => Error::Missing { id },
            other => Error::Store(other),
        })
    }

    fn matching(&self, prefix: &IdPrefix, limit: usize) -> Result<Vec<(ObjectId, Kind)>> {
        Ok(Store::matching(self, prefix, limit)?)
    }

    fn put(&self, kind: Kind, bytes: &[u8]) -> Result<ObjectId> {
        let writer = self.writer()?;
        let id = writer.put(kind, bytes)?;
        writer.publish()?;
        Ok(id)
    }

    fn head_operation(&self) -> Result<Option<ObjectId>> {
        Ok(Store::head_operation(self)?)
    }

    fn lock_operations(&self) -> Result<Option<LockFile>> {
        Ok(Some(Store::lock_operations(self)?))
    }

    fn advance_operation(&self, expected: Option<ObjectId>, new: ObjectId) -> Result<bool> {
        Ok(Store::advance_operation(self, expected, new)?)
    }
}

#[cfg(test)]
pub mod map {
    //! Objects in memory.

    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    use super::*;
    use crate::object::{Entry, EntryKind, EntryName, Snapshot, Time, Tree};

    type Race = Box<dyn FnOnce(&Map)>;

    #[derive(Default)]
    pub struct Map {
        pub objects: RefCell<BTreeMap<ObjectId, (Kind, Vec<u8>)>>,
        pub head: Cell<Option<ObjectId>>,
        /// Runs before a swap of the newest operation, once.
        pub race: RefCell<Option<Race>>,
        /// How many objects were read.
        pub reads: Cell<usize>,
    }

    impl Map {
        /// A tree of `path content` pairs; folders are made as needed.
        pub fn tree(&self, files: &[(&str, &str)]) -> ObjectId {
            let mut below: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
            let mut entries = Vec::new();
            for (path, content) in files {
                match path.split_once('/') {
                    Some((folder, rest)) => below.entry(folder).or_default().push((rest, content)),
                    None => {
                        let id = self.put(Kind::Blob, content.as_bytes()).unwrap();
                        let size = content.len() as u64;
                        entries.push(Entry { name: EntryName::new(*path).unwrap(), kind: EntryKind::File, id, size });
                    }
                }
            }
            for (folder, files) in below {
                let id = self.tree(&files);
                entries.push(Entry { name: EntryName::new(folder).unwrap(), kind: EntryKind::Tree, id, size: 0 });
            }
            (self as &dyn Objects).put_value(&Tree::new(entries).unwrap()).unwrap()
        }

        /// A snapshot made at `minute`.
        pub fn snapshot(&self, tree: ObjectId, parents: &[ObjectId], minute: i64) -> ObjectId {
            let snapshot = Snapshot {
                tree,
                parents: parents.to_vec(),
                environment: "e".into(),
                author: "Test".into(),
                time: Time { milliseconds: minute * 60_000, offset_minutes: 0 },
                message: format!("at {minute}"),
                tool: "test".into(),
            };
            (self as &dyn Objects).put_value(&snapshot).unwrap()
        }

        /// A line of `n` snapshots with one empty tree, oldest first.
        pub fn line(&self, n: usize) -> Vec<ObjectId> {
            let tree = self.tree(&[]);
            let mut line: Vec<ObjectId> = Vec::new();
            for minute in 0..n {
                let parents: Vec<_> = line.last().copied().into_iter().collect();
                line.push(self.snapshot(tree, &parents, minute as i64));
            }
            line
        }
    }

    impl Objects for Map {
        fn kind(&self, id: &ObjectId) -> Result<Option<Kind>> {
            Ok(self.objects.borrow().get(id).map(|(kind, _)| *kind))
        }

        fn bytes(&self, id: &ObjectId) -> Result<(Kind, Vec<u8>)> {
            self.reads.set(self.reads.get() + 1);
            self.objects.borrow().get(id).cloned().ok_or(Error::Missing { id: *id })
        }

        fn matching(&self, prefix: &IdPrefix, limit: usize) -> Result<Vec<(ObjectId, Kind)>> {
            let (low, high) = prefix.range();
            Ok(self.objects.borrow().range(low..=high).take(limit).map(|(id, (kind, _))| (*id, *kind)).collect())
        }

        fn put(&self, kind: Kind, bytes: &[u8]) -> Result<ObjectId> {
            let id = kind.id_of(bytes);
            self.objects.borrow_mut().insert(id, (kind, bytes.to_vec()));
            Ok(id)
        }

        fn head_operation(&self) -> Result<Option<ObjectId>> {
            Ok(self.head.get())
        }

        fn lock_operations(&self) -> Result<Option<LockFile>> {
            Ok(None)
        }

        fn advance_operation(&self, expected: Option<ObjectId>, new: ObjectId) -> Result<bool> {
            let race = self.race.borrow_mut().take();
            if let Some(race) = race {
                race(self);
            }
            if self.head.get() != expected {
                return Ok(false);
            }
            self.head.set(Some(new));
            Ok(true)
        }
    }
}
