//! `node`: custom nodes come, change and go as one step each; and nothing is touched where that goes wrong.
//!
//! - [`sources`]: where they come from in these tests
//! - [`registry`], [`archive`], [`repository`], [`folder`]: by where they come from
//! - [`clone`]: what someone cloned by hand
//! - [`names`]: what they are called
//! - [`switch`]: off, on and away
//! - [`edits`]: what someone changed in them
//! - [`scripts`]: what runs by itself
//! - [`packages`]: what they require of Python
//! - [`faults`]: what goes wrong on the way

mod archive;
mod clone;
mod edits;
mod faults;
mod folder;
mod names;
mod packages;
mod registry;
mod repository;
mod scripts;
mod sources;
mod switch;
