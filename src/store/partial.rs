//! A blob on its way from outside that outlives the program: what has come of it is there for the next attempt.
//!
//! ```text
//! downloads/NAME        the bytes so far
//! downloads/NAME.note   how many of them count, their BLAKE3, and whose they are
//! downloads/NAME.lock   held by who is at it
//! ```
//!
//! Unlike what lies in `staging/` it is not swept when its owner is gone, but by [`gc`](super::gc) after a while. Nothing is synced before the
//! blob is whole: the next attempt hashes what is there, and only bytes with the noted hash count (invariant S13).

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::faults::Effect;
use super::handle::Shared;
use super::large::LARGE;
use super::{Error, How, Result, Store, Stored};
use crate::digest::running::Running;
use crate::digest::{StreamDigests, Wanted};
use crate::object::{Kind, ObjectId};
use crate::observer::{Observer, Unit};
use crate::platform::lock::{Access, LockFile, Patience};
use crate::platform::{durable, file_system};

/// The folder of these, in the store's.
const FOLDER: &str = "downloads";
/// So many bytes may come before it is noted how many there are: what a program that is killed loses at most.
const STEP: u64 = 8 << 20;

/// What is noted of the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    about: String,
    version: String,
    length: u64,
    id: ObjectId,
}

/// A blob of which nothing or a beginning has come. Dropped, what has come stays; of one without bytes nothing does.
pub struct Partial {
    shared: Arc<Shared>,
    path: PathBuf,
    /// Closed before it is moved: Windows moves no file that is open.
    file: Option<File>,
    /// Let go when there is nothing to guard any more.
    lock: Option<LockFile>,
    wanted: Wanted,
    begun: Begun,
}

/// How far it is.
struct Begun {
    running: Running,
    about: String,
    version: String,
    /// Length in the note on the disk.
    noted: u64,
}

/// What an earlier program has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub path: PathBuf,
    /// What it was to become, for people.
    pub about: String,
    /// Bytes.
    pub size: u64,
    /// When it was last written to, in milliseconds since 1970.
    pub touched: i64,
}

impl Store {
    /// Takes up the blob that is on its way under `name`, or begins it; waits for another program that is at it. What is there
    /// is hashed, which the observer is told of in bytes. Errors: [`Error::Locked`].
    pub fn partial(&self, name: &str, wanted: Wanted, observer: &dyn Observer) -> Result<Partial> {
        let shared = Arc::clone(&self.shared);
        let folder = shared.folder.join(FOLDER);
        shared.faults.make_folder(&folder).map_err(Error::io(&folder))?;
        let path = folder.join(name);
        let lock_path = path.with_extension("lock");
        let what = "another download of the same address";
        let patience = Patience { timeout: shared.options.lock_timeout, observer, what };
        let lock = LockFile::take(&lock_path, Access::Exclusive, patience).map_err(|e| Error::lock(&lock_path, e))?;
        // One that was whole, and could not be moved to its place, is guarded already.
        durable::make_writable(&path).map_err(Error::io(&path))?;
        shared.faults.before(Effect::Create, &path).map_err(Error::io(&path))?;
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(Error::io(&path))?;
        let begun = Begun::taken_up(&file, &path, wanted, &shared, observer)?;
        Ok(Partial { shared, path, file: Some(file), lock: Some(lock), wanted, begun })
    }

