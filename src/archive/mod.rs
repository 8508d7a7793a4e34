//! Archives from elsewhere: what they may hold, and how they become files.
//!
//! - [`guard`]: judges every entry before anything is written for it
//! - [`tar`]: reading `.tar`, `.tar.gz` and `.tar.zst` entry by entry under the guard
//! - [`zip`]: the same for `.zip`
//! - [`mod@unpack`]: an archive of either kind as a new folder

pub mod guard;
pub mod tar;
pub mod unpack;
pub mod zip;

pub use guard::{Guard, Limits, Refusal, Rule};
pub use tar::ArchiveError;
pub use unpack::{UnpackError, Unpacked, only_folder, unpack};
