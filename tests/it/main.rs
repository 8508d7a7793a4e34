//! The integration tests: one crate, a module an area, running the real programs.

mod bundle;
mod cat_object;
mod cli;
mod documents;
mod fsck;
mod gc;
mod hash_object;
mod history;
mod models;
mod support;
mod workflow;
mod workspace;
mod worktree;
