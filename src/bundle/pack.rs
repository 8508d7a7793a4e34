//! An object pack: objects as one deterministic, verified stream.
//!
//! ```text
//! pack    = magic (8 bytes)  zstd frame  BLAKE3 of all bytes before it (32 bytes)
//! frame   = objects:number bytes:number  object*  end
//! object  = kind (1 byte: 1 blob, 2 tree, 3 snapshot, 4 operation)  size:number  first 4 bytes of the id  content
//! end     = 0 (1 byte)  BLAKE3 over all ids in order (32 bytes)  needs:number  need*
//! need    = role (1 byte: 1 blob, 2 tree, 3 snapshot, 4 operation, 5 model)  id (32 bytes)  size:number
//! number  = LEB128, at most 64 bits, in as few bytes as possible
//! ```
//!
//! An id is the hash of its object, so a pack need not carry it whole: 32 bytes that no compression shrinks would be
//! most of what a small file costs. Four of them find the damaged object, the list's digest and the
//! digest at the end leave no doubt about the rest. The needs are those ids that objects in the pack refer to and
//! that it does not hold, sorted. The same ids in the same order give the same bytes, however the objects are stored and however
//! many threads compress (invariant B2): the frame's parameters are fixed, and zstd cuts its jobs by size, not by thread.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;

use zstd::zstd_safe::CParameter;

use crate::object::{DecodeError, Encoded, EntryKind, Kind, ObjectId, Operation, RefTarget, Snapshot, Tree};
use crate::observer::Observer;

/// The first bytes of a pack: not text, and broken by whatever changes line ends; the last is the version.
pub const MAGIC: [u8; 8] = *b"\x89CFPK\r\n\x01";

/// zstd's level; part of what makes packs equal.
const LEVEL: i32 = 3;
/// Bytes that one compression job takes; part of what makes packs equal.
const JOB: u32 = 4 << 20;
/// How far back zstd looks for long repetitions, as a power of two: 8 MiB, which every decoder takes. Node packs carry the same
/// files many times over; finding them again is also faster than compressing them again.
const WINDOW_LOG: u32 = 23;
/// Objects that other objects refer to are held in memory whole; one of this many bytes or more is refused.
pub const STRUCTURE_LIMIT: u64 = 256 << 20;

/// How a pack is written.
#[derive(Debug, Clone)]
pub struct PackOptions {
    /// Threads that compress; the bytes do not depend on it.
    pub threads: NonZeroUsize,
}

impl Default for PackOptions {
    fn default() -> Self {
        let one = NonZeroUsize::MIN;
        PackOptions { threads: std::thread::available_parallelism().unwrap_or(one) }
    }
}

/// What something is needed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Role {
    Blob = 1,
    Tree = 2,
    Snapshot = 3,
    Operation = 4,
    /// A weight file, which may be absent and had again from its sources.
    Model = 5,
}

impl Role {
    const ALL: [Role; 5] = [Role::Blob, Role::Tree, Role::Snapshot, Role::Operation, Role::Model];

    pub fn from_number(number: u8) -> Option<Role> {
        Role::ALL.into_iter().find(|role| *role as u8 == number)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Blob => "blob",
            Role::Tree => "tree",
            Role::Snapshot => "snapshot",
            Role::Operation => "operation",
            Role::Model => "model",
        }
    }
}

/// An object that another refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    pub id: ObjectId,
    pub role: Role,
    /// Bytes, where the one that refers to it says so, else 0. For a tree those of everything below it.
    pub size: u64,
}

/// Why a pack cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("writing the pack: {0}")]
    Write(io::Error),
    #[error("reading {id}: {error}")]
    Read { id: ObjectId, error: io::Error },
    #[error("{id} has {found} bytes where {wanted} were promised")]
    Size { id: ObjectId, wanted: u64, found: u64 },
    #[error("{id}: {error}")]
    Decode { id: ObjectId, error: DecodeError },
    #[error("{id}: a {kind} of {size} bytes is too large to be read")]
    TooLarge { id: ObjectId, kind: Kind, size: u64 },
    #[error("interrupted")]
    Interrupted,
}

