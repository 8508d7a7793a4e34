//! Small tables for the floors above: bytes to bytes, sorted by key, in the same index.

use redb::TableDefinition;

use super::Result;
use super::index::{Change, Index, Row};

/// The tables there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordTable {
    /// Model files on disk, by path.
    ModelFiles,
    /// Places where objects can be had: URLs and paths, by id.
    Sources,
    /// Environments of the workspace, by name.
    Environments,
    /// SHA-256 to object ids.
    BySha256,
    /// Quick hash to object ids.
    ByQuickHash,
    /// Derived facts that can be computed again.
    Caches,
    /// Objects found unreachable, by id, with the time of that.
    GarbageMarks,
    /// When each object's contents were last read and found right, by id.
    Checked,
    /// What was fetched from outside, by where it came from. The first 32 bytes of a value are the tree that holds it, the next 8 the time
    /// of its last use (milliseconds since 1970, little endian); so long as that counts, the tree is needed.
    Fetched,
}

impl RecordTable {
    pub const ALL: [RecordTable; 9] = [
        RecordTable::ModelFiles,
        RecordTable::Sources,
        RecordTable::Environments,
        RecordTable::BySha256,
        RecordTable::ByQuickHash,
        RecordTable::Caches,
        RecordTable::GarbageMarks,
        RecordTable::Checked,
        RecordTable::Fetched,
    ];

    pub(super) fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(match self {
            RecordTable::ModelFiles => "model_files",
            RecordTable::Sources => "sources",
            RecordTable::Environments => "environments",
            RecordTable::BySha256 => "by_sha256",
            RecordTable::ByQuickHash => "by_quick_hash",
            RecordTable::Caches => "caches",
            RecordTable::GarbageMarks => "garbage_marks",
            RecordTable::Checked => "checked",
            RecordTable::Fetched => "fetched",
        })
    }
}

/// One table of one store.
pub struct Records<'a> {
    pub(super) index: &'a Index,
    pub(super) table: RecordTable,
}

impl Records<'_> {
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.index.record(self.table, key)
    }

    /// Records whose keys begin with `prefix` (an empty one: all), in the order of their keys.
    pub fn range(&self, prefix: &[u8]) -> Result<Vec<Row>> {
        self.index.records(self.table, prefix)
    }

    /// The same one by one, without a copy: for tables of many rows. `visit` must be quick, and not use the store.
    pub fn visit(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        self.index.visit_records(self.table, prefix, visit)
    }

    /// Sets (`Some`) and removes (`None`) records in one durable commit.
    pub fn apply(&self, changes: Vec<Change>) -> Result<()> {
        self.index.change_records(self.table, changes)
    }
}
