//! Digests of files on disk that need not be computed again.
//!
//! A row a file, keyed by device and inode, so that a renamed or moved file keeps its digests. A row counts only for a file with exactly the
//! recorded stamp, and only if the stamp was old enough when the file was read that no later write could hide behind it
//! (git's racy rule; invariant S5).
//!
//! Row: key device and inode, 8 bytes each, big endian; value size, modified, changed, time of reading (8 bytes each, little
//! endian), one byte of flags (1 id, 2 SHA-256, 4 quick hash), then each digest that is there, in this order.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Result;
use super::index::{Index, Row};
use crate::digest::{QuickHash, Sha256};
use crate::object::ObjectId;
use crate::platform::identity::FileStamp;

/// What is known of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    pub id: Option<ObjectId>,
    pub sha256: Option<Sha256>,
    pub quick: Option<QuickHash>,
}

/// The table of one store. What is remembered through a handle must have been read after the handle was made: its
/// age is what tells whether a stamp can be trusted.
pub struct KnownFiles<'a> {
    pub(super) index: &'a Index,
    /// Nanoseconds since 1970.
    pub(super) since: i64,
}

/// The system's clock in nanoseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

impl KnownFiles<'_> {
    /// What is known of the file with this stamp.
    pub fn lookup(&self, stamp: &FileStamp) -> Result<Option<Known>> {
        Ok(self.lookup_all(std::slice::from_ref(stamp))?.pop().flatten())
    }

    /// The same for many files at once, in their order.
    pub fn lookup_all(&self, stamps: &[FileStamp]) -> Result<Vec<Option<Known>>> {
        let mut order: Vec<usize> = (0..stamps.len()).collect();
        order.sort_unstable_by_key(|&at| (stamps[at].device, stamps[at].inode));
        let keys: Vec<[u8; 16]> = order.iter().map(|&at| key(&stamps[at])).collect();
        let mut found = vec![None; stamps.len()];
        self.index.known_files(&keys, |place, row| {
            let at = order[place];
            found[at] = Fact::decode(row).and_then(|fact| fact.of(&stamps[at]));
        })?;
        Ok(found)
    }

    /// Remembers what was read of these files since this handle was made.
    pub fn remember(&self, files: Vec<(FileStamp, Known)>) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let stamps: Vec<FileStamp> = files.iter().map(|(stamp, _)| *stamp).collect();
        let before = self.lookup_all(&stamps)?;
        let mut rows = Vec::with_capacity(files.len());
        for ((stamp, known), before) in files.into_iter().zip(before) {
            match before {
                // What was known for this very stamp stays known, with the time at which it was found out.
                Some(before) if before.covers(&known) => {}
                Some(before) if !stamp.is_racy(self.since) => rows.push(row(&stamp, &known.or(before), self.since)),
                Some(_) => {}
                None => rows.push(row(&stamp, &known, self.since)),
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        rows.sort_unstable();
        self.index.remember_files(&rows)
    }
}

impl Known {
    fn or(self, other: Known) -> Known {
        Known { id: self.id.or(other.id), sha256: self.sha256.or(other.sha256), quick: self.quick.or(other.quick) }
    }

    /// True when there is nothing in `other` that is not here already.
    fn covers(&self, other: &Known) -> bool {
        self.or(*other) == *self && other.or(*self) == *self
    }
}

fn key(stamp: &FileStamp) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&stamp.device.to_be_bytes());
    key[8..].copy_from_slice(&stamp.inode.to_be_bytes());
    key
}

/// The row for a file that was read at or after `read`.
pub(super) fn row(stamp: &FileStamp, known: &Known, read: i64) -> Row {
    let mut value = Vec::with_capacity(33 + 96);
    value.extend_from_slice(&stamp.size.to_le_bytes());
    for time in [stamp.modified, stamp.changed, read] {
        value.extend_from_slice(&time.to_le_bytes());
    }
    let digests = [known.id.map(|id| id.0), known.sha256.map(|hash| hash.0), known.quick.map(|hash| hash.0)];
    let flags = digests.iter().enumerate().fold(0, |flags, (bit, digest)| flags | u8::from(digest.is_some()) << bit);
    value.push(flags);
    for digest in digests.into_iter().flatten() {
        value.extend_from_slice(&digest);
    }
    (key(stamp).to_vec(), value)
}

/// A decoded row.
struct Fact {
    size: u64,
    modified: i64,
    changed: i64,
    read: i64,
    known: Known,
}

impl Fact {
    fn decode(value: &[u8]) -> Option<Fact> {
        let number = |at: usize| value.get(at..at + 8)?.try_into().ok().map(i64::from_le_bytes);
        let flags = *value.get(32)?;
        let mut rest = value.get(33..)?;
        let mut digest = |bit: u8| -> Option<Option<[u8; 32]>> {
            if flags & bit == 0 {
                return Some(None);
            }
            let (digest, behind) = rest.split_first_chunk::<32>()?;
            rest = behind;
            Some(Some(*digest))
        };
        let known =
            Known { id: digest(1)?.map(ObjectId), sha256: digest(2)?.map(Sha256), quick: digest(4)?.map(QuickHash) };
        let size = u64::from_le_bytes(value.get(..8)?.try_into().ok()?);
        Some(Fact { size, modified: number(8)?, changed: number(16)?, read: number(24)?, known })
    }

    /// What this row says of a file that shows `stamp` now.
    fn of(self, stamp: &FileStamp) -> Option<Known> {
        let same = (self.size, self.modified, self.changed) == (stamp.size, stamp.modified, stamp.changed);
        (same && !stamp.is_racy(self.read)).then_some(self.known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_row_survives_its_encoding(
            size in any::<u64>(), modified in 0i64..1 << 60, id in any::<Option<[u8; 32]>>(),
            sha256 in any::<Option<[u8; 32]>>(), quick in any::<Option<[u8; 32]>>(),
        ) {
            let stamp = FileStamp { device: 1, inode: 2, size, modified, changed: modified };
            let known = Known { id: id.map(ObjectId), sha256: sha256.map(Sha256), quick: quick.map(QuickHash) };
            let (_, value) = row(&stamp, &known, modified + 10_000_000_000);
            prop_assert_eq!(Fact::decode(&value).and_then(|fact| fact.of(&stamp)), Some(known));
            let later = FileStamp { changed: modified + 1, ..stamp };
            prop_assert_eq!(Fact::decode(&value).and_then(|fact| fact.of(&later)), None);
            let (_, racy) = row(&stamp, &known, modified + 1);
            prop_assert_eq!(Fact::decode(&racy).and_then(|fact| fact.of(&stamp)), None);
        }
    }
}
