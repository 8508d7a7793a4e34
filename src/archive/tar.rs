//! Reading `.tar`, `.tar.gz` and `.tar.zst` entry by entry under the guard.
//!
//! What the file is called does not matter: its first bytes say how it is compressed. Headers are read with the `tar`
//! crate; the walk is our own, because extended headers are held in memory and their size is a stranger's word too.
//! Formats: POSIX.1-2024 pax (<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html>) and GNU tar
//! (<https://www.gnu.org/software/tar/manual/html_node/Standard.html>).

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tar::{EntryType, Header};

use super::guard::{Admitted, Claim, Guard, Limits, Refusal, Rule, printable};
use crate::object::RelativePath;

/// Bytes in a block of a tar archive.
const BLOCK: u64 = 512;
/// An extended header holds a name or two; the rest of it is of no use to us.
const EXTENDED_LIMIT: u64 = 1 << 20;

/// Why an archive cannot be read further.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("no archive: neither zstd, gzip nor tar")]
    NotAnArchive,
    #[error("cut short: it ends after {0} bytes, in the middle of an entry or without the end mark")]
    CutShort(u64),
    #[error("at byte {offset}: {reason}")]
    Malformed { offset: u64, reason: &'static str },
    #[error("the compression is damaged: {0}")]
    Compression(io::Error),
    #[error("reading it: {0}")]
    Io(io::Error),
}

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// By the first bytes of a file.
    fn detect(start: &[u8]) -> Option<Compression> {
        match start {
            [0x1f, 0x8b, ..] => Some(Compression::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
            _ if start.len() >= BLOCK as usize => {
                let header = Header::from_byte_slice(start.get(..BLOCK as usize)?);
                (checksum_is_right(header.as_bytes()) || start.iter().all(|byte| *byte == 0))
                    .then_some(Compression::None)
            }
            _ => None,
        }
    }
}

/// One entry that the guard let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: RelativePath,
    pub what: Admitted,
    /// Bytes of content; 0 for all but files.
    pub size: u64,
    /// True where the owner may execute the file.
    pub executable: bool,
}

/// An archive being read: [`Archive::next_entry`], then the entry's content through [`Read`], and so on.
pub struct Archive<'a> {
    input: Box<dyn Read + 'a>,
    compression: Compression,
    guard: Guard,
    /// Compressed bytes taken from the file so far.
    packed: Arc<AtomicU64>,
    /// Bytes of the tar stream read so far.
    offset: u64,
    /// Bytes of the current entry's content not read yet, and of the padding behind it.
    left: u64,
    padding: u64,
}

