//! A pack into a store: everything into quarantine, and out of it only when the last byte was judged good (invariant B3).
//!
//! One thread decompresses and cuts the stream into objects; others hash, decode and compress batches of small ones; one more hashes and
//! writes large ones, chunk by chunk. So verification runs beside the decompressor and not behind it.

use std::collections::HashSet;
use std::io::BufRead;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::pack::{Need, Needs, Role, STRUCTURE_LIMIT, needs_of};
use super::unpack::{Head, PackReader, Place, UnpackError, default_limits};
use crate::archive::guard::Limits;
use crate::object::{Kind, ObjectId};
use crate::observer::{Observer, Unit};
use crate::store::{self, Quarantine, Store};

/// Small objects are judged in batches of so many bytes or objects.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_OBJECTS: usize = 1024;
/// A blob of this many bytes or more passes through in chunks of as many.
const CHUNK: u64 = 1 << 20;

/// How a pack is received.
#[derive(Debug, Clone)]
pub struct ReceiveOptions {
    pub limits: Limits,
    /// Threads that hash and compress.
    pub threads: NonZeroUsize,
    pub purpose: Purpose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    #[default]
    Keep,
    /// Judge everything, keep nothing.
    Verify,
}

impl Default for ReceiveOptions {
    fn default() -> Self {
        let one = NonZeroUsize::MIN;
        let threads = std::thread::available_parallelism().unwrap_or(one);
        ReceiveOptions { limits: default_limits(), threads, purpose: Purpose::Keep }
    }
}

/// An object that a pack held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    pub id: ObjectId,
    pub kind: Kind,
    pub size: u64,
}

/// What a pack brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// All objects in the pack's order.
    pub objects: Vec<Arrived>,
    /// Those that the store did not have; zero where nothing is kept.
    pub new: u64,
    /// Objects that no other in the pack refers to: where to begin to look at what arrived.
    pub tips: Vec<Arrived>,
    /// What the objects refer to and neither pack nor store holds.
    pub absent: Vec<Need>,
}

impl Received {
    /// True when all that is absent are models, which may be.
    pub fn is_complete(&self) -> bool {
        self.absent.iter().all(|need| need.role == Role::Model)
    }
}

/// Why a pack was not received. Nothing of it is in the store.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    #[error("the pack is refused: {0}")]
    Refused(#[from] UnpackError),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("interrupted")]
    Interrupted,
}

/// Small objects that are judged together.
type Batch = Vec<(Head, Vec<u8>)>;
type Result<T, E = ReceiveError> = std::result::Result<T, E>;

/// Reads a pack to its end, judges every part of it, and publishes its objects.
pub fn receive(
    store: &Store,
    input: impl BufRead,
    options: &ReceiveOptions,
    observer: &dyn Observer,
) -> Result<Received> {
    let mut reader = PackReader::open(input, options.limits.clone())?;
    let quarantine = match options.purpose {
        Purpose::Keep => Some(store.quarantine()?),
        Purpose::Verify => None,
    };
    observer.started("unpacking", Unit::Bytes, Some(reader.bytes()));
    let judge = Judge { quarantine: quarantine.as_ref(), stopped: AtomicBool::new(false), verdict: Mutex::default() };
    let (batches, work) = sync_channel(options.threads.get());
    let work = Mutex::new(work);
    let (chunks, large) = sync_channel(8);
    let (used, spare) = sync_channel(16);
    let read = std::thread::scope(|scope| {
        for _ in 0..options.threads.get() {
            scope.spawn(|| judge.work(&work));
        }
        let judge = &judge;
        scope.spawn(move || judge.take_large(&large, &used));
        Cutter { batches, chunks, spare, batch: Vec::new(), batch_bytes: 0, judge, observer }.cut(&mut reader)
    });
    let verdict = judge.verdict.into_inner().unwrap_or_else(PoisonError::into_inner);
    // What a worker found wrong stopped the reading: it is the reason.
    if let Some(error) = verdict.error {
        return Err(error);
    }
    read?;
    let objects: Vec<Arrived> = verdict.arrived.into_iter().flatten().collect();
    let held: HashSet<ObjectId> = objects.iter().map(|object| object.id).collect();
    let mut ids = blake3::Hasher::new();
    for object in &objects {
        ids.update(&object.id.0);
    }
    let promised = reader.finish(&ids.finalize())?;
    let referred = verdict.needs.into_sorted();
    let tips = tips(&objects, &referred);
    let needs: Vec<Need> = referred.into_iter().filter(|need| !held.contains(&need.id)).collect();
    let trailer = |reason: &str| UnpackError::Damaged { place: Place::Trailer, reason: reason.into() };
    if held.len() != objects.len() {
        return Err(trailer("an object stands in it twice").into());
    }
    if needs != promised {
        return Err(trailer("its list of needs is not that of its objects").into());
    }
    let new = match quarantine {
        Some(quarantine) => quarantine.release(observer)?.objects,
        None => 0,
    };
    observer.finished();
    let there = store.contains(&needs.iter().map(|need| need.id).collect::<Vec<_>>())?;
    let absent = needs.into_iter().zip(there).filter(|(_, there)| !there).map(|(need, _)| need).collect();
    Ok(Received { objects, new, tips, absent })
}

