//! The store: objects on disk, shared by many processes, surviving their deaths. It knows nothing of environments.
//!
//! ```text
//! .comfrey/
//!   format                version and required features
//!   store.redb            index: where each object is, known files, the newest operation, small tables
//!   write.lock            held by who writes to the index, for a moment each time
//!   operations.lock       held by who changes refs
//!   gc.lock               shared by writers, exclusive for who deletes
//!   segments/00000001.seg small objects, with a lock file beside each
//!   large/ab/cdef…        large blobs, one read-only file each
//!   staging/              what is being written; swept when its owner is gone
//!   downloads/            what has come of blobs on their way from outside; swept by gc after a while
//!   logs/
//! ```
//!
//! Order of a write: bytes, fsync of the file, fsync of the folder, index commit, answer (invariant S1). So every id that was
//! shown exists and verifies, whatever dies when.
//!
//! - [`handle`]: [`Store`], create and open; [`options`]: how
//! - [`error`]: what can go wrong
//! - [`mod@format`]: the `format` file
//! - [`faults`]: the seam through which every effect on the disk goes, where tests make it fail
//! - [`locator`]: where an object is, in 24 bytes
//! - [`index`]: the one module that knows redb, with the names of its [`tables`]; [`containment`]: keeps redb's panics in
//! - [`frame`], [`segment`]: small objects
//! - [`large`]: large blobs: the ladder from reflink to reference, and the places where their bytes are
//! - [`staging`]: temporary files with an owner
//! - [`quarantine`]: what has come from outside, until it is released as a whole
//! - [`partial`]: a blob that comes from outside over several attempts
//! - [`writer`], [`reader`]: objects in and out
//! - [`known_files`]: digests of files on disk that need not be computed again
//! - [`inventory`]: all objects in memory, and what needs what
//! - [`gc`], [`sweep`]: what nobody needs, found and deleted
//! - [`fsck`], `blame`: what is wrong ([`fault`]), and who needs it
//! - [`rebuild`]: the index made again
//! - [`repair`]: what can be done about what is wrong
//! - [`reference_log`]: which user's files the store counts on, outside the index
//! - [`by_sha256`]: blobs by the hash under which model hosts know them
//! - [`records`]: small tables for the floors above

mod blame;
pub mod by_sha256;
mod containment;
pub mod error;
pub mod fault;
pub mod faults;
pub mod format;
pub mod frame;
pub mod fsck;
pub mod gc;
pub mod handle;
pub mod index;
pub mod inventory;
pub mod known_files;
pub mod large;
pub mod locator;
pub mod options;
pub mod partial;
pub mod quarantine;
pub mod reader;
pub mod rebuild;
pub mod records;
pub mod reference_log;
pub mod repair;
pub mod segment;
pub mod staging;
pub mod sweep;
pub mod tables;
#[cfg(test)]
mod tests;
pub mod writer;

pub use error::{Error, Result};
pub use handle::Store;
pub use known_files::{Known, KnownFiles};
pub use large::{How, LinkPolicy};
pub use locator::{Info, Locator, Place};
pub use options::StoreOptions;
pub use partial::Partial;
pub use quarantine::{LargeFile, Quarantine, Released};
pub use reader::ObjectReader;
pub use records::Records;
pub use tables::RecordTable;
pub use writer::{Stored, Writer};
