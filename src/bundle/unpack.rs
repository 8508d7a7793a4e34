//! Reading an object pack (see [`super::pack`] for the format) and judging every part of it.
//!
//! The reader hands out contents as they come, so what it hands out is not verified before [`PackReader::finish`]
//! returned; whoever takes them keeps them in quarantine until then (invariant B3).

use std::io::{self, BufRead, Read};

use super::pack::{MAGIC, Need, Role};
use crate::archive::guard::{Limits, Rule};
use crate::object::{Kind, ObjectId};

/// Why a pack is refused.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("no pack: it does not begin as one")]
    NotAPack,
    #[error("a pack of version {0}, which this program does not know")]
    Version(u8),
    #[error("cut short in {0}")]
    CutShort(Place),
    #[error("damaged in {place}: {reason}")]
    Damaged { place: Place, reason: String },
    #[error("bytes behind its end")]
    Trailing,
    #[error("{0}")]
    Limit(Rule),
    #[error("reading it: {0}")]
    Read(io::Error),
}

/// Where in a pack something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Header,
    /// The object with this number, counted from 1, and the first bytes of its id if they are known.
    Object(u64, Option<[u8; 4]>),
    Trailer,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Header => f.write_str("its header"),
            Place::Object(number, None) => write!(f, "object {number}"),
            Place::Object(number, Some(mark)) => write!(f, "object {number} ({:08x}…)", u32::from_be_bytes(*mark)),
            Place::Trailer => f.write_str("its trailer"),
        }
    }
}

/// What stands before an object's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Counted from 1.
    pub number: u64,
    pub kind: Kind,
    pub size: u64,
    /// The first bytes of the id.
    pub mark: [u8; 4],
}

impl Head {
    pub fn place(&self) -> Place {
        Place::Object(self.number, Some(self.mark))
    }

    /// Checks the id that the content turned out to have.
    pub fn check(&self, id: &ObjectId) -> Result<(), UnpackError> {
        if id.0.starts_with(&self.mark) {
            return Ok(());
        }
        let reason = format!("its bytes are those of {id}");
        Err(UnpackError::Damaged { place: self.place(), reason })
    }
}

/// How much may come out of a pack. A pack holds objects, so only totals count.
pub fn default_limits() -> Limits {
    Limits { entries: u64::MAX, slack: 64 << 20, ..Limits::default() }
}

/// Reads one pack from beginning to end.
pub struct PackReader<R: BufRead> {
    frame: zstd::Decoder<'static, Hashing<R>>,
    limits: Limits,
    /// From the header: objects, and bytes of all contents.
    objects: u64,
    bytes: u64,
    /// Read so far: objects, bytes of contents promised by their heads, bytes of the frame.
    number: u64,
    promised: u64,
    unpacked: u64,
    /// Bytes of the current object's content not read yet.
    left: u64,
    place: Place,
}

impl<R: BufRead> PackReader<R> {
    pub fn open(mut input: R, limits: Limits) -> Result<Self, UnpackError> {
        let mut magic = [0; 8];
        let mut have = 0;
        while have < magic.len() {
            match input.read(&mut magic[have..]).map_err(UnpackError::Read)? {
                0 if have > 0 && MAGIC.starts_with(&magic[..have]) => return Err(UnpackError::CutShort(Place::Header)),
                0 => return Err(UnpackError::NotAPack),
                read => have += read,
            }
        }
        if magic[..7] != MAGIC[..7] {
            return Err(UnpackError::NotAPack);
        }
        if magic[7] != MAGIC[7] {
            return Err(UnpackError::Version(magic[7]));
        }
        let mut hash = blake3::Hasher::new();
        hash.update(&magic);
        let input = Hashing { input, hash: Some(hash), consumed: 0 };
        let frame = zstd::Decoder::with_buffer(input).map_err(UnpackError::Read)?.single_frame();
        let (number, promised, unpacked) = (0, 0, 0);
        let place = Place::Header;
        let mut reader = PackReader { frame, limits, objects: 0, bytes: 0, number, promised, unpacked, left: 0, place };
        reader.objects = reader.number()?;
        reader.bytes = reader.number()?;
        let limit = reader.limits.total;
        if reader.bytes > limit {
            return Err(UnpackError::Limit(Rule::Total { limit }));
        }
        if reader.objects > reader.limits.entries {
            return Err(UnpackError::Limit(Rule::Entries { limit: reader.limits.entries }));
        }
        Ok(reader)
    }

