//! What the registries' lists tell of packages, their node classes and models: read, put together, and kept in one file.
//!
//! - [`list`]: which lists there are, told by content
//! - [`gathered`]: the facts of all lists, put together by repository
//! - [`manager`]: ComfyUI-Manager's lists
//! - [`comfygit`]: comfygit's registry data
//! - [`name`]: names by which a package is found
//! - [`record`]: the rows of the file
//! - [`map`]: the file, asked

pub mod comfygit;
pub mod gathered;
pub mod list;
pub mod manager;
mod map;
mod name;
mod record;
#[cfg(test)]
mod tests;

pub use gathered::Gathered;
pub use list::{List, ListError, ListKind, Taken};
pub use map::{Counts, FILE, RegistryMap, Source};
