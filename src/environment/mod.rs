//! Environments.
//!
//! - [`manifest`]: `.cec/pyproject.toml`, read and edited with its comments

pub mod manifest;
