//! From what a workflow says to files on disk and to packages.
//!
//! - [`model`]: the answer for a reference to a model, as a value
//! - [`rules`]: the rules that find it, as a pure function of the reference and what is known
//! - [`known`]: what is known: files, sources, and maps that are only made when a rule asks
//! - [`memory`]: what was said of a place before
//! - [`declared_hash`]: hashes as workflows declare them, short ones included
//! - [`similar`]: names that are like another one
//! - [`choice`]: the rules with ids looked up where the answer depends on them
//! - [`node`]: the answer for a node type: which package has it
//! - [`packages`]: what is known of packages, and which are installed
//! - [`node_rules`]: the rules that find the package
//! - [`choose`]: who decides what the rules leave open
//! - [`answers`]: a file of answers
//! - [`rewriting`]: what a workflow must say so that ComfyUI finds the file

pub mod answers;
pub mod choice;
pub mod choose;
pub mod declared_hash;
pub mod known;
pub mod memory;
pub mod model;
pub mod node;
pub mod node_rules;
pub mod packages;
pub mod rewriting;
pub mod rules;
pub mod similar;

pub use choice::{resolve_each, resolve_models};
pub use choose::{
    Automatic, Choose, ChooseError, ModelAnswer, ModelQuestion, NodeAnswer, NodeQuestion, Once, is_question,
    settle_models,
};
pub use known::{Known, Source, Sources};
pub use memory::{Memory, Place, Said, Slot};
pub use model::{Candidate, Resolution, Rule, Status};
pub use node::{NodeChoice, NodeNeed, NodeResolution, NodeRule, PackageCandidate};
pub use node_rules::{KnownNodes, resolve_nodes, settle_nodes};
pub use packages::{Installed, InstalledPackage, NoPackages, Owners, Package, Packages};
pub use rewriting::{changes, listed_value};
pub use rules::resolve_model;
