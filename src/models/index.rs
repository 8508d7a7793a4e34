//! Brings the rows up to date, hashing only what changed, and answers for single files.
//!
//! A row counts for a file whose stamp (size, times, inode, device) is exactly the recorded one, and only if the stamp was old
//! enough when the file was read that no later write could hide behind it (git's racy rule; invariant R1). An update is
//! one range scan of the rows, one walk, and writes for what changed; it can be stopped at any time, and what was hashed by
//! then is kept.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::digest::{self, Wanted};
use crate::observer::{Observer, Unit};
use crate::platform::identity::FileStamp;
use crate::store::{Known, RecordTable, Store};

use super::error::{Error, Problem};
use super::inventory::Inventory;
use super::reading::{Work, in_parallel};
use super::record::{FileState, IndexedFile, PREFIX, Record, RootNumber, decode_root, encode_root};
use super::roots::ModelRoot;
use super::scan::{Found, Scanned, scan};

/// The index of model files in one store.
pub struct ModelIndex<'s> {
    pub(super) store: &'s Store,
}

/// How much of each new or changed file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// At most 15 MiB, for the quick hash.
    #[default]
    Quick,
    /// All of it, for the id; files that were indexed quickly before are read too.
    Full { sha256: bool },
}

impl Depth {
    /// True when nothing is left to read of a file that is as it was.
    fn is_known_of(self, file: &IndexedFile) -> bool {
        match self {
            Depth::Quick => file.quick.is_some(),
            Depth::Full { sha256 } => file.id.is_some() && (file.sha256.is_some() || !sha256),
        }
    }
}

/// What an update found.
#[derive(Debug, Default)]
pub struct Updated {
    /// Every file of the roots, in the order of the roots and then of their paths; removed ones included.
    pub files: Vec<IndexedFile>,
    pub problems: Vec<Problem>,
}

/// One change to a table: a key and its new value.
type Change = (Vec<u8>, Option<Vec<u8>>);

impl<'s> ModelIndex<'s> {
    pub fn new(store: &'s Store) -> Self {
        ModelIndex { store }
    }

    /// Brings the rows of `roots` up to date and returns them.
    ///
    /// A root that cannot be opened is a problem, and what was known of it stays as it was: a disk that is not
    /// plugged in loses nothing.
    ///
    /// # Errors
    /// The store; a wish to stop.
    pub fn update(&self, roots: &[ModelRoot], depth: Depth, observer: &dyn Observer) -> Result<Updated, Error> {
        let mut updated = Updated::default();
        for root in roots {
            // The two do not wait for each other: rows come from the index, stamps from the file system.
            observer.started("looking through model folders", Unit::Items, None);
            let (scanned, rows) = rayon::join(|| scan(root, observer), || self.rows(root));
            observer.finished();
            let rows = rows?;
            match scanned {
                Ok(scanned) => self.update_root(root, scanned, rows, depth, observer, &mut updated)?,
                Err(Error::Io { path, source }) => updated.problems.push(Problem::Unreadable { path, source }),
                Err(error) => return Err(error),
            }
        }
        Ok(updated)
    }

    /// Rows of one root, sorted by path.
    fn rows(&self, root: &ModelRoot) -> Result<Rows, Error> {
        let prefix = RootNumber::of(&root.directory).files_prefix();
        let mut rows = Rows::default();
        self.store.records(RecordTable::ModelFiles).visit(&prefix, &mut |key, value| rows.add(key, value))?;
        Ok(rows)
    }

    fn update_root(
        &self,
        root: &ModelRoot,
        scanned: Scanned,
        rows: Rows,
        depth: Depth,
        observer: &dyn Observer,
        updated: &mut Updated,
    ) -> Result<(), Error> {
        let Compared { mut changes, pending } = compare(root, scanned, rows, depth, updated);
        let number = RootNumber::of(&root.directory);
        if changes.is_empty() && pending.is_empty() {
            return Ok(());
        }
        changes.push((number.directory_key(), Some(encode_root(root))));
        let unread = self.hash(pending, changes, number, depth, observer, &mut updated.files)?;
        if !unread.is_empty() {
            // Without a digest a new file is no entry; one that was known stays as it was.
            let without: HashSet<usize> = unread.iter().map(|(at, _)| *at).collect();
            let mut at = 0;
            updated.files.retain(|file| {
                at += 1;
                !without.contains(&(at - 1)) || file.quick.is_some()
            });
            updated.problems.extend(unread.into_iter().map(|(_, error)| Problem::NotHashed(error)));
        }
        Ok(())
    }

