//! What a folder asks for, as it is gathered.

use crate::platform::git_refs::without_credentials;

use super::refused::{Origin, Reason, Refused};
use super::requirement::Requirement;

/// What a folder asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// In the order in which they are written, each once.
    pub accepted: Vec<Requirement>,
    /// What was not taken over, and why.
    pub refused: Vec<Refused>,
    /// The files that were read, relative to the folder, with `/`.
    pub files: Vec<String>,
}

impl Requirements {
    /// As they stand in a manifest.
    pub fn texts(&self) -> Vec<String> {
        self.accepted.iter().map(ToString::to_string).collect()
    }

    pub(super) fn take(&mut self, line: &str, from: Origin) {
        match Requirement::parse(line) {
            Ok(requirement) => self.accepted.push(requirement),
            Err(reason) => self.refuse(line, from, reason),
        }
    }

    pub(super) fn refuse(&mut self, line: &str, from: Origin, reason: Reason) {
        self.refused.push(Refused { line: without_secrets(line), from, reason });
    }
}

/// A line without the names and passwords in its addresses.
fn without_secrets(line: &str) -> String {
    let word = |word: &str| match word.find("http") {
        Some(at) => format!("{}{}", &word[..at], without_credentials(&word[at..])),
        None => word.to_owned(),
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
