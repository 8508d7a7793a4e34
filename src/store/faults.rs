//! The seam through which every effect of the store on the disk goes, so that a test can make the k-th fail.
//!
//! Whole programs are tested with the environment variable `COMFREY_FAULT_AT`: `7` makes the seventh effect fail, `7+`
//! that one and all after it (a disk that is gone), `7!` ends the process there as `kill -9` would. A write that fails
//! has written half.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::platform::durable;

/// What is about to be done to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Create,
    Write,
    Truncate,
    Sync,
    SyncFolder,
    Rename,
    Link,
    Permissions,
    Remove,
    Commit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Once,
    FromThere,
    Abort,
}

/// Counts effects and fails those it was told to. Costs one relaxed addition an effect.
#[derive(Debug)]
pub struct Faults {
    done: AtomicU64,
    /// Zero: never.
    at: u64,
    manner: Manner,
}

impl Default for Faults {
    fn default() -> Self {
        Faults { done: AtomicU64::new(0), at: 0, manner: Manner::Once }
    }
}

impl Faults {
    /// Fails the `k`-th effect, counted from one.
    pub fn at(k: u64) -> Self {
        Faults { at: k, ..Faults::default() }
    }

    /// Fails the `k`-th effect and all after it.
    pub fn from(k: u64) -> Self {
        Faults { at: k, manner: Manner::FromThere, ..Faults::default() }
    }

    /// As `COMFREY_FAULT_AT` says; none when it is unset or no number.
    pub fn of_environment() -> Self {
        let Ok(text) = std::env::var("COMFREY_FAULT_AT") else { return Faults::default() };
        let (digits, manner) = match text.as_bytes().last() {
            Some(b'+') => (&text[..text.len() - 1], Manner::FromThere),
            Some(b'!') => (&text[..text.len() - 1], Manner::Abort),
            _ => (&text[..], Manner::Once),
        };
        Faults { at: digits.parse().unwrap_or(0), manner, ..Faults::default() }
    }

    /// How many effects there were so far.
    pub fn count(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// To be called before an effect. Errors: this is the one that should fail.
    pub fn before(&self, effect: Effect, path: &Path) -> io::Result<()> {
        let now = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let strikes = self.at != 0 && (now == self.at || (self.manner == Manner::FromThere && now > self.at));
        if !strikes {
            return Ok(());
        }
        if self.manner == Manner::Abort {
            std::process::abort();
        }
        Err(io::Error::other(format!("fault injected at step {now} ({effect:?} {})", path.display())))
    }

    /// Writes at a position; a fault writes half.
    pub fn write_at(&self, file: &File, path: &Path, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.at != 0 && self.count() + 1 == self.at {
            durable::write_all_at(file, &bytes[..bytes.len() / 2], offset)?;
        }
        self.before(Effect::Write, path)?;
        durable::write_all_at(file, bytes, offset)
    }

    pub fn truncate(&self, file: &File, path: &Path, length: u64) -> io::Result<()> {
        self.before(Effect::Truncate, path)?;
        file.set_len(length)
    }

    pub fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.before(Effect::Sync, path)?;
        file.sync_data()
    }

    pub fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.before(Effect::SyncFolder, path)?;
        durable::sync_folder(path)
    }

    /// Makes a folder unless it is there; true if it was made.
    pub fn make_folder(&self, path: &Path) -> io::Result<bool> {
        if path.is_dir() {
            return Ok(false);
        }
        self.before(Effect::Create, path)?;
        match std::fs::create_dir(path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(e),
        }
    }

    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.before(Effect::Rename, to)?;
        durable::rename(from, to)
    }

    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.before(Effect::Remove, path)?;
        std::fs::remove_file(path)
    }
}
