//! Workflows inside media: where each container keeps the `workflow` and the `prompt` that ComfyUI put there.
//!
//! Containers are told by content. Only headers and metadata are read, never pixels, frames or weights, and nothing that
//! a file claims is believed before it is checked (invariant R20): a length is compared with the file's size before
//! memory is taken, and all that is read of one file together has a limit.
//!
//! - [`mod@find`]: the one entry: which container, and what is in it
//! - [`container`]: which container is this, by its first bytes
//! - [`source`]: reading at places, within limits
//! - [`findings`]: texts that a container held, sorted into workflow, prompt and other tools' parameters
//! - images: [`png`], [`webp`], [`jpeg`], [`avif`], with [`exif`]; [`svg`]
//! - video and audio: [`isobmff`] (MP4, MOV) in [`boxes`], [`matroska`] (WebM), [`flac`], [`ogg`], with [`vorbis`]; [`mp3`]
//! - [`glb`], [`safetensors`]

mod avif;
mod boxes;
mod container;
mod exif;
mod find;
mod findings;
mod flac;
mod glb;
mod isobmff;
mod jpeg;
mod matroska;
mod mp3;
mod ogg;
mod png;
mod safetensors;
mod source;
mod svg;
mod vorbis;
mod webp;

#[cfg(test)]
mod tests;

pub use container::Container;
pub use find::{Embedded, EmbeddedError, find};
pub use source::{MAX_METADATA, Problem};
