//! The small tables of the index, by name.

use redb::TableDefinition;

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
