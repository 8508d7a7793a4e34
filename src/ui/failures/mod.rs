//! Errors of the library as failures of a command: one file a floor.

mod archive;
mod bundle;
mod catalog;
mod digest;
mod environment;
mod history;
mod launch;
mod making;
mod merging;
mod models;
mod net;
mod nodes;
mod platform;
mod python;
mod resolve;
mod store;
mod workflow;
mod working;
mod worktree;
