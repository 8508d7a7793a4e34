//! What was linked, so that it can be undone, and so that a run that was killed can be tidied up after.
//!
//! Rows of the table `model_files`: key `l`, the run (milliseconds since 1970, 8 bytes, big endian), a number within it (4 bytes, big
//! endian); value: [`LinkRecord`] as JSON. A row is written before its file is touched. It goes when its link is undone.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::object::ObjectId;
use crate::platform::identity::FileStamp;
use crate::store::{RecordTable, Result, Store};

const PREFIX: &[u8] = b"l";

/// How two files share their room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// Two files that share bytes until one is written to.
    Reflinked,
    /// Two names of one file: what is written to one is in the other, and times and permissions are one.
    HardLinked,
}

impl Sharing {
    pub fn as_str(self) -> &'static str {
        match self {
            Sharing::Reflinked => "reflinked",
            Sharing::HardLinked => "hard-linked",
        }
    }
}

/// How far it is with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// About to be linked: `aside` may be there, and may have been renamed to `path`.
    Linking,
    Linked,
    /// A reflink that was to be undone. It is a file of its own, and it shares its room all the same, which is worth knowing.
    Parted,
    /// About to have bytes of its own again: `aside` may be there, and may have been renamed to `path`.
    Undoing,
}

/// One file that gave its room up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRecord {
    pub state: State,
    /// The file that was replaced.
    pub path: PathBuf,
    /// The file whose room it shares since.
    pub kept: PathBuf,
    /// Our own file beside `path`.
    pub aside: PathBuf,
    pub id: ObjectId,
    /// What the two files showed when their bytes were last read.
    pub was: FileStamp,
    pub kept_was: FileStamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<Sharing>,
    /// What the file shows since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<FileStamp>,
}

/// A record's key: the run it belongs to, and its number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkKey {
    /// When the run began, in milliseconds since 1970.
    pub run: u64,
    pub number: u32,
}

impl LinkKey {
    fn bytes(self) -> Vec<u8> {
        [PREFIX, &self.run.to_be_bytes(), &self.number.to_be_bytes()].concat()
    }

    fn of(key: &[u8]) -> Option<Self> {
        let (run, number) = key.strip_prefix(PREFIX)?.split_first_chunk::<8>()?;
        Some(LinkKey { run: u64::from_be_bytes(*run), number: u32::from_be_bytes(number.try_into().ok()?) })
    }
}

/// The records of one store.
pub struct LinkLog<'s> {
    store: &'s Store,
}

impl<'s> LinkLog<'s> {
    pub fn new(store: &'s Store) -> Self {
        LinkLog { store }
    }

    /// All of them, the oldest first. What this program cannot read is passed over.
    pub fn all(&self) -> Result<Vec<(LinkKey, LinkRecord)>> {
        let rows = self.store.records(RecordTable::ModelFiles).range(PREFIX)?;
        let read = |(key, value): (Vec<u8>, Vec<u8>)| Some((LinkKey::of(&key)?, serde_json::from_slice(&value).ok()?));
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Those of files that are linked and can be parted again.
    pub fn linked(&self) -> Result<Vec<(LinkKey, LinkRecord)>> {
        let mut all = self.all()?;
        all.retain(|(_, record)| record.state == State::Linked);
        Ok(all)
    }

    /// Those of files that are reflinks, whether someone wanted them undone or not.
    pub fn reflinks(&self) -> Result<Vec<LinkRecord>> {
        let is_reflink = |record: &LinkRecord| {
            matches!(record.state, State::Linked | State::Parted) && record.how == Some(Sharing::Reflinked)
        };
        Ok(self.all()?.into_iter().map(|(_, record)| record).filter(is_reflink).collect())
    }

    /// Writes a record down, durably.
    pub fn put(&self, key: LinkKey, record: &LinkRecord) -> Result<()> {
        // Paths that are not UTF-8 never come here: those of models are, and their roots are when they are in the index.
        let value = serde_json::to_vec(record).unwrap_or_default();
        self.store.records(RecordTable::ModelFiles).apply(vec![(key.bytes(), Some(value))])
    }

    pub fn remove(&self, key: LinkKey) -> Result<()> {
        self.store.records(RecordTable::ModelFiles).apply(vec![(key.bytes(), None)])
    }
}
