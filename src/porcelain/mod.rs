//! One file a command of `comfrey`, and [`dispatch`], which finds the command by its name.

pub mod diff;
pub mod dispatch;
pub mod log;
pub mod operations;
pub mod show;
pub mod tag;
