//! The `format` file: which version a store has, and what a program must understand to use it.
//!
//! ```text
//! comfrey store 1
//! requires: segments-1 large-1 index-redb-4
//! ```
//!
//! A program refuses a version or a required feature that it does not know. Lines with other keys are passed over.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use super::{Error, Result};
use crate::platform::durable;

/// The name of the file in the store's folder.
pub const NAME: &str = "format";

const VERSION: u32 = 1;
const FEATURES: [&str; 3] = ["segments-1", "large-1", "index-redb-4"];

/// The text that a new store gets.
pub fn text() -> String {
    format!("comfrey store {VERSION}\nrequires: {}\n", FEATURES.join(" "))
}

/// Reads and judges the file. Errors: [`Error::NotAStore`] when it is absent, [`Error::Format`] when this program
/// cannot work with such a store, [`Error::FormatDamaged`] when it says nothing of the kind.
pub fn check(folder: &Path) -> Result<()> {
    let path = folder.join(NAME);
    let bytes = std::fs::read(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::NotAStore(folder.to_owned()),
        _ => Error::Io { path: path.clone(), source },
    })?;
    judge(&bytes).map_err(|judgement| match judgement {
        Judgement::Unknown(reason) => Error::Format { path, reason },
        Judgement::Damaged => Error::FormatDamaged(path),
    })
}

/// Why a store cannot be used.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    Unknown(String),
    Damaged,
}

fn judge(bytes: &[u8]) -> Result<(), Judgement> {
    let damaged = || Judgement::Damaged;
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
    let mut lines = text.lines();
    let version = lines.next().and_then(|line| line.strip_prefix("comfrey store ")).ok_or_else(damaged)?;
    let version: u32 = version.trim().parse().map_err(|_| damaged())?;
    if version != VERSION {
        let reason = format!("a store of version {version}, which this program does not know (it knows {VERSION})");
        return Err(Judgement::Unknown(reason));
    }
    let required = lines.find_map(|line| line.strip_prefix("requires:")).ok_or_else(damaged)?;
    match required.split_whitespace().find(|feature| !FEATURES.contains(feature)) {
        Some(unknown) => {
            Err(Judgement::Unknown(format!("the store requires `{unknown}`, which this program does not know")))
        }
        None => Ok(()),
    }
}

/// Makes the file, as the last step of making a store: written aside, synced, renamed.
pub fn create(folder: &Path) -> Result<()> {
    let (path, aside) = (folder.join(NAME), folder.join("format.new"));
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&aside)?;
        file.write_all(text().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&aside, &path)?;
        durable::sync_folder(folder)
    };
    write().map_err(Error::io(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_program_writes_it_reads() {
        assert_eq!(judge(text().as_bytes()), Ok(()));
        assert_eq!(judge(b"comfrey store 1\nmade-by: x\nrequires: large-1\n"), Ok(()));
    }

    #[test]
    fn unknown_versions_and_features_and_damage_are_refused() {
        for bad in ["", "comfrey", "comfrey store x\n", "comfrey store 1\n", "\0\0\0\0"] {
            assert_eq!(judge(bad.as_bytes()), Err(Judgement::Damaged), "{bad:?}");
        }
        for unknown in ["comfrey store 2\nrequires:\n", "comfrey store 1\nrequires: large-2\n"] {
            assert!(matches!(judge(unknown.as_bytes()), Err(Judgement::Unknown(_))), "{unknown:?}");
        }
    }
}
