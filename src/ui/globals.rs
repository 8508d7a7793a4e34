//! The options that every command takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Options of every command, before or after its name.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Globals {
    /// The workspace to work in [default: COMFREY_HOME, the nearest folder above with .comfrey, ~/comfrey]
    #[arg(long, global = true, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// The environment to work on [default: the active one]
    #[arg(short = 'E', long, global = true, value_name = "NAME")]
    pub environment: Option<String>,
    /// Print JSON: one document, or one line an item
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but results and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// Never ask a question
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Agree to what is shown
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// How many seconds to wait for another program that holds a lock
    #[arg(long, global = true, default_value_t = 30.0, value_name = "SECONDS")]
    pub lock_timeout: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}
