//! Bytes to hashes, as fast as the machine allows. Knows files and streams, and nothing of the store.
//!
//! - [`hashes`]: SHA-256, quick hash and ComfyGit's id as values with a text form
//! - [`content_hash`]: the hash of a whole file with its kind, as it is typed
//! - [`wanted`]: which hashes are asked for, and the answer
//! - [`mod@file`]: a file's hashes, in one read, over as many threads as are given
//! - [`source`]: a file while it is hashed
//! - [`subtree`]: BLAKE3 of one file in pieces, by many threads
//! - [`both`]: BLAKE3 and SHA-256 in one read, side by side
//! - [`mod@stream`]: the hashes of what a reader gives
//! - [`running`]: the hashes of bytes as they come
//! - [`flavour`]: the functions of its family, and the value of a chunk
//! - [`tree`]: BLAKE3's tree over bytes that lie in memory
//! - [`lanes`]: sixteen chunks of it at a time, for one kind of processor
//! - [`quick`]: size and three samples, to find candidates
//! - [`comfygit`]: the sampled id of another tool, to read its files
//! - [`in_order`]: many files at once, the answers in the order of the questions
//! - [`error`]: what can go wrong

pub mod both;
pub mod comfygit;
pub mod content_hash;
pub mod error;
pub mod file;
mod flavour;
pub mod hashes;
pub mod in_order;
#[cfg(target_arch = "x86_64")]
mod lanes;
pub mod quick;
pub mod running;
mod source;
pub mod stream;
pub mod subtree;
mod tree;
pub mod wanted;

pub use comfygit::comfygit_id;
pub use content_hash::ContentHash;
pub use error::Error;
pub use file::{file, open_file};
pub use hashes::{ComfyGitId, HashError, QuickHash, Sha256};
pub use quick::quick_hash;
pub use stream::stream;
pub use wanted::{Digests, StreamDigests, Threads, Wanted};
