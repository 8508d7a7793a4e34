//! BLAKE3 of one file in pieces, by many threads.
//!
//! BLAKE3 is a binary tree over chunks of 1 KiB. A piece whose length is a power of two and whose offset is a multiple of it is a
//! whole subtree, so its chaining value can be computed alone (`blake3::hazmat`) and merged with its neighbours'
//! afterwards. Threads take the next piece in turn, so that the file is still read roughly from front to
//! back. A piece that lies in memory is hashed where it lies; any other is read through a buffer that stays in
//! the core's own cache.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use blake3::hazmat::{ChainingValue, HasherExt};

use crate::object::ObjectId;

use super::Error;
use super::flavour::{CHUNK, Flavour};
use super::source::{BUFFER, Source};

/// Bytes in a piece: a power of two, at least a chunk. Large enough that taking a piece costs nothing, small enough that the last
/// pieces keep all threads busy, and few enough that the chaining values of a huge file stay small.
fn piece_length(size: u64) -> u64 {
    const SMALLEST: u64 = 256 * 1024;
    const LARGEST: u64 = 4 * 1024 * 1024;
    (size / 128).next_power_of_two().clamp(SMALLEST, LARGEST)
}

/// The BLAKE3 of a file, read buffer by buffer on the calling thread.
fn alone(source: &Source<'_>) -> Result<ObjectId, Error> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER.min(source.size as usize)];
    source.read(0..source.size, &mut buffer, |bytes| {
        hasher.update(bytes);
    })?;
    Ok(ObjectId(*hasher.finalize().as_bytes()))
}

/// The BLAKE3 of a file on `threads` threads, of which the calling one is the first.
pub(super) fn together(source: &Source<'_>, threads: usize) -> Result<ObjectId, Error> {
    in_pieces(source, piece_length(source.size), threads)
}

fn in_pieces(source: &Source<'_>, piece: u64, threads: usize) -> Result<ObjectId, Error> {
    let count = source.size.div_ceil(piece) as usize;
    if count <= 1 {
        return alone(source);
    }
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let outcome = Mutex::new((vec![ChainingValue::default(); count], None));
    let work = || {
        let mut pieces = Pieces::new(*source);
        while !stop.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            let start = index as u64 * piece;
            let value = pieces.value(start..source.size.min(start + piece));
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            match value {
                Ok(value) => outcome.0[index] = value,
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    outcome.1.get_or_insert(error);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(count) {
            scope.spawn(work);
        }
        work();
    });
    match outcome.into_inner().unwrap_or_else(PoisonError::into_inner) {
        (_, Some(error)) => Err(error),
        (mut values, None) => Ok(ObjectId(Flavour::hash().root(&mut values))),
    }
}

/// Hashes pieces of a file one after the other, with room that is used again.
pub(super) struct Pieces<'a> {
    source: Source<'a>,
    values: Vec<ChainingValue>,
    buffer: Vec<u8>,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Pieces { source, values: Vec::new(), buffer: Vec::new() }
    }

    /// The chaining value of a piece of a file of more than one.
    pub(super) fn value(&mut self, range: Range<u64>) -> Result<ChainingValue, Error> {
        self.source.go_on()?;
        let chunk = range.start / CHUNK as u64;
        let in_place = |bytes: &[u8]| Flavour::hash().subtree(bytes, chunk, &mut self.values);
        if let Some(value) = self.source.in_place(range.clone(), in_place) {
            return Ok(value);
        }
        self.buffer.resize(BUFFER, 0);
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(range.start);
        self.source.read(range, &mut self.buffer, |bytes| {
            hasher.update(bytes);
        })?;
        Ok(hasher.finalize_non_root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;
    use crate::platform::identity::FileStamp;
    use crate::platform::reading::Reader;
    use proptest::prelude::*;
    use std::io::Write;
    use std::path::Path;

    fn check(size: usize, piece: u64, threads: usize) {
        let bytes: Vec<u8> = (0..size as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let reader = Reader::new(&file, &FileStamp::of_file(&file).unwrap());
        let expected = ObjectId::of_blob(&bytes);
        let source = Source { reader: &reader, path: Path::new("x"), size: size as u64, observer: &Silent };
        assert_eq!(alone(&source).unwrap(), expected, "{size} alone");
        let pieces = in_pieces(&source, piece, threads).unwrap();
        assert_eq!(pieces, expected, "{size} in pieces of {piece} by {threads}");
    }

    #[test]
    fn sizes_around_the_bounds_of_chunks_and_pieces_hash_alike() {
        for bound in [0, 1024, 2048, 4096, 8192, 65536, 131_072, 3 * 131_072, 1 << 20] {
            for size in [bound - bound.min(1), bound, bound + 1] {
                for piece in [1024, 4096, 131_072] {
                    check(size, piece, 3);
                }
            }
        }
    }

    #[test]
    fn a_piece_is_a_power_of_two_for_every_size() {
        for size in [0, 1, 1 << 20, (1 << 32) + 7, 1 << 50, u64::MAX] {
            assert!(piece_length(size).is_power_of_two(), "{size}");
        }
    }

    #[test]
    fn a_file_shorter_than_its_size_is_cut_short() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1; 300_000]).unwrap();
        let reader = Reader::new(&file, &FileStamp::of_file(&file).unwrap());
        let source = Source { reader: &reader, path: Path::new("x"), size: 300_001, observer: &Silent };
        for threads in [1, 2] {
            let error = in_pieces(&source, 65536, threads).unwrap_err();
            assert!(matches!(error, Error::CutShort { expected: 300_001, found: 300_000, .. }), "{error:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_size_hashes_alike_in_any_pieces(size in 0usize..300_000, power in 10u32..18, threads in 1usize..5) {
            check(size, 1 << power, threads);
        }
    }
}
