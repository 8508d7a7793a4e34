//! Values to bytes and back, and the id of each.
//!
//! A blob is its bytes and its id their BLAKE3. A tree, snapshot or operation is one version byte followed by
//! the postcard form of its struct (<https://postcard.jamesmunns.com/wire-format>); its id is BLAKE3 in derive-key mode
//! under a context string for kind and version, so that no blob can pose as one. One value has exactly one encoding:
//! the decoder encodes what it read and compares.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Entry, ObjectId, Operation, Snapshot, Tree, TreeError};

/// The four kinds of object. The numbers are part of the on-disk formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Kind {
    Blob = 1,
    Tree = 2,
    Snapshot = 3,
    Operation = 4,
}

/// The version byte that every encoding of today begins with.
const VERSION: u8 = 1;

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Blob, Kind::Tree, Kind::Snapshot, Kind::Operation];

    pub fn from_number(number: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Blob => "blob",
            Kind::Tree => "tree",
            Kind::Snapshot => "snapshot",
            Kind::Operation => "operation",
        }
    }

    /// The derive-key context; a blob has none.
    fn context(self) -> Option<&'static str> {
        match self {
            Kind::Blob => None,
            Kind::Tree => Some("comfrey 2026-11-20 object tree v1"),
            Kind::Snapshot => Some("comfrey 2026-11-20 object snapshot v1"),
            Kind::Operation => Some("comfrey 2026-11-20 object operation v1"),
        }
    }

    /// A hasher whose output over an object's bytes is the object's id.
    pub fn hasher(self) -> blake3::Hasher {
        match self.context() {
            None => blake3::Hasher::new(),
            Some(context) => blake3::Hasher::new_derive_key(context),
        }
    }

    /// The id of the object with this kind and these bytes.
    pub fn id_of(self, bytes: &[u8]) -> ObjectId {
        ObjectId(*self.hasher().update(bytes).finalize().as_bytes())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a kind of object: blob, tree, snapshot or operation is wanted"))
    }
}

/// Why bytes are not the encoding of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("a {0} of no bytes")]
    Empty(Kind),
    #[error("a {kind} of version {version}, which this program does not know")]
    Version { kind: Kind, version: u8 },
    #[error("not the encoding of a {kind}: {reason}")]
    Malformed { kind: Kind, reason: String },
    #[error("not the one encoding of its {0}")]
    NotCanonical(Kind),
    #[error("not a tree: {0}")]
    Tree(#[from] TreeError),
}

/// A value with a canonical encoding.
pub trait Encoded: Sized {
    const KIND: Kind;

    /// The one encoding of this value.
    fn encode(&self) -> Vec<u8>;

    /// Reads a value; refuses every sequence of bytes but the one that `encode` makes.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;

    fn id(&self) -> ObjectId {
        Self::KIND.id_of(&self.encode())
    }
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Postcard fails only for sequences of unknown length and for a failing writer; neither occurs.
    postcard::to_extend(value, vec![VERSION]).expect("structs of known length into a Vec")
}

fn decode<T: for<'de> Deserialize<'de>>(kind: Kind, bytes: &[u8]) -> Result<T, DecodeError> {
    let (&version, rest) = bytes.split_first().ok_or(DecodeError::Empty(kind))?;
    if version != VERSION {
        return Err(DecodeError::Version { kind, version });
    }
    postcard::from_bytes(rest).map_err(|e| DecodeError::Malformed { kind, reason: e.to_string() })
}

fn canonical<T: Encoded>(value: T, bytes: &[u8]) -> Result<T, DecodeError> {
    if value.encode() == bytes { Ok(value) } else { Err(DecodeError::NotCanonical(T::KIND)) }
}

impl Encoded for Tree {
    const KIND: Kind = Kind::Tree;

    fn encode(&self) -> Vec<u8> {
        encode(&self.entries())
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let entries: Vec<Entry> = decode(Kind::Tree, bytes)?;
        canonical(Tree::from_sorted(entries)?, bytes)
    }
}

impl Encoded for Snapshot {
    const KIND: Kind = Kind::Snapshot;

    fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        canonical(decode(Kind::Snapshot, bytes)?, bytes)
    }
}

impl Encoded for Operation {
    const KIND: Kind = Kind::Operation;

    fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        canonical(decode(Kind::Operation, bytes)?, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{EntryKind, EntryName, RefTarget, Time};
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = Entry> {
        let kinds = [EntryKind::File, EntryKind::Executable, EntryKind::Symlink, EntryKind::Tree, EntryKind::Model];
        ("[a-zA-Z0-9 ._äß-]{1,12}", prop::sample::select(kinds.to_vec()), any::<[u8; 32]>(), any::<u64>())
            .prop_filter_map("a valid name", |(name, kind, id, size)| {
                Some(Entry { name: EntryName::new(name).ok()?, kind, id: ObjectId(id), size })
            })
    }

    proptest! {
        #[test]
        fn a_tree_survives_its_encoding(entries in prop::collection::vec(entry(), 0..20)) {
            if let Ok(tree) = Tree::new(entries) {
                prop_assert_eq!(Tree::decode(&tree.encode()), Ok(tree));
            }
        }

        #[test]
        fn only_one_sequence_of_bytes_decodes_to_a_tree(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(tree) = Tree::decode(&bytes) {
                prop_assert_eq!(tree.encode(), bytes);
            }
        }

        #[test]
        fn a_snapshot_survives_its_encoding(
            tree in any::<[u8; 32]>(), parents in prop::collection::vec(any::<[u8; 32]>(), 0..3),
            message in ".{0,40}", milliseconds in any::<i64>(), offset_minutes in any::<i16>(),
        ) {
            let snapshot = Snapshot {
                tree: ObjectId(tree), parents: parents.into_iter().map(ObjectId).collect(), environment: "e".into(),
                author: "a".into(), time: Time { milliseconds, offset_minutes }, message, tool: "t".into(),
            };
            prop_assert_eq!(Snapshot::decode(&snapshot.encode()), Ok(snapshot));
        }
    }

    #[test]
    fn trailing_bytes_unknown_versions_and_overlong_numbers_are_refused() {
        let empty = Tree::default().encode();
        assert_eq!(empty, [1, 0]);
        assert!(Tree::decode(&[1, 0, 0]).is_err());
        assert_eq!(Tree::decode(&[1, 0x80, 0]), Err(DecodeError::NotCanonical(Kind::Tree)));
        assert_eq!(Tree::decode(&[2, 0]), Err(DecodeError::Version { kind: Kind::Tree, version: 2 }));
        assert_eq!(Tree::decode(&[]), Err(DecodeError::Empty(Kind::Tree)));
    }

    #[test]
    fn a_blob_cannot_pose_as_a_tree() {
        let bytes = Tree::default().encode();
        assert_ne!(Kind::Blob.id_of(&bytes), Tree::default().id());
    }

    #[test]
    fn an_operation_survives_its_encoding() {
        let id = ObjectId::of_blob(b"x");
        let operation = Operation {
            parent: Some(id),
            command: "commit -m x".into(),
            author: "a".into(),
            time: Time { milliseconds: 1, offset_minutes: 0 },
            refs: [("e/HEAD".to_owned(), RefTarget::Symbolic("e/heads/main".into()))].into(),
            restore_points: [("e".to_owned(), id)].into(),
            undoes: None,
        };
        assert_eq!(Operation::decode(&operation.encode()), Ok(operation));
    }
}
