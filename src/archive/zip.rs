//! Reading `.zip` entry by entry under the guard.
//!
//! The `zip` crate finds the entries and checks each content against its checksum; names, kinds and sizes are a stranger's word and are judged
//! here. Format: PKWARE's APPNOTE 6.3.10, <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>.

use std::io::{self, Read, Seek};

use zip::ZipArchive;
use zip::result::ZipError;

use super::guard::{Admitted, Claim, Guard, Limits, Refusal};
use super::tar::{ArchiveError, Entry};

/// The longest target of a link that is read.
const LINK_LIMIT: u64 = 4096;

/// What a file that is a zip archive begins with: an entry, or the end of an empty archive.
pub fn is_zip(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06")
}

/// A zip archive being read.
pub struct Zip<R> {
    inner: ZipArchive<R>,
    guard: Guard,
    /// Bytes of the file itself.
    packed: u64,
    /// Bytes of contents so far.
    unpacked: u64,
    next: usize,
}

impl<R: Read + Seek> Zip<R> {
    /// Begins to read a file of `packed` bytes.
    pub fn open(input: R, packed: u64, limits: Limits) -> Result<Self, ArchiveError> {
        let inner = ZipArchive::new(input).map_err(of_zip)?;
        Ok(Zip { inner, guard: Guard::new(limits), packed, unpacked: 0, next: 0 })
    }

    /// Hands the next entry and its content to `take`; nothing at the end.
    pub fn next_entry<T>(
        &mut self,
        take: impl FnOnce(Entry, &mut dyn Read) -> io::Result<T>,
    ) -> Result<Option<T>, ArchiveError> {
        if self.next == self.inner.len() {
            self.guard.finish()?;
            return Ok(None);
        }
        let mut found = self.inner.by_index(self.next).map_err(of_zip)?;
        self.next += 1;
        let name = found.name_raw().to_vec();
        let mode = found.unix_mode();
        let mut link = Vec::new();
        if found.is_symlink() {
            (&mut found).take(LINK_LIMIT + 1).read_to_end(&mut link).map_err(ArchiveError::Compression)?;
        }
        let claim = match mode.map(|mode| mode & 0o170_000) {
            _ if found.is_dir() => Claim::Folder,
            Some(0o120_000) => Claim::Symlink(&link),
            Some(0 | 0o100_000) | None => Claim::File(found.size()),
            Some(0o020_000) => Claim::Other("character device"),
            Some(0o060_000) => Claim::Other("block device"),
            Some(0o010_000) => Claim::Other("named pipe"),
            Some(_) => Claim::Other("entry of an unknown type"),
        };
        let (path, what) = self.guard.admit(&name, &claim)?;
        let size = if what == Admitted::File { found.size() } else { 0 };
        self.unpacked += size;
        // Entries may overlap: what counts is what comes out of the whole file.
        let expansion = self.guard.limits().expansion(self.unpacked, self.packed);
        expansion.map_err(|rule| Refusal::new(&name, rule))?;
        let executable = mode.is_some_and(|mode| mode & 0o100 != 0);
        let entry = Entry { path, what, size, executable };
        let mut content = Exactly { input: (&mut found).take(size + 1), left: size };
        let taken = take(entry, &mut content).map_err(super::tar::unwrap_read)?;
        Ok(Some(taken))
    }
}

/// A content that must have the length that was promised.
struct Exactly<R> {
    input: R,
    left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = match self.input.read(buffer) {
            Err(error) if error.raw_os_error().is_some() => return Err(error),
            Err(error) => return Err(io::Error::other(ArchiveError::Compression(error))),
            Ok(read) => read as u64,
        };
        if read > self.left || (read == 0 && self.left > 0) {
            let reason = "a content that is not as long as it was said to be";
            return Err(io::Error::other(ArchiveError::Malformed { offset: 0, reason }));
        }
        self.left -= read;
        Ok(read as usize)
    }
}

fn of_zip(error: ZipError) -> ArchiveError {
    match error {
        ZipError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => ArchiveError::CutShort(0),
        ZipError::Io(error) if error.raw_os_error().is_some() => ArchiveError::Io(error),
        other => ArchiveError::Compression(io::Error::other(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::super::guard::Rule;
    use super::*;

    fn archive(names: &[&str]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for name in names {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(name.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
        let mut zip = Zip::open(Cursor::new(bytes), bytes.len() as u64, Limits::default())?;
        let mut found = Vec::new();
        let mut take = |entry: Entry, content: &mut dyn Read| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            found.push((entry.path.to_string(), bytes));
            Ok(())
        };
        while zip.next_entry(&mut take)?.is_some() {}
        Ok(found)
    }

    #[test]
    fn entries_come_with_their_contents() {
        let bytes = archive(&["a.py", "sub/b.py"]);
        assert!(is_zip(&bytes) && is_zip(&archive(&[])));
        let expected = ["a.py", "sub/b.py"].map(|name| (name.to_owned(), name.as_bytes().to_vec()));
        assert_eq!(read(&bytes).unwrap(), expected);
        assert!(read(&archive(&[])).unwrap().is_empty());
    }

    #[test]
    fn a_name_that_leads_out_is_refused() {
        for (name, rule) in [("../evil.py", Rule::Dots), ("/etc/x", Rule::Absolute), ("a\\b", Rule::Backslash)] {
            let refused = read(&archive(&[name])).unwrap_err();
            assert!(matches!(&refused, ArchiveError::Refused(refusal) if refusal.rule == rule), "{refused}");
        }
    }

    #[test]
    fn a_link_that_leads_out_is_refused_and_one_within_is_told() {
        let linked = |target: &str| {
            let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
            writer.add_symlink("link", target, SimpleFileOptions::default()).unwrap();
            writer.finish().unwrap().into_inner()
        };
        let refused = read(&linked("../../etc/passwd")).unwrap_err();
        assert!(matches!(&refused, ArchiveError::Refused(r) if matches!(r.rule, Rule::LinkOut { .. })), "{refused}");
        assert_eq!(read(&linked("there")).unwrap(), [("link".to_owned(), Vec::new())]);
    }

    #[test]
    fn what_was_changed_or_cut_on_the_way_is_noticed() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file("a", stored).unwrap();
        writer.write_all(b"the content").unwrap();
        let whole = writer.finish().unwrap().into_inner();
        let at = whole.windows(11).position(|bytes| bytes == b"the content").unwrap();
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(matches!(read(&changed), Err(ArchiveError::Compression(_))));
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_thousandfold_bomb_is_refused() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("bomb", SimpleFileOptions::default()).unwrap();
        writer.write_all(&vec![0; 32 << 20]).unwrap();
        let refused = read(&writer.finish().unwrap().into_inner()).unwrap_err();
        assert!(matches!(&refused, ArchiveError::Refused(r) if matches!(r.rule, Rule::Ratio { .. })), "{refused}");
    }
}
