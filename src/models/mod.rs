//! Which model files are on this machine's disks, and what is known of each without reading it again.
//!
//! - [`roots`]: the folders in which models lie
//! - [`extra_paths`]: `extra_model_paths.yaml`, which names further ones
//! - [`scan`]: what lies in them now: a parallel walk that reads no file
//! - [`record`]: a model file as a row of the index
//! - [`index`]: brings the rows up to date, hashing only what changed, and answers for single files
//! - `ensure`: what is not known of a file yet, read when it is asked for
//! - [`inventory`]: the rows as a value to look things up in
//! - [`header`]: what a file is, read from its header
//! - `reading`: many files read at once
//! - [`verify`]: files read again and compared with what is recorded
//! - [`duplicates`]: files with the same bytes, and the room they waste
//! - [`linking`]: that room given back, and taken again
//! - [`headers`]: those that were read already
//! - [`sources`]: where models can be had again
//! - [`error`]: what can go wrong, for one file and for all

pub mod duplicates;
mod ensure;
pub mod error;
pub mod extra_paths;
pub mod header;
pub mod headers;
pub mod index;
pub mod inventory;
pub mod linking;
mod reading;
pub mod record;
pub mod roots;
pub mod scan;
pub mod sources;
pub mod verify;

pub use error::{Error, Problem};
pub use header::Header;
pub use headers::Headers;
pub use index::{Depth, ModelIndex, Updated};
pub use inventory::Inventory;
pub use record::{FileState, IndexedFile};
pub use roots::{Holds, ModelRoot, ModelRoots};
pub use sources::Sources;
