//! The registry of custom nodes that ComfyUI's makers keep: which packages there are, in which versions, and where their files lie.
//!
//! Source: the OpenAPI description at <https://api.comfy.org/openapi>, as of 2026. Reading needs no token.
//!
//! - [`answers`]: what it says, as values
//! - [`shelf`]: answers kept on the disk, for an hour and for when there is no network
//! - [`client`]: what can be asked

pub mod answers;
pub mod client;
pub mod shelf;

pub use answers::{Node, NodeVersion, Standing};
pub use client::{DEFAULT_BASE, Heard, Registry, RegistryError, Settings};
