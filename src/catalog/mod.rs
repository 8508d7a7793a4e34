//! What is known of ComfyUI's node classes and model folders.
//!
//! - [`folders`]: the folder registry: keys, directories, older names, extensions
//! - [`loaders`]: ComfyUI's own nodes that name a model file, as a table
//! - [`knowledge`]: the catalog: what is asked of it, whatever it was learned from
//! - [`origin`]: where a node's class comes from
//! - [`mod@reference`]: the places in a workflow that name a model
//! - [`node_reference`]: the nodes of a workflow, as something that a package has to provide

pub mod folders;
pub mod knowledge;
pub mod loaders;
pub mod node_reference;
pub mod origin;
pub mod reference;

pub use knowledge::{Catalog, Loader, WidgetIndex};
pub use node_reference::{NodeReference, TypedInput, node_references};
pub use origin::Origin;
pub use reference::{Names, Need, Reference, references};
