//! What is known of ComfyUI's node classes and model folders.
//!
//! - [`folders`]: the folder registry: keys, directories, older names, extensions
//! - [`loaders`]: ComfyUI's own nodes that name a model file, as a table
//! - [`knowledge`]: the catalog: what is asked of it, whatever it was learned from
//! - [`mod@reference`]: the places in a workflow that name a model

pub mod folders;
pub mod knowledge;
pub mod loaders;
pub mod reference;

pub use knowledge::{Catalog, Loader, WidgetIndex};
pub use reference::{Reference, references};