    /// Digests of the files at `pending`, filled in and recorded, together with the other `changes`. Returns those that could not be read.
    fn hash(
        &self,
        pending: Vec<usize>,
        mut changes: Vec<Change>,
        number: RootNumber,
        depth: Depth,
        observer: &dyn Observer,
        files: &mut [IndexedFile],
    ) -> Result<Vec<(usize, digest::Error)>, Error> {
        let records = self.store.records(RecordTable::ModelFiles);
        let known_files = self.store.known_files();
        let begun = now();
        let mut remembered = Vec::new();
        let mut unread = Vec::new();
        let wanted = match depth {
            Depth::Quick => Wanted::QUICK,
            Depth::Full { sha256 } => Wanted { id: true, sha256, quick: true },
        };
        // Another command may have read some of them already, for their ids.
        let stamps: Vec<FileStamp> = pending.iter().map(|at| files[*at].stamp).collect();
        let known = known_files.lookup_all(&stamps)?;
        let mut work = Vec::new();
        for (at, known) in pending.into_iter().zip(known) {
            let file = &mut files[at];
            let known = known.unwrap_or_default();
            file.id = file.id.or(known.id);
            file.quick = file.quick.or(known.quick);
            file.sha256 = file.sha256.or(known.sha256);
            let left = Wanted {
                id: wanted.id && file.id.is_none(),
                sha256: wanted.sha256 && file.sha256.is_none(),
                quick: file.quick.is_none(),
            };
            if left == (Wanted { id: false, sha256: false, quick: false }) {
                changes.push((number.file_key(&file.path), Some(record_of(file, begun).encode())));
            } else {
                work.push(Work { at, path: file.file(), size: file.size(), wanted: left });
            }
        }
        let total = work.iter().map(Work::bytes).sum();
        if !work.is_empty() {
            let task = if matches!(depth, Depth::Quick) { "indexing models" } else { "hashing models" };
            observer.started(task, Unit::Bytes, Some(total));
        }
        let ended = in_parallel(&work, observer, |done| -> Result<(), Error> {
            match done {
                Some((at, Ok(digests))) => {
                    let file = &mut files[at];
                    file.stamp = digests.stamp;
                    file.id = digests.id.or(file.id);
                    file.quick = digests.quick.or(file.quick);
                    file.sha256 = digests.sha256.or(file.sha256);
                    if let Some(id) = file.id {
                        let sha256 = file.sha256;
                        remembered.push((file.stamp, Known { id: Some(id), sha256, quick: file.quick }));
                    }
                    changes.push((number.file_key(&file.path), Some(record_of(file, begun).encode())));
                }
                Some((_, Err(digest::Error::Interrupted))) => {}
                Some((at, Err(error))) => unread.push((at, error)),
                None => {
                    known_files.remember(std::mem::take(&mut remembered))?;
                    changes.sort_unstable();
                    records.apply(std::mem::take(&mut changes))?;
                }
            }
            Ok(())
        });
        observer.finished();
        ended?;
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        Ok(unread)
    }

    /// True when the index knows of files below this root.
    pub fn knows(&self, root: &ModelRoot) -> Result<bool, Error> {
        let key = RootNumber::of(&root.directory).directory_key();
        Ok(self.store.records(RecordTable::ModelFiles).get(&key)?.is_some())
    }

    /// Reads these files for what `depth` asks and is not known of them as they are now, all at once, and remembers it. They come back in their order;
    /// a file that could not be read comes back as it was, beside its error.
    ///
    /// # Errors
    /// The store; a wish to stop, after which what was read so far is kept.
    pub fn read(
        &self,
        files: &[IndexedFile],
        depth: Depth,
        observer: &dyn Observer,
    ) -> Result<(Vec<IndexedFile>, Vec<Problem>), Error> {
        let mut files = files.to_vec();
        let mut problems = Vec::new();
        let mut by_root: BTreeMap<RootNumber, Vec<usize>> = BTreeMap::new();
        for (at, file) in files.iter_mut().enumerate() {
            let path = file.file();
            match FileStamp::of_path(&path) {
                Ok(stamp) if stamp == file.stamp && depth.is_known_of(file) => continue,
                Ok(stamp) if stamp == file.stamp => {}
                Ok(stamp) => {
                    let state = FileState::Changed;
                    *file = IndexedFile { stamp, id: None, sha256: None, quick: None, state, ..file.clone() };
                }
                Err(source) => {
                    problems.push(Problem::Unreadable { path, source });
                    continue;
                }
            }
            by_root.entry(RootNumber::of(&file.root.directory)).or_default().push(at);
        }
        for (number, pending) in by_root {
            let unread = self.hash(pending, Vec::new(), number, depth, observer, &mut files)?;
            problems.extend(unread.into_iter().map(|(_, error)| Problem::NotHashed(error)));
        }
        Ok((files, problems))
    }

