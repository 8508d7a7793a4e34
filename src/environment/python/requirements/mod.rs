//! What ComfyUI and its nodes say they need, read without running anything of theirs.
//!
//! A folder's requirements stand in `requirements.txt`, which is all that ComfyUI's own installers look at; else in `pyproject.toml`; else in
//! `setup.py`. What cannot be taken over is named with its reason, never dropped in silence (invariant E30).
//!
//! - [`folder`]: the requirements of a folder
//! - [`found`]: them as they are gathered, with what is [`refused`]
//! - [`files`]: the files of a folder
//! - [`requirement`]: one of them, as a name and what is asked of it (PEP 508)
//! - [`text_file`]: what `requirements.txt` says, with what it includes
//! - [`project`]: what `pyproject.toml` says
//! - [`setup`]: what `setup.py` says, as far as it is written out

mod files;
pub mod folder;
pub mod found;
pub mod project;
pub mod refused;
pub mod requirement;
pub mod setup;
pub mod text_file;

pub use folder::Whose;
pub use found::Requirements;
pub use refused::{Origin, Reason, Refused};
pub use requirement::{Requirement, normalized};