    /// Objects in the pack, as its header says.
    pub fn objects(&self) -> u64 {
        self.objects
    }

    /// Bytes of all contents, as the header says.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Goes to the next object, whose content is then to be read whole; nothing at the end of the objects.
    pub fn next_object(&mut self) -> Result<Option<Head>, UnpackError> {
        if self.left > 0 {
            return Err(self.damaged("its content was not read"));
        }
        if self.number == self.objects {
            self.place = Place::Trailer;
            return match self.byte()? {
                0 => Ok(None),
                _ => Err(self.damaged("more objects than its header promises")),
            };
        }
        self.number += 1;
        let number = self.number;
        self.place = Place::Object(number, None);
        let kind = match self.byte()? {
            0 => return Err(self.damaged("fewer objects than its header promises")),
            byte => Kind::from_number(byte).ok_or_else(|| self.damaged("a kind of object that is not known"))?,
        };
        let size = self.number()?;
        self.promised = self.promised.saturating_add(size);
        if self.promised > self.bytes {
            return Err(self.damaged("more bytes than the header promises"));
        }
        let mut mark = [0; 4];
        self.fill(&mut mark)?;
        self.left = size;
        self.place = Place::Object(number, Some(mark));
        Ok(Some(Head { number, kind, size, mark }))
    }

    /// Reads the next part of the current object's content: as much as `buffer` holds, less only at its end.
    pub fn content(&mut self, buffer: &mut [u8]) -> Result<usize, UnpackError> {
        let part = self.left.min(buffer.len() as u64) as usize;
        self.fill(&mut buffer[..part])?;
        self.left -= part as u64;
        Ok(part)
    }

    /// Checks all that can be known only at the end, given the digest over all ids in order, and returns what the pack needs.
    pub fn finish(mut self, ids: &blake3::Hash) -> Result<Vec<Need>, UnpackError> {
        if self.promised != self.bytes {
            return Err(self.damaged("fewer bytes of objects than its header promises"));
        }
        let mut digest = [0; 32];
        self.fill(&mut digest)?;
        if digest != *ids.as_bytes() {
            return Err(self.damaged("the list of ids is not that of its objects"));
        }
        let count = self.number()?;
        let mut needs: Vec<Need> = Vec::new();
        for _ in 0..count {
            let role = Role::from_number(self.byte()?).ok_or_else(|| self.damaged("a need of unknown kind"))?;
            let mut id = ObjectId([0; 32]);
            self.fill(&mut id.0)?;
            if needs.last().is_some_and(|last| last.id >= id) {
                return Err(self.damaged("its needs are not sorted"));
            }
            let size = self.number()?;
            needs.push(Need { id, role, size });
        }
        if self.read_some(&mut [0])? != 0 {
            return Err(self.damaged("bytes behind the list of needs"));
        }
        let mut input = self.frame.finish();
        let computed = input.hash.take().map(|hash| hash.finalize());
        let mut digest = [0; 32];
        input.read_exact(&mut digest).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => UnpackError::CutShort(Place::Trailer),
            _ => UnpackError::Read(error),
        })?;
        if computed != Some(blake3::Hash::from_bytes(digest)) {
            let reason = "the digest over the whole pack is not that of its bytes".to_owned();
            return Err(UnpackError::Damaged { place: Place::Trailer, reason });
        }
        match input.read(&mut [0]).map_err(UnpackError::Read)? {
            0 => Ok(needs),
            _ => Err(UnpackError::Trailing),
        }
    }

    fn number(&mut self) -> Result<u64, UnpackError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if part << shift >> shift != part || (byte == 0 && shift > 0) {
                break;
            }
            number |= part << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.damaged("a number that is none"))
    }

    fn byte(&mut self) -> Result<u8, UnpackError> {
        let mut byte = [0];
        self.fill(&mut byte)?;
        Ok(byte[0])
    }

    fn fill(&mut self, mut buffer: &mut [u8]) -> Result<(), UnpackError> {
        while !buffer.is_empty() {
            let read = self.read_some(buffer)?;
            if read == 0 {
                return Err(UnpackError::CutShort(self.place));
            }
            buffer = &mut buffer[read..];
        }
        Ok(())
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, UnpackError> {
        let read = loop {
            match self.frame.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(UnpackError::CutShort(self.place));
                }
                Err(error) if error.raw_os_error().is_some() => return Err(UnpackError::Read(error)),
                Err(error) => return Err(self.damaged(&error.to_string())),
                Ok(read) => break read,
            }
        };
        self.unpacked += read as u64;
        self.limits.expansion(self.unpacked, self.frame.get_ref().consumed).map_err(UnpackError::Limit)?;
        Ok(read)
    }

    fn damaged(&self, reason: &str) -> UnpackError {
        UnpackError::Damaged { place: self.place, reason: reason.to_owned() }
    }
}

