//! The terminal: the one place that prints, asks and sets exit codes. Used by plumbing and porcelain only.
//!
//! - [`globals`]: the options that every command takes
//! - [`session`]: what a command body works with: output, input, observer, clock, author
//! - [`failure`]: errors as a person reads them, with their exit codes; `failures/`: each floor's errors as such
//! - [`lines_in`]: lines on standard input, answered as they come
//! - [`progress`]: bars and plain lines
//! - [`report`]: sizes, times, plurals, tables, colours
//! - [`prompt`]: how a person is asked, and what an answer may be
//! - [`choosing`]: open references as questions to a person
//! - [`json`]: how `--json` answers are written
//! - [`model_files`]: files of the model index, for people and as JSON
//! - [`revisions`]: revisions as arguments: the store, and the environment whose refs short names mean
//! - [`snapshots`], [`operations`], [`changes`]: how they are written, for people and as JSON
//! - [`plans`]: plans as lines and as JSON
//! - [`packages`]: Python packages that are installed or taken away, as lines and as JSON
//! - [`mod@workflow_diff`]: differences of workflows as lines
//! - [`catalog`]: the catalog of a workspace
//! - [`online`]: the network, as commands use it
//! - [`running`]: what commands do that rewrite files which a running ComfyUI reads
//! - [`uncommitted`]: what commands do that put another version in the place of the files
//! - [`working`]: an environment at work
//! - [`program`]: from `main` to a command body and back to an exit code

pub mod catalog;
pub mod changes;
pub mod choosing;
pub mod failure;
mod failures;
pub mod globals;
pub mod json;
pub mod lines_in;
pub mod model_files;
pub mod online;
pub mod operations;
pub mod packages;
pub mod plans;
pub mod program;
pub mod progress;
pub mod prompt;
pub mod report;
pub mod revisions;
pub mod running;
pub mod session;
pub mod snapshots;
pub mod uncommitted;
pub mod workflow_diff;
pub mod working;

pub use failure::{Exit, Failure};
pub use globals::Globals;
pub use session::Session;
