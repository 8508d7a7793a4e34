//! Objects into the store: put from many threads, then publish.
//!
//! Small objects gather in a batch. The thread whose object fills it looks all of them up at once, compresses what is new, and
//! appends it to the segment; only the appending is under a lock. Publishing makes everything durable and names it in the
//! index, in this order (invariant S1); after a failure nothing more is written (invariant S4).

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use super::handle::Shared;
use super::index::{Additions, Row};
use super::known_files::{self, Known};
use super::large::{self, How, LARGE, LinkPolicy, PlaceRecord, Placed};
use super::locator::{At, Located, Locator};
use super::reader::is_large;
use super::reference_log::{self, Reference};
use super::segment::{self, FULL, OpenSegment};
use super::staging::Staging;
use super::{Error, Result, Store, frame};
use crate::object::{Encoded, Kind, ObjectId};
use crate::observer::Observer;
use crate::platform::identity::FileStamp;
use crate::platform::lock::{Access, LockFile};

/// A batch of so many bytes or objects is looked up, compressed and appended.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_OBJECTS: usize = 512;
/// So much appended is published without being asked for, which bounds memory.
const PUBLISH_BYTES: u64 = 64 << 20;
/// Each publication rewrites most of the index when it is large, so it should be worth it: 200,000 locators are 15 MB.
const PUBLISH_OBJECTS: usize = 200_000;
/// The longest object that goes into a segment whatever its kind.
const LONGEST: u64 = 256 << 20;

/// What became of a file or stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub id: ObjectId,
    /// Bytes.
    pub size: u64,
    /// For a small file `Packed` unless this writer has had it before: whether the store has it is looked up later.
    pub how: How,
    /// The file's stamp now; `None` for a stream. Hard-linking changes it.
    pub stamp: Option<FileStamp>,
}

/// Puts objects into a store. To be shared by threads. What is not published is lost when this is dropped.
pub struct Writer {
    shared: Arc<Shared>,
    state: Mutex<State>,
    /// Told when a batch is done.
    idle: Condvar,
    publishing: Mutex<()>,
    staging: OnceLock<Staging>,
    /// Nothing is deleted while a writer lives, so that what it found in the store stays there.
    _present: LockFile,
}

#[derive(Default)]
struct State {
    seen: HashSet<ObjectId>,
    batch: Vec<(ObjectId, Kind, Vec<u8>)>,
    batch_bytes: usize,
    /// Batches that threads are working on.
    working: usize,
    segment: Option<OpenSegment>,
    /// Full segments that are not published yet.
    full: Vec<OpenSegment>,
    pending: Pending,
    /// The failure after which nothing more is written.
    broken: Option<Error>,
}

/// What the next publication names in the index.
#[derive(Default)]
struct Pending {
    objects: Vec<Located>,
    bytes: u64,
    large: Vec<Arrival>,
    known_files: Vec<Row>,
    used: Vec<ObjectId>,
}

impl Pending {
    fn is_due(&self) -> bool {
        self.bytes >= PUBLISH_BYTES || self.objects.len() >= PUBLISH_OBJECTS
    }
}

/// A large blob that has come in.
struct Arrival {
    id: ObjectId,
    size: u64,
    placed: Placed,
    /// A time before its bytes were read; zero when they have to be read again before they can be trusted.
    verified: i64,
    /// The user's file that it came from.
    source: Option<(PathBuf, FileStamp)>,
}

impl Store {
    /// A writer. Waits while someone deletes objects. Errors: [`Error::Locked`], a store that cannot be written to.
    pub fn writer(&self) -> Result<Writer> {
        let present = self.shared.lock_for(Access::Shared)?;
        self.sweep_staging();
        Ok(Writer {
            shared: Arc::clone(&self.shared),
            state: Mutex::default(),
            idle: Condvar::new(),
            publishing: Mutex::default(),
            staging: OnceLock::new(),
            _present: present,
        })
    }
}

impl Writer {
    /// Puts an object. Its id may be shown only after [`Writer::publish`].
    pub fn put(&self, kind: Kind, bytes: &[u8]) -> Result<ObjectId> {
        let id = kind.id_of(bytes);
        self.put_hashed(id, kind, bytes.into())?;
        Ok(id)
    }