/// The objects that nothing refers to. `referred` is sorted.
fn tips(objects: &[Arrived], referred: &[Need]) -> Vec<Arrived> {
    let is_tip = |object: &&Arrived| referred.binary_search_by_key(&object.id, |need| need.id).is_err();
    objects.iter().filter(is_tip).copied().collect()
}

/// Cuts the stream into objects and hands them on.
struct Cutter<'a> {
    batches: SyncSender<Batch>,
    chunks: SyncSender<Chunk>,
    /// Buffers that have been used.
    spare: Receiver<Vec<u8>>,
    batch: Batch,
    batch_bytes: usize,
    judge: &'a Judge<'a>,
    observer: &'a dyn Observer,
}

/// A part of a large blob.
struct Chunk {
    head: Head,
    bytes: Vec<u8>,
    is_last: bool,
}

impl Cutter<'_> {
    /// Reads to the end of the objects. Dropping this lets the workers end.
    fn cut(mut self, reader: &mut PackReader<impl BufRead>) -> Result<()> {
        while let Some(head) = reader.next_object()? {
            if head.kind == Kind::Blob && head.size >= CHUNK {
                self.pass_large(head, reader)?;
                continue;
            }
            if head.size >= STRUCTURE_LIMIT {
                let reason = format!("a {} of {} bytes", head.kind, head.size);
                return Err(UnpackError::Damaged { place: head.place(), reason }.into());
            }
            let bytes = small(head, reader)?;
            self.batch_bytes += bytes.len();
            self.batch.push((head, bytes));
            if self.batch_bytes >= BATCH_BYTES || self.batch.len() >= BATCH_OBJECTS {
                self.hand_on()?;
            }
        }
        self.hand_on()
    }

    fn hand_on(&mut self) -> Result<()> {
        self.may_go_on()?;
        let batch = std::mem::take(&mut self.batch);
        self.observer.advanced(std::mem::take(&mut self.batch_bytes) as u64);
        // Fails only when all workers are gone, and then the verdict says why.
        self.batches.send(batch).map_err(|_| ReceiveError::Interrupted)
    }

    fn pass_large(&mut self, head: Head, reader: &mut PackReader<impl BufRead>) -> Result<()> {
        let mut left = head.size;
        while left > 0 {
            self.may_go_on()?;
            let mut bytes = self.spare.try_recv().unwrap_or_default();
            bytes.resize(left.min(CHUNK) as usize, 0);
            left -= reader.content(&mut bytes)? as u64;
            self.observer.advanced(bytes.len() as u64);
            let chunk = Chunk { head, bytes, is_last: left == 0 };
            self.chunks.send(chunk).map_err(|_| ReceiveError::Interrupted)?;
        }
        Ok(())
    }

    fn may_go_on(&self) -> Result<()> {
        let stop = self.observer.interrupted() || self.judge.stopped.load(Ordering::Relaxed);
        if stop { Err(ReceiveError::Interrupted) } else { Ok(()) }
    }
}

/// The content of an object that is held in memory whole. A promised size is believed only as bytes come.
fn small(head: Head, reader: &mut PackReader<impl BufRead>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < head.size {
        let have = bytes.len();
        bytes.resize(have + (head.size - have as u64).min(CHUNK) as usize, 0);
        reader.content(&mut bytes[have..])?;
    }
    Ok(bytes)
}

/// What the workers share.
struct Judge<'a> {
    quarantine: Option<&'a Quarantine>,
    stopped: AtomicBool,
    verdict: Mutex<Verdict>,
}

#[derive(Default)]
struct Verdict {
    /// By the object's number, less one.
    arrived: Vec<Option<Arrived>>,
    /// All that objects refer to, whether in the pack or not.
    needs: Needs,
    error: Option<ReceiveError>,
}

impl Verdict {
    fn note(&mut self, head: &Head, id: ObjectId) {
        let at = (head.number - 1) as usize;
        if self.arrived.len() <= at {
            self.arrived.resize(at + 1, None);
        }
        self.arrived[at] = Some(Arrived { id, kind: head.kind, size: head.size });
    }
}