/// What the object of this kind with these bytes refers to. Errors: the bytes are no such object.
pub fn needs_of(kind: Kind, bytes: &[u8]) -> Result<Vec<Need>, DecodeError> {
    let snapshot = |id| Need { id, role: Role::Snapshot, size: 0 };
    Ok(match kind {
        Kind::Blob => Vec::new(),
        Kind::Tree => {
            let entries = Tree::decode(bytes)?.into_entries().into_iter();
            let need = |entry: crate::object::Entry| {
                let role = match entry.kind {
                    EntryKind::File | EntryKind::Executable | EntryKind::Symlink => Role::Blob,
                    EntryKind::Tree => Role::Tree,
                    EntryKind::Model => Role::Model,
                };
                Need { id: entry.id, role, size: entry.size }
            };
            entries.map(need).collect()
        }
        Kind::Snapshot => {
            let value = Snapshot::decode(bytes)?;
            let tree = Need { id: value.tree, role: Role::Tree, size: 0 };
            std::iter::once(tree).chain(value.parents.into_iter().map(snapshot)).collect()
        }
        Kind::Operation => {
            let value = Operation::decode(bytes)?;
            let operations = value.parent.into_iter().chain(value.undoes);
            let operations = operations.map(|id| Need { id, role: Role::Operation, size: 0 });
            let refs = value.refs.into_values().filter_map(|target| match target {
                RefTarget::Snapshot(id) => Some(id),
                RefTarget::Symbolic(_) => None,
            });
            operations.chain(refs.chain(value.restore_points.into_values()).map(snapshot)).collect()
        }
    })
}

/// Gathers what objects refer to and the pack does not hold.
#[derive(Debug, Default)]
pub struct Needs {
    found: BTreeMap<ObjectId, (Role, u64)>,
}

impl Needs {
    /// What is needed as a blob and as a model is needed as a blob; a size that is known wins over none.
    pub fn add(&mut self, need: Need) {
        let (role, size) = self.found.entry(need.id).or_insert((need.role, need.size));
        *role = need.role.min(*role);
        *size = need.size.max(*size);
    }

    pub fn into_sorted(self) -> Vec<Need> {
        self.found.into_iter().map(|(id, (role, size))| Need { id, role, size }).collect()
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    pub objects: u64,
    /// Bytes of all contents.
    pub bytes: u64,
    /// Bytes of the pack.
    pub packed: u64,
    pub needs: Vec<Need>,
}

/// Writes one pack: [`PackWriter::begin`], each object once, [`PackWriter::finish`].
pub struct PackWriter<'a, W: Write> {
    frame: zstd::Encoder<'static, Hashing<W>>,
    held: &'a HashSet<ObjectId>,
    ids: blake3::Hasher,
    needs: Needs,
    objects: u64,
    bytes: u64,
    observer: &'a dyn Observer,
}

impl<'a, W: Write> PackWriter<'a, W> {
    /// Begins a pack of the objects `held`, whose contents are `bytes` long together.
    pub fn begin(
        output: W,
        held: &'a HashSet<ObjectId>,
        bytes: u64,
        options: &PackOptions,
        observer: &'a dyn Observer,
    ) -> Result<Self, PackError> {
        let mut output = Hashing { output, hash: blake3::Hasher::new(), written: 0 };
        output.write_all(&MAGIC).map_err(PackError::Write)?;
        let frame = frame(output, options).map_err(PackError::Write)?;
        let (ids, needs) = (blake3::Hasher::new(), Needs::default());
        let mut writer = PackWriter { frame, held, ids, needs, objects: 0, bytes: 0, observer };
        let mut head = Vec::with_capacity(20);
        push_number(&mut head, held.len() as u64);
        push_number(&mut head, bytes);
        writer.put(&head)?;
        Ok(writer)
    }

    /// Writes an object whose bytes are at hand.
    pub fn object(&mut self, id: ObjectId, kind: Kind, bytes: &[u8]) -> Result<(), PackError> {
        if self.observer.interrupted() {
            return Err(PackError::Interrupted);
        }
        for need in needs_of(kind, bytes).map_err(|error| PackError::Decode { id, error })? {
            if !self.held.contains(&need.id) {
                self.needs.add(need);
            }
        }
        self.head(id, kind, bytes.len() as u64)?;
        self.put(bytes)?;
        self.observer.advanced(bytes.len() as u64);
        Ok(())
    }

