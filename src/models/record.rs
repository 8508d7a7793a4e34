//! A model file as a row of the index.
//!
//! Table `model_files`. A root has a number, the first 8 bytes of the BLAKE3 of its path.
//!
//! | key | value |
//! | --- | --- |
//! | `d`, number | the folder key whose files the root holds, or nothing for a `models` folder; NUL; the root's path |
//! | `f`, number, path below the root with `/` | the row |
//!
//! A row: version (1); flags (1 id, 2 SHA-256, 4 quick hash, 8 absent, 16 read too soon after a write to be sure of the
//! stamp); device, inode, size (8 bytes each, little endian), modified, changed (nanoseconds since 1970, likewise); then the digests
//! that the flags name, 32 bytes each, in the order of the flags.
//!
//! A row a file, not one for a folder: two programs that index at once then lose nothing of each other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::{QuickHash, Sha256};
use crate::object::ObjectId;
use crate::platform::identity::FileStamp;

use super::roots::{Holds, ModelRoot};

/// A model file that the index knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedFile {
    pub root: Arc<ModelRoot>,
    /// Below the root, with `/`.
    pub path: String,
    /// As it was when its digests were taken.
    pub stamp: FileStamp,
    pub quick: Option<QuickHash>,
    pub id: Option<ObjectId>,
    pub sha256: Option<Sha256>,
    pub state: FileState,
}

/// What an update found. Of files that were not looked for now, `Unchanged` says present at the last update and
/// `Removed` absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    New,
    Changed,
    Unchanged,
    /// Known, but not there any more.
    Removed,
}

impl FileState {
    pub fn as_str(self) -> &'static str {
        match self {
            FileState::New => "new",
            FileState::Changed => "changed",
            FileState::Unchanged => "unchanged",
            FileState::Removed => "removed",
        }
    }
}

impl IndexedFile {
    /// The file on this machine.
    pub fn file(&self) -> PathBuf {
        file_below(&self.root.directory, &self.path)
    }

    /// Where ComfyUI sees it below `models/`: `directory/below/name`.
    pub fn place(&self) -> String {
        self.root.place(&self.path)
    }

    /// The last name of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    pub fn size(&self) -> u64 {
        self.stamp.size
    }

    pub fn is_present(&self) -> bool {
        self.state != FileState::Removed
    }
}

/// A path with `/` below a folder, in the system's form.
pub(super) fn file_below(root: &Path, path: &str) -> PathBuf {
    let mut file = root.to_owned();
    file.extend(path.split('/'));
    file
}

/// A row's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub stamp: FileStamp,
    pub quick: Option<QuickHash>,
    pub id: Option<ObjectId>,
    pub sha256: Option<Sha256>,
    pub absent: bool,
    /// The stamp may hide a later write, so the file is read again the next time.
    pub racy: bool,
}

const VERSION: u8 = 1;

impl Record {
    pub fn encode(&self) -> Vec<u8> {
        let digests = [self.id.map(|id| id.0), self.sha256.map(|hash| hash.0), self.quick.map(|hash| hash.0)];
        let mut flags = u8::from(self.absent) << 3 | u8::from(self.racy) << 4;
        for (bit, digest) in digests.iter().enumerate() {
            flags |= u8::from(digest.is_some()) << bit;
        }
        let mut value = Vec::with_capacity(42 + 3 * 32);
        value.extend_from_slice(&[VERSION, flags]);
        for number in [self.stamp.device, self.stamp.inode, self.stamp.size] {
            value.extend_from_slice(&number.to_le_bytes());
        }
        for time in [self.stamp.modified, self.stamp.changed] {
            value.extend_from_slice(&time.to_le_bytes());
        }
        digests.into_iter().flatten().for_each(|digest| value.extend_from_slice(&digest));
        value
    }

