//! Answers kept on the disk: young ones are not asked for again, old ones serve when there is no network.
//!
//! A file an address, named by its hash: a line of JSON with what is known of the answer, then the answer. A file that cannot be read is as
//! good as none.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::net::Validators;
use crate::platform::durable;

/// The folder with the answers.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
}

/// An answer that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// When the host last said so, in milliseconds since 1970.
    pub fetched: i64,
    pub validators: Validators,
    pub bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Note<'a> {
    url: &'a str,
    fetched: i64,
    #[serde(flatten)]
    validators: Validators,
}

impl Shelf {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Shelf { folder: folder.into() }
    }

    /// What was kept of the answer of `url`.
    pub fn get(&self, url: &str) -> Option<Kept> {
        let bytes = std::fs::read(self.path(url)).ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let note: Note<'_> = serde_json::from_slice(&bytes[..end]).ok()?;
        // Two addresses with one name would be a collision of hashes.
        (note.url == url).then(|| Kept {
            fetched: note.fetched,
            validators: note.validators,
            bytes: bytes[end + 1..].to_vec(),
        })
    }

    /// Keeps an answer in place of an older one.
    pub fn put(&self, url: &str, kept: &Kept) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let note = Note { url, fetched: kept.fetched, validators: kept.validators.clone() };
        let mut aside = durable::new_aside(&self.folder, ".new-")?;
        aside.write_all(&serde_json::to_vec(&note)?)?;
        aside.write_all(b"\n")?;
        aside.write_all(&kept.bytes)?;
        durable::rename(&aside.into_temp_path(), &self.path(url))
    }

    /// Forgets an answer.
    pub fn forget(&self, url: &str) {
        // One that stays is asked about again anyway.
        drop(std::fs::remove_file(self.path(url)));
    }

    fn path(&self, url: &str) -> PathBuf {
        // An address can hold what no file name may.
        Path::new(&self.folder).join(format!("{}.json", &blake3::hash(url.as_bytes()).to_hex()[..24]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_and_what_is_damaged_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(dir.path().join("new"));
        assert_eq!(shelf.get("https://a"), None);
        let validators = Validators { etag: Some("one".into()), last_modified: None };
        let kept = Kept { fetched: 5, validators, bytes: b"{\n}".to_vec() };
        shelf.put("https://a", &kept).unwrap();
        shelf.put("https://b", &Kept { fetched: 6, ..kept.clone() }).unwrap();
        assert_eq!(shelf.get("https://a"), Some(kept));
        std::fs::write(shelf.path("https://b"), b"{\"half").unwrap();
        assert_eq!(shelf.get("https://b"), None);
        shelf.forget("https://a");
        assert_eq!(shelf.get("https://a"), None);
        assert_eq!(std::fs::read_dir(dir.path().join("new")).unwrap().count(), 1);
    }
}
