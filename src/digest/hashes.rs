//! Hashes as values: 64 hex digits where a person reads them, plain bytes elsewhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::object::ObjectId;

/// Text that should be a hash and is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}: {digits} hexadecimal digits are wanted")]
pub struct HashError {
    text: String,
    what: &'static str,
    digits: usize,
}

macro_rules! hash {
    ($(#[$about:meta])* $name:ident, $what:literal) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// 64 lower-case hex digits.
            pub fn to_hex(&self) -> String {
                ObjectId(self.0).to_hex()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex()[..10])
            }
        }

        impl FromStr for $name {
            type Err = HashError;

            fn from_str(text: &str) -> Result<Self, HashError> {
                match text.parse::<ObjectId>() {
                    Ok(id) => Ok($name(id.0)),
                    Err(_) => Err(HashError { text: text.to_owned(), what: $what, digits: 64 }),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                ObjectId(self.0).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok($name(ObjectId::deserialize(deserializer)?.0))
            }
        }
    };
}

hash! {
    /// SHA-256 of a file's bytes, as model hosts publish it.
    Sha256, "SHA-256"
}

hash! {
    /// A hash of a file's size and three samples; finds candidates, never proves identity. See [`super::quick`].
    QuickHash, "quick hash"
}

/// The sampled id that ComfyGit gives a model: 16 lower-case hex digits. See [`super::comfygit`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ComfyGitId(String);

impl ComfyGitId {
    pub(super) fn from_bits(bits: u64) -> Self {
        ComfyGitId(format!("{bits:016x}"))
    }

    /// The 16 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ComfyGitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ComfyGitId {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        if text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(ComfyGitId(text.to_ascii_lowercase()))
        } else {
            Err(HashError { text: text.to_owned(), what: "ComfyGit id", digits: 16 })
        }
    }
}

impl TryFrom<String> for ComfyGitId {
    type Error = HashError;

    fn try_from(text: String) -> Result<Self, HashError> {
        text.parse()
    }
}

impl From<ComfyGitId> for String {
    fn from(id: ComfyGitId) -> String {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_hex_for_people_and_bytes_elsewhere() {
        let hash = Sha256([0xab; 32]);
        let json = serde_json::to_string(&hash).unwrap();
        assert_eq!(json, format!("\"{}\"", "ab".repeat(32)));
        assert_eq!(serde_json::from_str::<Sha256>(&json).unwrap(), hash);
        let bytes = postcard::to_stdvec(&hash).unwrap();
        assert_eq!(bytes, [0xab; 32]);
        assert_eq!(postcard::from_bytes::<Sha256>(&bytes).unwrap(), hash);
        assert_eq!(hash.to_hex().to_uppercase().parse(), Ok(hash));
    }

    #[test]
    fn text_that_is_no_hash_is_refused_by_the_name_of_what_was_wanted() {
        let error = "12".parse::<QuickHash>().unwrap_err().to_string();
        assert_eq!(error, "`12` is not a quick hash: 64 hexadecimal digits are wanted");
        assert!("12345678901234g6".parse::<ComfyGitId>().is_err());
        assert!(serde_json::from_str::<ComfyGitId>("\"12\"").is_err());
        assert_eq!("CE8F15881282A400".parse::<ComfyGitId>().unwrap().as_str(), "ce8f15881282a400");
    }
}
