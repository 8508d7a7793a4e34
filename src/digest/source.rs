//! A file while it is hashed: where its bytes come from, how errors name it, and who is told of progress.

use std::ops::Range;
use std::path::Path;

use crate::observer::Observer;
use crate::platform::reading::Reader;

use super::Error;

/// Bytes that are read at a time where they cannot be lent.
pub(super) const BUFFER: usize = 64 * 1024;

#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) path: &'a Path,
    /// Bytes that the file had when it was opened.
    pub(super) size: u64,
    pub(super) observer: &'a dyn Observer,
}

impl Source<'_> {
    /// What `work` makes of the bytes in `range` where they lie in memory; None where they must be read.
    pub(super) fn in_place<R>(&self, range: Range<u64>, work: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let length = range.end - range.start;
        let made = self.reader.in_place(range, work)?;
        self.observer.advanced(length);
        Some(made)
    }

    /// Reads `range` and gives it to `take`, as much at a time as `buffer` holds. A file that ends before the range does is
    /// an error, never a shorter hash.
    pub(super) fn read(&self, range: Range<u64>, buffer: &mut [u8], mut take: impl FnMut(&[u8])) -> Result<(), Error> {
        let mut offset = range.start;
        while offset < range.end {
            self.go_on()?;
            let wanted = buffer.len().min((range.end - offset) as usize);
            let read = self.reader.read_at(&mut buffer[..wanted], offset).map_err(|e| Error::io(self.path, e))?;
            take(&buffer[..read]);
            offset += read as u64;
            self.observer.advanced(read as u64);
            if read < wanted {
                return Err(Error::CutShort { path: self.path.to_owned(), expected: self.size, found: offset });
            }
        }
        Ok(())
    }

    /// An error once the observer wants to stop.
    pub(super) fn go_on(&self) -> Result<(), Error> {
        if self.observer.interrupted() { Err(Error::Interrupted) } else { Ok(()) }
    }
}
