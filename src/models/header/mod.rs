//! What a model file is, read from its header and never from its weights.
//!
//! Content decides, not the name's ending. Every reader takes bounded time and memory whatever the bytes are (invariant R31), and
//! nothing in a file is ever run.
//!
//! - [`facts`]: what is known of a file, as a value
//! - [`source`]: a file's bytes, read at a position and within a budget
//! - [`mod@read`]: which format is this, and then that format's reader
//! - [`safetensors`]: tensors and metadata of safetensors files
//! - [`gguf`]: the same of GGUF files
//! - [`metadata`]: what trainers and mergers write about their files
//! - [`fingerprint`]: names of tensors → kind of file and family of base models
//! - [`archive`]: the zip archives that `torch.save` writes
//! - [`pickle`]: the imports of a pickle, found without running it
//! - [`imports`]: which of these are expected in weights, and which are dangerous

pub mod archive;
pub mod facts;
pub mod fingerprint;
pub mod gguf;
pub mod imports;
pub mod metadata;
pub mod pickle;
pub mod read;
pub mod safetensors;
pub mod source;

pub use facts::{Format, Header, Import, Kind, PickleScan, Verdict};
pub use read::read;
