//! BLAKE3's tree over bytes that lie in memory: the value of each chunk, the values level by level, the root.
//!
//! A chunk is 1 KiB, the last of an input may be shorter. Two neighbours make a parent, and where a level has an odd number, its
//! last value goes up as it is: that is the paper's tree (section 2.1). Where the processor has AVX-512, [`super::lanes`]
//! computes sixteen values at once; elsewhere the `blake3` crate does it all.

use blake3::hazmat::{self, ChainingValue, HasherExt};

use super::flavour::{CHUNK, Flavour};

impl Flavour<'_> {
    /// Appends the values of whole chunks, the first of which has this number.
    pub(super) fn chunks(&self, bytes: &[u8], first: u64, values: &mut Vec<ChainingValue>) {
        debug_assert!(bytes.len().is_multiple_of(CHUNK));
        #[cfg(target_arch = "x86_64")]
        if bytes.len() / CHUNK >= super::lanes::LANES && super::lanes::available() {
            return self.chunks_in_lanes(bytes, first, values);
        }
        values.extend(bytes.chunks(CHUNK).zip(first..).map(|(chunk, number)| self.chunk(chunk, number)));
    }

    #[cfg(target_arch = "x86_64")]
    fn chunks_in_lanes(&self, bytes: &[u8], first: u64, values: &mut Vec<ChainingValue>) {
        use super::lanes::LANES;
        let count = bytes.len() / CHUNK;
        let stretch = count / LANES;
        let begin = values.len();
        values.resize(begin + count, ChainingValue::default());
        let lanes = |numbers: [usize; LANES], values: &mut Vec<ChainingValue>| {
            assert!(numbers.iter().all(|&number| number < count));
            // SAFETY: the caller found AVX-512; all numbers are below `count`, for which there are bytes and values.
            unsafe { super::lanes::chunks(self, bytes.as_ptr(), first, &numbers, values.as_mut_ptr().add(begin)) }
        };
        // Each lane goes round its own stretch, one chunk later than its neighbour.
        for step in 0..stretch {
            lanes(std::array::from_fn(|lane| lane * stretch + (step + lane) % stretch), values);
        }
        // What is left is fewer than sixteen: some of those before are done again.
        if count > stretch * LANES {
            lanes(std::array::from_fn(|lane| count - LANES + lane), values);
        }
    }

    /// Goes one level up.
    fn level(&self, values: &mut Vec<ChainingValue>) {
        let count = values.len();
        let mut done = 0;
        #[cfg(target_arch = "x86_64")]
        if super::lanes::available() {
            use super::lanes::LANES;
            while count - 2 * done >= 2 * LANES {
                let start = values.as_mut_ptr();
                // SAFETY: AVX-512 is there; 32 values are left from `2 * done` on, and what is written was read before.
                unsafe { super::lanes::parents(self, start.add(2 * done), start.add(done)) };
                done += LANES;
            }
        }
        for parent in done..count / 2 {
            values[parent] = hazmat::merge_subtrees_non_root(&values[2 * parent], &values[2 * parent + 1], self.mode);
        }
        if count % 2 == 1 {
            values[count / 2] = values[count - 1];
        }
        values.truncate(count.div_ceil(2));
    }

    /// The value of a subtree: `bytes` that begin at this chunk and are part of a larger input. `values` is room to work in.
    pub(super) fn subtree(&self, bytes: &[u8], first: u64, values: &mut Vec<ChainingValue>) -> ChainingValue {
        #[cfg(target_arch = "x86_64")]
        if super::lanes::available() {
            values.clear();
            let (whole, rest) = bytes.split_at(bytes.len() - bytes.len() % CHUNK);
            self.chunks(whole, first, values);
            if !rest.is_empty() {
                values.push(self.chunk(rest, first + (whole.len() / CHUNK) as u64));
            }
            while values.len() > 1 {
                self.level(values);
            }
            return values[0];
        }
        let _ = values;
        self.hasher(first).update(bytes).finalize_non_root()
    }

    /// The root over the values of all chunks, or of all subtrees of one size; there are at least two.
    pub(super) fn root(&self, values: &mut Vec<ChainingValue>) -> [u8; 32] {
        debug_assert!(values.len() > 1);
        while values.len() > 2 {
            self.level(values);
        }
        *hazmat::merge_subtrees_root(&values[0], &values[1], self.mode).as_bytes()
    }
}

/// The hash of several slices put together, which need not end where chunks do.
pub(super) struct Joined<'a> {
    flavour: Flavour<'a>,
    /// Takes it all where there is no AVX-512.
    crates: Option<blake3::Hasher>,
    values: Vec<ChainingValue>,
    /// The bytes of the last chunk so far, which is empty only while there are none.
    begun: Vec<u8>,
}

