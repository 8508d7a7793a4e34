//! Segment files: small objects, one frame after another, append-only.
//!
//! A segment begins with 16 bytes, `comfrey-seg\x01` and its number (little endian), then [frames](super::frame) follow without gaps.
//! A writer owns a segment through the lock file beside it. What lies behind the length that the index names was never
//! shown to anyone: the next owner keeps whole frames, writing them again so that its own fsync covers them (one that failed earlier
//! may have left pages that look written and are not), and cuts off the rest (invariant S2).

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::faults::{Effect, Faults};
use super::frame::{self, HEADER, Header, MAGIC};
use super::index::Index;
use super::locator::{At, Located, Locator};
use super::{Error, Result};
use crate::object::ObjectId;
use crate::platform::durable;
use crate::platform::lock::{Access, LockFile};

/// Bytes before the first frame.
pub const START: u64 = 16;
const TITLE: &[u8; 12] = b"comfrey-seg\x01";

/// A segment that has grown to this is not appended to any more.
pub const FULL: u64 = 512 << 20;

/// The 16 bytes that segment `number` begins with.
pub fn title(number: u32) -> [u8; START as usize] {
    let mut bytes = [0; START as usize];
    bytes[..12].copy_from_slice(TITLE);
    bytes[12..].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// True when the file at `path` begins as segment `number` should.
pub fn is_titled(path: &Path, number: u32) -> bool {
    let mut start = [0; START as usize];
    File::open(path).and_then(|file| durable::read_exact_at(&file, &mut start, 0)).is_ok() && start == title(number)
}

/// The folder of segments.
pub struct Segments {
    folder: PathBuf,
    faults: Arc<Faults>,
    /// Files open for reading.
    open: Mutex<HashMap<u32, Arc<File>>>,
}

/// Why a frame could not be read.
pub enum Trouble {
    Io(io::Error),
    Damage(String),
}

impl Segments {
    pub fn new(store: &Path, faults: Arc<Faults>) -> Self {
        Segments { folder: store.join("segments"), faults, open: Mutex::new(HashMap::new()) }
    }

    /// Where segment `number` is.
    pub fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:08}.seg"))
    }

    fn lock_path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:08}.lock"))
    }

    /// The lock of segment `number`, if nobody writes to it.
    pub fn try_lock(&self, number: u32) -> Result<Option<LockFile>> {
        let path = self.lock_path(number);
        LockFile::try_take(&path, Access::Exclusive).map_err(Error::io(path))
    }

    /// Numbers and file lengths of all segments, in order.
    pub fn list(&self) -> Result<Vec<(u32, u64)>> {
        let failed = || Error::io(&self.folder);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".seg")?.parse().ok());
            if let Some(number) = number {
                found.push((number, entry.metadata().map_err(failed())?.len()));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Reads and verifies the object `id` at `locator`, which names a segment.
    pub fn read(&self, id: &ObjectId, locator: &Locator) -> Result<Vec<u8>, Trouble> {
        let At::Segment { segment, offset, stored, codec } = locator.at else {
            return Err(Trouble::Damage("the index does not name a segment".into()));
        };
        let file = self.file(segment).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Trouble::Damage("the file is absent".into()),
            _ => Trouble::Io(e),
        })?;
        let mut bytes = vec![0; HEADER + stored as usize];
        durable::read_exact_at(&file, &mut bytes, u64::from(offset)).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => Trouble::Damage("the file ends before it".into()),
            _ => Trouble::Io(e),
        })?;
        let header = Header::decode(&bytes).ok_or_else(|| Trouble::Damage("there is no frame at its place".into()))?;
        let meant = (*id, locator.kind, codec, stored, locator.size);
        if (header.id, header.kind, header.codec, header.stored, u64::from(header.size)) != meant {
            return Err(Trouble::Damage("there is another frame at its place".into()));
        }
        bytes.drain(..HEADER);
        frame::open(&header, bytes).map_err(|reason| Trouble::Damage(reason.into()))
    }

    fn file(&self, number: u32) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&number) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(File::open(self.path(number))?);
        // Far below every system's limit of open files, and each holds half a gigabyte of objects.
        if open.len() >= 64 {
            open.clear();
        }
        open.insert(number, Arc::clone(&file));
        Ok(file)
    }

    /// Forgets open files: they may have been removed or replaced since.
    pub fn forget_open_files(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Removes a segment, whose objects the index must not name any more. The caller holds its lock.
    pub fn remove(&self, number: u32) -> Result<()> {
        let path = self.path(number);
        self.faults.remove(&path).map_err(Error::io(path))?;
        self.faults.sync_folder(&self.folder).map_err(Error::io(&self.folder))
    }

    /// Takes a segment to append to: one that nobody holds and that is not full, else a new one. Also returns what a dead writer
    /// left whole behind the committed length.
    pub fn take(&self, index: &Index) -> Result<(OpenSegment, Vec<Located>)> {
        let there = self.list()?;
        for &(number, length) in there.iter().rev() {
            if length >= FULL {
                continue;
            }
            let Some(lock) = self.try_lock(number)? else { continue };
            // Read after locking: the former holder may have committed just now.
            let committed = index.segment_length(number)?;
            if let Some(taken) = self.resume(number, committed, lock)? {
                return Ok(taken);
            }
        }
        let mut number = there.last().map_or(1, |(number, _)| number + 1);
        loop {
            if let Some(segment) = self.begin(number)? {
                return Ok((segment, Vec::new()));
            }
            number += 1;
        }
    }

    /// Makes segment `number`; `None` when someone else just did.
    fn begin(&self, number: u32) -> Result<Option<OpenSegment>> {
        let path = self.path(number);
        let Some(lock) = self.try_lock(number)? else { return Ok(None) };
        let make = || -> io::Result<File> {
            self.faults.before(Effect::Create, &path)?;
            let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
            self.faults.write_at(&file, &path, &title(number), 0)?;
            Ok(file)
        };
        match make() {
            Ok(file) => Ok(Some(OpenSegment {
                number,
                file,
                path,
                committed: 0,
                end: START,
                is_new: true,
                faults: Arc::clone(&self.faults),
                _lock: lock,
            })),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(e) => Err(Error::Io { path, source: e }),
        }
    }

    /// Prepares an existing segment for appending; `None` when it is damaged and therefore left alone.
    fn resume(&self, number: u32, committed: u64, lock: LockFile) -> Result<Option<(OpenSegment, Vec<Located>)>> {
        let path = self.path(number);
        let failed = || Error::io(&path);
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        let file = match opened {
            Ok(file) => file,
            // Removed by a garbage collection since it was listed.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::Io { path, source: e }),
        };
        let length = file.metadata().map_err(failed())?.len();
        let mut start = [0; START as usize];
        let got = durable::read_at(&file, &mut start, 0).map_err(failed())?;
        let titled = got == start.len() && start == title(number);
        if length < committed || (committed > 0 && !titled) {
            return Ok(None);
        }
        let mut segment = OpenSegment {
            number,
            file,
            path: path.clone(),
            committed,
            end: committed.max(START),
            is_new: committed == 0,
            faults: Arc::clone(&self.faults),
            _lock: lock,
        };
        let mut kept = Vec::new();
        if !titled {
            // Its maker died before the first sixteen bytes were out.
            self.faults.truncate(&segment.file, &path, 0).map_err(failed())?;
            self.faults.write_at(&segment.file, &path, &title(number), 0).map_err(failed())?;
        } else if length > segment.end {
            segment.rescue(length, &mut kept)?;
        }
        Ok(Some((segment, kept)))
    }
}

