//! `merge` and `revert`: two versions made one, and one taken back.
//!
//! - [`mod@merge`]: what another branch has comes into the current one
//! - [`revert`]: what one version changed is taken back
//! - [`deciding`]: the options that decide conflicts
//! - [`carrying`]: a merge shown, and carried out

mod carrying;
mod deciding;
#[allow(clippy::module_inception, reason = "the folder is named for its first command")]
mod merge;
mod revert;

pub use merge::Merge;
pub use revert::Revert;