impl<'a> Joined<'a> {
    pub(super) fn new(flavour: Flavour<'a>) -> Self {
        #[cfg(target_arch = "x86_64")]
        let lanes = super::lanes::available();
        #[cfg(not(target_arch = "x86_64"))]
        let lanes = false;
        let crates = (!lanes).then(|| flavour.hasher(0));
        Joined { flavour, crates, values: Vec::new(), begun: Vec::with_capacity(CHUNK) }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        if let Some(hasher) = &mut self.crates {
            hasher.update(bytes);
            return;
        }
        if !self.begun.is_empty() {
            let (fill, rest) = bytes.split_at(bytes.len().min(CHUNK - self.begun.len()));
            self.begun.extend_from_slice(fill);
            bytes = rest;
            if bytes.is_empty() {
                return;
            }
            self.values.push(self.flavour.chunk(&self.begun, self.values.len() as u64));
            self.begun.clear();
        }
        // One chunk stays behind, because if nothing follows it may be the root.
        let (whole, rest) = bytes.split_at(bytes.len().saturating_sub(1) / CHUNK * CHUNK);
        self.flavour.chunks(whole, self.values.len() as u64, &mut self.values);
        self.begun.extend_from_slice(rest);
    }

    pub(super) fn finish(mut self) -> [u8; 32] {
        if let Some(hasher) = &self.crates {
            return *hasher.finalize().as_bytes();
        }
        if self.values.is_empty() {
            return *self.flavour.hasher(0).update(&self.begun).finalize().as_bytes();
        }
        self.values.push(self.flavour.chunk(&self.begun, self.values.len() as u64));
        self.flavour.root(&mut self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONTEXT: &str = "a context of these tests";

    fn bytes(length: usize) -> Vec<u8> {
        (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    /// What the crate itself makes of the same.
    fn expected(flavour: &Flavour<'_>, bytes: &[u8], first: u64) -> ChainingValue {
        flavour.hasher(first).update(bytes).finalize_non_root()
    }

    fn both_flavours(check: impl Fn(&Flavour<'_>)) {
        check(&Flavour::hash());
        check(&Flavour::derive_key(&hazmat::hash_derive_key_context(CONTEXT)));
    }

    #[test]
    fn a_subtree_has_the_value_that_the_crate_gives_it() {
        let all = bytes(300_000);
        both_flavours(|flavour| {
            for length in [1, 1023, 1024, 1025, 15 * 1024, 16 * 1024, 16 * 1024 + 1, 31 * 1024, 33 * 1024 + 7, 262_144]
            {
                // A subtree of this length may begin here; its number in a file beyond 4 TiB does not fit 32 bits.
                for first in [0, 256, 1 << 20, 0xffff_ff00, 1 << 32, 1 << 44] {
                    // From an odd place too.
                    for at in [0, 3] {
                        let bytes = &all[at..at + length];
                        let value = flavour.subtree(bytes, first, &mut Vec::new());
                        assert_eq!(value, expected(flavour, bytes, first), "{length} at {first}");
                    }
                }
            }
        });
    }

    #[test]
    fn chunks_whose_numbers_pass_32_bits_keep_their_order() {
        let bytes = bytes(40 * CHUNK);
        let first = (1 << 32) - 20;
        let mut values = Vec::new();
        Flavour::hash().chunks(&bytes, first, &mut values);
        for (i, chunk) in bytes.chunks(CHUNK).enumerate() {
            assert_eq!(values[i], Flavour::hash().chunk(chunk, first + i as u64), "{i}");
        }
    }

    #[test]
    fn slices_put_together_are_hashed_like_one() {
        let all = bytes(100_000);
        let context = hazmat::hash_derive_key_context(CONTEXT);
        for ends in
            [vec![0], vec![5], vec![1024], vec![8, 1025], vec![8, 2056, 60_000], vec![1, 2, 3, 90_000], vec![2048]]
        {
            let mut joined = Joined::new(Flavour::derive_key(&context));
            let mut start = 0;
            for &end in &ends {
                joined.update(&all[start..end]);
                start = end;
            }
            let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
            assert_eq!(joined.finish(), *hasher.update(&all[..start]).finalize().as_bytes(), "{ends:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_length_is_hashed_as_the_crate_does(length in 1025usize..200_000) {
            let bytes = bytes(length);
            let mut joined = Joined::new(Flavour::hash());
            joined.update(&bytes);
            prop_assert_eq!(joined.finish(), *blake3::hash(&bytes).as_bytes());
        }
    }
}