impl<'a> Archive<'a> {
    /// Begins to read `input`. Errors: no archive, or the file cannot be read.
    pub fn open(input: impl Read + 'a, limits: Limits) -> Result<Self, ArchiveError> {
        let packed = Arc::new(AtomicU64::new(0));
        let counted = Counted { input, count: Arc::clone(&packed) };
        let mut buffered = BufReader::with_capacity(1 << 17, counted);
        let start = first_bytes(&mut buffered).map_err(ArchiveError::Io)?;
        let compression = Compression::detect(&start).ok_or(ArchiveError::NotAnArchive)?;
        let whole = io::Cursor::new(start).chain(buffered);
        let input: Box<dyn Read + 'a> = match compression {
            Compression::None => Box::new(whole),
            Compression::Gzip => {
                Box::new(BufReader::with_capacity(1 << 16, flate2::bufread::MultiGzDecoder::new(whole)))
            }
            Compression::Zstd => {
                let decoder = zstd::Decoder::with_buffer(whole).map_err(ArchiveError::Io)?;
                Box::new(BufReader::with_capacity(1 << 17, decoder))
            }
        };
        let guard = Guard::new(limits);
        Ok(Archive { input, compression, guard, packed, offset: 0, left: 0, padding: 0 })
    }

    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Bytes of the file read so far, for progress.
    pub fn packed(&self) -> u64 {
        self.packed.load(Ordering::Relaxed)
    }

    /// The next entry; nothing at the end of the archive. What was not read of the entry before is passed over.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ArchiveError> {
        let mut extended = Extended::default();
        loop {
            self.pass_over()?;
            let Some(header) = self.header()? else {
                if extended.any {
                    return Err(self.malformed("an extended header with no entry behind it"));
                }
                self.guard.finish()?;
                self.rest_is_empty()?;
                return Ok(None);
            };
            let stored = header.entry_size().map_err(|_| self.malformed("a size that is no number"))?;
            match header.entry_type() {
                EntryType::XHeader => self.pax(&header, stored, &mut extended)?,
                EntryType::XGlobalHeader => {
                    self.guard.count(&header.path_bytes())?;
                    self.take_block(stored, &header.path_bytes())?;
                }
                EntryType::GNULongName => {
                    self.guard.count(&header.path_bytes())?;
                    extended.name = Some(without_nul(self.take_block(stored, &header.path_bytes())?));
                    extended.any = true;
                }
                EntryType::GNULongLink => {
                    self.guard.count(&header.path_bytes())?;
                    extended.link = Some(without_nul(self.take_block(stored, &header.path_bytes())?));
                    extended.any = true;
                }
                _ => return self.entry(&header, stored, extended).map(Some),
            }
        }
    }

    fn entry(&mut self, header: &Header, stored: u64, extended: Extended) -> Result<Entry, ArchiveError> {
        let name = extended.name.unwrap_or_else(|| header.path_bytes().into_owned());
        let link = extended.link.or_else(|| header.link_name_bytes().map(|link| link.into_owned())).unwrap_or_default();
        let size = extended.size.unwrap_or(stored);
        let claim = match header.entry_type() {
            _ if extended.sparse => Claim::Other("sparse file"),
            EntryType::Regular | EntryType::Continuous => Claim::File(size),
            EntryType::Directory => Claim::Folder,
            EntryType::Symlink => Claim::Symlink(&link),
            EntryType::Link => Claim::HardLink(&link),
            EntryType::Char => Claim::Other("character device"),
            EntryType::Block => Claim::Other("block device"),
            EntryType::Fifo => Claim::Other("named pipe"),
            EntryType::GNUSparse => Claim::Other("sparse file"),
            _ => Claim::Other("entry of an unknown type"),
        };
        let (path, what) = self.guard.admit(&name, &claim)?;
        let content = if matches!(claim, Claim::File(_)) { size } else { 0 };
        if content == 0 && size != 0 {
            return Err(self.malformed("content behind an entry that is no file"));
        }
        self.left = content;
        self.padding = content.next_multiple_of(BLOCK) - content;
        let executable = header.mode().is_ok_and(|mode| mode & 0o100 != 0);
        Ok(Entry { path, what, size: content, executable })
    }

    /// The next header; nothing at the end mark, which is two blocks of zeros.
    fn header(&mut self) -> Result<Option<Header>, ArchiveError> {
        let mut header = Header::new_old();
        self.fill(header.as_mut_bytes())?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            self.fill(header.as_mut_bytes())?;
            if header.as_bytes().iter().any(|byte| *byte != 0) {
                return Err(self.malformed("a block of zeros where a header must be"));
            }
            return Ok(None);
        }
        if !checksum_is_right(header.as_bytes()) {
            return Err(self.malformed("a header whose checksum is wrong"));
        }
        Ok(Some(header))
    }

    fn pax(&mut self, header: &Header, stored: u64, extended: &mut Extended) -> Result<(), ArchiveError> {
        self.guard.count(&header.path_bytes())?;
        extended.any = true;
        let records = self.take_block(stored, &header.path_bytes())?;
        for record in tar::PaxExtensions::new(&records) {
            let record = record.map_err(|_| self.malformed("an extended header that cannot be read"))?;
            match record.key_bytes() {
                b"path" => extended.name = Some(record.value_bytes().to_vec()),
                b"linkpath" => extended.link = Some(record.value_bytes().to_vec()),
                b"size" => {
                    let size = record.value().ok().and_then(|text| text.parse().ok());
                    extended.size = Some(size.ok_or_else(|| self.malformed("a size that is no number"))?);
                }
                key if key.starts_with(b"GNU.sparse") => extended.sparse = true,
                _ => {}
            }
        }
        Ok(())
    }

    /// The content of an extended header.
    fn take_block(&mut self, size: u64, name: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        if size > EXTENDED_LIMIT {
            return Err(Refusal::new(name, Rule::Header { size, limit: EXTENDED_LIMIT }).into());
        }
        let mut bytes = vec![0; size as usize];
        self.fill(&mut bytes)?;
        self.padding = size.next_multiple_of(BLOCK) - size;
        Ok(bytes)
    }

    /// Reads to the next header.
    fn pass_over(&mut self) -> Result<(), ArchiveError> {
        let mut rest = self.left + self.padding;
        (self.left, self.padding) = (0, 0);
        let mut buffer = [0; 1 << 13];
        while rest > 0 {
            let part = rest.min(buffer.len() as u64) as usize;
            self.fill(&mut buffer[..part])?;
            rest -= part as u64;
        }
        Ok(())
    }

    /// Behind the end mark archivers write zeros up to a full record; anything else is no part of an archive.
    fn rest_is_empty(&mut self) -> Result<(), ArchiveError> {
        let mut buffer = [0; 1 << 13];
        loop {
            let read = self.read_some(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            if buffer[..read].iter().any(|byte| *byte != 0) {
                return Err(self.malformed("bytes behind the end of the archive"));
            }
        }
    }

    fn fill(&mut self, mut buffer: &mut [u8]) -> Result<(), ArchiveError> {
        while !buffer.is_empty() {
            let read = self.read_some(buffer)?;
            if read == 0 {
                return Err(ArchiveError::CutShort(self.offset));
            }
            buffer = &mut buffer[read..];
        }
        Ok(())
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let read = loop {
            match self.input.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(ArchiveError::CutShort(self.offset));
                }
                Err(error) if self.compression == Compression::None || error.raw_os_error().is_some() => {
                    return Err(ArchiveError::Io(error));
                }
                Err(error) => return Err(ArchiveError::Compression(error)),
                Ok(read) => break read,
            }
        };
        self.offset += read as u64;
        if self.compression != Compression::None {
            let expansion = self.guard.limits().expansion(self.offset, self.packed());
            expansion.map_err(|rule| Refusal::new(b"the archive", rule))?;
        }
        Ok(read)
    }

    fn malformed(&self, reason: &'static str) -> ArchiveError {
        ArchiveError::Malformed { offset: self.offset, reason }
    }
}

