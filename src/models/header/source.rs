//! A file's bytes, read at a position and within a budget.

use std::cell::Cell;
use std::io::{self, Read};

/// How much of one file is read at most, in bytes. Headers are far smaller; what is not read is said not to be known.
pub const BUDGET: u64 = 64 << 20;

/// Why a header could not be read to its end.
#[derive(Debug)]
pub enum Stop {
    /// The file itself cannot be read.
    Io(io::Error),
    /// Its bytes are not what they should be, or more than are read.
    Broken(String),
}

impl Stop {
    pub fn broken(reason: impl Into<String>) -> Self {
        Stop::Broken(reason.into())
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Stop::broken("the file ends too early"),
            // What decompression and our own budget say.
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Stop::Broken(error.to_string()),
            _ => Stop::Io(error),
        }
    }
}

/// Fills a buffer from an offset on, as far as the file goes.
pub type ReadAt<'a> = &'a dyn Fn(&mut [u8], u64) -> io::Result<usize>;

/// The bytes of one file.
pub struct Source<'a> {
    read: ReadAt<'a>,
    pub size: u64,
    left: Cell<u64>,
}

impl<'a> Source<'a> {
    pub fn new(read: ReadAt<'a>, size: u64) -> Self {
        Source { read, size, left: Cell::new(BUDGET) }
    }

    /// The `length` bytes at `offset`.
    pub fn bytes(&self, offset: u64, length: usize) -> Result<Vec<u8>, Stop> {
        if offset.checked_add(length as u64).is_none_or(|end| end > self.size) {
            return Err(Stop::broken("the file ends too early"));
        }
        let mut bytes = vec![0; length];
        self.fill(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self.some(buffer, offset)? {
            read if read == buffer.len() => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn some(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self.left.get().checked_sub(buffer.len() as u64) {
            Some(left) => self.left.set(left),
            None => {
                let reason = format!("more than {} MiB would have to be read", BUDGET >> 20);
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
        }
        (self.read)(buffer, offset)
    }

    /// The bytes from `offset` to `end`, one after the other.
    pub fn stream(&self, offset: u64, end: u64) -> Stream<'_, 'a> {
        Stream { source: self, at: offset, end: end.min(self.size), buffer: Vec::new(), taken: 0 }
    }
}

/// Bytes one after the other, of which some can be passed over unread.
pub trait Input: Read {
    /// Passes over `count` bytes. Errors: there are fewer.
    fn skip(&mut self, count: u64) -> io::Result<()>;
}

/// Part of a [`Source`] as a stream with a buffer.
pub struct Stream<'s, 'a> {
    source: &'s Source<'a>,
    /// Where the next buffer begins.
    at: u64,
    end: u64,
    buffer: Vec<u8>,
    taken: usize,
}

impl Stream<'_, '_> {
    /// Where the next byte stands in the file.
    pub fn position(&self) -> u64 {
        self.at - (self.buffer.len() - self.taken) as u64
    }
}

impl Read for Stream<'_, '_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        const STEP: u64 = 16 << 10;
        if self.taken == self.buffer.len() {
            let length = STEP.min(self.end.saturating_sub(self.at)) as usize;
            self.buffer.resize(length, 0);
            let read = if length == 0 { 0 } else { self.source.some(&mut self.buffer, self.at)? };
            self.buffer.truncate(read);
            (self.at, self.taken) = (self.at + read as u64, 0);
        }
        let count = to.len().min(self.buffer.len() - self.taken);
        to[..count].copy_from_slice(&self.buffer[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

impl Input for Stream<'_, '_> {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let position = self.position();
        let to = position.checked_add(count).filter(|to| *to <= self.end);
        let to = to.ok_or(io::ErrorKind::UnexpectedEof)?;
        let buffered = (self.buffer.len() - self.taken) as u64;
        if count <= buffered {
            self.taken += count as usize;
        } else {
            (self.at, self.taken) = (to, 0);
            self.buffer.clear();
        }
        Ok(())
    }
}

/// What a decompressor gives, in which nothing can be passed over unread.
pub struct Unpacked<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Unpacked<R> {
    pub fn new(inner: R) -> Self {
        Unpacked { inner, left: BUDGET }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let length = to.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if length == 0 && !to.is_empty() {
            let reason = format!("it unpacks to more than {} MiB", BUDGET >> 20);
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        let read = self.inner.read(&mut to[..length])?;
        self.left -= read as u64;
        Ok(read)
    }
}

impl<R: Read> Input for Unpacked<R> {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let passed = io::copy(&mut Read::take(&mut *self, count), &mut io::sink())?;
        if passed == count { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Reads from memory.
    pub fn of(bytes: &[u8]) -> impl Fn(&mut [u8], u64) -> io::Result<usize> + '_ {
        |buffer, offset| {
            let from = bytes.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
            let count = buffer.len().min(bytes.len() - from);
            buffer[..count].copy_from_slice(&bytes[from..from + count]);
            Ok(count)
        }
    }

    #[test]
    fn a_stream_passes_over_bytes_without_reading_them() {
        let bytes: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
        let read = of(&bytes);
        let source = Source::new(&read, bytes.len() as u64);
        let mut stream = source.stream(10, 90_000);
        let mut four = [0; 4];
        stream.read_exact(&mut four).unwrap();
        stream.skip(70_000).unwrap();
        assert_eq!((four, stream.position()), ([10, 11, 12, 13], 70_014));
        stream.read_exact(&mut four).unwrap();
        assert_eq!(four[0], bytes[70_014]);
        assert!(BUDGET - source.left.get() <= 2 * (16 << 10));
        assert!(stream.skip(30_000).is_err());
    }
}
