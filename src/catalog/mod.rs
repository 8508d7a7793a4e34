//! What is known of ComfyUI's node classes and model folders.
//!
//! - [`nodes`]: ComfyUI's own node classes, as a table
//! - [`package`]: packages of custom nodes, their names, and what makes one the owner of a class
//! - [`signature`]: a short name for the inputs of a class
//! - [`models`]: where the models of ComfyUI's own templates can be had, as a table
//! - [`table`]: how the built-in tables are looked up
//! - [`registry_map`]: the registries' lists, put together in one file
//! - [`container`]: how such a file is laid out
//! - [`learned`]: what a running environment tells of its node classes
//! - [`mod@update`]: bringing the lists up to date
//! - [`search`]: packages that fit a text
//! - [`supplement`]: owners that the registries' lists leave out
//! - [`folders`]: the folder registry: keys, directories, older names, extensions
//! - [`loaders`]: inputs that name a model file, as a table
//! - [`layouts`]: nodes that keep names of models in a way of their own
//! - [`knowledge`]: the catalog: what is asked of it, whatever it was learned from
//! - [`origin`]: where a node's class comes from
//! - [`mod@reference`]: a place in a workflow that names a model, as a value
//! - [`model_references`]: these places, found
//! - [`mod@purpose`]: what a workflow is for, in a few words
//! - [`node_reference`]: the nodes of a workflow, as something that a package has to provide

pub mod container;
pub mod folders;
pub mod knowledge;
pub mod layouts;
pub mod learned;
pub mod loaders;
pub mod model_references;
pub mod models;
pub mod node_reference;
pub mod nodes;
pub mod origin;
pub mod package;
pub mod purpose;
pub mod reference;
pub mod registry_map;
mod search;
pub mod signature;
mod supplement;
mod table;
pub mod update;

pub use knowledge::{Catalog, Opened};
pub use learned::Learned;
pub use loaders::{Loader, Reads, WidgetIndex};
pub use model_references::references;
pub use node_reference::{NodeReference, TypedInput, node_references};
pub use origin::Origin;
pub use package::{Found, KnownModel, Layer, Matched, Owner, Owners, Package, PackageId, PackageVersion};
pub use reference::{Names, Need, Reference};
pub use signature::Signature;
