//! One file a plumbing program: its arguments and its body.

pub mod hash_object;