/// A segment that this writer appends to. The lock goes when this is dropped.
pub struct OpenSegment {
    pub number: u32,
    file: File,
    path: PathBuf,
    /// Up to here the index names what is in it.
    pub committed: u64,
    /// Where the next frame goes.
    pub end: u64,
    /// Its name may not have been synced yet.
    pub is_new: bool,
    faults: Arc<Faults>,
    _lock: LockFile,
}

impl OpenSegment {
    /// Keeps whole frames from `end` on, and cuts off what is behind them.
    fn rescue(&mut self, length: u64, kept: &mut Vec<Located>) -> Result<()> {
        let failed = || Error::io(&self.path);
        while self.end < length {
            let mut bytes = vec![0; HEADER];
            let got = durable::read_at(&self.file, &mut bytes, self.end).map_err(failed())?;
            let Some(header) = Header::decode(&bytes[..got]) else { break };
            if self.end + header.length() > length {
                break;
            }
            let mut payload = vec![0; header.stored as usize];
            durable::read_exact_at(&self.file, &mut payload, self.end + HEADER as u64).map_err(failed())?;
            bytes.extend_from_slice(&payload);
            if frame::open(&header, payload).is_err() {
                break;
            }
            self.faults.write_at(&self.file, &self.path, &bytes, self.end).map_err(failed())?;
            kept.push((header.id, locator(self.number, self.end, &header)));
            self.end += header.length();
        }
        if self.end < length {
            self.faults.truncate(&self.file, &self.path, self.end).map_err(failed())?;
        }
        Ok(())
    }

