//! `--json`: one document, or one object a line.

use std::path::Path;

use serde::Serialize;

use super::{Exit, Failure, Session};

impl Session<'_> {
    /// Prints `value` as one line of JSON on standard output.
    pub fn print_json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let mut text = Vec::new();
        write(&mut text, value)?;
        text.push(b'\n');
        self.out.write_all(&text)?;
        Ok(())
    }
}

/// Adds `value` as JSON to `text`.
pub fn write(text: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(text, value)
        .map_err(|e| Failure::new(Exit::Damaged, format!("the answer cannot be written as JSON: {e}")))
}

/// A path as JSON has it: text, with U+FFFD for what is not Unicode.
pub fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
