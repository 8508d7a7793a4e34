//! What differs between systems: one file a subject, with an implementation for each.
//!
//! - [`accelerator`]: what the machine can compute with
//! - [`child`]: programs that are started with all that they start, and end together
//! - [`durable`]: reading and writing at a position, making files and folders survive a power cut
//! - [`folder`]: a folder held open, in which no link is followed
//! - [`file_system`]: which file system is this
//! - [`git_program`]: the user's `git`; [`git_refs`]: the names in a repository; [`git_clone`]: where a clone stands
//! - [`identity`]: which file is this, and has it changed?
//! - [`links`]: reflinks, hard links and copies
//! - [`lock`]: lock files that name their holder
//! - [`mapping`]: a file as memory, which survives that the file is cut short
//! - [`names`]: names that another system refuses or takes for something else
//! - [`paths`]: paths as bytes and back, losing nothing
//! - [`process`]: programs that run on this machine
//! - [`reading`]: reading at a position, mapped where that is faster, and how many readers a disk likes
//! - [`shell`]: what a person types into a terminal

pub mod accelerator;
pub mod child;
pub mod durable;
pub mod file_system;
pub mod folder;
pub mod git_clone;
pub mod git_program;
pub mod git_refs;
pub mod identity;
pub mod links;
pub mod lock;
pub mod mapping;
pub mod names;
pub mod paths;
pub mod process;
pub mod reading;
pub mod shell;
#[cfg(test)]
pub mod trial;