    /// Appends frames; the offset of the first.
    pub fn append(&mut self, frames: &[u8]) -> Result<u64> {
        let at = self.end;
        self.faults.write_at(&self.file, &self.path, frames, at).map_err(Error::io(&self.path))?;
        self.end += frames.len() as u64;
        Ok(at)
    }

    /// Makes everything appended so far, and the file's name, survive a power cut.
    pub fn sync(&self) -> Result<()> {
        self.syncer()?.sync()
    }

    /// A second handle for syncing what is appended by now while others append more.
    pub fn syncer(&self) -> Result<Syncer> {
        Ok(Syncer {
            number: self.number,
            end: self.end,
            file: self.file.try_clone().map_err(Error::io(&self.path))?,
            path: self.path.clone(),
            is_new: self.is_new,
            faults: Arc::clone(&self.faults),
        })
    }

    /// Gives back the space of what will not be indexed, as far as that works.
    pub fn cut_back(&self) {
        let cut = self.file.set_len(self.committed);
        // The next owner cuts it in any case.
        drop(cut);
    }
}

/// Makes a stretch of a segment durable.
pub struct Syncer {
    pub number: u32,
    /// Up to here everything is durable after [`Syncer::sync`].
    pub end: u64,
    file: File,
    path: PathBuf,
    is_new: bool,
    faults: Arc<Faults>,
}

impl Syncer {
    /// Makes everything appended so far, and the file's name, survive a power cut.
    pub fn sync(&self) -> Result<()> {
        self.faults.sync(&self.file, &self.path).map_err(Error::io(&self.path))?;
        if self.is_new
            && let Some(folder) = self.path.parent()
        {
            self.faults.sync_folder(folder).map_err(Error::io(folder))?;
        }
        Ok(())
    }
}

/// The locator of a frame at `offset` of segment `number`.
pub fn locator(number: u32, offset: u64, header: &Header) -> Locator {
    let at = At::Segment { segment: number, offset: offset as u32, stored: header.stored, codec: header.codec };
    Locator { kind: header.kind, size: u64::from(header.size), at }
}

/// What stands at a stretch of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    Frame {
        offset: u64,
        header: Header,
    },
    /// Bytes that are no frame, up to the next one or the end.
    Damage {
        from: u64,
        to: u64,
    },
}

/// Walks over a segment's frames, finding its way again behind damage. Payloads are not read.
pub struct Frames {
    file: File,
    path: PathBuf,
    at: u64,
    end: u64,
    window: Vec<u8>,
    window_at: u64,
}

const WINDOW: usize = 256 << 10;

impl Frames {
    /// From the beginning of the segment file at `path`.
    pub fn open(path: &Path) -> Result<Frames> {
        let file = File::open(path).map_err(Error::io(path))?;
        let end = file.metadata().map_err(Error::io(path))?.len();
        Ok(Frames { file, path: path.to_owned(), at: START.min(end), end, window: Vec::new(), window_at: 0 })
    }

    /// Length of the file when it was opened.
    pub fn length(&self) -> u64 {
        self.end
    }

    /// Reads and verifies a frame's object. Errors: why it is damaged.
    pub fn object(&self, offset: u64, header: &Header) -> Result<Vec<u8>, Trouble> {
        let mut payload = vec![0; header.stored as usize];
        durable::read_exact_at(&self.file, &mut payload, offset + HEADER as u64).map_err(Trouble::Io)?;
        frame::open(header, payload).map_err(|reason| Trouble::Damage(reason.into()))
    }

