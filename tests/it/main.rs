//! The integration tests: one crate, a module an area, running the real programs.

mod bad_input;
mod bundle;
mod cat_object;
mod cli;
mod commit;
mod demo;
mod documents;
mod fsck;
mod gc;
mod hash_object;
mod history;
mod import;
mod installation;
mod models;
mod parse_workflow;
mod plumbing_commit;
mod rollback;
mod store;
mod support;
mod workflow;
mod workflow_diff;
mod workspace;
mod worktree;