    /// Puts a value.
    pub fn put_value<T: Encoded>(&self, value: &T) -> Result<ObjectId> {
        let bytes = value.encode();
        let id = T::KIND.id_of(&bytes);
        self.put_hashed(id, T::KIND, bytes)?;
        Ok(id)
    }

    /// True when this object is new to this writer.
    fn put_hashed(&self, id: ObjectId, kind: Kind, bytes: Vec<u8>) -> Result<bool> {
        let size = bytes.len() as u64;
        if is_large(kind, size) {
            return self.put_large_bytes(id, &bytes);
        }
        if size > LONGEST {
            return Err(Error::TooLarge { id, size });
        }
        let mut state = self.state();
        if let Some(failure) = &state.broken {
            return Err(failure.again());
        }
        if !state.seen.insert(id) {
            return Ok(false);
        }
        state.batch_bytes += bytes.len();
        state.batch.push((id, kind, bytes));
        if state.batch_bytes >= BATCH_BYTES || state.batch.len() >= BATCH_OBJECTS {
            self.work_off(state)?;
        }
        Ok(true)
    }

    /// Which of these objects the store has. Those count as put by this writer: what marked them as garbage before is
    /// taken back with the next publication.
    pub fn retain(&self, ids: &[ObjectId]) -> Result<Vec<bool>> {
        let held: Vec<bool> = self.shared.index.locators(ids)?.iter().map(Option::is_some).collect();
        let used = ids.iter().zip(&held).filter(|(_, held)| **held).map(|(id, _)| *id);
        self.state().pending.used.extend(used);
        Ok(held)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the batch, and looks up, compresses and appends it.
    fn work_off(&self, mut state: MutexGuard<'_, State>) -> Result<()> {
        let batch = std::mem::take(&mut state.batch);
        state.batch_bytes = 0;
        if batch.is_empty() {
            return Ok(());
        }
        state.working += 1;
        drop(state);
        let done = self.append_new(batch);
        let mut state = self.state();
        state.working -= 1;
        self.idle.notify_all();
        if let Err(error) = &done {
            Self::give_up(&mut state, error.again());
        }
        done?;
        let is_due = state.pending.is_due();
        drop(state);
        if is_due { self.publish_pending() } else { Ok(()) }
    }

    fn append_new(&self, mut batch: Vec<(ObjectId, Kind, Vec<u8>)>) -> Result<()> {
        batch.sort_unstable_by_key(|(id, ..)| *id);
        let ids: Vec<ObjectId> = batch.iter().map(|(id, ..)| *id).collect();
        let there = self.shared.index.locators(&ids)?;
        let mut frames = Vec::new();
        let mut heads = Vec::new();
        let mut used = Vec::new();
        for ((id, kind, bytes), there) in batch.into_iter().zip(there) {
            if there.is_some() {
                used.push(id);
                continue;
            }
            heads.push((frames.len() as u64, frame::append(kind, id, &bytes, &mut frames)));
        }
        self.state().pending.used.append(&mut used);
        self.append_frames(&frames, &heads)
    }

    /// Appends frames of objects that are new; each with its offset among them.
    fn append_frames(&self, frames: &[u8], heads: &[(u64, frame::Header)]) -> Result<()> {
        let mut state = self.state();
        if let Some(failure) = &state.broken {
            return Err(failure.again());
        }
        if heads.is_empty() {
            return Ok(());
        }
        if state.segment.as_ref().is_some_and(|segment| segment.end >= FULL) {
            let full = state.segment.take();
            state.full.extend(full);
        }
        if state.segment.is_none() {
            let (segment, mut kept) = self.shared.segments.take(&self.shared.index)?;
            state.pending.objects.append(&mut kept);
            state.segment = Some(segment);
        }
        let Some(segment) = state.segment.as_mut() else { return Err(Error::Abandoned) };
        let number = segment.number;
        let start = segment.append(frames)?;
        let located = heads.iter().map(|(at, header)| (header.id, segment::locator(number, start + at, header)));
        state.pending.objects.extend(located);
        state.pending.bytes += frames.len() as u64;
        Ok(())
    }

    /// After a failure: nothing more is written, and what was appended without being named is given back.
    fn give_up(state: &mut State, failure: Error) {
        if state.broken.is_none() {
            state.broken = Some(failure);
            for segment in state.segment.iter().chain(&state.full) {
                segment.cut_back();
            }
        }
    }

    /// Puts a file: a small one into a segment; one of a mebibyte or more by the ladder of `policy`. A file whose digest is remembered
    /// is not read. The observer is told of bytes. Errors: [`Error::ChangedWhileRead`], [`Error::NotAFile`].
    pub fn put_file(&self, path: &Path, policy: LinkPolicy, observer: &dyn Observer) -> Result<Stored> {
        let began = known_files::now();
        let mut file = File::open(path).map_err(Error::io(path))?;
        let metadata = file.metadata().map_err(Error::io(path))?;
        if !metadata.is_file() {
            return Err(Error::NotAFile(path.to_owned()));
        }
        let before = FileStamp::of_file(&file).map_err(Error::io(path))?;
        if before.size >= LARGE {
            return self.put_large_file(path, &file, &before, began, policy, observer);
        }
        let mut bytes = Vec::with_capacity(before.size as usize);
        Read::take(&mut file, before.size + 1).read_to_end(&mut bytes).map_err(Error::io(path))?;
        let after = FileStamp::of_file(&file).map_err(Error::io(path))?;
        if after != before || bytes.len() as u64 != before.size {
            return Err(Error::ChangedWhileRead(path.to_owned()));
        }
        observer.advanced(before.size);
        let id = Kind::Blob.id_of(&bytes);
        let is_new = self.put_hashed(id, Kind::Blob, bytes)?;
        let how = if is_new { How::Packed } else { How::AlreadyThere };
        Ok(Stored { id, size: before.size, how, stamp: Some(before) })
    }

    fn put_large_file(
        &self,
        path: &Path,
        file: &File,
        before: &FileStamp,
        began: i64,
        policy: LinkPolicy,
        observer: &dyn Observer,
    ) -> Result<Stored> {
        // Models are often symlinks into a cache: the file itself is what is linked and remembered.
        let source = crate::platform::paths::full(path).map_err(Error::io(path))?;
        let table = known_files::KnownFiles { index: &self.shared.index, since: began };
        let known = table.lookup(before)?.and_then(|known| known.id);
        let (id, before, verified) = match known {
            Some(id) => {
                observer.advanced(before.size);
                (id, *before, began)
            }
            None => {
                let (id, stamp) = large::hash_file(file, &source, observer)?;
                // A file written just now may be written again without showing it: such a one is read again at its next use.
                (id, stamp, if stamp.is_racy(began) { 0 } else { began })
            }
        };
        let before = &before;
        let after = FileStamp::of_path(&source).map_err(Error::io(&source))?;
        if after != *before {
            return Err(Error::ChangedWhileRead(source));
        }
        if known.is_none() {
            let known = Known { id: Some(id), ..Known::default() };
            self.state().pending.known_files.push(known_files::row(before, &known, began));
        }
        let stored = |how, stamp| Ok(Stored { id, size: before.size, how, stamp: Some(stamp) });
        if !self.is_wanted(&id, &source, policy)? {
            return stored(How::AlreadyThere, *before);
        }
        let placed = self.shared.large.bring_in(self.staging()?, &source, &id, before, policy, observer);
        let placed = placed.inspect_err(|_| self.forget(&id))?;
        let now = FileStamp::of_path(&source).map_err(Error::io(&source))?;
        let how = placed.how;
        let arrival = Arrival { id, size: before.size, placed, verified, source: Some((source, now)) };
        self.state().pending.large.push(arrival);
        stored(how, now)
    }

    /// Whether the bytes of this large blob are still to be brought in.
    fn is_wanted(&self, id: &ObjectId, source: &Path, policy: LinkPolicy) -> Result<bool> {
        {
            let mut state = self.state();
            if let Some(failure) = &state.broken {
                return Err(failure.again());
            }
            if !state.seen.insert(*id) {
                return Ok(false);
            }
        }
        let Some(locator) = self.shared.index.locator(id)? else { return Ok(true) };
        let store = Store { shared: Arc::clone(&self.shared) };
        let is_kept = match locator.at {
            At::Segment { .. } => true,
            // A file that may have been changed is replaced, which also heals one that was.
            At::Large => {
                let now = FileStamp::of_path(&self.shared.large.path(id)).ok();
                let record = store.places(id)?.into_iter().find_map(|(path, record)| record.filter(|_| path.is_none()));
                record.zip(now).is_some_and(|(record, now)| record.trusts(&now))
            }
            At::Reference => {
                let may_stay = matches!(policy, LinkPolicy::Auto | LinkPolicy::Reference);
                let is_right = |(path, record): &(Option<PathBuf>, Option<PlaceRecord>)| {
                    let now = path.as_ref().and_then(|path| FileStamp::of_path(path).ok());
                    record.zip(now).is_some_and(|(record, now)| record.trusts(&now))
                };
                // Another file with the same bytes is another place to have them from.
                let is_this = |path: &Option<PathBuf>| path.as_deref() == Some(source);
                may_stay && store.places(id)?.iter().any(|place| is_this(&place.0) && is_right(place))
            }
        };
        if is_kept {
            self.state().pending.used.push(*id);
        }
        Ok(!is_kept)
    }

    fn forget(&self, id: &ObjectId) {
        self.state().seen.remove(id);
    }

    fn staging(&self) -> Result<&Staging> {
        if let Some(staging) = self.staging.get() {
            return Ok(staging);
        }
        let made = Staging::new(&self.shared.folder, "write")?;
        Ok(self.staging.get_or_init(|| made))
    }

    fn put_large_bytes(&self, id: ObjectId, bytes: &[u8]) -> Result<bool> {
        if !self.is_wanted(&id, Path::new(""), LinkPolicy::Copy)? {
            return Ok(false);
        }
        let put = || -> Result<()> {
            let aside = self.staging()?.new_path();
            let file = OpenOptions::new().write(true).create_new(true).open(&aside).map_err(Error::io(&aside))?;
            self.shared.faults.write_at(&file, &aside, bytes, 0).map_err(Error::io(&aside))?;
            drop(file);
            self.arrive(id, bytes.len() as u64, &aside)
        };
        put().inspect_err(|_| self.forget(&id))?;
        Ok(true)
    }

    /// Takes over frames that were made elsewhere, of objects that the store does not have; each with its offset among them.
    pub(super) fn put_frames(&self, frames: &[u8], heads: &[(u64, frame::Header)]) -> Result<()> {
        let done = self.append_frames(frames, heads);
        let mut state = self.state();
        if let Err(error) = &done {
            Self::give_up(&mut state, error.again());
        }
        done?;
        let is_due = state.pending.is_due();
        drop(state);
        if is_due { self.publish_pending() } else { Ok(()) }
    }

    /// Takes over a file of the caller's that holds the large blob `id`; false when the store has its bytes already.
    pub(super) fn put_staged(&self, id: ObjectId, size: u64, aside: &Path) -> Result<bool> {
        let store = Store { shared: Arc::clone(&self.shared) };
        // A user's file that still has the bytes is place enough.
        let is_there = self.shared.index.locator(&id)?.is_some() && store.open_object(&id).is_ok();
        if is_there {
            self.count_on(vec![id]);
            return Ok(false);
        }
        self.arrive(id, size, aside)?;
        Ok(true)
    }

    /// Notes objects of the store that what is being put relies on.
    pub(super) fn count_on(&self, mut ids: Vec<ObjectId>) {
        self.state().pending.used.append(&mut ids);
    }

    /// Moves a staged file, whose bytes were hashed while we wrote them, to its place.
    fn arrive(&self, id: ObjectId, size: u64, aside: &Path) -> Result<()> {
        let verified = known_files::now();
        let path = self.shared.large.place(aside, &id, false)?;
        let stamp = FileStamp::of_path(&path).map_err(Error::io(&path))?;
        let placed = Placed { how: How::Copied, path, is_reference: false, stamp };
        self.state().pending.large.push(Arrival { id, size, placed, verified, source: None });
        Ok(())
    }

    /// Puts a blob of unknown length, in constant memory.
    pub fn put_stream(&self, input: &mut dyn Read, observer: &dyn Observer) -> Result<Stored> {
        let from = || PathBuf::from("input");
        let mut buffer = vec![0; LARGE as usize];
        let got = large::read_full(input, &mut buffer).map_err(Error::io(from()))?;
        observer.advanced(got as u64);
        if (got as u64) < LARGE {
            buffer.truncate(got);
            let id = Kind::Blob.id_of(&buffer);
            let is_new = self.put_hashed(id, Kind::Blob, buffer)?;
            let how = if is_new { How::Packed } else { How::AlreadyThere };
            return Ok(Stored { id, size: got as u64, how, stamp: None });
        }
        let aside = self.staging()?.new_path();
        let mut file = OpenOptions::new().write(true).create_new(true).open(&aside).map_err(Error::io(&aside))?;
        let mut hasher = Kind::Blob.hasher();
        let (mut size, mut got) = (0, got);
        while got > 0 {
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
            hasher.update(&buffer[..got]);
            self.shared.faults.before(super::faults::Effect::Write, &aside).map_err(Error::io(&aside))?;
            file.write_all(&buffer[..got]).map_err(Error::io(&aside))?;
            size += got as u64;
            got = large::read_full(input, &mut buffer).map_err(Error::io(from()))?;
            observer.advanced(got as u64);
        }
        drop(file);
        let id = ObjectId(*hasher.finalize().as_bytes());
        if !self.is_wanted(&id, Path::new(""), LinkPolicy::Copy)? {
            drop(std::fs::remove_file(&aside));
            return Ok(Stored { id, size, how: How::AlreadyThere, stamp: None });
        }
        self.arrive(id, size, &aside).inspect_err(|_| self.forget(&id))?;
        Ok(Stored { id, size, how: How::Copied, stamp: None })
    }

    /// Makes all objects put so far durable and names them in the index. Whoever put them may then show their ids. May be called again and
    /// again. Errors: nothing of this publication is in the index, and this writer is of no more use.
    pub fn publish(&self) -> Result<()> {
        self.work_off(self.state())?;
        let mut state = self.state();
        // Another thread may be working on a batch with objects that were put before this call.
        while state.working > 0 {
            state = self.idle.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        self.publish_pending()
    }

    fn publish_pending(&self) -> Result<()> {
        let _one_at_a_time = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.publish_taken();
        if let Err(error) = &done {
            Self::give_up(&mut self.state(), error.again());
        }
        done
    }

    fn publish_taken(&self) -> Result<()> {
        let mut state = self.state();
        if let Some(failure) = &state.broken {
            return Err(failure.again());
        }
        let pending = std::mem::take(&mut state.pending);
        let full = std::mem::take(&mut state.full);
        let mut segments: Vec<(u32, u64)> = full.iter().map(|segment| (segment.number, segment.end)).collect();
        for segment in &full {
            segment.sync()?;
        }
        // A handle of its own, so that others can append while this one waits for the disk.
        let current = match &state.segment {
            Some(segment) if segment.end > segment.committed => Some(segment.syncer()?),
            _ => None,
        };
        drop(state);
        if let Some(current) = &current {
            current.sync()?;
            segments.push((current.number, current.end));
        }
        let mut additions =
            Additions { objects: pending.objects, segments, known_files: pending.known_files, ..Default::default() };
        self.settle_arrivals(pending.large, &mut additions)?;
        if !pending.used.is_empty() && self.shared.index.any_marked(&pending.used)? {
            additions.used = pending.used;
        }
        if !additions.is_empty() {
            self.shared.index.add(&additions)?;
        }
        let mut state = self.state();
        if let (Some(segment), Some(current)) = (state.segment.as_mut(), &current)
            && segment.number == current.number
        {
            segment.committed = current.end;
            segment.is_new = false;
        }
        for segment in &mut state.full {
            if let Some(current) = &current
                && segment.number == current.number
            {
                segment.committed = current.end;
                segment.is_new = false;
            }
        }
        Ok(())
    }

    /// Makes the names of large blobs durable, and records them with stamps that can be trusted.
    fn settle_arrivals(&self, arrivals: Vec<Arrival>, additions: &mut Additions) -> Result<()> {
        let own = arrivals.iter().filter(|arrival| !arrival.placed.is_reference);
        let referred = arrivals.iter().filter(|arrival| arrival.placed.is_reference);
        let references: Vec<Reference> = referred
            .map(|arrival| Reference { id: arrival.id, size: arrival.size, path: arrival.placed.path.clone() })
            .collect();
        reference_log::append(&self.shared.folder, &references, &self.shared.faults)?;
        self.shared.large.sync_folders(own.map(|arrival| arrival.placed.path.as_path()))?;
        for Arrival { id, size, placed, mut verified, source } in arrivals {
            let at = if placed.is_reference { At::Reference } else { At::Large };
            additions.objects.push((id, Locator { kind: Kind::Blob, size, at }));
            if verified != 0 && !placed.is_reference {
                // Putting it there changed its stamp a moment ago: one wait serves all of them.
                large::settle(&placed.stamp);
                let is_same = FileStamp::of_path(&placed.path).is_ok_and(|now| now == placed.stamp);
                verified = if is_same { known_files::now() } else { 0 };
            }
            let reference = placed.is_reference.then_some(placed.path.as_path());
            let record = PlaceRecord { stamp: placed.stamp, verified };
            additions.places.push(large::place_row(&id, reference, &record));
            if let Some((path, stamp)) = source
                && placed.how == How::HardLinked
                && verified != 0
                && FileStamp::of_path(&path).is_ok_and(|now| now == stamp)
            {
                // The link is a second name of the user's file, whose own stamp changed with it.
                let known = Known { id: Some(id), ..Known::default() };
                additions.known_files.push(known_files::row(&stamp, &known, verified));
            }
        }
        additions.known_files.sort();
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // What was appended but never published belongs to nobody.
        let mut state = self.state();
        Self::give_up(&mut state, Error::Abandoned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{IdPrefix, Tree};
    use crate::observer::Silent;
    use crate::store::{Place, StoreOptions};

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join(".comfrey")).unwrap();
        (folder, store)
    }

    fn noise(length: usize, seed: u64) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn read_all(store: &Store, id: &ObjectId) -> Vec<u8> {
        let mut bytes = Vec::new();
        store.open_object(id).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_published_is_found_by_another_handle() {
        let (_folder, store) = store();
        let writer = store.writer().unwrap();
        let blob = writer.put(Kind::Blob, b"hello").unwrap();
        let tree = writer.put_value(&Tree::default()).unwrap();
        assert_eq!(store.info(&blob).unwrap(), None);
        writer.publish().unwrap();
        let other = Store::open(store.dir(), &StoreOptions::default()).unwrap();
        assert_eq!(other.read(&blob).unwrap(), (Kind::Blob, b"hello".to_vec()));
        assert_eq!(other.read_as::<Tree>(&tree).unwrap(), Tree::default());
        assert!(matches!(other.read_as::<Tree>(&blob), Err(Error::WrongKind { .. })));
        let prefix: IdPrefix = blob.to_hex()[..6].parse().unwrap();
        assert_eq!(other.matching(&prefix, 10).unwrap(), [(blob, Kind::Blob)]);
        let absent = ObjectId::of_blob(b"absent");
        assert!(matches!(other.read(&absent), Err(Error::NotFound(id)) if id == absent));
        assert_eq!(other.infos(&[absent, blob]).unwrap()[1].as_ref().map(|info| info.size), Some(5));
    }

    #[test]
    fn many_threads_put_the_same_and_different_objects() {
        let (_folder, store) = store();
        let writer = store.writer().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let writer = &writer;
                scope.spawn(move || {
                    for n in 0..2000u64 {
                        writer.put(Kind::Blob, &noise(100, n + thread * 1000)).unwrap();
                    }
                    writer.publish().unwrap();
                });
            }
        });
        for n in 0..5000 {
            let bytes = noise(100, n);
            assert_eq!(store.read(&ObjectId::of_blob(&bytes)).unwrap().1, bytes);
        }
        assert_eq!(store.index().count().unwrap(), 5000);
    }

