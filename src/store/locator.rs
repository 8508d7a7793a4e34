//! Where an object is, in 24 bytes, and what a reader is told of it.

use std::path::PathBuf;

use crate::object::{Kind, ObjectId};

/// Length of an encoded locator in bytes.
pub const LENGTH: usize = 24;

/// Where an object's bytes are, as the index keeps it.
///
/// | bytes | holds |
/// | --- | --- |
/// | 0 | kind: 1 blob, 2 tree, 3 snapshot, 4 operation |
/// | 1 | place: 0 frame stored as it is, 1 frame compressed with zstd, 2 file in `large/`, 3 only references |
/// | 2..4 | zero |
/// | 4..8 | segment number, little endian; zero unless in a segment |
/// | 8..16 | length of the object, little endian |
/// | 16..20 | offset of the frame in its segment, little endian |
/// | 20..24 | length of the frame's payload as stored, little endian |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locator {
    pub kind: Kind,
    /// Bytes of the object itself.
    pub size: u64,
    pub at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Segment { segment: u32, offset: u32, stored: u32, codec: Codec },
    Large,
    Reference,
}

/// How a frame's payload is stored. The numbers are part of the on-disk format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Codec {
    Raw = 0,
    Zstd = 1,
}

impl Codec {
    pub fn from_number(number: u8) -> Option<Codec> {
        match number {
            0 => Some(Codec::Raw),
            1 => Some(Codec::Zstd),
            _ => None,
        }
    }
}

impl Locator {
    pub fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[0] = self.kind as u8;
        bytes[8..16].copy_from_slice(&self.size.to_le_bytes());
        match self.at {
            At::Segment { segment, offset, stored, codec } => {
                bytes[1] = codec as u8;
                bytes[4..8].copy_from_slice(&segment.to_le_bytes());
                bytes[16..20].copy_from_slice(&offset.to_le_bytes());
                bytes[20..24].copy_from_slice(&stored.to_le_bytes());
            }
            At::Large => bytes[1] = 2,
            At::Reference => bytes[1] = 3,
        }
        bytes
    }

    /// `None` for bytes that no locator has.
    pub fn decode(bytes: &[u8; LENGTH]) -> Option<Locator> {
        let four = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let size = u64::from(four(8)) | u64::from(four(12)) << 32;
        let at = match bytes[1] {
            2 => At::Large,
            3 => At::Reference,
            codec => {
                At::Segment { segment: four(4), offset: four(16), stored: four(20), codec: Codec::from_number(codec)? }
            }
        };
        let locator = Locator { kind: Kind::from_number(bytes[0])?, size, at };
        (locator.encode() == *bytes).then_some(locator)
    }
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    pub kind: Kind,
    /// Bytes of the object itself.
    pub size: u64,
    pub place: Place,
}

/// Where an object's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A frame in a segment file.
    Segment { segment: u32, offset: u32, stored: u32 },
    /// A file of its own in the store.
    Large,
    /// A user's file outside the store.
    Reference(PathBuf),
}

/// An object and where it is.
pub type Located = (ObjectId, Locator);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_locator_survives_its_encoding(
            kind in 1u8..=4, size in any::<u64>(), segment in any::<u32>(), offset in any::<u32>(),
            stored in any::<u32>(), which in 0u8..4,
        ) {
            let at = match which {
                0 => At::Segment { segment, offset, stored, codec: Codec::Raw },
                1 => At::Segment { segment, offset, stored, codec: Codec::Zstd },
                2 => At::Large,
                _ => At::Reference,
            };
            let locator = Locator { kind: Kind::from_number(kind).unwrap(), size, at };
            prop_assert_eq!(Locator::decode(&locator.encode()), Some(locator));
        }

        #[test]
        fn any_other_bytes_are_refused(bytes in any::<[u8; 24]>()) {
            if let Some(locator) = Locator::decode(&bytes) {
                prop_assert_eq!(locator.encode(), bytes);
            }
        }
    }
}
