//! The SHA-256 of blobs, under which model hosts know them. A row says that somebody of us computed both hashes of the same bytes.

use super::{RecordTable, Result, Store};
use crate::digest::Sha256;
use crate::object::ObjectId;

impl Store {
    /// The id of the blob with this SHA-256, if it is known. Whether the store has the blob is another question.
    pub fn id_of_sha256(&self, sha256: &Sha256) -> Result<Option<ObjectId>> {
        let row = self.records(RecordTable::BySha256).get(&sha256.0)?;
        Ok(row.and_then(|id| id.try_into().ok()).map(ObjectId))
    }

    /// Remembers that both hashes are those of the same bytes.
    pub fn remember_sha256(&self, sha256: &Sha256, id: &ObjectId) -> Result<()> {
        if self.id_of_sha256(sha256)?.as_ref() == Some(id) {
            return Ok(());
        }
        self.records(RecordTable::BySha256).apply(vec![(sha256.0.to_vec(), Some(id.0.to_vec()))])
    }
}