    #[test]
    fn a_large_file_is_shared_and_a_change_to_it_is_noticed() {
        let (folder, store) = store();
        let model = folder.path().join("model.safetensors");
        let bytes = noise(3 << 20, 1);
        for policy in [LinkPolicy::Auto, LinkPolicy::Hardlink, LinkPolicy::Copy, LinkPolicy::Reference] {
            let (_folder, store) = match policy {
                LinkPolicy::Auto => (None, store.clone()),
                _ => {
                    let inner = folder.path().join(format!("{policy:?}"));
                    (Some(()), Store::create(&inner).unwrap())
                }
            };
            std::fs::write(&model, &bytes).unwrap();
            let writer = store.writer().unwrap();
            let rights = std::fs::metadata(&model).unwrap().permissions();
            let stored = writer.put_file(&model, policy, &Silent).unwrap();
            assert_eq!(stored.id, ObjectId::of_blob(&bytes));
            assert_eq!(std::fs::metadata(&model).unwrap().permissions(), rights, "the user's file stays the user's");
            writer.publish().unwrap();
            let own = std::fs::metadata(store.large().path(&stored.id)).map(|there| there.permissions().readonly());
            assert_eq!(
                own.ok(),
                (policy != LinkPolicy::Reference).then_some(policy == LinkPolicy::Copy || stored.how == How::Reflinked)
            );
            assert_eq!(read_all(&store, &stored.id), bytes, "{policy:?}");
            assert_eq!(read_all(&store, &stored.id), bytes, "{policy:?}");
            let out = folder.path().join(format!("out-{policy:?}"));
            store.materialize(&stored.id, &out, LinkPolicy::Auto).unwrap();
            assert_eq!(std::fs::read(&out).unwrap(), bytes);
            assert!(matches!(store.materialize(&stored.id, &out, LinkPolicy::Auto), Err(Error::Io { .. })));
            assert_eq!(std::fs::read(&out).unwrap(), bytes);
            assert_eq!(writer.put_file(&model, policy, &Silent).unwrap().how, How::AlreadyThere);
            // A user edits the file in place.
            let mut file = OpenOptions::new().write(true).open(&model).unwrap();
            file.write_all(b"other").unwrap();
            drop(file);
            let read = store.open_object(&stored.id);
            match stored.how {
                How::HardLinked => assert!(matches!(read, Err(Error::Damaged { .. })), "{read:?}"),
                How::Referenced => assert!(matches!(read, Err(Error::Changed { .. })), "{read:?}"),
                _ => assert_eq!(read_all(&store, &stored.id), bytes),
            }
            std::fs::remove_file(&model).unwrap();
        }
    }

