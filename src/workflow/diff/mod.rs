//! What differs between two workflows, by node and widget rather than by line.
//!
//! Nodes, values, wires, modes and titles count; where things stand, their sizes and colours, and what the editor
//! showed count only when they are asked for. Numbers that are written differently are the same, and so are nodes that only
//! have other ids. A pure value comes out ([`WorkflowDiff`]); commands turn it into text and JSON.
//!
//! - [`change`]: the value
//! - [`matching`]: which node of the one is which of the other
//! - [`graph`]: one graph compared: the root, a subgraph, a group
//! - [`value`]: JSON values compared, and taken out of their documents
//! - [`told`]: the lines that a person reads

mod change;
mod graph;
mod matching;
mod packages;
mod told;
pub(super) mod value;

#[cfg(test)]
mod tests;

pub use change::{
    Change, Fed, GraphDiff, InputDiff, ModeDiff, NodeDiff, PackageDiff, Subgraph, TitleDiff, ValueDiff, WorkflowDiff,
};
pub use graph::{Layout, NotComparable, diff};
pub use told::Line;
