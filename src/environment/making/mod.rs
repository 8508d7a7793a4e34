//! Making environments: getting a ComfyUI, putting an environment around it, copying one, and taking one away.
//!
//! - [`source`]: where a ComfyUI can be had, as a value
//! - [`fetch`]: from there into the store; [`fetched`]: what was fetched, so that it need not be again
//! - [`folders`]: the models folder of an environment, and what it shares
//! - [`birth`]: an environment in the making, which leaves nothing if it is not finished
//! - [`create`]: a new environment
//! - [`clone`]: a copy of one; [`copying`]: its files
//! - [`trash`]: where deleted ones lie until they are swept or brought back

pub mod birth;
pub mod clone;
pub mod copying;
pub mod create;
pub mod fetch;
pub mod fetched;
pub mod folders;
pub mod source;
pub mod trash;
