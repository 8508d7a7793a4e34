//! `comfrey demo`: the whole path through the product on input that it makes itself.
//!
//! - [`command`]: its options
//! - [`story`]: the steps, and what must be true after each
//! - [`stage`]: running a step as a user would, showing it, and failing loudly
//! - [`installation`]: a ComfyUI-like folder
//! - [`nodes`]: custom nodes
//! - [`workflows`]: workflows in the editor's and the API format
//! - [`weights`]: model files

pub mod command;
mod installation;
mod nodes;
mod stage;
mod story;
mod weights;
mod workflows;

pub use command::Demo;