/// Hashes and counts what is taken from `input`, as long as `hash` is there.
struct Hashing<R> {
    input: R,
    hash: Option<blake3::Hasher>,
    consumed: u64,
}

impl<R: BufRead> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&buffer[..read]);
        }
        self.consumed += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Hashing<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What is consumed was filled before, so this neither reads nor fails.
        if let (Some(hash), Ok(bytes)) = (&mut self.hash, self.input.fill_buf()) {
            hash.update(&bytes[..amount]);
        }
        self.consumed += amount as u64;
        self.input.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::super::pack::tests::{noise, pack};
    use super::*;
    use crate::object::{Encoded, Tree};

    type Objects = Vec<(Kind, Vec<u8>)>;

    fn unpack(bytes: &[u8]) -> Result<(Objects, Vec<Need>), UnpackError> {
        let mut reader = PackReader::open(bytes, default_limits())?;
        let mut ids = blake3::Hasher::new();
        let mut objects = Vec::new();
        while let Some(head) = reader.next_object()? {
            let mut bytes = vec![0; head.size as usize];
            reader.content(&mut bytes)?;
            let id = head.kind.id_of(&bytes);
            head.check(&id)?;
            ids.update(&id.0);
            objects.push((head.kind, bytes));
        }
        Ok((objects, reader.finish(&ids.finalize())?))
    }

    fn some_objects() -> Vec<(Kind, Vec<u8>)> {
        let tree = Tree::parse(&format!("model {} 12\tx\n", ObjectId([7; 32]))).unwrap();
        vec![(Kind::Blob, b"hello\n".to_vec()), (Kind::Tree, tree.encode()), (Kind::Blob, noise(1, 3000))]
    }

    #[test]
    fn what_was_packed_comes_out() {
        let objects = some_objects();
        let (found, needs) = unpack(&pack(&objects, 2)).unwrap();
        assert_eq!(found, objects);
        assert_eq!(needs, [Need { id: ObjectId([7; 32]), role: Role::Model, size: 12 }]);
        assert_eq!(unpack(&pack(&[], 1)).unwrap(), (vec![], vec![]));
    }

    #[test]
    fn every_truncation_is_refused() {
        let whole = pack(&some_objects(), 1);
        for cut in 0..whole.len() {
            let refused = unpack(&whole[..cut]).unwrap_err();
            let expected = matches!(refused, UnpackError::CutShort(_)) || cut == 0;
            assert!(expected, "cut at {cut}: {refused}");
        }
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let whole = pack(&some_objects(), 1);
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                assert!(unpack(&bytes).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn bytes_behind_the_end_are_refused() {
        let mut bytes = pack(&some_objects(), 1);
        bytes.push(0);
        assert!(matches!(unpack(&bytes), Err(UnpackError::Trailing)));
        let twice = [pack(&some_objects(), 1), pack(&some_objects(), 1)].concat();
        assert!(matches!(unpack(&twice), Err(UnpackError::Trailing)));
    }

    #[test]
    fn a_thousandfold_bomb_is_refused() {
        let bomb = pack(&[(Kind::Blob, vec![0; 200 << 20])], 2);
        assert!(bomb.len() < 200_000);
        assert!(matches!(unpack(&bomb), Err(UnpackError::Limit(Rule::Ratio { .. }))));
    }

    #[test]
    fn another_version_and_other_files_are_told_apart() {
        let mut bytes = pack(&[], 1);
        bytes[7] = 9;
        assert!(matches!(unpack(&bytes), Err(UnpackError::Version(9))));
        assert!(matches!(unpack(b"PK\x03\x04 something else"), Err(UnpackError::NotAPack)));
    }
}
