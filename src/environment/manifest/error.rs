//! Why a text or a file is no manifest.

use std::io;
use std::path::PathBuf;

/// Why a text is no manifest, and where: line and column from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct ManifestError {
    pub line: usize,
    pub column: usize,
    pub reason: String,
}

/// Why a file is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}, {source}", path.display())]
    Manifest { path: PathBuf, source: ManifestError },
}
