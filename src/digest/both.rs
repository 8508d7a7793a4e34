//! BLAKE3 and SHA-256 in one read, side by side.
//!
//! SHA-256 cannot be split, so it sets the pace: it has a thread of its own that does nothing else. Of a file that lies in
//! memory each thread hashes the bytes where they lie. Of any other input the calling thread
//! reads and computes BLAKE3, which takes a fraction of that time; between them goes a ring of a few buffers, each read by both.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use sha2::Digest as _;

use crate::object::ObjectId;
use crate::observer::Observer;

use super::flavour::Flavour;
use super::source::{BUFFER, Source};
use super::subtree::Pieces;
use super::{Error, Sha256};

/// Bytes in a buffer of the ring, and how many there are: together well within a core's second-level cache.
const RING: usize = 128 * 1024;
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
                Arc::new(vec![0; RING])
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

/// Both hashes of a file.
pub(super) fn of_source(source: &Source<'_>, threads: usize) -> Result<(ObjectId, Sha256), Error> {
    /// Below this a second thread costs more than it saves.
    const WORTH_A_THREAD: u64 = 512 * 1024;
    let threads = if source.size < WORTH_A_THREAD { 1 } else { threads };
    if source.size > PIECE && source.reader.may_lend() {
        return in_pieces(source, threads);
    }
    let mut offset = 0;
    let next = |buffer: &mut [u8]| {
        let end = source.size.min(offset + buffer.len() as u64);
        let mut filled = 0;
        source.read(offset..end, buffer, |bytes| filled += bytes.len())?;
        offset = end;
        Ok(filled)
    };
    let (_, id, sha256) =
        if threads > 1 { side_by_side(next)? } else { in_turn(next, BUFFER.min(source.size as usize))? };
    Ok((id, sha256))
}

/// Bytes that each hash takes at a time from a file that may lie in memory: a power of two, and well within a core's
/// second-level cache.
const PIECE: u64 = 512 * 1024;

/// Both hashes of a file of more than one piece, each thread for itself. BLAKE3 goes first and SHA-256 follows, so that what is on
/// a disk is fetched once.
fn in_pieces(source: &Source<'_>, threads: usize) -> Result<(ObjectId, Sha256), Error> {
    /// Pieces by which BLAKE3 may be ahead: 16 MiB, so that they are still in memory.
    const LEAD: usize = 32;
    let quiet = Quiet(source.observer);
    let mut blake3 = Pieces::new(Source { observer: &quiet, ..*source });
    let mut sha256 = Follower { source: *source, hasher: sha2::Sha256::new(), buffer: Vec::new() };
    let ranges = (0..source.size).step_by(PIECE as usize).map(|start| start..source.size.min(start + PIECE));
    let mut values = Vec::new();
    if threads > 1 {
        std::thread::scope(|scope| {
            let (ready, pieces) = sync_channel::<Range<u64>>(LEAD);
            let sha256 = &mut sha256;
            let follower = scope.spawn(move || pieces.into_iter().try_for_each(|range| sha256.take(range)));
            let mut leader = Ok(());
            for range in ranges {
                match blake3.value(range.clone()) {
                    Ok(value) => values.push(value),
                    Err(error) => {
                        leader = Err(error);
                        break;
                    }
                }
                // The other has stopped: its error tells why.
                if ready.send(range).is_err() {
                    break;
                }
            }
            drop(ready);
            follower.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(leader)
        })?;
    } else {
        for range in ranges {
            values.push(blake3.value(range.clone())?);
            sha256.take(range)?;
        }
    }
    Ok((ObjectId(Flavour::hash().root(&mut values)), Sha256(sha256.hasher.finalize().into())))
}

/// Asks whether to stop, and says nothing: the other hash tells of the same bytes.
struct Quiet<'a>(&'a dyn Observer);

impl Observer for Quiet<'_> {
    fn interrupted(&self) -> bool {
        self.0.interrupted()
    }
}

/// SHA-256 piece by piece.
struct Follower<'a> {
    source: Source<'a>,
    hasher: sha2::Sha256,
    buffer: Vec<u8>,
}

impl Follower<'_> {
    fn take(&mut self, range: Range<u64>) -> Result<(), Error> {
        self.source.go_on()?;
        // What was lent may turn out not to be the file's.
        let mut tried = self.hasher.clone();
        if self.source.in_place(range.clone(), |bytes| feed_from_memory(&mut tried, bytes)).is_some() {
            self.hasher = tried;
            return Ok(());
        }
        self.buffer.resize(BUFFER, 0);
        self.source.read(range, &mut self.buffer, |bytes| self.hasher.update(bytes))
    }
}

/// SHA-256 of bytes that are not in the core's cache: it asks for those to come in time, which the processor does not do across
/// pages by itself (a fifth of the time, docs/performance.md).
fn feed_from_memory(sha256: &mut sha2::Sha256, bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for part in bytes.chunks(1024) {
        /// Bytes from what is hashed to what is asked for; whatever lies there, asking does no harm.
        const AHEAD: usize = 2048;
        for line in (0..part.len()).step_by(64) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: an address that is asked for need not exist.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(part.as_ptr().wrapping_add(AHEAD + line).cast()) };
        }
        sha256.update(part);
    }
    #[cfg(not(target_arch = "x86_64"))]
    sha256.update(bytes);
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
        for bound in [0, 1024, 65536, RING, RING * BUFFERS, RING * (BUFFERS + 2)] {
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
