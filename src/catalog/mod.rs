//! What is known of ComfyUI's node classes and model folders.
//!
//! - [`nodes`]: ComfyUI's own node classes, as a table
//! - [`package`]: packages of custom nodes, their names, and what makes one the owner of a class
//! - [`signature`]: a short name for the inputs of a class
//! - [`models`]: where the models of ComfyUI's own templates can be had, as a table
//! - [`table`]: how the built-in tables are looked up
//! - [`supplement`]: owners that the registries' lists leave out
//! - [`folders`]: the folder registry: keys, directories, older names, extensions
//! - [`loaders`]: ComfyUI's own nodes that name a model file, as a table
//! - [`knowledge`]: the catalog: what is asked of it, whatever it was learned from
//! - [`origin`]: where a node's class comes from
//! - [`mod@reference`]: the places in a workflow that name a model
//! - [`node_reference`]: the nodes of a workflow, as something that a package has to provide

pub mod folders;
pub mod knowledge;
pub mod loaders;
pub mod models;
pub mod node_reference;
pub mod nodes;
pub mod origin;
pub mod package;
pub mod reference;
pub mod signature;
mod supplement;
mod table;

pub use knowledge::{Catalog, Loader, WidgetIndex};
pub use node_reference::{NodeReference, TypedInput, node_references};
pub use origin::Origin;
pub use package::{Found, KnownModel, Layer, Matched, Owner, Owners, Package, PackageId, PackageVersion};
pub use reference::{Names, Need, Reference, references};
pub use signature::Signature;
