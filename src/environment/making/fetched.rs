//! What was fetched from outside, remembered by where it came from, so that it need not be fetched again.
//!
//! A memory, nothing more: whoever uses it looks whether the tree is still there as a whole, and fetches again where it is not.

use serde::{Deserialize, Serialize};

use crate::object::{ObjectId, Time};
use crate::store::RecordTable;
use crate::store::{self, Store};
use crate::worktree::{self, Needed, is_held};

/// Something fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub tree: ObjectId,
    /// When it was last used.
    pub used: Time,
    pub what: What,
}

/// What is known of it beside its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct What {
    /// The git commit.
    pub commit: Option<String>,
    /// The branch or tag.
    pub reference: Option<String>,
    /// True for what may mean another commit tomorrow: a branch, or the newest release.
    pub moves: bool,
}

/// The memory of one kind of things, such as `comfyui`.
pub struct Memory<'a> {
    pub store: &'a Store,
    pub kind: &'static str,
}

impl Memory<'_> {
    /// What was fetched from `place` (an address) as `name`, if it is still there as a whole.
    pub fn get(&self, place: &str, name: &str) -> Result<Option<Fetched>, worktree::Error> {
        let Some(value) = self.store.records(RecordTable::Fetched).get(&self.key(place, name))? else {
            return Ok(None);
        };
        let Some(found) = decode(&value) else { return Ok(None) };
        Ok(is_held(self.store, &found.tree, Needed::AllButModels)?.then_some(found))
    }

    /// Remembers it, also for that it was used now.
    pub fn put(&self, place: &str, name: &str, fetched: &Fetched) -> store::Result<()> {
        let change = (self.key(place, name), Some(encode(fetched)));
        self.store.records(RecordTable::Fetched).apply(vec![change])
    }

    fn key(&self, place: &str, name: &str) -> Vec<u8> {
        [self.kind, place, name].join("\0").into_bytes()
    }
}

fn encode(fetched: &Fetched) -> Vec<u8> {
    let mut value = fetched.tree.0.to_vec();
    value.extend_from_slice(&fetched.used.milliseconds.to_le_bytes());
    // A struct of texts always becomes JSON.
    value.extend(serde_json::to_vec(&fetched.what).unwrap_or_default());
    value
}

fn decode(value: &[u8]) -> Option<Fetched> {
    let (tree, rest) = value.split_first_chunk::<32>()?;
    let (used, what) = rest.split_first_chunk::<8>()?;
    Some(Fetched {
        tree: ObjectId(*tree),
        used: Time { milliseconds: i64::from_le_bytes(*used), offset_minutes: 0 },
        what: serde_json::from_slice(what).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Encoded, Kind, Tree};

    #[test]
    fn what_was_fetched_is_remembered_as_long_as_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(&dir.path().join("s")).unwrap();
        let memory = Memory { store: &store, kind: "comfyui" };
        let what = What { commit: Some("abc".into()), reference: None, moves: true };
        let used = Time { milliseconds: 7, offset_minutes: 0 };
        let fetched = Fetched { tree: Tree::default().id(), used, what };
        memory.put("https://example.org", "main", &fetched).unwrap();
        assert_eq!(memory.get("https://example.org", "main").unwrap(), None);
        let writer = store.writer().unwrap();
        writer.put(Kind::Tree, &Tree::default().encode()).unwrap();
        writer.publish().unwrap();
        assert_eq!(memory.get("https://example.org", "main").unwrap(), Some(fetched));
        assert_eq!(memory.get("https://example.org", "other").unwrap(), None);
    }
}