    /// Every file that the index knows of these roots, as of the last update, in the order of the roots.
    pub fn inventory(&self, roots: &[ModelRoot]) -> Result<Inventory, Error> {
        let mut files = Vec::new();
        for root in roots {
            let shared = Arc::new(root.clone());
            let rows = self.rows(root)?;
            files.extend(rows.iter().filter_map(|(path, record)| Some(file_of(&shared, path.to_owned(), &record?))));
        }
        Ok(Inventory::new(files))
    }

    /// Every file of every root that was ever indexed.
    pub fn whole_inventory(&self) -> Result<Inventory, Error> {
        let rows = self.store.records(RecordTable::ModelFiles).range(b"d")?;
        let roots: Vec<ModelRoot> = rows.iter().filter_map(|(_, value)| decode_root(value)).collect();
        self.inventory(&roots)
    }

    /// What the index knows of one file.
    pub fn at(&self, root: &ModelRoot, path: &str) -> Result<Option<IndexedFile>, Error> {
        let key = RootNumber::of(&root.directory).file_key(path);
        let value = self.store.records(RecordTable::ModelFiles).get(&key)?;
        let record = value.and_then(|value| Record::decode(&value));
        Ok(record.map(|record| file_of(&Arc::new(root.clone()), path.to_owned(), &record)))
    }
}

/// Rows of one root, in the order of their paths, as they are in the index: a hundred thousand cost three allocations.
#[derive(Default)]
struct Rows {
    paths: String,
    values: Vec<u8>,
    /// Where each path and each value ends.
    ends: Vec<(usize, usize)>,
}

impl Rows {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        // Every key was made of a path that is UTF-8.
        let Some(path) = key.get(PREFIX..).and_then(|path| std::str::from_utf8(path).ok()) else { return };
        self.paths.push_str(path);
        self.values.extend_from_slice(value);
        self.ends.push((self.paths.len(), self.values.len()));
    }

    /// Paths and rows; nothing for a row that this program cannot read.
    fn iter(&self) -> impl Iterator<Item = (&str, Option<Record>)> {
        let mut begin = (0, 0);
        self.ends.iter().map(move |end| {
            let (path, value) = std::mem::replace(&mut begin, *end);
            (&self.paths[path..end.0], Record::decode(&self.values[value..end.1]))
        })
    }
}

/// What a comparison of rows and files found.
struct Compared {
    /// Rows that change without a file being read.
    changes: Vec<Change>,
    /// Numbers of files, in `Updated::files`, that are to be read.
    pending: Vec<usize>,
}

