//! What differs between systems: one file a subject, with an implementation for each.
//!
//! - [`identity`]: which file is this, and has it changed?

pub mod identity;
