//! HTTP, as far as lists and models have to be fetched: with patience, within limits, and without giving secrets away.
//!
//! - [`fetch`]: the seam: a request, its answer, and why there is none
//! - [`address`]: how an address is shown
//! - [`retry`]: when a request is made again, and after what pause
//! - [`pace`]: not too many requests in a short time
//! - [`client`]: the real one; `exchange`: one request of it and its answer
//! - [`sink`]: where a download goes, and how far it was
//! - [`tokens`]: of model hosts, and which requests carry them
//! - [`blob`]: a file of a host into the store
//! - [`comfy_registry`]: the registry of custom nodes, asked through the seam

pub mod address;
pub mod blob;
pub mod client;
pub mod comfy_registry;
mod exchange;
pub mod fetch;
pub mod pace;
pub mod retry;
pub mod sink;
pub mod tokens;

pub use client::Client;
pub use fetch::{Answer, Cause, Expected, Fetch, FetchError, Offline, Request, Validators};
pub use sink::{IntoFile, Sink};