    /// A frame's bytes as they are in the file, header and payload.
    pub fn raw(&self, offset: u64, header: &Header) -> Result<Vec<u8>> {
        let mut bytes = vec![0; header.length() as usize];
        durable::read_exact_at(&self.file, &mut bytes, offset).map_err(Error::io(&self.path))?;
        Ok(bytes)
    }

    /// At least `wanted` bytes at `at`, fewer only at the end of the file.
    fn bytes(&mut self, at: u64, wanted: usize) -> io::Result<&[u8]> {
        let has = (at >= self.window_at)
            .then(|| (self.window_at + self.window.len() as u64).saturating_sub(at))
            .is_some_and(|left| left >= wanted as u64);
        if !has {
            self.window.resize(WINDOW, 0);
            let got = durable::read_at(&self.file, &mut self.window, at)?;
            self.window.truncate(got);
            self.window_at = at;
        }
        Ok(&self.window[(at - self.window_at) as usize..])
    }

    fn whole_frame(&mut self, at: u64) -> io::Result<Option<Header>> {
        let end = self.end;
        Ok(Header::decode(self.bytes(at, HEADER)?).filter(|header| at + header.length() <= end))
    }

    fn step(&mut self) -> io::Result<Option<Stretch>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let from = self.at;
        if let Some(header) = self.whole_frame(from)? {
            self.at = from + header.length();
            return Ok(Some(Stretch::Frame { offset: from, header }));
        }
        let mut to = from + 1;
        loop {
            let bytes = self.bytes(to, MAGIC.len())?;
            if bytes.len() < MAGIC.len() {
                self.at = self.end;
                return Ok(Some(Stretch::Damage { from, to: self.end }));
            }
            match bytes.windows(MAGIC.len()).position(|window| window == MAGIC) {
                Some(ahead) => {
                    to += ahead as u64;
                    if self.whole_frame(to)?.is_some() {
                        self.at = to;
                        return Ok(Some(Stretch::Damage { from, to }));
                    }
                    to += 1;
                }
                None => to += (bytes.len() - MAGIC.len() + 1) as u64,
            }
        }
    }
}

impl Iterator for Frames {
    type Item = Result<Stretch>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step().map_err(Error::io(&self.path));
        if step.is_err() {
            self.at = self.end;
        }
        step.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Kind;

    fn segment(objects: &[&[u8]]) -> Vec<u8> {
        let mut bytes = title(1).to_vec();
        for object in objects {
            frame::append(Kind::Blob, ObjectId::of_blob(object), object, &mut bytes);
        }
        bytes
    }

    fn walk(bytes: &[u8]) -> Vec<Stretch> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("00000001.seg");
        std::fs::write(&path, bytes).unwrap();
        Frames::open(&path).unwrap().map(Result::unwrap).collect()
    }

    fn ids(stretches: &[Stretch]) -> Vec<ObjectId> {
        let id = |s: &Stretch| match s {
            Stretch::Frame { header, .. } => Some(header.id),
            Stretch::Damage { .. } => None,
        };
        stretches.iter().filter_map(id).collect()
    }

    #[test]
    fn a_walk_finds_its_way_again_behind_damage() {
        let objects: [&[u8]; 3] = [b"first", b"second, a bit longer", b"third"];
        let whole = segment(&objects);
        let all: Vec<ObjectId> = objects.iter().map(|o| ObjectId::of_blob(o)).collect();
        assert_eq!(ids(&walk(&whole)), all);
        let mut damaged = whole.clone();
        damaged[START as usize + 20] ^= 1; // in the first header
        let found = walk(&damaged);
        assert_eq!(ids(&found), all[1..]);
        assert_eq!(found[0], Stretch::Damage { from: START, to: START + HEADER as u64 + 5 });
        let torn = &whole[..whole.len() - 1];
        let found = walk(torn);
        assert_eq!(ids(&found), all[..2]);
        assert!(matches!(found[2], Stretch::Damage { to, .. } if to == torn.len() as u64));
        let mut zeroed = whole.clone();
        zeroed[START as usize..].fill(0);
        let end = whole.len() as u64;
        assert_eq!(walk(&zeroed), [Stretch::Damage { from: START, to: end }]);
    }
}
