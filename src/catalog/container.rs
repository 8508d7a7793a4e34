//! The file in which the catalog keeps what it gathered: tables of sorted keys, read in place.
//!
//! Nothing is decoded when it is opened but a few numbers, so that a command that asks for three classes does not pay for forty
//! thousand. The file is read whole rather than mapped: it is a few megabytes, and a mapping dies by signal when the file is cut
//! short under it. Its layout is in `docs/formats.md`.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::platform::durable;

const MAGIC: &[u8; 16] = b"comfrey catalog\n";
const VERSION: u32 = 1;
/// Magic, version, number of tables, BLAKE3 of what follows.
const HEADER: usize = 16 + 4 + 4 + 32;

/// Why such a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{} is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: &'static str },
    #[error("{} has the format {version} of another version of this program", path.display())]
    Version { path: PathBuf, version: u32 },
}

/// A file of tables, opened and found whole.
#[derive(Debug)]
pub(super) struct Container {
    bytes: Vec<u8>,
    /// Where each table lies.
    tables: Vec<std::ops::Range<usize>>,
}

impl Container {
    /// Opens the file, nothing if there is none. Every byte is checked against the hash in front.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, ContainerError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ContainerError::Io { path: path.to_owned(), source }),
        };
        let damaged = |reason| ContainerError::Damaged { path: path.to_owned(), reason };
        if bytes.len() < HEADER || !bytes.starts_with(MAGIC) {
            return Err(damaged("it does not begin as it should"));
        }
        let version = number(&bytes, 16).unwrap_or_default();
        if version != VERSION {
            return Err(ContainerError::Version { path: path.to_owned(), version });
        }
        if blake3::hash(&bytes[HEADER..]).as_bytes() != &bytes[24..HEADER] {
            return Err(damaged("its bytes are not those that were written"));
        }
        let count = number(&bytes, 20).unwrap_or_default() as usize;
        let tables = places(&bytes, HEADER, count).ok_or_else(|| damaged("its tables do not fit"))?;
        Ok(Some(Container { bytes, tables }))
    }

    /// The table of this number; an empty one if the file has fewer.
    pub(super) fn table(&self, number: usize) -> Table<'_> {
        let bytes = self.tables.get(number).and_then(|place| self.bytes.get(place.clone())).unwrap_or_default();
        Table { bytes }
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Puts `tables` in place of the file at `path`: written aside, synced, renamed. The folder must exist.
    pub(super) fn write(path: &Path, tables: Vec<TableBuilder>) -> Result<(), ContainerError> {
        let mut body = Vec::new();
        let tables: Vec<Vec<u8>> = tables.into_iter().map(TableBuilder::finish).collect();
        put_places(&mut body, tables.iter().map(Vec::len));
        tables.iter().for_each(|table| body.extend_from_slice(table));
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&(tables.len() as u32).to_le_bytes());
        header.extend_from_slice(blake3::hash(&body).as_bytes());
        replace(path, &[&header, &body]).map_err(|source| ContainerError::Io { path: path.to_owned(), source })
    }
}

/// Puts bytes in place of a file, so that it has the old ones or the new ones whatever happens.
pub(super) fn replace(path: &Path, parts: &[&[u8]]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut aside = durable::new_aside(folder, ".new-")?;
    for part in parts {
        aside.write_all(part)?;
    }
    aside.as_file().sync_all()?;
    // Dropped after the rename it finds nothing to take away.
    let aside = aside.into_temp_path();
    durable::rename(&aside, path)?;
    durable::sync_folder(folder)
}

/// Keys in order, each with a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'c> {
    bytes: &'c [u8],
}

impl<'c> Table<'c> {
    pub(super) fn len(self) -> usize {
        number(self.bytes, 0).unwrap_or_default() as usize
    }

    /// Key and value of a row.
    pub(super) fn row(self, at: usize) -> Option<(&'c [u8], &'c [u8])> {
        let count = self.len();
        if at >= count {
            return None;
        }
        let ends = 4 + 4 * at;
        let start = if at == 0 { 0 } else { number(self.bytes, ends - 4)? as usize };
        let end = number(self.bytes, ends)? as usize;
        let row = self.bytes.get(4 + 4 * count..)?.get(start..end)?;
        let key_length = u16::from_le_bytes(row.get(..2)?.try_into().ok()?) as usize;
        Some((row.get(2..2 + key_length)?, row.get(2 + key_length..)?))
    }