/// Merges the two sorted lists and adds a file for every path in either to `updated`.
fn compare(root: &ModelRoot, scanned: Scanned, rows: Rows, depth: Depth, updated: &mut Updated) -> Compared {
    let shared = Arc::new(root.clone());
    let number = RootNumber::of(&root.directory);
    let mut compared = Compared { changes: Vec::new(), pending: Vec::new() };
    let Scanned { files, problems, unseen } = scanned;
    // Files that are not where they were, by what they showed there.
    let mut gone: HashMap<FileStamp, Record> = HashMap::new();
    updated.problems.extend(problems);
    updated.files.reserve(files.len());
    let mut vanished = |path: &str, record: Option<Record>, updated: &mut Updated| {
        let Some(record) = record else {
            compared.changes.push((number.file_key(path), None));
            return;
        };
        let mut file = file_of(&shared, path.to_owned(), &record);
        if !record.racy {
            gone.insert(record.stamp, record);
        }
        let below = |unseen: &String| {
            unseen.is_empty() || path.strip_prefix(unseen.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        // Where nobody could look, nobody knows.
        if !record.absent && !unseen.iter().any(below) {
            file.state = FileState::Removed;
            compared.changes.push((number.file_key(path), Some(Record { absent: true, ..record }.encode())));
        }
        updated.files.push(file);
    };
    let mut rows = rows.iter().peekable();
    for Found { path, stamp } in files {
        while let Some((path, record)) = rows.next_if(|(known, _)| *known < path.as_str()) {
            vanished(path, record, updated);
        }
        let record = rows.next_if(|(known, _)| *known == path).and_then(|(_, record)| record);
        let trusted = record.filter(|record| record.stamp == stamp && !record.racy);
        let state = match (record, trusted) {
            (_, Some(trusted)) if !trusted.absent => FileState::Unchanged,
            (Some(record), _) if !record.absent => FileState::Changed,
            _ => FileState::New,
        };
        let file = IndexedFile {
            root: Arc::clone(&shared),
            path,
            stamp,
            quick: trusted.and_then(|known| known.quick),
            id: trusted.and_then(|known| known.id),
            sha256: trusted.and_then(|known| known.sha256),
            state,
        };
        // Back again with the same stamp: a row to write, and nothing to read.
        if !depth.is_known_of(&file) || state != FileState::Unchanged {
            compared.pending.push(updated.files.len());
        }
        updated.files.push(file);
    }
    rows.for_each(|(path, record)| vanished(path, record, updated));
    // A file in a folder that was renamed or moved shows the very stamp that it had, and need not be read again (invariant R1). Where a
    // file is renamed by itself most systems change its stamp, and then only reading it tells.
    for at in &compared.pending {
        let file = &mut updated.files[*at];
        if let (FileState::New, Some(record)) = (file.state, gone.get(&file.stamp)) {
            file.id = file.id.or(record.id);
            file.quick = file.quick.or(record.quick);
            file.sha256 = file.sha256.or(record.sha256);
        }
    }
    compared
}

/// A row as a file, with the state of the last update.
fn file_of(root: &Arc<ModelRoot>, path: String, record: &Record) -> IndexedFile {
    IndexedFile {
        root: Arc::clone(root),
        path,
        stamp: record.stamp,
        quick: record.quick,
        id: record.id,
        sha256: record.sha256,
        state: if record.absent { FileState::Removed } else { FileState::Unchanged },
    }
}

/// The row of a file that was read at or after `begun`.
pub(super) fn record_of(file: &IndexedFile, begun: i64) -> Record {
    Record {
        stamp: file.stamp,
        quick: file.quick,
        id: file.id,
        sha256: file.sha256,
        absent: false,
        racy: file.stamp.is_racy(begun),
    }
}

/// The clock, in nanoseconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::roots::Holds;
    use crate::object::ObjectId;
    use crate::observer::Silent;
    use crate::platform::trial::Closed;
    use std::path::PathBuf;
    use std::time::Duration;

    /// A store, and a models folder whose files were written long ago.
    struct Place {
        folder: tempfile::TempDir,
        store: Store,
    }

    impl Place {
        fn with(files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::create(&folder.path().join(".comfrey")).unwrap();
            std::fs::create_dir(folder.path().join("models")).unwrap();
            let place = Place { folder, store };
            files.iter().for_each(|(path, text)| place.write(path, text));
            place
        }

        fn models(&self) -> PathBuf {
            self.folder.path().join("models")
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.models().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        /// Waits until no stamp is too fresh to be trusted.
        fn settle() {
            std::thread::sleep(Duration::from_millis(60));
        }

        fn update(&self, depth: Depth) -> Updated {
            ModelIndex::new(&self.store).update(&[ModelRoot::models(&self.models())], depth, &Silent).unwrap()
        }

        fn states(&self, depth: Depth) -> Vec<(String, &'static str)> {
            self.update(depth).files.into_iter().map(|file| (file.path, file.state.as_str())).collect()
        }
    }

    fn states(of: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
        of.iter().map(|(path, state)| ((*path).to_owned(), *state)).collect()
    }

    #[test]
    fn files_are_new_then_unchanged_changed_removed_and_back() {
        let place = Place::with(&[("loras/a.pt", "a"), ("loras/b.pt", "b")]);
        Place::settle();
        assert_eq!(place.states(Depth::Quick), states(&[("loras/a.pt", "new"), ("loras/b.pt", "new")]));
        assert_eq!(place.states(Depth::Quick), states(&[("loras/a.pt", "unchanged"), ("loras/b.pt", "unchanged")]));
        place.write("loras/a.pt", "c");
        std::fs::rename(place.models().join("loras/b.pt"), place.models().join("b.hidden")).unwrap();
        Place::settle();
        assert_eq!(place.states(Depth::Quick), states(&[("loras/a.pt", "changed"), ("loras/b.pt", "removed")]));
        assert_eq!(place.states(Depth::Quick), states(&[("loras/a.pt", "unchanged"), ("loras/b.pt", "removed")]));
        std::fs::rename(place.models().join("b.hidden"), place.models().join("loras/b.pt")).unwrap();
        Place::settle();
        assert_eq!(place.states(Depth::Quick), states(&[("loras/a.pt", "unchanged"), ("loras/b.pt", "new")]));
    }

    #[test]
    fn a_file_in_a_folder_that_was_renamed_is_not_read_again() {
        let place = Place::with(&[("loras/old/a.pt", "a"), ("loras/b.pt", "b")]);
        Place::settle();
        let file = place.update(Depth::Quick).files.remove(1);
        let key = RootNumber::of(&file.root.directory).file_key(&file.path);
        let records = place.store.records(RecordTable::ModelFiles);
        let record = Record::decode(&records.get(&key).unwrap().unwrap()).unwrap();
        // Were it read again, it would have its own hash.
        let marked = digest::QuickHash([7; 32]);
        records.apply(vec![(key, Some(Record { quick: Some(marked), ..record }.encode()))]).unwrap();
        std::fs::rename(place.models().join("loras/old"), place.models().join("loras/new")).unwrap();
        let files = place.update(Depth::Quick).files;
        let moved = files.iter().find(|file| file.path == "loras/new/a.pt").unwrap();
        assert_eq!((moved.state, moved.quick), (FileState::New, Some(marked)));
        assert!(files.iter().any(|file| file.path == "loras/old/a.pt" && file.state == FileState::Removed));
        // Other bytes in its place are read.
        place.write("loras/new/a.pt", "c");
        Place::settle();
        let files = place.update(Depth::Quick).files;
        assert_ne!(files.iter().find(|file| file.path == "loras/new/a.pt").unwrap().quick, Some(marked));
    }

    #[test]
    fn a_change_that_keeps_size_and_modification_time_is_noticed() {
        let place = Place::with(&[("loras/a.pt", "a")]);
        Place::settle();
        let before = place.update(Depth::Quick).files.remove(0);
        let path = place.models().join("loras/a.pt");
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        place.write("loras/a.pt", "b");
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        Place::settle();
        let after = place.update(Depth::Quick).files.remove(0);
        assert_eq!(after.stamp.modified, before.stamp.modified);
        assert_eq!(after.state, FileState::Changed);
        assert_ne!(after.quick, before.quick);
    }

    /// Invariant R1.
    #[test]
    fn a_stamp_too_fresh_to_be_trusted_is_not() {
        let place = Place::with(&[("loras/a.pt", "a")]);
        // Read in the same tick as written, as far as the stamp tells.
        let first = place.update(Depth::Quick).files.remove(0);
        let key = RootNumber::of(&first.root.directory).file_key(&first.path);
        let records = place.store.records(RecordTable::ModelFiles);
        let record = Record::decode(&records.get(&key).unwrap().unwrap()).unwrap();
        let racy = Record { racy: true, quick: Some(digest::QuickHash([0; 32])), ..record };
        records.apply(vec![(key.clone(), Some(racy.encode()))]).unwrap();
        let second = place.update(Depth::Quick).files.remove(0);
        assert_eq!(second.quick, first.quick);
    }

    #[test]
    fn a_full_update_reads_what_a_quick_one_left() {
        let place = Place::with(&[("loras/a.pt", "a")]);
        Place::settle();
        assert_eq!(place.update(Depth::Quick).files[0].id, None);
        let full = place.update(Depth::Full { sha256: false }).files.remove(0);
        assert_eq!((full.id, full.state), (Some(ObjectId::of_blob(b"a")), FileState::Unchanged));
        let both = place.update(Depth::Full { sha256: true }).files.remove(0);
        assert!(both.sha256.is_some());
        assert_eq!(place.update(Depth::Quick).files[0], both);
    }

    #[test]
    fn an_id_is_read_once_and_known_to_others() {
        let place = Place::with(&[("loras/a.pt", "a")]);
        Place::settle();
        let index = ModelIndex::new(&place.store);
        let file = place.update(Depth::Quick).files.remove(0);
        let ensured = index.ensure_id(&file, &Silent).unwrap();
        assert_eq!(ensured.id, Some(ObjectId::of_blob(b"a")));
        let known = place.store.known_files().lookup(&file.stamp).unwrap().unwrap();
        assert_eq!(known.id, ensured.id);
        assert_eq!(index.at(&file.root, &file.path).unwrap().unwrap().id, ensured.id);
        place.write("loras/a.pt", "other");
        let changed = index.ensure_id(&file, &Silent).unwrap();
        assert_eq!((changed.id, changed.state), (Some(ObjectId::of_blob(b"other")), FileState::Changed));
    }

    #[test]
    fn bytes_are_found_under_another_name_and_only_when_proven() {
        let place = Place::with(&[("loras/a.pt", "same"), ("vae/b.pt", "othe")]);
        Place::settle();
        place.update(Depth::Quick);
        let index = ModelIndex::new(&place.store);
        let inventory = index.whole_inventory().unwrap();
        let found = index.find(&inventory, &ObjectId::of_blob(b"othe"), 4, None, &Silent).unwrap();
        assert_eq!(found.unwrap().path, "vae/b.pt");
        assert!(index.find(&inventory, &ObjectId::of_blob(b"none"), 4, None, &Silent).unwrap().is_none());
    }

    #[test]
    fn a_root_that_is_gone_is_a_problem_and_loses_nothing() {
        let place = Place::with(&[("loras/a.pt", "a")]);
        Place::settle();
        place.update(Depth::Quick);
        let root = ModelRoot::models(&place.models());
        std::fs::rename(place.models(), place.folder.path().join("away")).unwrap();
        let index = ModelIndex::new(&place.store);
        let updated = index.update(std::slice::from_ref(&root), Depth::Quick, &Silent).unwrap();
        assert_eq!((updated.files.len(), updated.problems.len()), (0, 1));
        assert!(index.inventory(&[root]).unwrap().files()[0].is_present());
    }

    #[test]
    fn a_folder_that_may_not_be_read_is_a_problem_and_loses_nothing() {
        let place = Place::with(&[("loras/a.pt", "a"), ("vae/b.pt", "b")]);
        Place::settle();
        place.update(Depth::Quick);
        let closed = Closed::new("a_folder_that_may_not_be_read_is_a_problem", place.models().join("loras"));
        let updated = place.update(Depth::Quick);
        assert_eq!(updated.problems.len(), usize::from(closed.is_some()));
        assert!(updated.files.iter().all(IndexedFile::is_present));
    }

    #[test]
    fn a_root_keeps_its_meaning() {
        let root = ModelRoot { directory: PathBuf::from("/x/y"), holds: Holds::Folder("loras".into()) };
        assert_eq!(decode_root(&encode_root(&root)), Some(root));
        let root = ModelRoot { directory: PathBuf::from("/x/y"), holds: Holds::Directories };
        assert_eq!(decode_root(&encode_root(&root)), Some(root));
    }

    #[test]
    fn a_wish_to_stop_keeps_what_was_read() {
        struct StopAfter(std::sync::atomic::AtomicU64);
        impl Observer for StopAfter {
            fn advanced(&self, amount: u64) {
                self.0.fetch_add(amount, std::sync::atomic::Ordering::Relaxed);
            }
            fn interrupted(&self) -> bool {
                self.0.load(std::sync::atomic::Ordering::Relaxed) > 3_000_000
            }
        }
        let large = "x".repeat(1_000_000);
        let files: Vec<(String, String)> =
            (0..20).map(|n| (format!("loras/{n:02}.pt"), format!("{n}{large}"))).collect();
        let borrowed: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let place = Place::with(&borrowed);
        Place::settle();
        let index = ModelIndex::new(&place.store);
        let roots = [ModelRoot::models(&place.models())];
        let stopped = index.update(&roots, Depth::Quick, &StopAfter(0.into()));
        assert!(matches!(stopped, Err(Error::Interrupted)));
        let kept = index.inventory(&roots).unwrap().files().len();
        assert!(0 < kept && kept < 20, "{kept}");
    }
}