    /// Nothing for a row of another version: the file is then new.
    pub fn decode(value: &[u8]) -> Option<Record> {
        let (&[version, flags], rest) = value.split_first_chunk()?;
        if version != VERSION {
            return None;
        }
        let (numbers, mut rest) = rest.split_first_chunk::<40>()?;
        let (numbers, _) = numbers.as_chunks::<8>();
        let unsigned = |at: usize| u64::from_le_bytes(numbers[at]);
        let signed = |at: usize| i64::from_le_bytes(numbers[at]);
        let mut digest = |bit: u8| -> Option<Option<[u8; 32]>> {
            if flags & bit == 0 {
                return Some(None);
            }
            let (digest, after) = rest.split_first_chunk::<32>()?;
            rest = after;
            Some(Some(*digest))
        };
        Some(Record {
            id: digest(1)?.map(ObjectId),
            sha256: digest(2)?.map(Sha256),
            quick: digest(4)?.map(QuickHash),
            absent: flags & 8 != 0,
            racy: flags & 16 != 0,
            stamp: FileStamp {
                device: unsigned(0),
                inode: unsigned(1),
                size: unsigned(2),
                modified: signed(3),
                changed: signed(4),
            },
        })
    }
}

/// A root's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RootNumber([u8; 8]);

impl RootNumber {
    pub fn of(directory: &Path) -> Self {
        let hash = blake3::hash(directory.as_os_str().as_encoded_bytes());
        let mut number = [0; 8];
        number.copy_from_slice(&hash.as_bytes()[..8]);
        RootNumber(number)
    }

    /// The key of the row that names the root.
    pub fn directory_key(self) -> Vec<u8> {
        [b"d".as_slice(), &self.0].concat()
    }

    /// What the keys of all rows of the root begin with.
    pub fn files_prefix(self) -> Vec<u8> {
        [b"f".as_slice(), &self.0].concat()
    }

    pub fn file_key(self, path: &str) -> Vec<u8> {
        [b"f".as_slice(), &self.0, path.as_bytes()].concat()
    }
}

/// The value of a row that names a root.
pub(super) fn encode_root(root: &ModelRoot) -> Vec<u8> {
    let key = match &root.holds {
        Holds::Directories => "",
        Holds::Folder(key) => key,
    };
    [key.as_bytes(), b"\0", root.directory.as_os_str().as_encoded_bytes()].concat()
}

/// Nothing for a row that this program did not write, or a path that is not UTF-8.
pub(super) fn decode_root(value: &[u8]) -> Option<ModelRoot> {
    let (key, directory) = std::str::from_utf8(value).ok()?.split_once('\0')?;
    let holds = if key.is_empty() { Holds::Directories } else { Holds::Folder(key.to_owned()) };
    Some(ModelRoot { directory: PathBuf::from(directory), holds })
}

/// Length of [`RootNumber::files_prefix`].
pub(super) const PREFIX: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The row in `docs/formats.md` is the row that is written.
    #[test]
    fn the_documented_row_is_what_is_written() {
        let formats = include_str!("../../docs/formats.md");
        let (_, rest) = formats.split_once("```hex model-file\n").unwrap();
        let lines = rest.split_once("```").unwrap().0.lines();
        let hex: Vec<String> = lines.map(|line| line.split("  ").next().unwrap().replace(' ', "")).collect();
        let number = RootNumber::of(Path::new("/models"));
        let record = Record {
            stamp: FileStamp { device: 2049, inode: 77, size: 5, modified: 1_700_000_000_000_000_000, changed: -1 },
            quick: Some(QuickHash([0xab; 32])),
            id: None,
            sha256: None,
            absent: false,
            racy: true,
        };
        let written = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(written(number.file_key("vae/a.pt")), hex[..3].concat());
        assert_eq!(written(record.encode()), hex[3..].concat());
    }

    proptest! {
        #[test]
        fn a_row_survives_its_encoding(
            numbers in any::<[u64; 3]>(), times in any::<[i64; 2]>(), quick in any::<Option<[u8; 32]>>(),
            id in any::<Option<[u8; 32]>>(), sha256 in any::<Option<[u8; 32]>>(), absent in any::<bool>(), racy in any::<bool>(),
        ) {
            let [device, inode, size] = numbers;
            let stamp = FileStamp { device, inode, size, modified: times[0], changed: times[1] };
            let record = Record {
                stamp, quick: quick.map(QuickHash), id: id.map(ObjectId), sha256: sha256.map(Sha256), absent, racy,
            };
            prop_assert_eq!(Record::decode(&record.encode()), Some(record));
        }

        #[test]
        fn any_bytes_are_a_row_or_none(bytes in prop::collection::vec(any::<u8>(), 0..150)) {
            let _ = Record::decode(&bytes);
        }
    }
}
