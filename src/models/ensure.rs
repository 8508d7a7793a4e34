//! What is not known of a file yet is read when it is asked for, and remembered.

use crate::digest::{self, Digests, Threads, Wanted};
use crate::object::ObjectId;
use crate::observer::{Observer, Unit};
use crate::platform::identity::FileStamp;
use crate::store::{Known, RecordTable};

use super::error::Error;
use super::index::{ModelIndex, now, record_of};
use super::inventory::Inventory;
use super::record::{FileState, IndexedFile, Record, RootNumber};

/// What is to be known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ensure {
    Id,
    /// The id and the SHA-256, in one read.
    Sha256,
}

impl Ensure {
    fn is_met(self, id: Option<ObjectId>, sha256: Option<digest::Sha256>) -> bool {
        id.is_some() && (self == Ensure::Id || sha256.is_some())
    }
}

impl ModelIndex<'_> {
    /// The id of one file, read now if it is not known for the bytes that the file has now, and then remembered.
    ///
    /// # Errors
    /// The file cannot be read or changes meanwhile; the store; a wish to stop.
    pub fn ensure_id(&self, file: &IndexedFile, observer: &dyn Observer) -> Result<IndexedFile, Error> {
        let mut files = self.ensure_ids(std::slice::from_ref(file), observer)?;
        // One in, one out.
        Ok(files.pop().unwrap_or_else(|| file.clone()))
    }

    /// The same for many files, in their order; each is looked at anew.
    pub fn ensure_ids(&self, files: &[IndexedFile], observer: &dyn Observer) -> Result<Vec<IndexedFile>, Error> {
        self.ensure(files, Ensure::Id, observer)
    }

    /// The SHA-256 of one file, and its id, in the same way.
    ///
    /// # Errors
    /// As [`ModelIndex::ensure_id`].
    pub fn ensure_sha256(&self, file: &IndexedFile, observer: &dyn Observer) -> Result<IndexedFile, Error> {
        let mut files = self.ensure(std::slice::from_ref(file), Ensure::Sha256, observer)?;
        Ok(files.pop().unwrap_or_else(|| file.clone()))
    }

    fn ensure(
        &self,
        files: &[IndexedFile],
        ensure: Ensure,
        observer: &dyn Observer,
    ) -> Result<Vec<IndexedFile>, Error> {
        let known_files = self.store.known_files();
        let records = self.store.records(RecordTable::ModelFiles);
        let begun = now();
        let (mut changes, mut remembered) = (Vec::new(), Vec::new());
        let mut ensured = Vec::with_capacity(files.len());
        let mut failed = None;
        for file in files {
            let path = file.file();
            let stamp = FileStamp::of_path(&path).map_err(Error::io(&path))?;
            let number = RootNumber::of(&file.root.directory);
            let row = records.get(&number.file_key(&file.path))?.and_then(|row| Record::decode(&row));
            let row = row.filter(|row| row.stamp == stamp && !row.racy && ensure.is_met(row.id, row.sha256));
            if let Some(Record { id, sha256, quick, .. }) = row {
                let state = if stamp == file.stamp { FileState::Unchanged } else { FileState::Changed };
                ensured.push(IndexedFile { stamp, id, sha256, quick, state, ..file.clone() });
                continue;
            }
            let known = known_files.lookup(&stamp)?.filter(|known| ensure.is_met(known.id, known.sha256));
            let digests = match known {
                Some(known) => {
                    Ok(Digests { size: stamp.size, id: known.id, sha256: known.sha256, quick: known.quick, stamp })
                }
                None => {
                    observer.started("hashing models", Unit::Bytes, Some(stamp.size));
                    let wanted = Wanted { id: true, sha256: ensure == Ensure::Sha256, quick: true };
                    let digests = digest::file(&path, wanted, Threads::All, observer);
                    observer.finished();
                    digests
                }
            };
            match digests {
                Ok(digests) => {
                    let same = digests.stamp == file.stamp;
                    let ensured_file = IndexedFile {
                        stamp: digests.stamp,
                        id: digests.id,
                        sha256: digests.sha256.or(file.sha256.filter(|_| same)),
                        quick: digests.quick.or(file.quick.filter(|_| same)),
                        state: if same { FileState::Unchanged } else { FileState::Changed },
                        ..file.clone()
                    };
                    let known = Known { id: digests.id, sha256: ensured_file.sha256, quick: ensured_file.quick };
                    remembered.push((digests.stamp, known));
                    changes.push((number.file_key(&file.path), Some(record_of(&ensured_file, begun).encode())));
                    ensured.push(ensured_file);
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        // What was read before a failure was read for good.
        known_files.remember(remembered)?;
        if !changes.is_empty() {
            changes.sort_unstable();
            records.apply(changes)?;
        }
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(ensured),
        }
    }

    /// A present file that has exactly these bytes, proven: among those known to have them, else among those of this size
    /// and quick hash, which are read whole to find out. Files that cannot be read are passed over.
    ///
    /// # Errors
    /// The store; a wish to stop.
    pub fn find(
        &self,
        inventory: &Inventory,
        id: &ObjectId,
        size: u64,
        quick: Option<digest::QuickHash>,
        observer: &dyn Observer,
    ) -> Result<Option<IndexedFile>, Error> {
        for file in inventory.with_id(id).into_iter().chain(inventory.perhaps(size, quick)) {
            match self.ensure_id(file, observer) {
                Ok(ensured) if ensured.id == Some(*id) => return Ok(Some(ensured)),
                Ok(_) | Err(Error::Io { .. } | Error::Digest(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
