//! BLAKE3 and SHA-256 in one read, side by side.
//!
//! SHA-256 cannot be split, so it sets the pace: it has a thread of its own that does nothing else. The calling thread
//! reads and computes BLAKE3, which takes half that time. Between them goes a ring of a few buffers, each read by both.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use sha2::Digest as _;

use crate::object::ObjectId;
use crate::observer::Observer;
use crate::platform::reading::Reader;

use super::{Error, Sha256};

/// Bytes in a buffer, and how many there are: together well within a core's second-level cache.
const BUFFER: usize = 128 * 1024;
const BUFFERS: usize = 6;

/// Both hashes of what `next` gives. It fills the buffer and returns the bytes in it, 0 at the end.
///
/// Returns the size as well.
pub(super) fn side_by_side<E: Send>(
    mut next: impl FnMut(&mut [u8]) -> Result<usize, E>,
) -> Result<(u64, ObjectId, Sha256), E> {
    std::thread::scope(|scope| {
        let (to_sha, filled) = sync_channel::<(Arc<Vec<u8>>, usize)>(BUFFERS);
        let (give_back, free) = sync_channel::<Arc<Vec<u8>>>(BUFFERS);
        let sha = scope.spawn(move || {
            let mut hasher = sha2::Sha256::new();
            for (buffer, length) in filled {
                hasher.update(&buffer[..length]);
                // Nobody waits for the buffer once all is read.
                drop(give_back.send(buffer));
            }
            Sha256(hasher.finalize().into())
        });
        let mut blake3 = blake3::Hasher::new();
        let mut size = 0;
        let mut made = 0;
        loop {
            let mut shared = if made < BUFFERS {
                made += 1;
                Arc::new(vec![0; BUFFER])
            } else {
                // The thread gives every buffer back before it asks for the next, and ends only after `to_sha` is dropped.
                free.recv().expect("the hashing thread lives as long as this loop")
            };
            // Ours was dropped before we came here, so only a thread that is just about to drop its own can be in the way.
            let buffer = Arc::make_mut(&mut shared);
            let read = next(buffer)?;
            if read == 0 {
                break;
            }
            drop(to_sha.send((Arc::clone(&shared), read)));
            blake3.update(&shared[..read]);
            size += read as u64;
        }
        drop(to_sha);
        let sha256 = sha.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((size, ObjectId(*blake3.finalize().as_bytes()), sha256))
    })
}

/// Both hashes on the calling thread.
pub(super) fn in_turn<E>(
    mut next: impl FnMut(&mut [u8]) -> Result<usize, E>,
    buffer: usize,
) -> Result<(u64, ObjectId, Sha256), E> {
    let mut buffer = vec![0; buffer];
    let (mut blake3, mut sha256, mut size) = (blake3::Hasher::new(), sha2::Sha256::new(), 0);
    loop {
        let read = next(&mut buffer)?;
        if read == 0 {
            return Ok((size, ObjectId(*blake3.finalize().as_bytes()), Sha256(sha256.finalize().into())));
        }
        blake3.update(&buffer[..read]);
        sha256.update(&buffer[..read]);
        size += read as u64;
    }
}

/// Both hashes of the file behind `reader`, which has `size` bytes.
pub(super) fn of_reader(
    reader: &Reader<'_>,
    path: &Path,
    size: u64,
    threads: usize,
    observer: &dyn Observer,
) -> Result<(ObjectId, Sha256), Error> {
    let mut offset = 0;
    let next = |buffer: &mut [u8]| {
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let wanted = buffer.len().min((size - offset) as usize);
        let read = reader.read_at(&mut buffer[..wanted], offset).map_err(|e| Error::io(path, e))?;
        offset += read as u64;
        observer.advanced(read as u64);
        // An empty buffer is asked for at the end only, and says so.
        if read < wanted {
            return Err(Error::CutShort { path: path.to_owned(), expected: size, found: offset });
        }
        Ok(read)
    };
    /// Below this a second thread costs more than it saves.
    const WORTH_A_THREAD: u64 = 512 * 1024;
    let (_, id, sha256) = if threads > 1 && size >= WORTH_A_THREAD {
        side_by_side(next)?
    } else {
        in_turn(next, super::subtree::BUFFER.min(size as usize))?
    };
    Ok((id, sha256))
}

/// Fills `buffer` from `input` as far as the stream goes.
pub(super) fn fill(input: &mut dyn Read, buffer: &mut [u8], observer: &dyn Observer) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        if observer.interrupted() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted"));
        }
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    observer.advanced(filled as u64);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;
    use proptest::prelude::*;

    fn expected(bytes: &[u8]) -> (u64, ObjectId, Sha256) {
        (bytes.len() as u64, ObjectId::of_blob(bytes), Sha256(sha2::Sha256::digest(bytes).into()))
    }

    #[test]
    fn sha256_is_what_sha256sum_prints() {
        let mut input: &[u8] = b"";
        let (_, _, sha256) = side_by_side(|buffer| fill(&mut input, buffer, &Silent)).unwrap();
        assert_eq!(sha256.to_hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn sizes_around_the_bounds_of_buffers_hash_alike() {
        for bound in [0, 1024, 65536, BUFFER, BUFFER * BUFFERS, BUFFER * (BUFFERS + 2)] {
            for size in [bound - bound.min(1), bound, bound + 1] {
                let bytes: Vec<u8> = (0..size).map(|i| ((i * 31) >> 3) as u8).collect();
                let mut input = &bytes[..];
                assert_eq!(
                    side_by_side(|buffer| fill(&mut input, buffer, &Silent)).unwrap(),
                    expected(&bytes),
                    "{size}"
                );
            }
        }
    }

    #[test]
    fn an_error_of_the_input_ends_both() {
        let mut calls = 0;
        let result = side_by_side(|buffer| {
            calls += 1;
            if calls > 20 { Err("broken") } else { Ok(buffer.len()) }
        });
        assert_eq!(result, Err("broken"));
    }

    proptest! {
        #[test]
        fn both_ways_agree(bytes in prop::collection::vec(any::<u8>(), 0..5000), buffer in 1usize..700) {
            let mut input = &bytes[..];
            prop_assert_eq!(in_turn(|b| fill(&mut input, b, &Silent), buffer).unwrap(), expected(&bytes));
        }
    }
}
