//! Custom nodes: where they came from, what they are, and how they come, change and go.
//!
//! What is there:
//!
//! - [`origin`]: where a node came from
//! - [`placed`]: what lies in `custom_nodes`
//! - [`mod@installed`]: the node types that their files define
//! - [`mod@survey`]: every node of a working state, with what the manifest says of it
//!
//! What is to come:
//!
//! - [`request`]: what a user types for it
//! - [`fetch`]: its files, into the store
//! - [`kept`]: what was fetched before
//!
//! And what is to be different:
//!
//! - [`steps`]: what is to be done with nodes, decided and not yet done
//! - [`carried`]: what goes over to another version
//! - [`clone`]: a node that someone made a git clone
//! - [`edits`]: what someone changed in a node, put over another version of it
//! - [`change`]: the steps as one transaction
//! - [`required`]: what nodes require of Python
//! - [`scripts`]: what runs by itself, and only with consent
//! - [`error`]: what can go wrong

pub mod carried;
pub mod change;
pub mod clone;
pub mod edits;
pub mod error;
pub mod fetch;
pub mod installed;
pub mod kept;
pub mod origin;
pub mod placed;
pub mod request;
pub mod required;
pub mod scripts;
pub mod steps;
pub mod survey;

pub use change::{Change, Step};
pub use error::NodeError;
pub use fetch::{Fetched, Sources};
pub use installed::installed;
pub use origin::Origin;
pub use request::Request;
pub use survey::{Edits, Found, Node, find, survey};
