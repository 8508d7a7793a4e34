//! What differs between systems: one file a subject, with an implementation for each.
//!
//! - [`identity`]: which file is this, and has it changed?
//! - [`reading`]: reading at a position, and how many readers a disk likes

pub mod identity;
pub mod reading;
