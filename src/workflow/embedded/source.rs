//! Reading a file at places, within limits.

use std::io::{self, Read, Seek, SeekFrom};

/// How many bytes of metadata are read of one file, decompressed ones included.
pub const MAX_METADATA: u64 = 256 << 20;

/// How many times a file is read at another place. A video of hours has some ten thousand parts.
const MAX_READS: u32 = 1 << 20;

/// What is read at once where little is asked for: headers mostly stand close together.
const WINDOW: u64 = 8 << 10;

/// Why a container cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("it ends in the middle of its {0}")]
    Ends(&'static str),
    /// `at` is the byte of the file.
    #[error("{what} at byte {at}")]
    Malformed { at: u64, what: &'static str },
    #[error("its metadata is larger than {} MiB", MAX_METADATA >> 20)]
    TooLarge,
    #[error("it has more parts than any real file")]
    TooMany,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What is read from.
pub(super) trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

/// A file of which little is read.
pub(super) struct Source<'a> {
    inner: &'a mut dyn ReadSeek,
    size: u64,
    window: Vec<u8>,
    window_at: u64,
    reads_left: u32,
    bytes_left: u64,
}

impl<'a> Source<'a> {
    pub fn new(inner: &'a mut dyn ReadSeek, size: u64) -> Self {
        let (reads_left, bytes_left) = (MAX_READS, MAX_METADATA);
        Source { inner, size, window: Vec::new(), window_at: 0, reads_left, bytes_left }
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The first bytes of the file: fewer than asked for if it is shorter.
    pub fn head(&mut self, length: u64) -> Result<Vec<u8>, Problem> {
        let length = length.min(self.size);
        self.bytes(0, length, "beginning")
    }

    /// `N` bytes at a place; `what` is what they belong to.
    pub fn array<const N: usize>(&mut self, at: u64, what: &'static str) -> Result<[u8; N], Problem> {
        let end = at.checked_add(N as u64).filter(|end| *end <= self.size).ok_or(Problem::Ends(what))?;
        if at < self.window_at || end > self.window_at + self.window.len() as u64 {
            self.window = self.read(at, WINDOW.min(self.size - at), what)?;
            self.window_at = at;
        }
        let start = (at - self.window_at) as usize;
        let bytes = self.window.get(start..start + N).ok_or(Problem::Ends(what))?;
        bytes.try_into().map_err(|_| Problem::Ends(what))
    }

    /// `length` bytes at a place; `what` is what they belong to.
    pub fn bytes(&mut self, at: u64, length: u64, what: &'static str) -> Result<Vec<u8>, Problem> {
        at.checked_add(length).filter(|end| *end <= self.size).ok_or(Problem::Ends(what))?;
        self.spend(length)?;
        self.read(at, length, what)
    }

    /// Takes from what may be read in all; for bytes that come out of decompression too.
    pub fn spend(&mut self, length: u64) -> Result<(), Problem> {
        self.bytes_left = self.bytes_left.checked_sub(length).ok_or(Problem::TooLarge)?;
        Ok(())
    }

    /// How much may still be read.
    pub fn bytes_left(&self) -> u64 {
        self.bytes_left
    }

    fn read(&mut self, at: u64, length: u64, what: &'static str) -> Result<Vec<u8>, Problem> {
        self.reads_left = self.reads_left.checked_sub(1).ok_or(Problem::TooMany)?;
        self.inner.seek(SeekFrom::Start(at))?;
        // Memory is taken as bytes come, not as they are claimed: the size may be wrong.
        let mut bytes = Vec::with_capacity(length.min(1 << 20) as usize);
        (&mut *self.inner).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(Problem::Ends(what)) }
    }
}

/// Bytes that are read from front to back; nothing where they end.
#[derive(Clone, Copy)]
pub(super) struct Slice<'b> {
    rest: &'b [u8],
}

impl<'b> Slice<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Slice { rest: bytes }
    }

    pub fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// A number of `length` bytes, at most eight, the highest first.
    pub fn number(&mut self, length: usize) -> Option<u64> {
        let bytes = self.take(length)?;
        Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A number of `length` bytes, at most eight, the lowest first.
    pub fn number_reversed(&mut self, length: usize) -> Option<u64> {
        let bytes = self.take(length)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub fn rest(self) -> &'b [u8] {
        self.rest
    }
}