impl Judge<'_> {
    fn verdict(&self) -> MutexGuard<'_, Verdict> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, error: ReceiveError) {
        self.stopped.store(true, Ordering::Relaxed);
        self.verdict().error.get_or_insert(error);
    }

    /// Judges batches until there are no more. After something was found wrong, batches are only taken off.
    fn work(&self, batches: &Mutex<Receiver<Batch>>) {
        loop {
            let batch = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(batch) = batch else { return };
            if self.stopped.load(Ordering::Relaxed) {
                continue;
            }
            if let Err(error) = self.judge_batch(batch) {
                self.stop(error);
            }
        }
    }

    fn judge_batch(&self, batch: Batch) -> Result<()> {
        let mut judged = Vec::with_capacity(batch.len());
        let mut needs = Vec::new();
        for (head, bytes) in batch {
            let id = head.kind.id_of(&bytes);
            head.check(&id)?;
            let found = needs_of(head.kind, &bytes);
            needs.append(&mut found.map_err(|error| {
                let reason = error.to_string();
                UnpackError::Damaged { place: head.place(), reason }
            })?);
            judged.push((head, id, bytes));
        }
        let mut verdict = self.verdict();
        for (head, id, _) in &judged {
            verdict.note(head, *id);
        }
        for need in needs {
            verdict.needs.add(need);
        }
        drop(verdict);
        if let Some(quarantine) = self.quarantine {
            quarantine.put_all(judged.into_iter().map(|(head, id, bytes)| (id, head.kind, bytes)).collect())?;
        }
        Ok(())
    }

    /// Hashes and writes large blobs, one after the other.
    fn take_large(&self, chunks: &Receiver<Chunk>, used: &SyncSender<Vec<u8>>) {
        let mut current = None;
        for chunk in chunks {
            if self.stopped.load(Ordering::Relaxed) {
                continue;
            }
            if let Err(error) = self.take_chunk(&chunk, &mut current) {
                self.stop(error);
            }
            // With enough spare buffers about, this one is let go.
            drop(used.try_send(chunk.bytes));
        }
    }

    fn take_chunk(
        &self,
        chunk: &Chunk,
        current: &mut Option<(blake3::Hasher, Option<store::LargeFile>)>,
    ) -> Result<()> {
        if current.is_none() {
            let file = self.quarantine.map(Quarantine::large).transpose()?;
            *current = Some((Kind::Blob.hasher(), file));
        }
        let Some((hasher, file)) = current.as_mut() else { return Ok(()) };
        hasher.update(&chunk.bytes);
        if let Some(file) = file {
            file.write(&chunk.bytes)?;
        }
        if let Some((hasher, file)) = current.take_if(|_| chunk.is_last) {
            let id = ObjectId(*hasher.finalize().as_bytes());
            chunk.head.check(&id)?;
            self.verdict().note(&chunk.head, id);
            if let (Some(quarantine), Some(file)) = (self.quarantine, file) {
                quarantine.keep(file, id);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::pack::PackOptions;
    use super::super::pack::tests::{noise, pack};
    use super::super::send::{SendError, send};
    use super::*;
    use crate::object::{Encoded, Tree};
    use crate::observer::Silent;
    use crate::store::StoreOptions;
    use crate::store::faults::Faults;

    fn new_store(folder: &tempfile::TempDir, name: &str) -> Store {
        Store::create(&folder.path().join(name)).unwrap()
    }

    fn some_objects() -> Vec<(Kind, Vec<u8>)> {
        let mut objects: Vec<_> = (0..300).map(|n| (Kind::Blob, noise(n, 100 + 17 * n as usize))).collect();
        objects.push((Kind::Blob, noise(7, (3 << 20) + 5)));
        objects.push((Kind::Blob, noise(8, 1 << 20)));
        let entries: String = objects
            .iter()
            .enumerate()
            .map(|(n, (kind, bytes))| format!("file {} {}\tf{n}\n", kind.id_of(bytes), bytes.len()))
            .collect();
        let tree = Tree::parse(&entries).unwrap();
        objects.push((Kind::Tree, tree.encode()));
        objects
    }

    fn fill(store: &Store, objects: &[(Kind, Vec<u8>)]) -> Vec<ObjectId> {
        let writer = store.writer().unwrap();
        let ids = objects.iter().map(|(kind, bytes)| writer.put(*kind, bytes).unwrap()).collect();
        writer.publish().unwrap();
        ids
    }

    #[test]
    fn objects_go_from_store_to_store_and_back_to_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (new_store(&folder, "a"), new_store(&folder, "b"));
        let objects = some_objects();
        let ids = fill(&a, &objects);
        let mut first = Vec::new();
        send(&a, ids.clone(), &mut first, &PackOptions::default(), &Silent).unwrap();
        assert!(first == pack(&objects, 1));
        let received = receive(&b, &first[..], &ReceiveOptions::default(), &Silent).unwrap();
        assert_eq!(received.objects.iter().map(|object| object.id).collect::<Vec<_>>(), ids);
        assert_eq!(received.new, ids.len() as u64);
        assert_eq!(received.tips.iter().map(|tip| tip.id).collect::<Vec<_>>(), ids[ids.len() - 1..]);
        assert!(received.absent.is_empty());
        // Twice the same ids, another store: still the same bytes.
        let mut second = Vec::new();
        send(&b, [ids.clone(), ids].concat(), &mut second, &PackOptions::default(), &Silent).unwrap();
        assert!(first == second);
        assert_eq!(receive(&b, &first[..], &ReceiveOptions::default(), &Silent).unwrap().new, 0);
    }

    #[test]
    fn what_is_not_in_the_store_is_named_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = new_store(&folder, "a");
        let mut output = Vec::new();
        let absent = ObjectId([9; 32]);
        let result = send(&store, vec![absent], &mut output, &PackOptions::default(), &Silent);
        assert!(matches!(result, Err(SendError::Absent(ids)) if ids == [absent]));
        assert!(output.is_empty());
    }

    #[test]
    fn a_refused_pack_leaves_nothing_in_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = new_store(&folder, "a");
        let whole = pack(&some_objects(), 1);
        let mut flipped = whole.clone();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        let trailing = [whole.as_slice(), b"x"].concat();
        let wrong_tree = pack(&[(Kind::Blob, b"a".to_vec()), (Kind::Blob, b"b".to_vec())], 1);
        for bytes in [&whole[..last], &flipped, &trailing, &wrong_tree[..wrong_tree.len() - 40]] {
            let refused = receive(&store, bytes, &ReceiveOptions::default(), &Silent).unwrap_err();
            assert!(matches!(refused, ReceiveError::Refused(_)), "{refused}");
            assert_eq!(store.index().count().unwrap(), 0);
            assert_eq!(std::fs::read_dir(store.dir().join("staging")).unwrap().count(), 0);
        }
    }

    #[test]
    fn only_judged_and_not_kept_is_possible() {
        let folder = tempfile::tempdir().unwrap();
        let store = new_store(&folder, "a");
        let options = ReceiveOptions { purpose: Purpose::Verify, ..ReceiveOptions::default() };
        let objects = some_objects();
        let received = receive(&store, &pack(&objects, 1)[..], &options, &Silent).unwrap();
        assert_eq!((received.objects.len(), received.new), (objects.len(), 0));
        assert_eq!(store.index().count().unwrap(), 0);
    }

    #[test]
    fn what_neither_pack_nor_store_has_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let store = new_store(&folder, "a");
        let there = fill(&store, &[(Kind::Blob, b"there".to_vec())])[0];
        let absent = ObjectId([9; 32]);
        let tree = |kind: &str| Tree::parse(&format!("{kind} {absent} 4\ta\nfile {there} 5\tb\n")).unwrap().encode();
        for (kind, complete) in [("model", true), ("file", false)] {
            let bytes = pack(&[(Kind::Tree, tree(kind))], 1);
            let received = receive(&store, &bytes[..], &ReceiveOptions::default(), &Silent).unwrap();
            assert_eq!(received.absent.iter().map(|need| need.id).collect::<Vec<_>>(), [absent]);
            assert_eq!(received.is_complete(), complete);
        }
    }

    #[test]
    fn a_failure_at_any_step_of_receiving_leaves_a_sound_store() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("s");
        Store::create(&dir).unwrap();
        for k in 1.. {
            assert!(k < 100, "it never passes");
            let store = Store::open_with_faults(&dir, &StoreOptions::default(), Faults::at(k)).unwrap();
            let objects = [(Kind::Blob, noise(k, 5000)), (Kind::Blob, noise(k, 1 << 20)), (Kind::Tree, vec![1, 0])];
            let options = ReceiveOptions { threads: NonZeroUsize::MIN, ..ReceiveOptions::default() };
            let done = receive(&store, &pack(&objects, 1)[..], &options, &Silent);
            drop(store);
            let sound = Store::open(&dir, &StoreOptions::default()).unwrap();
            for (kind, bytes) in &objects {
                let id = kind.id_of(bytes);
                let read = sound.open_object(&id).map(|mut reader| {
                    let mut read = Vec::new();
                    std::io::Read::read_to_end(&mut reader, &mut read).unwrap();
                    read
                });
                match read {
                    Ok(read) => assert!(read == *bytes, "step {k}"),
                    Err(store::Error::NotFound(_)) => assert!(done.is_err(), "step {k}"),
                    Err(error) => panic!("step {k}: {error}"),
                }
            }
            assert_eq!(std::fs::read_dir(dir.join("staging")).unwrap().count(), 0, "step {k}");
            if done.is_ok() {
                assert!(k > 8, "only {k} steps");
                return;
            }
        }
    }
}
