//! The hashes of what a reader gives: standard input, a pipe, an archive's member.

use std::io::{self, Read};

use crate::object::ObjectId;
use crate::observer::Observer;

use super::both::{fill, in_turn, side_by_side};
use super::{StreamDigests, Threads, Wanted};

/// Bytes read at a time.
const BUFFER: usize = 64 * 1024;

/// Reads `input` to its end. `wanted.quick` is not looked at: a stream cannot be sampled. An error of kind `Interrupted` is
/// the observer's wish. Progress is told in bytes.
pub fn stream(
    input: &mut dyn Read,
    wanted: Wanted,
    threads: Threads,
    observer: &dyn Observer,
) -> io::Result<StreamDigests> {
    if wanted.sha256 {
        let next = |buffer: &mut [u8]| fill(input, buffer, observer);
        let (size, id, sha256) = match threads.count() {
            1 => in_turn(next, BUFFER)?,
            _ => side_by_side(next)?,
        };
        return Ok(StreamDigests { size, id: wanted.id.then_some(id), sha256: Some(sha256) });
    }
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = fill(input, &mut buffer, observer)?;
        hasher.update(&buffer[..read]);
        if read < buffer.len() {
            break;
        }
    }
    let id = ObjectId(*hasher.finalize().as_bytes());
    Ok(StreamDigests { size: hasher.count(), id: wanted.id.then_some(id), sha256: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;

    /// Gives its bytes in pieces of odd sizes, as a pipe does.
    struct Dribble<'a>(&'a [u8]);

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = (self.0.len() % 777 + 1).min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(length);
            buffer[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }

    #[test]
    fn a_stream_has_the_hashes_of_its_bytes() {
        let bytes: Vec<u8> = (0..1_000_003u32).map(|i| ((i * 31) >> 3) as u8).collect();
        for sha256 in [false, true] {
            for threads in [Threads::One, Threads::All] {
                let wanted = Wanted { sha256, ..Wanted::default() };
                let digests = stream(&mut Dribble(&bytes), wanted, threads, &Silent).unwrap();
                assert_eq!(digests.size, bytes.len() as u64);
                assert_eq!(digests.id, Some(ObjectId::of_blob(&bytes)));
                assert_eq!(digests.sha256.is_some(), sha256);
            }
        }
    }
}
