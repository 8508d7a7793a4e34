//! Small tables for the floors above: bytes to bytes, sorted by key, in the same index.

use super::Result;
use super::index::{Change, Index, Row};
use super::tables::RecordTable;

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