    /// Writes an object of any size, whose bytes come from `content`.
    pub fn stream(&mut self, id: ObjectId, kind: Kind, size: u64, content: &mut dyn Read) -> Result<(), PackError> {
        if kind != Kind::Blob {
            if size >= STRUCTURE_LIMIT {
                return Err(PackError::TooLarge { id, kind, size });
            }
            let mut bytes = Vec::with_capacity(size as usize);
            content.read_to_end(&mut bytes).map_err(|error| PackError::Read { id, error })?;
            return self.object(id, kind, &bytes);
        }
        self.head(id, kind, size)?;
        let mut buffer = vec![0; 1 << 18];
        let mut found = 0;
        loop {
            if self.observer.interrupted() {
                return Err(PackError::Interrupted);
            }
            let read = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(PackError::Read { id, error }),
            };
            found += read as u64;
            if found > size {
                break;
            }
            self.put(&buffer[..read])?;
            self.observer.advanced(read as u64);
        }
        if found == size { Ok(()) } else { Err(PackError::Size { id, wanted: size, found }) }
    }

    /// Ends the pack.
    pub fn finish(mut self) -> Result<Packed, PackError> {
        let needs = std::mem::take(&mut self.needs).into_sorted();
        let mut end = vec![0];
        end.extend_from_slice(self.ids.finalize().as_bytes());
        push_number(&mut end, needs.len() as u64);
        for need in &needs {
            end.push(need.role as u8);
            end.extend_from_slice(&need.id.0);
            push_number(&mut end, need.size);
        }
        self.put(&end)?;
        let mut output = self.frame.finish().map_err(PackError::Write)?;
        let digest = output.hash.finalize();
        output.write_all(digest.as_bytes()).map_err(PackError::Write)?;
        output.output.flush().map_err(PackError::Write)?;
        Ok(Packed { objects: self.objects, bytes: self.bytes, packed: output.written, needs })
    }

    fn head(&mut self, id: ObjectId, kind: Kind, size: u64) -> Result<(), PackError> {
        self.objects += 1;
        self.bytes += size;
        self.ids.update(&id.0);
        let mut head = Vec::with_capacity(16);
        head.push(kind as u8);
        push_number(&mut head, size);
        head.extend_from_slice(&id.0[..4]);
        self.put(&head)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.frame.write_all(bytes).map_err(PackError::Write)
    }
}

/// The zstd frame of a pack; with a worker or more zstd's output does not depend on their number.
pub(super) fn frame<W: Write>(output: W, options: &PackOptions) -> io::Result<zstd::Encoder<'static, W>> {
    let mut frame = zstd::Encoder::new(output, LEVEL)?;
    frame.multithread(u32::try_from(options.threads.get()).unwrap_or(u32::MAX).min(64))?;
    frame.set_parameter(CParameter::JobSize(JOB))?;
    frame.window_log(WINDOW_LOG)?;
    frame.long_distance_matching(true)?;
    frame.include_checksum(false)?;
    frame.include_contentsize(false)?;
    Ok(frame)
}

/// Appends a number as LEB128.
pub fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Counts and hashes what passes through.
struct Hashing<W> {
    output: W,
    hash: blake3::Hasher,
    written: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::observer::Silent;

    /// A pack of these objects with so many threads.
    pub fn pack(objects: &[(Kind, Vec<u8>)], threads: usize) -> Vec<u8> {
        let held: HashSet<ObjectId> = objects.iter().map(|(kind, bytes)| kind.id_of(bytes)).collect();
        let total = objects.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let options = PackOptions { threads: NonZeroUsize::new(threads).unwrap() };
        let mut output = Vec::new();
        let mut writer = PackWriter::begin(&mut output, &held, total, &options, &Silent).unwrap();
        for (kind, bytes) in objects {
            writer.object(kind.id_of(bytes), *kind, bytes).unwrap();
        }
        writer.finish().unwrap();
        output
    }

    /// Bytes that compress somewhat, the same every time.
    pub fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        (0..length).map(|_| (next() % 23) as u8).collect()
    }

    #[test]
    fn the_bytes_do_not_depend_on_the_number_of_threads() {
        let objects: Vec<_> = (0..40).map(|n| (Kind::Blob, noise(n, 700_000 + n as usize * 1000))).collect();
        let one = pack(&objects, 1);
        for threads in [2, 3, 8] {
            assert!(pack(&objects, threads) == one, "{threads} threads");
        }
    }

    #[test]
    fn what_is_referred_to_and_not_held_is_needed() {
        let held = HashSet::new();
        let (a, b, c) = (ObjectId([1; 32]), ObjectId([2; 32]), ObjectId([3; 32]));
        let text = format!("file {b} 7\tx\nmodel {a} 9\ty\nmodel {b} 7\tz\ntree {c} 16\tw\n");
        let tree = Tree::parse(&text).unwrap();
        let mut output = Vec::new();
        let mut writer = PackWriter::begin(&mut output, &held, 0, &PackOptions::default(), &Silent).unwrap();
        writer.object(tree.id(), Kind::Tree, &tree.encode()).unwrap();
        let needs = writer.finish().unwrap().needs;
        let expected = [(a, Role::Model, 9), (b, Role::Blob, 7), (c, Role::Tree, 16)];
        assert_eq!(needs, expected.map(|(id, role, size)| Need { id, role, size }));
    }

    #[test]
    fn a_stream_shorter_or_longer_than_promised_is_an_error() {
        let held = HashSet::new();
        for (size, found) in [(5, 4), (3, 4)] {
            let mut writer = PackWriter::begin(Vec::new(), &held, 0, &PackOptions::default(), &Silent).unwrap();
            let result = writer.stream(ObjectId([0; 32]), Kind::Blob, size, &mut &b"four"[..]);
            assert!(matches!(result, Err(PackError::Size { wanted, found: f, .. }) if wanted == size && f == found));
        }
    }
}