    /// The value of a key.
    pub(super) fn get(self, key: &[u8]) -> Option<&'c [u8]> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let (found, value) = self.row(middle)?;
            match key.cmp(found) {
                std::cmp::Ordering::Equal => return Some(value),
                std::cmp::Ordering::Less => high = middle,
                std::cmp::Ordering::Greater => low = middle + 1,
            }
        }
        None
    }

    pub(super) fn rows(self) -> impl Iterator<Item = (&'c [u8], &'c [u8])> {
        (0..self.len()).map_while(move |at| self.row(at))
    }
}

/// Rows of a table to be written, in any order of their keys.
#[derive(Debug, Default)]
pub(super) struct TableBuilder {
    rows: std::collections::BTreeMap<Vec<u8>, Vec<u8>>,
}

/// No key is longer: one that is is left out.
const LONGEST_KEY: usize = u16::MAX as usize;

impl TableBuilder {
    /// Sets the value of a key. False if the key is too long to be kept.
    pub(super) fn put(&mut self, key: impl Into<Vec<u8>>, value: Vec<u8>) -> bool {
        let key = key.into();
        let fits = key.len() <= LONGEST_KEY;
        if fits {
            self.rows.insert(key, value);
        }
        fits
    }

    fn finish(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_places(&mut bytes, self.rows.iter().map(|(key, value)| 2 + key.len() + value.len()));
        for (key, value) in self.rows {
            bytes.extend_from_slice(&(key.len() as u16).to_le_bytes());
            bytes.extend_from_slice(&key);
            bytes.extend_from_slice(&value);
        }
        bytes
    }
}

/// How many pieces, and where each ends, counted from the first one's start.
fn put_places(bytes: &mut Vec<u8>, lengths: impl ExactSizeIterator<Item = usize>) {
    bytes.extend_from_slice(&(lengths.len() as u32).to_le_bytes());
    let mut end = 0_u32;
    for length in lengths {
        // Lists of packages are megabytes; a piece past 4 GiB cannot come of them, and would be refused when opened.
        end = end.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
        bytes.extend_from_slice(&end.to_le_bytes());
    }
}

/// Where the pieces of the whole file lie.
fn places(bytes: &[u8], at: usize, count: usize) -> Option<Vec<std::ops::Range<usize>>> {
    if number(bytes, at)? as usize != count {
        return None;
    }
    let first = at.checked_add(4)?.checked_add(count.checked_mul(4)?)?;
    let mut start = first;
    let mut places = Vec::new();
    for piece in 0..count {
        let end = first.checked_add(number(bytes, at + 4 + 4 * piece)? as usize)?;
        if end < start || end > bytes.len() {
            return None;
        }
        places.push(start..end);
        start = end;
    }
    Some(places)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(folder: &Path) -> PathBuf {
        let mut first = TableBuilder::default();
        for key in ["b", "a", "", "ä"] {
            assert!(first.put(key, key.repeat(3).into_bytes()));
        }
        assert!(!first.put(vec![0; LONGEST_KEY + 1], Vec::new()));
        let path = folder.join("map");
        Container::write(&path, vec![first, TableBuilder::default()]).unwrap();
        path
    }

    #[test]
    fn what_is_written_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Container::open(&folder.path().join("map")).unwrap().is_none());
        let container = Container::open(&sample(folder.path())).unwrap().unwrap();
        let table = container.table(0);
        assert_eq!((table.len(), table.get(b"b"), table.get(b"c")), (4, Some(&b"bbb"[..]), None));
        assert_eq!(table.get(b""), Some(&b""[..]));
        assert_eq!(table.rows().map(|(key, _)| key).collect::<Vec<_>>(), ["".as_bytes(), b"a", b"b", "ä".as_bytes()]);
        assert_eq!((container.table(1).len(), container.table(7).len()), (0, 0));
        // Nothing is left beside it.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = sample(folder.path());
        let sound = std::fs::read(&path).unwrap();
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 0x11;
            std::fs::write(&path, &bytes).unwrap();
            assert!(Container::open(&path).is_err(), "byte {at}");
            std::fs::write(&path, &sound[..at]).unwrap();
            assert!(Container::open(&path).is_err(), "cut at {at}");
        }
    }
}