    /// What is left of downloads that nobody is at and that were last written to before `time`, in milliseconds since 1970.
    pub fn leftovers(&self, time: i64) -> Result<Vec<Leftover>> {
        let folder = self.shared.folder.join(FOLDER);
        let entries = match std::fs::read_dir(&folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::io(&folder))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(Error::io(&folder))?.path();
            if path.extension().is_some_and(|extension| extension == "note" || extension == "lock") {
                continue;
            }
            let metadata = std::fs::metadata(&path).map_err(Error::io(&path))?;
            let since = metadata.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            let touched = since.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or_default();
            if touched < time && !is_held(&path)? {
                let about = Note::read(&path).map(|note| note.about).unwrap_or_default();
                found.push(Leftover { path, about, size: metadata.len(), touched });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Removes one, unless somebody is at it now; true if it is gone.
    pub(super) fn remove_leftover(&self, leftover: &Leftover) -> Result<bool> {
        let path = &leftover.path;
        let lock_path = path.with_extension("lock");
        let taken = LockFile::try_take(&lock_path, Access::Exclusive).map_err(Error::io(&lock_path))?;
        let Some(lock) = taken else { return Ok(false) };
        remove_all(&self.shared, path)?;
        lock.remove().map_err(Error::io(lock_path))?;
        Ok(true)
    }
}

impl Begun {
    fn nothing(wanted: Wanted) -> Self {
        Begun { running: Running::new(wanted), about: String::new(), version: String::new(), noted: 0 }
    }

    /// What is there, as far as it is what was noted.
    fn taken_up(file: &File, path: &Path, wanted: Wanted, shared: &Shared, observer: &dyn Observer) -> Result<Begun> {
        let there = file.metadata().map_err(Error::io(path))?.len();
        let mut begun = Begun::nothing(wanted);
        if let Some(note) = Note::read(path).filter(|note| note.length <= there) {
            observer.started("reading what came before", Unit::Bytes, Some(note.length));
            let mut buffer = vec![0; 256 << 10];
            while begun.running.size() < note.length {
                if observer.interrupted() {
                    return Err(Error::Interrupted);
                }
                let at = begun.running.size();
                let piece = (note.length - at).min(buffer.len() as u64) as usize;
                durable::read_exact_at(file, &mut buffer[..piece], at).map_err(Error::io(path))?;
                begun.running.update(&buffer[..piece]);
                observer.advanced(piece as u64);
            }
            observer.finished();
            if begun.running.id() == note.id {
                (begun.about, begun.version, begun.noted) = (note.about, note.version, note.length);
            } else {
                begun = Begun::nothing(wanted);
            }
        }
        if there > begun.running.size() {
            shared.faults.truncate(file, path, begun.running.size()).map_err(Error::io(path))?;
        }
        Ok(begun)
    }
}

impl Partial {
    /// Bytes that have come.
    pub fn length(&self) -> u64 {
        self.begun.running.size()
    }

    /// What [`Partial::begin`] was told of the version; nothing where there is nothing.
    pub fn version(&self) -> &str {
        &self.begun.version
    }

    /// The hashes of what has come.
    pub fn digests(&self) -> StreamDigests {
        self.begun.running.digests()
    }

    /// Begins anew. `about` says to people what it is to become; `version` tells whoever goes on which version the bytes are of.
    pub fn begin(&mut self, about: &str, version: &str) -> Result<()> {
        self.begun = Begun::nothing(self.wanted);
        self.shared.faults.truncate(self.file()?, &self.path, 0).map_err(Error::io(&self.path))?;
        (self.begun.about, self.begun.version) = (about.to_owned(), version.to_owned());
        self.note()
    }

    /// Asks whether `more` bytes have room. Errors: [`Error::NoRoom`].
    pub fn ask_for_room(&self, more: u64) -> Result<()> {
        let folder = self.path.parent().unwrap_or(&self.path);
        match file_system::free_bytes(folder) {
            Ok(free) if free < more => Err(Error::NoRoom { folder: folder.to_owned(), wanted: more, free }),
            // Where the system does not say, writing will.
            _ => Ok(()),
        }
    }

    /// Appends bytes.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let at = self.length();
        self.shared.faults.write_at(self.file()?, &self.path, bytes, at).map_err(Error::io(&self.path))?;
        self.begun.running.update(bytes);
        if self.length() - self.begun.noted >= STEP { self.note() } else { Ok(()) }
    }

    /// Puts the blob, which is whole now, into the store, durable. Errors: what has come stays.
    pub fn finish(mut self) -> Result<Stored> {
        // Should a later step fail, all of it counts the next time.
        self.note()?;
        let (id, size) = (self.begun.running.id(), self.length());
        let store = Store { shared: Arc::clone(&self.shared) };
        let writer = store.writer()?;
        let how = if size < LARGE {
            let mut bytes = vec![0; size as usize];
            durable::read_exact_at(self.file()?, &mut bytes, 0).map_err(Error::io(&self.path))?;
            let is_there = writer.retain(&[id])?.contains(&true);
            if Kind::Blob.id_of(&bytes) != id {
                return Err(Error::ChangedWhileRead(self.path.clone()));
            }
            writer.put(Kind::Blob, &bytes)?;
            if is_there { How::AlreadyThere } else { How::Packed }
        } else {
            self.file = None;
            if writer.put_staged(id, size, &self.path)? { How::Copied } else { How::AlreadyThere }
        };
        writer.publish()?;
        self.clear()?;
        Ok(Stored { id, size, how, stamp: None })
    }

    /// Gives up what has come.
    pub fn discard(mut self) -> Result<()> {
        self.clear()
    }

    fn file(&self) -> Result<&File> {
        self.file.as_ref().ok_or(Error::Abandoned)
    }

    /// Notes what is there.
    fn note(&mut self) -> Result<()> {
        let Begun { about, version, running, .. } = &self.begun;
        let note = Note { about: about.clone(), version: version.clone(), length: running.size(), id: running.id() };
        let aside = self.path.with_extension("new.note");
        self.shared.faults.before(Effect::Write, &aside).map_err(Error::io(&aside))?;
        let text = serde_json::to_vec(&note).map_err(|e| Error::Io { path: aside.clone(), source: e.into() })?;
        std::fs::write(&aside, text).map_err(Error::io(&aside))?;
        let path = Note::path(&self.path);
        self.shared.faults.rename(&aside, &path).map_err(Error::io(&path))?;
        self.begun.noted = note.length;
        Ok(())
    }

    /// Leaves nothing.
    fn clear(&mut self) -> Result<()> {
        self.file = None;
        let Some(lock) = self.lock.take() else { return Ok(()) };
        remove_all(&self.shared, &self.path)?;
        lock.remove().map_err(Error::io(self.path.with_extension("lock")))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.lock.is_none() {
            return;
        }
        // What cannot be noted or removed now costs the next attempt a little more, and goes in the end.
        if self.length() == 0 {
            drop(self.clear());
        } else if self.length() != self.begun.noted {
            drop(self.note());
        }
    }
}

impl Note {
    fn path(partial: &Path) -> PathBuf {
        partial.with_extension("note")
    }

