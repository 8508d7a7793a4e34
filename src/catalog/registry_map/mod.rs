//! What the registries' lists tell of packages, their node classes and models: read, put together, and kept in one file.
//!
//! - [`gathered`]: the facts of all lists, put together by repository
//! - [`manager`]: ComfyUI-Manager's lists
//! - [`comfygit`]: comfygit's registry data
//! - [`record`]: the rows of the file
//! - [`map`]: the file, asked

pub mod comfygit;
pub mod gathered;
pub mod manager;
mod map;
mod record;
#[cfg(test)]
mod tests;

pub use gathered::{Gathered, List, ListError, ListKind, Taken};
pub use map::{Counts, FILE, RegistryMap, Source};
