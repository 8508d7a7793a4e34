//! The integration tests: one crate, a module an area, running the real programs.

mod bad_input;
mod bundle;
mod cat_object;
mod catalog;
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
mod loopback;
mod models;
mod net;
mod parse_workflow;
mod plumbing_commit;
mod rollback;
mod store;
mod support;
mod workflow;
mod workflow_diff;
mod workspace;
mod worktree;
