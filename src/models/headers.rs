//! Headers of files that need not be read again.
//!
//! Rows of the table `caches`: key `header`, NUL, then device and inode (8 bytes each, big endian); value: version (1), size, modified, changed, time
//! of reading (8 bytes each, little endian), then the header as JSON. A row counts only for a file with exactly this stamp, and only if the
//! stamp was old enough when the file was read that no later write could hide behind it (invariant R1).

use std::collections::HashMap;
use std::io;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::observer::{Observer, Unit};
use crate::platform::identity::FileStamp;
use crate::store::known_files::now;
use crate::store::{RecordTable, Store};

use super::error::{Error, Problem};
use super::header::{self, Header};
use super::record::IndexedFile;

const VERSION: u8 = 1;
const PREFIX: &[u8] = b"header\0";
/// Version and five numbers.
const FIXED: usize = 1 + 4 * 8;

/// The headers that a store remembers.
pub struct Headers<'s> {
    store: &'s Store,
}

impl<'s> Headers<'s> {
    pub fn new(store: &'s Store) -> Self {
        Headers { store }
    }

    /// What is known of these files as they were at the last update, in their order. No file is looked at.
    pub fn known(&self, files: &[&IndexedFile]) -> Result<Vec<Option<Header>>, Error> {
        self.lookup(files, |json| serde_json::from_slice(json).ok())
    }

    /// What `read` makes of the rows that count for these files.
    fn lookup<T>(&self, files: &[&IndexedFile], read: impl Fn(&[u8]) -> Option<T>) -> Result<Vec<Option<T>>, Error> {
        /// From here on one walk over all rows is faster than a look-up of each.
        const MANY: usize = 64;
        let records = self.store.records(RecordTable::Caches);
        let of = |value: &[u8], file: &IndexedFile| counting(value, &file.stamp).and_then(&read);
        if files.len() < MANY {
            let one = |file: &&IndexedFile| Ok(records.get(&key(&file.stamp))?.and_then(|value| of(&value, file)));
            return files.iter().map(one).collect();
        }
        let mut wanted: HashMap<Vec<u8>, Vec<usize>> = HashMap::with_capacity(files.len());
        for (at, file) in files.iter().enumerate() {
            wanted.entry(key(&file.stamp)).or_default().push(at);
        }
        let mut found: Vec<Option<T>> = files.iter().map(|_| None).collect();
        records.visit(PREFIX, &mut |key, value| {
            for at in wanted.get(key).into_iter().flatten() {
                found[*at] = of(value, files[*at]);
            }
        })?;
        Ok(found)
    }

    /// The headers of these files, in their order; those that are not known are read now, and remembered. Absent files have what is
    /// known of them. A file that cannot be read has none, and is a problem.
    ///
    /// # Errors
    /// The store; a wish to stop, after which what was read so far is kept.
    pub fn ensure(
        &self,
        files: &[&IndexedFile],
        observer: &dyn Observer,
    ) -> Result<(Vec<Option<Header>>, Vec<Problem>), Error> {
        let mut headers = self.known(files)?;
        let missing = (0..files.len()).filter(|at| headers[*at].is_none()).collect();
        let problems = self.read(files, missing, observer, &mut |at, header| headers[at] = Some(header))?;
        Ok((headers, problems))
    }

    /// Reads and remembers those headers of these files that are not known. Errors as of [`Headers::ensure`].
    pub fn refresh(&self, files: &[&IndexedFile], observer: &dyn Observer) -> Result<Vec<Problem>, Error> {
        let known = self.lookup(files, |_| Some(()))?;
        let missing = (0..files.len()).filter(|at| known[*at].is_none()).collect();
        self.read(files, missing, observer, &mut |_, _| {})
    }

