//! What has come from outside and is not trusted yet: in the store's staging folder, seen by nobody, until it is released as a
//! whole or dropped as a whole.
//!
//! Small objects wait as [frames](super::frame) in a segment file of their own, large ones as a file each. Both belong to a staging folder
//! with an owner, so that what a killed program leaves is swept. Nothing of it is in the index before [`Quarantine::release`], whose
//! caller has verified everything by then (invariant B3).

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::faults::Effect;
use super::frame::{self, HEADER, Header};
use super::handle::Shared;
use super::large::{self, LARGE};
use super::reader::is_large;
use super::staging::Staging;
use super::{Error, Result, Store, Writer};
use crate::object::{Kind, ObjectId};
use crate::observer::Observer;
use crate::platform::durable;

/// So many bytes of frames go from the quarantine to the store at a time.
const STEP: usize = 8 << 20;

/// Objects that wait to be released. To be shared by threads. Dropped, it leaves nothing.
pub struct Quarantine {
    /// Keeps the garbage collector out, so that what was found in the store stays there.
    writer: Writer,
    shared: Arc<Shared>,
    /// Before the folder of its file: Windows removes no folder with an open file in it.
    waiting: Mutex<Waiting>,
    staging: Staging,
}

#[derive(Default)]
struct Waiting {
    seen: HashSet<ObjectId>,
    /// The private segment: frames without a title.
    frames: Option<(File, PathBuf)>,
    end: u64,
    large: Vec<(ObjectId, u64, PathBuf)>,
    /// Found in the store already, and counted on.
    there: Vec<ObjectId>,
    released: Released,
}

/// What a release has brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Released {
    /// Objects that the store did not have.
    pub objects: u64,
    /// Bytes of those.
    pub bytes: u64,
}

impl Store {
    /// An empty quarantine. Errors: those of [`Store::writer`].
    pub fn quarantine(&self) -> Result<Quarantine> {
        let writer = self.writer()?;
        let staging = Staging::new(&self.shared.folder, "quarantine")?;
        Ok(Quarantine { writer, shared: Arc::clone(&self.shared), staging, waiting: Mutex::default() })
    }
}

impl Quarantine {
    /// Puts objects whose ids the caller has computed. What the store has already is not kept twice.
    pub fn put_all(&self, objects: Vec<(ObjectId, Kind, Vec<u8>)>) -> Result<()> {
        let mut objects = objects;
        {
            let mut waiting = self.waiting();
            objects.retain(|(id, ..)| waiting.seen.insert(*id));
        }
        objects.sort_unstable_by_key(|(id, ..)| *id);
        let ids: Vec<ObjectId> = objects.iter().map(|(id, ..)| *id).collect();
        let there = self.shared.index.locators(&ids)?;
        let mut frames = Vec::new();
        let mut brought = Released::default();
        let mut used = Vec::new();
        for ((id, kind, bytes), there) in objects.into_iter().zip(there) {
            let size = bytes.len() as u64;
            if there.is_some() && !is_large(kind, size) {
                used.push(id);
                continue;
            }
            if is_large(kind, size) {
                self.put_large(id, &bytes)?;
                continue;
            }
            frame::append(kind, id, &bytes, &mut frames);
            brought.objects += 1;
            brought.bytes += size;
        }
        let mut waiting = self.waiting();
        waiting.there.append(&mut used);
        waiting.released.objects += brought.objects;
        waiting.released.bytes += brought.bytes;
        if frames.is_empty() {
            return Ok(());
        }
        if waiting.frames.is_none() {
            waiting.frames = Some(self.create()?);
        }
        let Waiting { frames: Some((file, path)), end, .. } = &mut *waiting else { return Ok(()) };
        self.shared.faults.write_at(file, path, &frames, *end).map_err(Error::io(&*path))?;
        *end += frames.len() as u64;
        Ok(())
    }

    /// Puts one object of which only the bytes are known.
    pub fn put(&self, kind: Kind, bytes: Vec<u8>) -> Result<ObjectId> {
        let id = kind.id_of(&bytes);
        self.put_all(vec![(id, kind, bytes)])?;
        Ok(id)
    }