    /// Nothing where there is none, or none that is whole: then nothing of the bytes counts.
    fn read(partial: &Path) -> Option<Note> {
        let text = std::fs::read(Note::path(partial)).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

fn remove_all(shared: &Shared, path: &Path) -> Result<()> {
    for path in [path.to_owned(), path.with_extension("new.note"), Note::path(path)] {
        let removed = match std::fs::symlink_metadata(&path) {
            Ok(metadata) => durable::allow_removal(&path, &metadata).and_then(|()| shared.faults.remove(&path)),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Io { path, source: error });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a program is at it now.
fn is_held(path: &Path) -> Result<bool> {
    let lock_path = path.with_extension("lock");
    if !lock_path.exists() {
        return Ok(false);
    }
    let taken = LockFile::try_take(&lock_path, Access::Exclusive).map_err(Error::io(&lock_path))?;
    Ok(taken.is_none())
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

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join(".comfrey")).unwrap();
        (folder, store)
    }

    fn names(store: &Store) -> usize {
        std::fs::read_dir(store.dir().join(FOLDER)).unwrap().count()
    }

    #[test]
    fn what_has_come_is_there_for_the_next_attempt_and_gone_when_it_is_stored() {
        let (_folder, store) = store();
        for (name, length) in [("aa", 10), ("bb", 3 << 20)] {
            let bytes = noise(1, length);
            let mut partial = store.partial(name, Wanted::ID, &Silent).unwrap();
            partial.begin("https://example.org/a", "one").unwrap();
            partial.append(&bytes[..length / 2]).unwrap();
            drop(partial);
            let mut partial = store.partial(name, Wanted { sha256: true, ..Wanted::ID }, &Silent).unwrap();
            assert_eq!((partial.length(), partial.version()), (length as u64 / 2, "one"));
            partial.append(&bytes[length / 2..]).unwrap();
            assert!(partial.digests().sha256.is_some());
            let stored = partial.finish().unwrap();
            assert_eq!((stored.id, stored.size), (ObjectId::of_blob(&bytes), length as u64));
            let mut read = Vec::new();
            std::io::Read::read_to_end(&mut store.open_object(&stored.id).unwrap(), &mut read).unwrap();
            assert!(read == bytes);
            assert_eq!(names(&store), 0);
        }
    }

    #[test]
    fn bytes_that_are_not_those_that_were_noted_do_not_count() {
        let (_folder, store) = store();
        let begin = || {
            let mut partial = store.partial("aa", Wanted::ID, &Silent).unwrap();
            partial.begin("a", "one").unwrap();
            partial.append(&noise(1, 1000)).unwrap();
            let path = partial.path.clone();
            drop(partial);
            path
        };
        let left = || store.partial("aa", Wanted::ID, &Silent).unwrap().length();
        let path = begin();
        // As after a power cut: longer than was noted, then shorter, then with other bytes, then with a note that is none.
        std::fs::write(&path, [noise(1, 1000), vec![0; 500]].concat()).unwrap();
        assert_eq!(left(), 1000);
        std::fs::write(&path, noise(1, 999)).unwrap();
        assert_eq!(left(), 0);
        std::fs::write(begin(), vec![0; 1000]).unwrap();
        assert_eq!(left(), 0);
        std::fs::write(Note::path(&begin()), "").unwrap();
        assert_eq!(left(), 0);
        assert_eq!(names(&store), 0, "what has no bytes leaves nothing");
    }

    #[test]
    fn only_what_nobody_is_at_and_was_not_touched_for_long_is_left_over() {
        let (_folder, store) = store();
        let mut partial = store.partial("aa", Wanted::ID, &Silent).unwrap();
        partial.begin("https://example.org/a", "").unwrap();
        partial.append(b"begun").unwrap();
        assert_eq!(store.leftovers(i64::MAX).unwrap(), []);
        drop(partial);
        assert_eq!(store.leftovers(0).unwrap(), []);
        let found = store.leftovers(i64::MAX).unwrap();
        assert_eq!((found.len(), found[0].about.as_str(), found[0].size), (1, "https://example.org/a", 5));
        assert!(store.remove_leftover(&found[0]).unwrap());
        assert_eq!(names(&store), 0);
    }

    #[test]
    fn a_failure_at_any_step_loses_nothing_of_what_has_come() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("s");
        Store::create(&dir).unwrap();
        for k in 1.. {
            assert!(k < 200, "it never passes");
            // Bytes of its own for each round, so that each round writes.
            let bytes = noise(k as u8, (1 << 20) + k as usize);
            let id = ObjectId::of_blob(&bytes);
            let attempt = |faults| -> Result<ObjectId> {
                let store = Store::open_with_faults(&dir, &StoreOptions::default(), faults)?;
                let mut partial = store.partial("aa", Wanted::ID, &Silent)?;
                if partial.length() == 0 {
                    partial.begin("a", "one")?;
                }
                let at = partial.length() as usize;
                for piece in bytes[at..].chunks(1 << 18) {
                    partial.append(piece)?;
                }
                Ok(partial.finish()?.id)
            };
            let first = attempt(Faults::at(k));
            assert_eq!(attempt(Faults::default()).unwrap(), id, "step {k}");
            assert_eq!(std::fs::read_dir(dir.join(FOLDER)).unwrap().count(), 0, "step {k}");
            if first.is_ok() {
                assert!(k > 10, "only {k} steps");
                return;
            }
        }
    }
}
