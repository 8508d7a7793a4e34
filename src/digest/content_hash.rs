//! The hash of a whole file together with its kind, as it is typed: `sha256:HEX`, `blake3:HEX`, or an id alone.

use std::fmt;
use std::str::FromStr;

use crate::object::ObjectId;

use super::{Sha256, StreamDigests};

/// A hash that names one content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentHash {
    /// An object id: BLAKE3.
    Blake3(ObjectId),
    Sha256(Sha256),
}

/// Text that should be such a hash and is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no hash: an id of 64 hexadecimal digits is wanted, or sha256: and 64 of them")]
pub struct NoContentHash(String);

impl ContentHash {
    /// The hash of the same kind among `digests`.
    pub fn same_kind(&self, digests: &StreamDigests) -> Option<ContentHash> {
        match self {
            ContentHash::Blake3(_) => digests.id.map(ContentHash::Blake3),
            ContentHash::Sha256(_) => digests.sha256.map(ContentHash::Sha256),
        }
    }
}

impl FromStr for ContentHash {
    type Err = NoContentHash;

    fn from_str(text: &str) -> Result<Self, NoContentHash> {
        let (kind, digits) = text.trim().split_once(':').unwrap_or(("blake3", text.trim()));
        let hash = match kind.to_ascii_lowercase().as_str() {
            "blake3" => digits.parse().ok().map(ContentHash::Blake3),
            "sha256" => digits.parse().ok().map(ContentHash::Sha256),
            _ => None,
        };
        hash.ok_or_else(|| NoContentHash(text.to_owned()))
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ContentHash::Blake3(id) => write!(f, "blake3:{id}"),
            ContentHash::Sha256(hash) => write!(f, "sha256:{hash}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_typed_with_its_kind_or_as_an_id() {
        let digits = "AB".repeat(32);
        let (id, sha256) = (ObjectId([0xab; 32]), Sha256([0xab; 32]));
        assert_eq!(digits.parse(), Ok(ContentHash::Blake3(id)));
        assert_eq!(format!("blake3:{digits}").parse(), Ok(ContentHash::Blake3(id)));
        assert_eq!(format!("SHA256:{digits}").parse(), Ok(ContentHash::Sha256(sha256)));
        for hash in [ContentHash::Blake3(id), ContentHash::Sha256(sha256)] {
            assert_eq!(hash.to_string().parse(), Ok(hash));
        }
        for text in ["", "abcd", "md5:00", "sha256:", "sha256:abcd", &format!("sha1:{digits}")] {
            assert!(text.parse::<ContentHash>().is_err(), "{text}");
        }
    }
}