    /// Puts a blob of unknown length in constant memory; its id and length.
    pub fn put_stream(&self, input: &mut dyn Read, observer: &dyn Observer) -> Result<(ObjectId, u64)> {
        let from = || PathBuf::from("input");
        let mut buffer = vec![0; LARGE as usize];
        let mut got = large::read_full(input, &mut buffer).map_err(Error::io(from()))?;
        observer.advanced(got as u64);
        if (got as u64) < LARGE {
            buffer.truncate(got);
            return Ok((self.put(Kind::Blob, buffer)?, got as u64));
        }
        let mut file = self.large()?;
        let mut hasher = Kind::Blob.hasher();
        while got > 0 {
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
            hasher.update(&buffer[..got]);
            file.write(&buffer[..got])?;
            got = large::read_full(input, &mut buffer).map_err(Error::io(from()))?;
            observer.advanced(got as u64);
        }
        let id = ObjectId(*hasher.finalize().as_bytes());
        let size = file.size;
        self.keep(file, id);
        Ok((id, size))
    }

    fn put_large(&self, id: ObjectId, bytes: &[u8]) -> Result<()> {
        let mut file = self.large()?;
        file.write(bytes)?;
        self.keep_large(file, id);
        Ok(())
    }

    /// A new file for a large blob, to be written and then kept.
    pub fn large(&self) -> Result<LargeFile> {
        let (file, path) = self.create()?;
        Ok(LargeFile { shared: Arc::clone(&self.shared), file, path, size: 0 })
    }

    /// Keeps a large blob, whose bytes have this id.
    pub fn keep(&self, file: LargeFile, id: ObjectId) {
        if self.waiting().seen.insert(id) {
            self.keep_large(file, id);
        } else {
            // A second copy; what cannot be removed now goes with the staging folder.
            drop(std::fs::remove_file(&file.path));
        }
    }

    fn keep_large(&self, file: LargeFile, id: ObjectId) {
        self.waiting().large.push((id, file.size, file.path));
    }

    fn create(&self) -> Result<(File, PathBuf)> {
        let path = self.staging.new_path();
        self.shared.faults.before(Effect::Create, &path).map_err(Error::io(&path))?;
        let opened = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        Ok((opened.map_err(Error::io(&path))?, path))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes everything: afterwards it is in the store, durable. Errors: the store is sound, and holds none or some of the
    /// objects, which is harmless as each is whole and nothing names them yet.
    pub fn release(self, observer: &dyn Observer) -> Result<Released> {
        let waiting = std::mem::take(&mut *self.waiting());
        let mut released = waiting.released;
        if let Some((file, path)) = &waiting.frames {
            let mut at = 0;
            while at < waiting.end {
                if observer.interrupted() {
                    return Err(Error::Interrupted);
                }
                at += self.move_frames(file, path, at, waiting.end)?;
            }
        }
        for (id, size, path) in waiting.large {
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
            if self.writer.put_staged(id, size, &path)? {
                released.objects += 1;
                released.bytes += size;
            }
        }
        self.writer.count_on(waiting.there);
        self.writer.publish()?;
        Ok(released)
    }

    /// Moves the whole frames in about one step of bytes to the writer; how many bytes those were.
    fn move_frames(&self, file: &File, path: &PathBuf, at: u64, end: u64) -> Result<u64> {
        let damaged = || Error::Damaged {
            id: ObjectId([0; 32]),
            file: path.clone(),
            reason: "the quarantine was changed from outside".into(),
        };
        let mut bytes = vec![0; (end - at).min(STEP as u64) as usize];
        durable::read_exact_at(file, &mut bytes, at).map_err(Error::io(path))?;
        let first = Header::decode(&bytes).ok_or_else(damaged)?;
        if first.length() > bytes.len() as u64 {
            bytes.resize(first.length() as usize, 0);
            durable::read_exact_at(file, &mut bytes, at).map_err(Error::io(path))?;
        }
        let mut heads = Vec::new();
        let mut whole = 0;
        while let Some(rest) = bytes.get(whole..).filter(|rest| rest.len() >= HEADER) {
            let header = Header::decode(rest).ok_or_else(damaged)?;
            if header.length() > rest.len() as u64 {
                break;
            }
            heads.push((whole as u64, header));
            whole += header.length() as usize;
        }
        self.writer.put_frames(&bytes[..whole], &heads)?;
        Ok(whole as u64)
    }
}

/// A large blob on its way into a quarantine.
pub struct LargeFile {
    shared: Arc<Shared>,
    file: File,
    path: PathBuf,
    size: u64,
}

impl LargeFile {
    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.shared.faults.write_at(&self.file, &self.path, bytes, self.size).map_err(Error::io(&self.path))?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;
    use crate::store::StoreOptions;
    use crate::store::faults::Faults;

