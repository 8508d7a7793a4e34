//! Errors of the library as failures of a command: one file a floor.

mod bundle;
mod digest;
mod environment;
mod history;
mod models;
mod store;
mod workflow;
mod working;
mod worktree;
