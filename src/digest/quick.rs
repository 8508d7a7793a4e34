//! The quick hash: a file's size and three samples of 5 MiB.
//!
//! BLAKE3 in derive-key mode under [`CONTEXT`] over the size (8 bytes, little endian) and then, for a file of
//! up to 15 MiB, all of it; for a longer one its first 5 MiB, 5 MiB from `size / 2 - 2_621_440` on, and its last 5 MiB.
//! Two files that differ elsewhere have the same quick hash, so it finds candidates and proves nothing.

use std::fs::File;
use std::io;

use crate::platform::identity::FileStamp;
use crate::platform::reading::Reader;

use super::QuickHash;
use super::flavour::Flavour;
use super::tree::Joined;

/// The derive-key context.
pub const CONTEXT: &str = "comfrey 2026-11-20 quick hash v1";

/// Bytes in a sample.
pub const SAMPLE: u64 = 5 * 1024 * 1024;

/// The bytes that are read: from where, and how many.
fn samples(size: u64) -> Vec<(u64, u64)> {
    if size <= 3 * SAMPLE {
        return vec![(0, size)];
    }
    vec![(0, SAMPLE), (size / 2 - SAMPLE / 2, SAMPLE), (size - SAMPLE, SAMPLE)]
}

/// The quick hash of an open file of `size` bytes. A file that ends earlier is an error of kind `UnexpectedEof`.
pub fn quick_hash(file: &File, size: u64) -> io::Result<QuickHash> {
    let stamp = FileStamp::of_file(file)?;
    of_reader(&Reader::new(file, &stamp), size)
}

pub(super) fn of_reader(reader: &Reader<'_>, size: u64) -> io::Result<QuickHash> {
    if let Some(hash) = in_place(reader, size) {
        return Ok(hash);
    }
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(&size.to_le_bytes());
    let mut buffer = vec![0; (64 * 1024).min(size as usize)];
    for (mut offset, length) in samples(size) {
        let end = offset + length;
        while offset < end {
            let wanted = buffer.len().min((end - offset) as usize);
            let read = reader.read_at(&mut buffer[..wanted], offset)?;
            if read < wanted {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            hasher.update(&buffer[..read]);
            offset += read as u64;
        }
    }
    Ok(QuickHash(*hasher.finalize().as_bytes()))
}

/// The same from bytes that lie in memory.
fn in_place(reader: &Reader<'_>, size: u64) -> Option<QuickHash> {
    let context = blake3::hazmat::hash_derive_key_context(CONTEXT);
    let mut joined = Joined::new(Flavour::derive_key(&context));
    joined.update(&size.to_le_bytes());
    for (offset, length) in samples(size) {
        reader.in_place(offset..offset + length, |bytes| joined.update(bytes))?;
    }
    Some(QuickHash(joined.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, SeekFrom, Write};

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn a_short_file_is_hashed_whole_after_its_size() {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&5u64.to_le_bytes()).update(b"hello");
        let expected = QuickHash(*hasher.finalize().as_bytes());
        assert_eq!(quick_hash(&file_of(b"hello"), 5).unwrap(), expected);
        assert_eq!(
            expected.to_hex(),
            "e54cdbe48197e60ade8f5afc90b76cdca239954a52859b6938400b8180a93674",
            "formats.md documents this"
        );
    }

    #[test]
    fn a_long_file_is_its_size_and_three_samples() {
        let size = 16 * 1024 * 1024 + 1;
        let bytes: Vec<u8> = (0..size as u32).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect();
        let middle = size / 2 - 2_621_440;
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&(size as u64).to_le_bytes());
        hasher.update(&bytes[..5 << 20]).update(&bytes[middle..middle + (5 << 20)]).update(&bytes[size - (5 << 20)..]);
        let mut file = file_of(&bytes);
        let quick = quick_hash(&file, size as u64).unwrap();
        assert_eq!(quick, QuickHash(*hasher.finalize().as_bytes()));

        // A byte between the samples does not show.
        file.seek(SeekFrom::Start((5 << 20) + 1)).unwrap();
        file.write_all(&[!bytes[(5 << 20) + 1]]).unwrap();
        assert_eq!(quick_hash(&file, size as u64).unwrap(), quick);
    }

    #[test]
    fn every_byte_of_a_file_of_15_mib_counts() {
        assert_eq!(samples(3 * SAMPLE), [(0, 3 * SAMPLE)]);
        assert_eq!(samples(3 * SAMPLE + 1), [(0, SAMPLE), (SAMPLE, SAMPLE), (2 * SAMPLE + 1, SAMPLE)]);
    }

    #[test]
    fn a_file_cut_short_has_no_quick_hash() {
        let error = quick_hash(&file_of(b"hello"), 6).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
