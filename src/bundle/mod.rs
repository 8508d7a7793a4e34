//! Objects and environments as one file that can be carried away and brought back.
//!
//! - [`pack`]: objects as one deterministic stream
//! - [`unpack`]: reading such a stream and judging every part of it
//! - [`send`]: objects from a store into a pack
//! - [`receive`]: a pack into a store
//! - [`lock`]: `comfrey.lock`: what a bundle holds and how each byte of it is checked
//! - [`secrets`]: what must not leave the machine
//! - [`export`]: a snapshot as an archive that a person can open
//! - [`opened`]: such an archive read, verified, and in quarantine
//! - [`import`]: it becomes an environment

pub mod export;
pub mod import;
pub mod lock;
pub mod opened;
pub mod pack;
pub mod receive;
pub mod secrets;
pub mod send;
pub mod unpack;