    fn read(
        &self,
        files: &[&IndexedFile],
        mut missing: Vec<usize>,
        observer: &dyn Observer,
        take: &mut dyn FnMut(usize, Header),
    ) -> Result<Vec<Problem>, Error> {
        /// Files between two commits.
        const STEP: usize = 512;
        missing.retain(|at| files[*at].is_present());
        let mut problems = Vec::new();
        if missing.is_empty() {
            return Ok(problems);
        }
        observer.started("reading headers", Unit::Items, Some(missing.len() as u64));
        for step in missing.chunks(STEP) {
            let begun = now();
            let read: Vec<(usize, Option<Read>)> = step
                .par_iter()
                .map(|at| {
                    let read = (!observer.interrupted()).then(|| header::read(&files[*at].file()));
                    observer.advanced(1);
                    (*at, read)
                })
                .collect();
            let mut rows = Vec::with_capacity(read.len());
            for (at, read) in read {
                match read {
                    Some(Ok((header, stamp))) => {
                        rows.push((key(&stamp), Some(encode(&header, &stamp, begun))));
                        take(at, header);
                    }
                    Some(Err(source)) => problems.push(Problem::Unreadable { path: files[at].file(), source }),
                    None => {}
                }
            }
            self.store.records(RecordTable::Caches).apply(rows)?;
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
        }
        observer.finished();
        Ok(problems)
    }
}

/// What became of reading one file.
type Read = io::Result<(Header, FileStamp)>;

fn key(stamp: &FileStamp) -> Vec<u8> {
    [PREFIX, &stamp.device.to_be_bytes(), &stamp.inode.to_be_bytes()].concat()
}

fn encode(header: &Header, stamp: &FileStamp, read: i64) -> Vec<u8> {
    let mut value = vec![VERSION];
    value.extend_from_slice(&stamp.size.to_le_bytes());
    for time in [stamp.modified, stamp.changed, read] {
        value.extend_from_slice(&time.to_le_bytes());
    }
    // A header is texts and numbers under names, which JSON always holds; without it the row would simply not count.
    value.extend(serde_json::to_vec(header).unwrap_or_default());
    value
}

/// The header in a row, as JSON. Nothing for a row of another version, or of another state of the file.
fn counting<'v>(value: &'v [u8], stamp: &FileStamp) -> Option<&'v [u8]> {
    let (fixed, json) = value.split_at_checked(FIXED)?;
    let number = |at: usize| fixed[1 + at * 8..9 + at * 8].try_into().map_or(0, i64::from_le_bytes);
    let same = (number(0) as u64, number(1), number(2)) == (stamp.size, stamp.modified, stamp.changed);
    (fixed[0] == VERSION && same && !stamp.is_racy(number(3))).then_some(json)
}

#[cfg(test)]
mod tests {
    use super::super::header::{Format, Kind};
    use super::super::index::{Depth, ModelIndex};
    use super::super::roots::ModelRoot;
    use super::*;
    use crate::observer::Silent;
    use std::time::Duration;

    #[test]
    fn a_header_is_read_once_and_again_when_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join(".comfrey")).unwrap();
        let loras = folder.path().join("models/loras");
        std::fs::create_dir_all(&loras).unwrap();
        let path = loras.join("a.pt");
        let write = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            std::thread::sleep(Duration::from_millis(60));
        };
        write(b"\x80\x02}X\x0a\x00\x00\x00emb_paramsNs.");
        let update = || {
            let roots = [ModelRoot::models(&folder.path().join("models"))];
            ModelIndex::new(&store).update(&roots, Depth::Quick, &Silent).unwrap().files
        };
        let headers = Headers::new(&store);
        let files = update();
        assert_eq!(headers.known(&[&files[0]]).unwrap(), [None]);
        let (read, problems) = headers.ensure(&[&files[0]], &Silent).unwrap();
        assert!(problems.is_empty());
        assert_eq!(read[0].as_ref().unwrap().kind, Some(Kind::Embedding));
        assert_eq!(headers.known(&[&files[0]]).unwrap(), read);
        // The same by a walk over all rows.
        assert_eq!(headers.known(&vec![&files[0]; 100]).unwrap()[99], read[0]);
        write(b"something else");
        let files = update();
        assert_eq!(headers.known(&[&files[0]]).unwrap(), [None]);
        assert_eq!(headers.ensure(&[&files[0]], &Silent).unwrap().0[0].as_ref().unwrap().format, Format::Other);
        std::fs::remove_file(&path).unwrap();
        let files = update();
        assert_eq!(headers.ensure(&[&files[0]], &Silent).unwrap().0[0].as_ref().unwrap().format, Format::Other);
    }
}
