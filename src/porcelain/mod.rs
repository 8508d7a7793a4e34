//! One file a command of `comfrey`, and [`dispatch`], which finds the command by its name.

pub mod adopt;
pub mod catalog;
pub mod commit;
pub mod completions;
pub mod config;
pub mod demo;
pub mod diff;
pub mod dispatch;
pub mod export;
pub mod help;
pub mod import;
pub mod init;
pub mod list;
pub mod log;
pub mod man;
pub mod models;
pub mod operations;
pub mod rollback;
pub mod show;
pub mod status;
pub mod tag;
pub mod undo;
pub mod r#use;
pub mod workflow;