    fn noise(seed: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn staged(folder: &std::path::Path) -> usize {
        std::fs::read_dir(folder.join("staging")).unwrap().count()
    }

    #[test]
    fn what_is_in_quarantine_is_seen_by_nobody_until_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join("s")).unwrap();
        let quarantine = store.quarantine().unwrap();
        let small = quarantine.put(Kind::Blob, b"small".to_vec()).unwrap();
        let (large, size) = quarantine.put_stream(&mut &noise(1, 3 << 20)[..], &Silent).unwrap();
        assert_eq!(size, 3 << 20);
        assert_eq!(store.contains(&[small, large]).unwrap(), [false, false]);
        let released = quarantine.release(&Silent).unwrap();
        assert_eq!(released, Released { objects: 2, bytes: 5 + (3 << 20) });
        assert_eq!(store.read(&small).unwrap(), (Kind::Blob, b"small".to_vec()));
        let mut bytes = Vec::new();
        store.open_object(&large).unwrap().read_to_end(&mut bytes).unwrap();
        assert!(bytes == noise(1, 3 << 20));
        assert_eq!(staged(store.dir()), 0);
    }

    #[test]
    fn what_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join("s")).unwrap();
        let quarantine = store.quarantine().unwrap();
        let small = quarantine.put(Kind::Blob, b"small".to_vec()).unwrap();
        quarantine.put_stream(&mut &noise(1, 2 << 20)[..], &Silent).unwrap();
        drop(quarantine);
        assert_eq!(store.contains(&[small]).unwrap(), [false]);
        assert_eq!(staged(store.dir()), 0);
    }

    #[test]
    fn what_the_store_has_is_not_brought_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join("s")).unwrap();
        for expected in [3, 0] {
            let quarantine = store.quarantine().unwrap();
            quarantine.put(Kind::Blob, b"a".to_vec()).unwrap();
            quarantine.put(Kind::Blob, b"a".to_vec()).unwrap();
            quarantine.put(Kind::Blob, noise(2, 1 << 20)).unwrap();
            quarantine.put(Kind::Tree, vec![1, 0]).unwrap();
            assert_eq!(quarantine.release(&Silent).unwrap().objects, expected);
        }
    }

    #[test]
    fn more_than_one_step_of_frames_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join("s")).unwrap();
        let quarantine = store.quarantine().unwrap();
        let ids: Vec<_> =
            (0..40).map(|n| quarantine.put(Kind::Blob, noise(n, 500_000 + n as usize)).unwrap()).collect();
        assert_eq!(quarantine.release(&Silent).unwrap().objects, 40);
        for (n, id) in ids.iter().enumerate() {
            assert!(store.read(id).unwrap().1 == noise(n as u8, 500_000 + n));
        }
    }

    #[test]
    fn a_failure_at_any_step_leaves_a_sound_store() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("s");
        Store::create(&dir).unwrap();
        for k in 1.. {
            assert!(k < 200, "it never passes");
            let store = Store::open_with_faults(&dir, &StoreOptions::default(), Faults::at(k)).unwrap();
            // Bytes of its own for each round, so that each round writes.
            let contents = [noise(k as u8, 3000 + k as usize), noise(k as u8, (1 << 20) + k as usize)];
            let attempt = || -> Result<()> {
                let quarantine = store.quarantine()?;
                for bytes in &contents {
                    quarantine.put(Kind::Blob, bytes.clone())?;
                }
                quarantine.release(&Silent)?;
                Ok(())
            };
            let done = attempt();
            let sound = Store::open(&dir, &StoreOptions::default()).unwrap();
            for bytes in &contents {
                let id = Kind::Blob.id_of(bytes);
                match sound.open_object(&id) {
                    Ok(mut reader) => {
                        let mut read = Vec::new();
                        reader.read_to_end(&mut read).unwrap();
                        assert!(read == *bytes, "step {k}");
                    }
                    Err(Error::NotFound(_)) => assert!(done.is_err(), "step {k}"),
                    Err(error) => panic!("step {k}: {error}"),
                }
            }
            drop(store);
            assert_eq!(staged(&dir), 0, "step {k}");
            if done.is_ok() {
                assert!(k > 8, "only {k} steps");
                return;
            }
        }
    }
}
