//! Files read again from the first byte to the last, and compared with what the index recorded of them.

use crate::digest::{Digests, Wanted};
use crate::object::ObjectId;
use crate::observer::{Observer, Unit};
use crate::platform::identity::FileStamp;
use crate::store::{Known, RecordTable, Store};

use super::error::Error;
use super::index::{now, record_of};
use super::reading::{Work, in_parallel};
use super::record::{IndexedFile, RootNumber};

/// What reading a file again showed.
#[derive(Debug)]
pub enum Outcome {
    /// Its bytes are those that were recorded.
    Same,
    /// No id was recorded; now it is.
    FirstRead,
    /// Other bytes than were recorded, and its size or times say so: someone wrote to it.
    Changed,
    /// Other bytes than were recorded, though nothing shows that anyone wrote to it.
    Damaged {
        found: ObjectId,
    },
    Unreadable(crate::digest::Error),
    /// It is not there.
    Absent,
}

/// A file, as recorded, and what reading it again showed.
#[derive(Debug)]
pub struct Verified {
    pub file: IndexedFile,
    pub outcome: Outcome,
}

/// Reads `files` whole. Of a damaged file the recorded id is kept, so that it is told again, but no command trusts it any more
/// (invariant R32); what else was found out is remembered.
///
/// # Errors
/// The store; a wish to stop, after which what was read so far is remembered.
pub fn verify(store: &Store, files: Vec<IndexedFile>, observer: &dyn Observer) -> Result<Vec<Verified>, Error> {
    let begun = now();
    let known_files = store.known_files();
    let records = store.records(RecordTable::ModelFiles);
    let mut work = Vec::new();
    let mut verified: Vec<Verified> =
        files.into_iter().map(|file| Verified { file, outcome: Outcome::Absent }).collect();
    for (at, Verified { file, .. }) in verified.iter().enumerate() {
        let path = file.file();
        // What cannot be looked at cannot be opened either, and is told then.
        let stamp = FileStamp::of_path(&path);
        if stamp.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            continue;
        }
        let wanted = Wanted { id: true, sha256: file.sha256.is_some(), quick: true };
        work.push(Work { at, path, size: stamp.map_or(0, |stamp| stamp.size), wanted });
    }
    observer.started("reading models", Unit::Bytes, Some(work.iter().map(Work::bytes).sum()));
    let (mut rows, mut remembered) = (Vec::new(), Vec::new());
    let ended = in_parallel(&work, observer, |done| -> Result<(), Error> {
        match done {
            Some((at, Ok(digests))) => {
                let Verified { file, outcome } = &mut verified[at];
                *outcome = compared(file, &digests);
                let Some(id) = digests.id else { return Ok(()) };
                let known = Known { id: Some(id), sha256: digests.sha256, quick: digests.quick };
                remembered.push((digests.stamp, known));
                let mut record = record_of(file, begun);
                match outcome {
                    Outcome::Damaged { .. } => record.racy = true,
                    _ => {
                        let now = IndexedFile {
                            stamp: digests.stamp,
                            id: Some(id),
                            sha256: digests.sha256,
                            quick: digests.quick,
                            ..file.clone()
                        };
                        record = record_of(&now, begun);
                    }
                }
                rows.push((RootNumber::of(&file.root.directory).file_key(&file.path), Some(record.encode())));
            }
            Some((_, Err(crate::digest::Error::Interrupted))) => {}
            Some((at, Err(error))) => verified[at].outcome = Outcome::Unreadable(error),
            None => {
                known_files.remember(std::mem::take(&mut remembered))?;
                rows.sort_unstable();
                records.apply(std::mem::take(&mut rows))?;
            }
        }
        Ok(())
    });
    observer.finished();
    ended?;
    if observer.interrupted() { Err(Error::Interrupted) } else { Ok(verified) }
}

fn compared(file: &IndexedFile, found: &Digests) -> Outcome {
    let Some(id) = found.id else { return Outcome::Same };
    let same_quick = file.quick.zip(found.quick).is_none_or(|(ours, theirs)| ours == theirs);
    let same_sha256 = file.sha256.zip(found.sha256).is_none_or(|(ours, theirs)| ours == theirs);
    let same = same_quick && same_sha256 && file.id.is_none_or(|ours| ours == id);
    match (same, found.stamp == file.stamp) {
        (true, _) if file.id.is_none() => Outcome::FirstRead,
        (true, _) => Outcome::Same,
        (false, true) => Outcome::Damaged { found: id },
        (false, false) => Outcome::Changed,
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::{Depth, ModelIndex};
    use super::super::record::Record;
    use super::super::roots::ModelRoot;
    use super::*;
    use crate::observer::Silent;
    use std::time::Duration;

    struct Place {
        folder: tempfile::TempDir,
        store: Store,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::create(&folder.path().join(".comfrey")).unwrap();
            std::fs::create_dir_all(folder.path().join("models/loras")).unwrap();
            let place = Place { folder, store };
            place.write("a.pt", "one");
            place.write("b.pt", "two");
            place
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.folder.path().join("models/loras").join(name), text).unwrap();
            std::thread::sleep(Duration::from_millis(60));
        }

        fn index(&self, depth: Depth) -> Vec<IndexedFile> {
            let roots = [ModelRoot::models(&self.folder.path().join("models"))];
            ModelIndex::new(&self.store).update(&roots, depth, &Silent).unwrap().files
        }

        fn verify(&self) -> Vec<String> {
            let roots = [ModelRoot::models(&self.folder.path().join("models"))];
            let files = ModelIndex::new(&self.store).inventory(&roots).unwrap().into_files();
            let told = |verified: Verified| match verified.outcome {
                Outcome::Damaged { .. } => "damaged".to_owned(),
                other => format!("{other:?}"),
            };
            verify(&self.store, files, &Silent).unwrap().into_iter().map(told).collect()
        }
    }

    #[test]
    fn what_is_right_is_told_from_what_is_new_changed_or_gone() {
        let place = Place::new();
        place.index(Depth::Quick);
        assert_eq!(place.verify(), ["FirstRead", "FirstRead"]);
        assert_eq!(place.verify(), ["Same", "Same"]);
        place.write("a.pt", "other");
        std::fs::remove_file(place.folder.path().join("models/loras/b.pt")).unwrap();
        assert_eq!(place.verify(), ["Changed", "Absent"]);
        assert_eq!(place.verify(), ["Same", "Absent"]);
    }

    /// Invariant R32. Bytes that rot on the disk leave the stamp as it was; here the record is changed instead.
    #[test]
    fn damage_is_told_each_time_and_its_id_is_trusted_no_more() {
        let place = Place::new();
        let file = place.index(Depth::Full { sha256: false }).remove(0);
        let key = RootNumber::of(&file.root.directory).file_key(&file.path);
        let records = place.store.records(RecordTable::ModelFiles);
        let record = Record::decode(&records.get(&key).unwrap().unwrap()).unwrap();
        let was = ObjectId::of_blob(b"what it was");
        records.apply(vec![(key, Some(Record { id: Some(was), ..record }.encode()))]).unwrap();
        assert_eq!(place.verify(), ["damaged", "Same"]);
        assert_eq!(place.verify(), ["damaged", "Same"]);
        let index = ModelIndex::new(&place.store);
        assert_eq!(index.ensure_id(&file, &Silent).unwrap().id, Some(ObjectId::of_blob(b"one")));
        assert_eq!(place.index(Depth::Quick)[0].id, Some(ObjectId::of_blob(b"one")));
        assert_eq!(place.verify(), ["Same", "Same"]);
    }
}
