//! One file a command of `comfrey`, and [`dispatch`], which finds the command by its name.

pub mod dispatch;
