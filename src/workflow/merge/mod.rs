//! Two workflows and the one that both came from, merged by node and widget on the bytes of ours: what only they changed is put into
//! them, and every other byte stays.
//!
//! Values are merged one by one, wires by the input that they lead to, nodes and subgraphs by id. What one side added comes along; a node that
//! both gave the same number to gets another one. What one side took away goes, unless the other changed it or needs it. Where things
//! stand on the canvas never conflicts: where both moved something, ours stays.
//!
//! - [`conflict`]: what both changed, and not alike
//! - [`splice`]: places of a document that get other bytes
//! - [`members`]: values merged by key
//! - [`graph`]: one graph: its nodes and what they hold
//! - [`joined`]: which node of the one graph is which of the other, and what becomes of it
//! - [`laid`]: wires, merged and laid anew in the document
//! - [`mod@file`]: a whole file

mod conflict;
mod file;
mod graph;
mod joined;
mod laid;
mod members;
mod splice;

#[cfg(test)]
mod tests;

pub use conflict::{About, Beyond, Conflict, Decide};
pub use file::{Merged, merge};
