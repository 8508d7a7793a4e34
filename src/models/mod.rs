//! Which model files are on this machine's disks, and what is known of each without reading it again.
//!
//! - [`roots`]: the folders in which models lie
//! - [`extra_paths`]: `extra_model_paths.yaml`, which names further ones
//! - [`scan`]: what lies in them now: a parallel walk that reads no file
//! - [`record`]: a model file as a row of the index
//! - [`index`]: brings the rows up to date, hashing only what changed, and answers for single files
//! - [`inventory`]: the rows as a value to look things up in
//! - [`error`]: what can go wrong, for one file and for all

pub mod error;
pub mod extra_paths;
pub mod index;
pub mod inventory;
pub mod record;
pub mod roots;
pub mod scan;

pub use error::{Error, Problem};
pub use index::{Depth, ModelIndex, Updated};
pub use inventory::Inventory;
pub use record::{FileState, IndexedFile};
pub use roots::{Holds, ModelRoot, ModelRoots};
