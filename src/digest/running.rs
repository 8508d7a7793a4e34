//! The hashes of bytes as they come, and at any moment the id of those so far.

use sha2::Digest as _;

use crate::object::ObjectId;

use super::{Sha256, StreamDigests, Wanted};

/// Hashes that are not at their end.
#[derive(Clone)]
pub struct Running {
    blake3: blake3::Hasher,
    sha256: Option<sha2::Sha256>,
}

impl Running {
    /// Of no bytes yet. `wanted.id` and `wanted.quick` are not looked at: the id is always there, and what comes cannot be sampled.
    pub fn new(wanted: Wanted) -> Self {
        Running { blake3: blake3::Hasher::new(), sha256: wanted.sha256.then(sha2::Sha256::new) }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.blake3.update(bytes);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.blake3.count()
    }

    /// The id that a blob of the bytes so far has.
    pub fn id(&self) -> ObjectId {
        ObjectId(*self.blake3.finalize().as_bytes())
    }

    /// The hashes of the bytes so far.
    pub fn digests(&self) -> StreamDigests {
        let sha256 = self.sha256.clone().map(|sha256| Sha256(sha256.finalize().into()));
        StreamDigests { size: self.size(), id: Some(self.id()), sha256 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Threads, stream};
    use crate::observer::Silent;

    #[test]
    fn bytes_that_come_in_pieces_have_the_hashes_of_the_whole() {
        let bytes: Vec<u8> = (0..100_003u32).map(|i| ((i * 31) >> 3) as u8).collect();
        let wanted = Wanted { sha256: true, ..Wanted::ID };
        let mut running = Running::new(wanted);
        for (number, piece) in bytes.chunks(777).enumerate() {
            assert_eq!(running.id(), ObjectId::of_blob(&bytes[..number * 777]));
            running.update(piece);
        }
        assert_eq!(running.digests(), stream(&mut &bytes[..], wanted, Threads::One, &Silent).unwrap());
    }
}
