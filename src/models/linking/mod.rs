//! Room that equal files waste, given back by reflink or hard link, and taken again.
//!
//! - [`linker`]: one run: what is known of it, and what a killed one left
//! - [`link`]: files replaced by links to one of them
//! - [`undo`]: files of their own again
//! - [`log`]: what was linked, so that it can be undone

mod link;
pub mod linker;
pub mod log;
#[cfg(test)]
mod tests;
mod undo;

pub use linker::{Linker, Outcome, Refusal};
pub use log::{LinkKey, LinkLog, LinkRecord, Sharing};
