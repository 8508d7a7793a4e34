//! What is wrong with an environment, how that is known, and what mends it: a room a check.
//!
//! - [`finding`]: what a check says
//! - [`examination`]: all checks, one after the other
//! - [`foreign`]: commands for a Python that is not Comfrey's
//! - [`mending`]: what can be mended without asking
//! - [`tools`]: uv and git
//! - [`interpreter`]: the environment's Python
//! - [`packages`]: what is installed there, and whether it is what the lock says
//! - [`torch`]: whether torch is built for what this machine has
//! - [`disk`]: room left
//! - [`ports`]: where ComfyUI listens
//! - [`links`]: links that lead nowhere
//! - [`start_log`]: what the log of the last start says
//! - [`patterns`]: failures that are known by their words; `patterns.toml` holds them
//! - [`references`]: models and nodes that workflows want and that are absent
//! - [`upkeep`]: the workspace: commands that were interrupted, runs that were killed, the store

pub mod disk;
pub mod examination;
pub mod finding;
pub mod foreign;
pub mod interpreter;
pub mod links;
pub mod mending;
pub mod packages;
pub mod patterns;
pub mod ports;
pub mod references;
pub mod start_log;
pub mod tools;
pub mod torch;
pub mod upkeep;

pub use examination::{Examination, examine};
pub use finding::{Check, Finding, Severity};
