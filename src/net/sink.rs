//! Where a download goes.

use std::fs::File;
use std::io::{self, Seek, Write};

use super::fetch::Validators;

/// Takes a download's bytes, and knows how far it was when it stopped before.
pub trait Sink {
    /// Bytes that are there already.
    fn length(&self) -> u64;

    /// What the host said of the version that those bytes are of; nothing where the rest cannot be told to belong to them.
    fn version(&self) -> Validators;

    /// What comes now is `version` from its first byte on: what was there is gone. `total` bytes are to come, if the host says
    /// how many.
    ///
    /// # Errors
    /// There is no room, or the file system's.
    fn begin(&mut self, version: &Validators, total: Option<u64>) -> io::Result<()>;

    /// What comes now follows what is there; so many bytes are to come.
    ///
    /// # Errors
    /// There is no room.
    fn go_on(&mut self, rest: Option<u64>) -> io::Result<()>;

    /// The next bytes.
    ///
    /// # Errors
    /// The file system's.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// A file that nothing is known of, and that begins anew whenever a download does.
pub struct IntoFile<'a> {
    file: &'a mut File,
    length: u64,
    version: Validators,
}

impl<'a> IntoFile<'a> {
    pub fn new(file: &'a mut File) -> Self {
        IntoFile { file, length: 0, version: Validators::default() }
    }
}

impl Sink for IntoFile<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    fn version(&self) -> Validators {
        self.version.clone()
    }

    fn begin(&mut self, version: &Validators, _total: Option<u64>) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.length = 0;
        self.version = version.clone();
        Ok(())
    }

    fn go_on(&mut self, _rest: Option<u64>) -> io::Result<()> {
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}
