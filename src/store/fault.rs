//! Something that is wrong with a store, and who needs what is wrong.

use std::path::PathBuf;

use crate::object::{Kind, ObjectId};

/// Something that is wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    pub what: What,
    /// The object, unless a file as a whole is meant.
    pub id: Option<ObjectId>,
    pub kind: Option<Kind>,
    pub file: Option<PathBuf>,
    pub reason: String,
    pub needed_by: Vec<NeededBy>,
    /// What `--repair` did about it.
    pub repaired: Option<String>,
}

/// Sorts of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The file that says what sort of store it is.
    Format,
    /// The index cannot be used, or names what is not there.
    Index,
    /// A segment file is not as it should be.
    Segment,
    /// An object's bytes are wrong or gone.
    Damaged,
    /// An object that is needed is not in the store.
    Missing,
    /// A user's file that served as an object's place has other bytes.
    Changed,
}

impl What {
    pub fn as_str(self) -> &'static str {
        match self {
            What::Format => "format",
            What::Index => "index",
            What::Segment => "segment",
            What::Damaged => "damaged",
            What::Missing => "missing",
            What::Changed => "changed",
        }
    }
}

/// Who needs an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeededBy {
    /// `ref NAME`, `restore point of ENVIRONMENT`, or `operation ID`; what belongs to an older operation says so.
    pub name: String,
    /// The newest snapshot below it that needs the object.
    pub snapshot: Option<ObjectId>,
    /// How many snapshots below it do.
    pub snapshots: u64,
    /// The path in those snapshots; empty for the snapshot or its root.
    pub path: String,
}
