//! Comfrey keeps a ComfyUI installation reproducible: workflows, custom nodes, and gigabytes of models.
//!
//! The crate is a house of floors. A module may use those below it in this list, never those above:
//!
//! ```text
//! porcelain  plumbing    one file a command
//! ui                     the terminal: progress, prompts, failures and exit codes
//! bundle                 export, import, object packs
//! environment            workspace, environments, manifest, state, transactions
//! resolve                references -> files
//! models  catalog        what is on disk; what is known of node classes, packages and loaders
//! workflow               ComfyUI's formats
//! net      archive       HTTP; archives from elsewhere, guarded
//! history  worktree      refs, revisions, operations; files <-> trees
//! store                  objects on disk
//! digest                 bytes -> hashes
//! object                 ids, trees, snapshots, operations: pure values, one encoding each
//! platform  observer     what differs between systems; how progress is told
//! ```

pub mod archive;
pub mod bundle;
pub mod catalog;
pub mod digest;
pub mod environment;
pub mod history;
pub mod models;
pub mod net;
pub mod object;
pub mod observer;
pub mod platform;
pub mod plumbing;
pub mod porcelain;
pub mod resolve;
pub mod store;
pub mod ui;
pub mod workflow;
pub mod worktree;