    #[test]
    fn a_stream_becomes_what_the_same_file_becomes() {
        let (_folder, store) = store();
        let writer = store.writer().unwrap();
        for length in [0, 10, (1 << 20) - 1, 1 << 20, (5 << 20) + 3] {
            let bytes = noise(length, length as u64);
            let stored = writer.put_stream(&mut &bytes[..], &Silent).unwrap();
            assert_eq!(stored.id, ObjectId::of_blob(&bytes));
            assert_eq!(writer.put(Kind::Blob, &bytes).unwrap(), stored.id);
            writer.publish().unwrap();
            assert_eq!(read_all(&store, &stored.id), bytes);
            let is_large = matches!(store.info(&stored.id).unwrap().unwrap().place, Place::Large);
            assert_eq!(is_large, length >= 1 << 20);
        }
    }

    #[test]
    fn the_newest_operation_moves_only_from_where_it_was_expected() {
        let (_folder, store) = store();
        let (a, b) = (ObjectId::of_blob(b"a"), ObjectId::of_blob(b"b"));
        assert_eq!(store.head_operation().unwrap(), None);
        assert!(store.advance_operation(None, a).unwrap());
        assert!(!store.advance_operation(None, b).unwrap());
        assert!(store.advance_operation(Some(a), b).unwrap());
        assert_eq!(store.head_operation().unwrap(), Some(b));
    }

    #[test]
    fn a_store_is_made_once_and_only_stores_are_opened() {
        let (folder, store) = store();
        assert!(matches!(Store::create(store.dir()), Err(Error::AlreadyThere(_))));
        assert!(matches!(Store::open(folder.path(), &StoreOptions::default()), Err(Error::NotAStore(_))));
    }

    #[test]
    fn records_are_kept_in_order_of_their_keys() {
        use crate::store::RecordTable;
        let (_folder, store) = store();
        let records = store.records(RecordTable::ModelFiles);
        let row = |key: &str, value: &str| (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        let change = |(key, value)| (key, Some(value));
        records.apply([row("b/2", "y"), row("a", "x"), row("b/1", "z")].map(change).to_vec()).unwrap();
        assert_eq!(records.range(b"b/").unwrap(), [row("b/1", "z"), row("b/2", "y")]);
        records.apply(vec![(b"a".to_vec(), None)]).unwrap();
        assert_eq!(records.get(b"a").unwrap(), None);
        assert_eq!(store.records(RecordTable::Sources).range(b"").unwrap(), []);
    }
}
