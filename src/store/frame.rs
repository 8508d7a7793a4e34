//! A frame: one object in a segment file, describing itself, so that the index can be made again from segments alone.
//!
//! | bytes | holds |
//! | --- | --- |
//! | 0..4 | `cFr1` |
//! | 4 | kind: 1 blob, 2 tree, 3 snapshot, 4 operation |
//! | 5 | codec: 0 as it is, 1 zstd |
//! | 6..8 | zero |
//! | 8..12 | length of the payload as stored, little endian |
//! | 12..16 | length of the object, little endian |
//! | 16..48 | id |
//! | 48..56 | XXH3-64 of bytes 0..48, little endian |
//! | 56.. | payload |
//!
//! The header's sum tells a header from bytes that look like one; the payload is guarded by the id itself.

use std::cell::RefCell;

use super::locator::Codec;
use crate::object::{Kind, ObjectId};

/// Length of a frame's header in bytes.
pub const HEADER: usize = 56;
pub const MAGIC: [u8; 4] = *b"cFr1";
const LEVEL: i32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    pub codec: Codec,
    /// Bytes of the payload in the file.
    pub stored: u32,
    /// Bytes of the object.
    pub size: u32,
    pub id: ObjectId,
}

impl Header {
    pub fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = self.kind as u8;
        bytes[5] = self.codec as u8;
        bytes[8..12].copy_from_slice(&self.stored.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.size.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.id.0);
        let sum = xxhash_rust::xxh3::xxh3_64(&bytes[..48]);
        bytes[48..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// `None` when these bytes are no header.
    pub fn decode(bytes: &[u8]) -> Option<Header> {
        let bytes: &[u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
        if bytes[..4] != MAGIC || bytes[6..8] != [0, 0] {
            return None;
        }
        if xxhash_rust::xxh3::xxh3_64(&bytes[..48]).to_le_bytes() != bytes[48..] {
            return None;
        }
        let four = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let id: [u8; 32] = bytes[16..48].try_into().ok()?;
        Some(Header {
            kind: Kind::from_number(bytes[4])?,
            codec: Codec::from_number(bytes[5])?,
            stored: four(8),
            size: four(12),
            id: ObjectId(id),
        })
    }

    /// Bytes of header and payload together.
    pub fn length(&self) -> u64 {
        HEADER as u64 + u64::from(self.stored)
    }
}

thread_local! {
    // Setting up a context costs more than compressing a small file with it.
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Appends the frame of an object to `out`: compressed when that saves at least 5 %. The object is shorter than 4 GiB.
pub fn append(kind: Kind, id: ObjectId, bytes: &[u8], out: &mut Vec<u8>) -> Header {
    let start = out.len();
    out.resize(start + HEADER, 0);
    let codec = if compress(bytes, out) { Codec::Zstd } else { Codec::Raw };
    if codec == Codec::Raw {
        out.truncate(start + HEADER);
        out.extend_from_slice(bytes);
    }
    let stored = (out.len() - start - HEADER) as u32;
    let header = Header { kind, codec, stored, size: bytes.len() as u32, id };
    out[start..start + HEADER].copy_from_slice(&header.encode());
    header
}

/// Appends the compressed bytes; false when they are not at least 5 % shorter (then what was appended is to be cut off).
fn compress(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    // Below this not even a run of zeros gets shorter by more than zstd's own header.
    if bytes.len() < 32 {
        return false;
    }
    COMPRESSOR.with_borrow_mut(|slot| {
        let context = match slot {
            Some(context) => context,
            None => match zstd::bulk::Compressor::new(LEVEL) {
                Ok(context) => slot.insert(context),
                Err(_) => return false,
            },
        };
        let start = out.len();
        let wanted = bytes.len() - bytes.len().div_ceil(20);
        // A result that does not fit into what it may take is no gain: zstd stops there by itself.
        out.resize(start + wanted, 0);
        match context.compress_to_buffer(bytes, &mut out[start..]) {
            Ok(length) => {
                out.truncate(start + length);
                true
            }
            Err(_) => false,
        }
    })
}

/// The object in a frame's payload. Errors: why the payload is not that object.
pub fn open(header: &Header, payload: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    let bytes = match header.codec {
        Codec::Raw => payload,
        Codec::Zstd => DECOMPRESSOR.with_borrow_mut(|slot| {
            let context = match slot {
                Some(context) => context,
                None => slot.insert(zstd::bulk::Decompressor::new().map_err(|_| "no memory to decompress it")?),
            };
            context.decompress(&payload, header.size as usize).map_err(|_| "it does not decompress")
        })?,
    };
    if bytes.len() != header.size as usize {
        return Err("its length is not the recorded one");
    }
    if header.kind.id_of(&bytes) != header.id {
        return Err("its bytes do not have this id");
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(bytes: &[u8]) -> (Header, Vec<u8>) {
        let mut out = Vec::new();
        let header = append(Kind::Blob, ObjectId::of_blob(bytes), bytes, &mut out);
        (header, out)
    }

    proptest! {
        #[test]
        fn an_object_survives_its_frame(bytes in prop::collection::vec(any::<u8>(), 0..300), times in 1usize..40) {
            let bytes = bytes.repeat(times);
            let (header, out) = frame(&bytes);
            prop_assert_eq!(Header::decode(&out), Some(header));
            prop_assert_eq!(header.length(), out.len() as u64);
            prop_assert_eq!(open(&header, out[HEADER..].to_vec()), Ok(bytes));
        }

        #[test]
        fn a_flipped_bit_is_noticed_or_changes_nothing(at in 0usize..400, bit in 0u8..8) {
            let bytes: Vec<u8> = (0u32..300).map(|n| (n * n % 251) as u8).collect();
            let (_, mut out) = frame(&bytes);
            let at = at % out.len();
            out[at] ^= 1 << bit;
            let read = Header::decode(&out).map(|header| open(&header, out[HEADER..].to_vec()));
            // zstd's frame header has a bit that its decoder ignores.
            prop_assert!(!matches!(read, Some(Ok(found)) if found != bytes));
        }
    }

    #[test]
    fn what_compression_does_not_shrink_by_five_percent_is_stored_as_it_is() {
        let mut noise = vec![0; 4000];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        assert_eq!(frame(&noise).0.codec, Codec::Raw);
        assert_eq!(frame(&[7; 4000]).0.codec, Codec::Zstd);
        // 40 of 1000 bytes are a run: under 5 % to gain.
        let mut nearly = noise[..960].to_vec();
        nearly.extend([0; 40]);
        assert_eq!(frame(&nearly).0.codec, Codec::Raw);
        assert_eq!(frame(b"").0, Header { size: 0, stored: 0, ..frame(b"").0 });
    }
}
