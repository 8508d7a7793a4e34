//! The Python of an environment: which packages it wants, which versions that makes, and a virtual environment that has them.
//!
//! All of it is uv's work. Comfrey writes a manifest that uv understands, runs uv, and says what came of it. No index is named here:
//! `UV_*`, `uv.toml` and pip's own settings say where packages come from.
//!
//! - [`seam`]: what others ask of it, and what can go wrong
//! - [`uv`]: uv does it
//! - [`find`]: which uv, and where one comes from if there is none
//! - [`outside`]: running a program that may take long, say much, and be stopped
//! - [`complaint`]: why uv failed, where its words tell
//! - [`conflict`]: what uv says where requirements disagree, as a value
//! - [`torch`]: where torch comes from, a fact of the machine
//! - [`requirements`]: what ComfyUI and its nodes ask for
//! - [`venv`]: where things lie in a virtual environment
//! - [`lockfile`]: what uv resolved, as values
//! - [`installed`]: what a virtual environment holds, and whether that is what the lock says
//! - [`in_step`]: whether the lock is that of the manifest
//! - [`stamp`]: what was installed last, so that one look tells
//! - [`twin`]: a folder's files under second names
//! - [`trial`]: packages installed as a part of a transaction
//! - [`packages`]: changing which packages an environment has

pub mod complaint;
pub mod conflict;
pub mod find;
pub mod in_step;
pub mod installed;
pub mod lockfile;
pub mod outside;
pub mod packages;
pub mod requirements;
pub mod seam;
pub mod stamp;
pub mod torch;
pub mod trial;
pub mod twin;
pub mod uv;
pub mod venv;

pub use complaint::Complaint;
pub use conflict::Conflict;
pub use seam::{Install, Project, Python, PythonError};
pub use torch::TorchBackend;
pub use trial::{Trial, TrialError};
pub use uv::Uv;
pub use venv::Venv;
