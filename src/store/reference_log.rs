//! Which user's files the store counts on, in a file that outlives the index.
//!
//! Bytes that the store keeps itself are found again by looking at segments and large files; a reference is known only to
//! the index. So each is also appended to `references`, a line each, before the index names it (invariant S8):
//!
//! ```text
//! ID SIZE PATH SUM
//! ```
//!
//! PATH is the path's bytes in hex, SUM the XXH3-64 of the line up to it in hex. Every line begins with a line feed too, so
//! that what a torn write leaves spoils no other line. A line whose sum is wrong is passed over.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::faults::{Effect, Faults};
use super::{Error, Result};
use crate::object::ObjectId;
use crate::platform::paths;

/// The file's name in the store's folder.
pub const NAME: &str = "references";

/// A user's file that holds an object's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    pub id: ObjectId,
    /// Bytes.
    pub size: u64,
    pub path: PathBuf,
}

/// Appends references and makes them durable.
pub fn append(store: &Path, references: &[Reference], faults: &Faults) -> Result<()> {
    if references.is_empty() {
        return Ok(());
    }
    let path = store.join(NAME);
    let text: String = references.iter().map(line).collect();
    let write = || -> io::Result<()> {
        let is_new = !path.exists();
        let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
        faults.before(Effect::Write, &path)?;
        file.write_all(text.as_bytes())?;
        faults.sync(&file, &path)?;
        if is_new { faults.sync_folder(store) } else { Ok(()) }
    };
    write().map_err(Error::io(&path))
}

/// All references ever recorded, each once. None when there is no such file.
pub fn read(store: &Path) -> Result<Vec<Reference>> {
    let path = store.join(NAME);
    let mut bytes = Vec::new();
    match std::fs::File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        done => done.map_err(Error::io(&path))?,
    };
    let mut seen = HashSet::new();
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| parse(std::str::from_utf8(line).ok()?));
    Ok(lines.filter(|reference| seen.insert(reference.clone())).collect())
}

fn line(reference: &Reference) -> String {
    let hex: String = paths::to_bytes(&reference.path).iter().map(|byte| format!("{byte:02x}")).collect();
    let facts = format!("{} {} {hex}", reference.id, reference.size);
    format!("\n{facts} {:016x}\n", xxhash_rust::xxh3::xxh3_64(facts.as_bytes()))
}

fn parse(line: &str) -> Option<Reference> {
    let (facts, sum) = line.rsplit_once(' ')?;
    if format!("{:016x}", xxhash_rust::xxh3::xxh3_64(facts.as_bytes())) != sum {
        return None;
    }
    let mut facts = facts.split(' ');
    let (id, size, hex) = (facts.next()?.parse().ok()?, facts.next()?.parse().ok()?, facts.next()?);
    let digits = hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    Some(Reference { id, size, path: paths::from_bytes(&digits.collect::<Option<Vec<u8>>>()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(path: &str) -> Reference {
        Reference { id: ObjectId::of_blob(path.as_bytes()), size: 7, path: path.into() }
    }

    #[test]
    fn what_was_appended_is_read_again_once_each() {
        let store = tempfile::tempdir().unwrap();
        assert_eq!(read(store.path()).unwrap(), []);
        let (a, b) = (reference("/models/a b.safetensors"), reference("/models/é\n.ckpt"));
        append(store.path(), &[a.clone(), b.clone()], &Faults::default()).unwrap();
        append(store.path(), std::slice::from_ref(&a), &Faults::default()).unwrap();
        assert_eq!(read(store.path()).unwrap(), [a, b]);
    }

    #[test]
    fn a_torn_line_spoils_no_other() {
        let store = tempfile::tempdir().unwrap();
        let (a, b, c) = (reference("/a"), reference("/b"), reference("/c"));
        append(store.path(), &[a.clone(), b], &Faults::default()).unwrap();
        let path = store.path().join(NAME);
        let length = std::fs::metadata(&path).unwrap().len();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 5).unwrap();
        append(store.path(), std::slice::from_ref(&c), &Faults::default()).unwrap();
        assert_eq!(read(store.path()).unwrap(), [a, c]);
    }
}
