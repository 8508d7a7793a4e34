//! A short name for the inputs of a node class: two packages that use one class name are told apart by it.
//!
//! The form is that of comfygit's registry data: required and optional inputs, sorted by name, each as `name:TYPE`, joined by
//! `|`, SHA-1, the first 8 hex digits. A list of choices has the type `COMBO`. It is a key to look up, nothing to rely on.

use std::fmt;
use std::str::FromStr;

use sha1::{Digest, Sha1};

/// The first four bytes of that hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature([u8; 4]);

impl Signature {
    /// The signature of inputs with their types, in any order.
    pub fn of<'a>(inputs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut inputs: Vec<_> = inputs.into_iter().collect();
        inputs.sort_unstable();
        let declared: Vec<_> = inputs.into_iter().map(|(name, kind)| format!("{name}:{kind}")).collect();
        let hash = Sha1::digest(declared.join("|"));
        Signature([hash[0], hash[1], hash[2], hash[3]])
    }

    pub fn from_bytes(bytes: [u8; 4]) -> Self {
        Signature(bytes)
    }

    pub fn bytes(self) -> [u8; 4] {
        self.0
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// A text that is not 8 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a signature of 8 hex digits")]
pub struct NotASignature(pub String);

impl FromStr for Signature {
    type Err = NotASignature;

    fn from_str(text: &str) -> Result<Self, NotASignature> {
        let hex = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = hex.then(|| u32::from_str_radix(text, 16).ok()).flatten();
        number.map(|number| Signature(number.to_be_bytes())).ok_or_else(|| NotASignature(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_comes_out_in_any_order() {
        let expected: Signature = "0523bd3a".parse().unwrap();
        assert_eq!(Signature::of([("image", "IMAGE"), ("scale", "FLOAT")]), expected);
        assert_eq!(Signature::of([("scale", "FLOAT"), ("image", "IMAGE")]).to_string(), "0523bd3a");
    }

    #[test]
    fn only_eight_hex_digits_are_a_signature() {
        for text in ["_", "", "0523bd3", "0523bd3a0", "+523bd3a", "0523bd3g"] {
            assert!(text.parse::<Signature>().is_err(), "{text}");
        }
    }
}
