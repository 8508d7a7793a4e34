//! The terminal: the one place that prints, asks and sets exit codes. Used by plumbing and porcelain only.
//!
//! - [`globals`]: the options that every command takes
//! - [`session`]: what a command body works with: output, input, observer, clock, author
//! - [`failure`]: errors as a person reads them, with their exit codes
//! - [`paths_in`]: paths on standard input
//! - [`progress`]: bars and plain lines
//! - [`program`]: from `main` to a command body and back to an exit code

pub mod failure;
mod failures;
pub mod globals;
pub mod paths_in;
pub mod program;
pub mod progress;
pub mod session;

pub use failure::{Exit, Failure};
pub use globals::Globals;
pub use session::Session;
