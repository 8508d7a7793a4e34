//! The functions of the BLAKE3 family, and what the value of one chunk is in each. Source: the BLAKE3 paper, sections 2.1 and 2.3.

use blake3::hazmat::{ChainingValue, ContextKey, HasherExt, Mode};

/// Bytes in a chunk.
pub(super) const CHUNK: usize = 1024;

/// Which of BLAKE3's functions.
pub(super) struct Flavour<'a> {
    pub(super) key: [u32; 8],
    pub(super) flags: u32,
    pub(super) mode: Mode<'a>,
}

impl Flavour<'static> {
    /// The plain hash.
    pub(super) fn hash() -> Self {
        const IV: [u32; 8] =
            [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
        Flavour { key: IV, flags: 0, mode: Mode::Hash }
    }
}

impl<'a> Flavour<'a> {
    /// Derive-key mode under a context.
    pub(super) fn derive_key(context: &'a ContextKey) -> Self {
        const DERIVE_KEY_MATERIAL: u32 = 64;
        let (words, _) = context.as_chunks();
        let key = std::array::from_fn(|i| u32::from_le_bytes(words[i]));
        Flavour { key, flags: DERIVE_KEY_MATERIAL, mode: Mode::DeriveKeyMaterial(context) }
    }

    /// A hasher of the crate for what begins at this chunk.
    pub(super) fn hasher(&self, chunk: u64) -> blake3::Hasher {
        let mut hasher = match self.mode {
            Mode::DeriveKeyMaterial(context) => blake3::Hasher::new_from_context_key(context),
            _ => blake3::Hasher::new(),
        };
        hasher.set_input_offset(chunk * CHUNK as u64);
        hasher
    }

    /// The value of one chunk, which may be the last and short, but is not empty.
    pub(super) fn chunk(&self, bytes: &[u8], number: u64) -> ChainingValue {
        self.hasher(number).update(bytes).finalize_non_root()
    }
}
