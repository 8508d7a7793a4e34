//! BLAKE3 of one file in pieces, by many threads.
//!
//! BLAKE3 is a binary tree over chunks of 1 KiB. A piece whose length is a power of two and whose offset is a multiple of it is a
//! whole subtree, so its chaining value can be computed alone (`blake3::hazmat`) and merged with its neighbours'
//! afterwards. Threads take the next piece in turn, so that the file is still read roughly from front to
//! back, and read it through a buffer that stays in the core's own cache.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use blake3::hazmat::{self, ChainingValue, HasherExt, Mode};

use crate::object::ObjectId;
use crate::observer::Observer;
use crate::platform::reading::Reader;

use super::Error;

/// Bytes a thread reads at a time.
pub(super) const BUFFER: usize = 64 * 1024;

/// Bytes in a piece: a power of two, at least a chunk. Large enough that taking a piece costs nothing, small enough that the last
/// pieces keep all threads busy, and few enough that the chaining values of a huge file stay small.
fn piece_length(size: u64) -> u64 {
    const SMALLEST: u64 = 128 * 1024;
    const LARGEST: u64 = 4 * 1024 * 1024;
    (size / 256).next_power_of_two().clamp(SMALLEST, LARGEST)
}

/// The BLAKE3 of the file behind `reader`, which has `size` bytes, on the calling thread alone.
pub(super) fn alone(reader: &Reader<'_>, path: &Path, size: u64, observer: &dyn Observer) -> Result<ObjectId, Error> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER.min(size as usize)];
    read_range(reader, path, 0..size, &mut buffer, observer, |bytes| {
        hasher.update(bytes);
    })?;
    Ok(ObjectId(*hasher.finalize().as_bytes()))
}

/// The same, on `threads` threads of which the calling one is the first.
pub(super) fn together(
    reader: &Reader<'_>,
    path: &Path,
    size: u64,
    threads: usize,
    observer: &dyn Observer,
) -> Result<ObjectId, Error> {
    in_pieces(reader, path, size, piece_length(size), threads, observer)
}

fn in_pieces(
    reader: &Reader<'_>,
    path: &Path,
    size: u64,
    piece: u64,
    threads: usize,
    observer: &dyn Observer,
) -> Result<ObjectId, Error> {
    let count = size.div_ceil(piece) as usize;
    if count <= 1 || threads <= 1 {
        return alone(reader, path, size, observer);
    }
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let outcome = Mutex::new((vec![ChainingValue::default(); count], None));
    let work = || {
        let mut buffer = vec![0; BUFFER];
        while !stop.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            let start = index as u64 * piece;
            let mut hasher = blake3::Hasher::new();
            hasher.set_input_offset(start);
            let read = read_range(reader, path, start..size.min(start + piece), &mut buffer, observer, |bytes| {
                hasher.update(bytes);
            });
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            match read {
                Ok(()) => outcome.0[index] = hasher.finalize_non_root(),
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
        (values, None) => Ok(root(&values)),
    }
}

/// Reads `range` buffer by buffer. A file that ends before the range does is an error, never a shorter hash.
pub(super) fn read_range(
    reader: &Reader<'_>,
    path: &Path,
    range: Range<u64>,
    buffer: &mut [u8],
    observer: &dyn Observer,
    mut take: impl FnMut(&[u8]),
) -> Result<(), Error> {
    let mut offset = range.start;
    while offset < range.end {
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let wanted = buffer.len().min((range.end - offset) as usize);
        let read = reader.read_at(&mut buffer[..wanted], offset).map_err(|e| Error::io(path, e))?;
        take(&buffer[..read]);
        offset += read as u64;
        observer.advanced(read as u64);
        if read < wanted {
            return Err(Error::CutShort { path: path.to_owned(), expected: range.end, found: offset });
        }
    }
    Ok(())
}

/// The root of the tree over at least two pieces.
fn root(values: &[ChainingValue]) -> ObjectId {
    let (left, right) = values.split_at(left_half(values.len()));
    ObjectId(*hazmat::merge_subtrees_root(&node(left), &node(right), Mode::Hash).as_bytes())
}

fn node(values: &[ChainingValue]) -> ChainingValue {
    match values {
        [one] => *one,
        _ => {
            let (left, right) = values.split_at(left_half(values.len()));
            hazmat::merge_subtrees_non_root(&node(left), &node(right), Mode::Hash)
        }
    }
}

/// BLAKE3's rule: the left half is the largest power of two below the whole.
fn left_half(count: usize) -> usize {
    count.next_power_of_two() / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;
    use crate::platform::identity::FileStamp;
    use proptest::prelude::*;
    use std::io::Write;

    fn check(size: usize, piece: u64, threads: usize) {
        let bytes: Vec<u8> = (0..size as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let reader = Reader::new(&file, &FileStamp::of_file(&file).unwrap());
        let expected = ObjectId::of_blob(&bytes);
        let path = Path::new("x");
        assert_eq!(alone(&reader, path, size as u64, &Silent).unwrap(), expected, "{size} alone");
        let pieces = in_pieces(&reader, path, size as u64, piece, threads, &Silent).unwrap();
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
        for threads in [1, 2] {
            let error = in_pieces(&reader, Path::new("x"), 300_001, 65536, threads, &Silent).unwrap_err();
            assert!(matches!(error, Error::CutShort { .. }), "{error:?}");
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