/// The content of the current entry.
impl Read for Archive<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let part = self.left.min(buffer.len() as u64) as usize;
        if part == 0 {
            return Ok(0);
        }
        let read = self.read_some(&mut buffer[..part]).map_err(io::Error::other)?;
        if read == 0 {
            return Err(io::Error::other(ArchiveError::CutShort(self.offset)));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// The archive's own error inside one that came through [`Read`], if there is one.
pub fn unwrap_read(error: io::Error) -> ArchiveError {
    match error.downcast::<ArchiveError>() {
        Ok(error) => error,
        Err(error) => ArchiveError::Io(error),
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&printable(self.path.as_str().as_bytes()))
    }
}

/// What extended headers say of the entry behind them.
#[derive(Default)]
struct Extended {
    any: bool,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

struct Counted<R> {
    input: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

fn without_nul(mut name: Vec<u8>) -> Vec<u8> {
    if name.last() == Some(&0) {
        name.pop();
    }
    name
}

/// Up to one block from the beginning.
fn first_bytes(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(BLOCK as usize);
    input.take(BLOCK).read_to_end(&mut start)?;
    Ok(start)
}

/// True when the checksum in a header is right: the sum of its bytes, those of the checksum itself taken as spaces.
fn checksum_is_right(header: &[u8; BLOCK as usize]) -> bool {
    /// Every second byte, as lanes of sixteen bits, which 64 words of bytes do not fill.
    const LANES: u64 = 0x00ff_00ff_00ff_00ff;
    let mut lanes = 0u64;
    for word in header.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*word);
        lanes += (word & LANES) + (word >> 8 & LANES);
    }
    let whole: u32 = (0..4).map(|lane| (lanes >> (16 * lane) & 0xffff) as u32).sum();
    let own: u32 = header[148..156].iter().map(|byte| u32::from(*byte)).sum();
    let sum = whole - own + 8 * 32;
    Header::from_byte_slice(header).cksum().is_ok_and(|stored| stored == sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn header(name: &[u8], kind: EntryType, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        header
    }

    fn tar(entries: &[(Header, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (header, content) in entries {
            bytes.extend_from_slice(header.as_bytes());
            bytes.extend_from_slice(content);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
        let mut archive = Archive::open(bytes, Limits::default())?;
        let mut found = Vec::new();
        while let Some(entry) = archive.next_entry()? {
            let mut content = Vec::new();
            archive.read_to_end(&mut content).map_err(unwrap_read)?;
            assert_eq!(content.len() as u64, entry.size);
            found.push((entry.path.to_string(), content));
        }
        Ok(found)
    }

    fn simple() -> Vec<u8> {
        tar(&[(header(b"a", EntryType::Regular, 3), b"abc"), (header(b"b/", EntryType::Directory, 0), b"")])
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_three_forms_are_told_apart_by_their_bytes() {
        let expected = vec![("a".to_owned(), b"abc".to_vec()), ("b".to_owned(), Vec::new())];
        assert_eq!(read(&simple()).unwrap(), expected);
        assert_eq!(read(&gzip(&simple())).unwrap(), expected);
        assert_eq!(read(&zstd::encode_all(&simple()[..], 3).unwrap()).unwrap(), expected);
        assert!(matches!(read(b"PK\x03\x04 a zip"), Err(ArchiveError::NotAnArchive)));
        assert!(matches!(read(b""), Err(ArchiveError::NotAnArchive)));
    }

    #[test]
    fn long_names_of_both_kinds_are_read() {
        let long = format!("{}/{}", "d".repeat(150), "f".repeat(150));
        let gnu_name = format!("{long}\0");
        let gnu = tar(&[
            (header(b"././@LongLink", EntryType::GNULongName, gnu_name.len() as u64), gnu_name.as_bytes()),
            (header(b"short", EntryType::Regular, 1), b"x"),
        ]);
        assert_eq!(read(&gnu).unwrap(), [(long.clone(), b"x".to_vec())]);
        let record = format!("311 path={long}\n");
        assert_eq!(record.len(), 311);
        let pax = tar(&[
            (header(b"PaxHeaders/x", EntryType::XHeader, record.len() as u64), record.as_bytes()),
            (header(b"short", EntryType::Regular, 1), b"x"),
        ]);
        assert_eq!(read(&pax).unwrap(), [(long, b"x".to_vec())]);
    }

    #[test]
    fn sparse_entries_of_both_kinds_are_refused() {
        let sparse = |bytes: Vec<u8>| match read(&bytes) {
            Err(ArchiveError::Refused(refusal)) => refusal.rule == Rule::Special("sparse file"),
            _ => false,
        };
        assert!(sparse(tar(&[(header(b"a", EntryType::GNUSparse, 0), b"")])));
        let record = b"22 GNU.sparse.major=1\n";
        assert!(sparse(tar(&[
            (header(b"PaxHeaders/x", EntryType::XHeader, record.len() as u64), record),
            (header(b"a", EntryType::Regular, 1), b"x"),
        ])));
    }

    #[test]
    fn an_extended_header_of_a_gigabyte_is_refused_before_it_is_read() {
        let bytes = tar(&[(header(b"x", EntryType::GNULongName, 1 << 30), b"")]);
        let refused = read(&bytes).unwrap_err();
        assert!(matches!(refused, ArchiveError::Refused(Refusal { rule: Rule::Header { .. }, .. })), "{refused}");
    }

    #[test]
    fn every_truncation_is_noticed() {
        let whole = simple();
        for cut in (1..whole.len()).step_by(37) {
            assert!(read(&whole[..cut]).is_err(), "cut at {cut}");
        }
        let packed = zstd::encode_all(&whole[..], 3).unwrap();
        for cut in 0..packed.len() {
            assert!(read(&packed[..cut]).is_err(), "cut at {cut}");
        }
        let packed = gzip(&whole);
        for cut in 0..packed.len() {
            assert!(read(&packed[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn bytes_behind_the_end_are_noticed() {
        let junk = |mut bytes: Vec<u8>| {
            bytes.extend_from_slice(b"junk");
            bytes
        };
        assert!(read(&junk(simple())).is_err());
        assert!(read(&junk(gzip(&simple()))).is_err());
        assert!(read(&junk(zstd::encode_all(&simple()[..], 3).unwrap())).is_err());
        let mut padded = simple();
        padded.resize(padded.len().next_multiple_of(10240), 0);
        assert!(read(&padded).is_ok());
    }

    #[test]
    fn a_wrong_checksum_and_a_size_that_is_no_number_are_noticed() {
        let mut bytes = simple();
        bytes[0] = b'c';
        assert!(matches!(read(&gzip(&bytes)), Err(ArchiveError::Malformed { offset: 512, .. })));
        let mut bad = header(b"a", EntryType::Regular, 0);
        bad.as_old_mut().size.copy_from_slice(b"hello world!");
        bad.set_cksum();
        assert!(matches!(read(&tar(&[(bad, b"")])), Err(ArchiveError::Malformed { .. })));
    }

    #[test]
    fn a_thousandfold_bomb_is_refused_long_before_its_end() {
        let size = 4u64 << 30;
        let head = header(b"bomb", EntryType::Regular, size);
        for bomb in [gzip(&vec![0; 64 << 20]), zstd::encode_all(&vec![0; 64 << 20][..], 3).unwrap()] {
            let start = if bomb.starts_with(&[0x1f]) {
                gzip(head.as_bytes())
            } else {
                zstd::encode_all(&head.as_bytes()[..], 3).unwrap()
            };
            let refused = read(&[start, bomb].concat()).unwrap_err();
            assert!(matches!(refused, ArchiveError::Refused(Refusal { rule: Rule::Ratio { .. }, .. })), "{refused}");
        }
    }
}
