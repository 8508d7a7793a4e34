//! Which hashes are asked for, and the answer.

use std::num::NonZeroUsize;

use crate::object::ObjectId;
use crate::platform::identity::FileStamp;

use super::{QuickHash, Sha256};

/// Which hashes to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// BLAKE3 of the bytes: the blob's id.
    pub id: bool,
    pub sha256: bool,
    pub quick: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted { id: true, sha256: false, quick: false }
    }
}

impl Wanted {
    /// The object id alone.
    pub const ID: Wanted = Wanted { id: true, sha256: false, quick: false };
    /// The quick hash alone, which reads at most 15 MiB.
    pub const QUICK: Wanted = Wanted { id: false, sha256: false, quick: true };
}

/// How many threads one file may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Threads {
    /// As many as the machine has cores.
    #[default]
    All,
    /// The caller's own, because the caller is one of many.
    One,
    Exactly(NonZeroUsize),
}

impl Threads {
    /// The number meant, at least one.
    pub fn count(self) -> usize {
        match self {
            Threads::All => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            Threads::One => 1,
            Threads::Exactly(count) => count.get(),
        }
    }
}

/// The hashes of a file that did not change while it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    /// Bytes.
    pub size: u64,
    pub id: Option<ObjectId>,
    pub sha256: Option<Sha256>,
    pub quick: Option<QuickHash>,
    /// What the file system said of the file both before and after.
    pub stamp: FileStamp,
}

/// The hashes of a stream. A stream cannot be sampled, so there is no quick hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamDigests {
    /// Bytes.
    pub size: u64,
    pub id: Option<ObjectId>,
    pub sha256: Option<Sha256>,
}
