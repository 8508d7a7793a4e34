//! What differs between systems: one file a subject, with an implementation for each.
//!
//! - [`durable`]: reading and writing at a position, making files and folders survive a power cut
//! - [`identity`]: which file is this, and has it changed?
//! - [`links`]: reflinks, hard links and copies
//! - [`lock`]: lock files that name their holder
//! - [`paths`]: paths as bytes and back, losing nothing
//! - [`reading`]: reading at a position, and how many readers a disk likes

pub mod durable;
pub mod identity;
pub mod links;
pub mod lock;
pub mod paths;
pub mod reading;
