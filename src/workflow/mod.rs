//! ComfyUI's workflow formats: what a file says, as values with their places, and how one value is changed.
//!
//! Nothing here knows which nodes load models (see [`crate::catalog`]) or what is on disk.
//!
//! - [`document`]: JSON with places: every value knows its bytes
//! - [`mod@format`]: which format is this, by content; reads any of them
//! - [`editor`]: what ComfyUI's editor saves: nodes, links, widget values by position
//! - [`api`]: what runs ("prompt"): nodes with inputs by name, bare or wrapped
//! - [`embedded`]: workflows in the metadata of images, video, audio and models
//! - [`mod@file`]: the document of a file of any kind: JSON itself, or what is embedded
//! - [`graph`]: a workflow as a value, the same for every format
//! - [`class`]: what a node's type names, going by its form
//! - [`subgraph`], [`group`]: definitions, and the values that an instance gives to widgets within it
//! - [`opening`]: instances replaced by what they stand for, within bounds
//! - [`widgets`]: which value belongs to which widget
//! - [`wires`]: where the value of an input comes from, along links
//! - [`mod@diff`]: what differs between two workflows, by node and widget
//! - [`merge`]: two workflows and the one that both came from, by node and widget
//! - [`mod@rewrite`]: changes string values and leaves every other byte as it is

pub mod api;
mod class;
pub mod diff;
pub mod document;
pub mod editor;
pub mod embedded;
pub mod file;
pub mod format;
pub mod graph;
pub mod group;
pub mod merge;
pub mod opening;
pub mod rewrite;
pub mod subgraph;
pub mod widgets;
pub mod wires;

#[cfg(test)]
mod opening_tests;

pub use diff::{Layout, WorkflowDiff, diff};
pub use document::{Document, JsonError, Value, ValueId};
pub use format::{NotAWorkflow, ReadError, read};
pub use graph::{
    Declared, Definition, DefinitionKind, Endpoint, Format, Input, Link, Mode, Node, Output, Package, Port, Reason,
    Unread, Widgets, Workflow,
};
pub use rewrite::{RewriteError, rewrite};
pub use widgets::Held;
pub use wires::{Feed, Wires};
