//! Hashes as workflows declare them (`properties.models[].hash`, with a `hash_type`).
//!
//! Kinds and lengths are those of model hosts: SHA256 and BLAKE3 have 64 hex digits, AutoV2 is the first 10 of the SHA-256, AutoV3
//! the first 12 of the SHA-256 of a safetensors file's tensors, AutoV1 and CRC32 have 8. Short ones can collide.

use crate::digest::Sha256;
use crate::models::IndexedFile;
use crate::object::ObjectId;
use crate::workflow::Declared;

/// A declared hash, as far as it can be compared with what the index knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredHash {
    Sha256(Sha256),
    Blake3(ObjectId),
    /// The first digits of a SHA-256 or BLAKE3, in lower case. Confirms what other evidence says, and proves nothing alone.
    Short(ShortOf, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShortOf {
    Sha256,
    Blake3,
}

impl DeclaredHash {
    /// The hash of a declaration; nothing for kinds that say nothing of a whole file's bytes (AutoV1, AutoV3, CRC32), and for
    /// what is no hash.
    pub fn of(declared: &Declared) -> Option<Self> {
        let digits = declared.hash.as_deref()?.trim().to_ascii_lowercase();
        let digits = digits.strip_prefix("0x").unwrap_or(&digits);
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let kind = declared.hash_type.as_deref().unwrap_or_default().to_ascii_lowercase();
        let kind: String = kind.chars().filter(char::is_ascii_alphanumeric).collect();
        match (kind.as_str(), digits.len()) {
            ("sha256" | "", 64) => digits.parse().ok().map(DeclaredHash::Sha256),
            ("blake3", 64) => digits.parse().ok().map(DeclaredHash::Blake3),
            ("sha256" | "autov2", 8..64) | ("", 10) => Some(DeclaredHash::Short(ShortOf::Sha256, digits.to_owned())),
            ("blake3", 8..64) => Some(DeclaredHash::Short(ShortOf::Blake3, digits.to_owned())),
            _ => None,
        }
    }

    /// Whether a file has this hash; nothing while what is known of the file cannot tell.
    pub fn fits(&self, file: &IndexedFile) -> Option<bool> {
        match self {
            DeclaredHash::Sha256(wanted) => Some(file.sha256? == *wanted),
            DeclaredHash::Blake3(wanted) => Some(file.id? == *wanted),
            DeclaredHash::Short(ShortOf::Sha256, digits) => Some(file.sha256?.to_hex().starts_with(digits)),
            DeclaredHash::Short(ShortOf::Blake3, digits) => Some(file.id?.to_hex().starts_with(digits)),
        }
    }

    /// True where a file's SHA-256 has to be known to compare them.
    pub fn is_of_sha256(&self) -> bool {
        matches!(self, DeclaredHash::Sha256(_) | DeclaredHash::Short(ShortOf::Sha256, _))
    }

    /// True for a hash that names one content for all purposes.
    pub fn is_whole(&self) -> bool {
        !matches!(self, DeclaredHash::Short(..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(digits: &str, kind: Option<&str>) -> Option<DeclaredHash> {
        let (hash, hash_type) = (Some(digits.to_owned()), kind.map(str::to_owned));
        DeclaredHash::of(&Declared { hash, hash_type, ..Declared::default() })
    }

    #[test]
    fn kinds_are_told_by_their_name_and_by_their_length() {
        let long = "AB".repeat(32);
        assert!(matches!(hash(&long, Some("SHA256")), Some(DeclaredHash::Sha256(_))));
        assert!(matches!(hash(&long, None), Some(DeclaredHash::Sha256(_))));
        assert!(matches!(hash(&long, Some("BLAKE3")), Some(DeclaredHash::Blake3(_))));
        let short = Some(DeclaredHash::Short(ShortOf::Sha256, "abcdef0123".into()));
        assert_eq!(hash("ABCDEF0123", Some("AutoV2")), short);
        assert_eq!(hash("0xabcdef0123", None), short);
        assert_eq!(hash("abcdef01", Some("CRC32")), None);
        assert_eq!(hash("abcdef012345", Some("AutoV3")), None);
        assert_eq!(hash("no hash", Some("SHA256")), None);
        assert_eq!(hash("", None), None);
    }
}
