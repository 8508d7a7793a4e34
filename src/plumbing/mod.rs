//! One file a plumbing program: its arguments and its body.

pub mod hash_object;
pub mod index_dir;
