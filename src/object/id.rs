//! Object ids: BLAKE3-256, written as 64 lower-case hex digits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of an object: BLAKE3-256. For a blob simply the BLAKE3 of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(pub [u8; 32]);

/// Text that should be an id or a prefix of one and is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("`{0}` is not an object id: 64 hexadecimal digits are wanted")]
    NotAnId(String),
    #[error("`{0}` is no prefix of an object id: 4 to 64 hexadecimal digits are wanted")]
    NotAPrefix(String),
}

impl ObjectId {
    /// The id of a blob with these bytes.
    pub fn of_blob(bytes: &[u8]) -> Self {
        ObjectId(*blake3::hash(bytes).as_bytes())
    }

    /// 64 lower-case hex digits.
    pub fn to_hex(&self) -> String {
        self.hex_digits().iter().copied().map(char::from).collect()
    }

    /// The same as ASCII bytes, for who writes many.
    pub fn hex_digits(&self) -> [u8; 64] {
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        digits
    }

    /// The first ten digits, for people; not guaranteed to be unique.
    pub fn short(&self) -> String {
        self.to_hex()[..10].to_owned()
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.short())
    }
}

impl FromStr for ObjectId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError::NotAnId(text.to_owned());
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = (digit(pair[0]).ok_or_else(wrong)?, digit(pair[1]).ok_or_else(wrong)?);
            *byte = high << 4 | low;
        }
        Ok(ObjectId(bytes))
    }
}

/// Hex text where a person may read it (JSON, TOML), 32 plain bytes elsewhere (postcard).
impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&self.to_hex())
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            Ok(ObjectId(<[u8; 32]>::deserialize(deserializer)?))
        }
    }
}

/// The first digits of an id, at least four.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPrefix(String);

impl IdPrefix {
    /// The digits, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when `id` begins with these digits.
    pub fn matches(&self, id: &ObjectId) -> bool {
        id.to_hex().starts_with(&self.0)
    }

    /// The smallest and the largest id with this prefix, for a range scan.
    pub fn range(&self) -> (ObjectId, ObjectId) {
        let fill = |with: char| {
            let text: String = self.0.chars().chain(std::iter::repeat(with)).take(64).collect();
            text.parse().unwrap_or(ObjectId([0; 32])) // 64 hex digits by construction
        };
        (fill('0'), fill('f'))
    }
}

impl FromStr for IdPrefix {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if (4..=64).contains(&text.len()) && text.bytes().all(|b| digit(b).is_some()) {
            Ok(IdPrefix(text.to_ascii_lowercase()))
        } else {
            Err(IdError::NotAPrefix(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_form() {
        let id = ObjectId::of_blob(b"comfrey");
        assert_eq!(id.to_hex().parse::<ObjectId>(), Ok(id));
        assert_eq!(id.to_hex().to_uppercase().parse::<ObjectId>(), Ok(id));
    }

    #[test]
    fn a_blob_id_is_what_b3sum_prints() {
        let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(ObjectId::of_blob(b"").to_hex(), empty);
    }

    #[test]
    fn text_that_is_no_id_is_refused() {
        for text in ["", "abc", &"g".repeat(64), &"a".repeat(63), &"a".repeat(65), "é"] {
            assert!(text.parse::<ObjectId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_prefix_wants_four_digits_and_spans_its_range() {
        assert!("abc".parse::<IdPrefix>().is_err());
        let prefix: IdPrefix = "ABCd1".parse().unwrap();
        let (low, high) = prefix.range();
        assert!(prefix.matches(&low) && prefix.matches(&high) && low < high);
        assert!(!prefix.matches(&ObjectId([0; 32])));
    }
}
