//! What a walk could not take in, or took in with a doubt.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::platform::folder::FileKind;
use crate::platform::names::Hazard;

/// Something about one path that the user should know.
#[derive(Debug)]
pub struct Problem {
    /// The path as the user would name it: below the folder that was given.
    pub path: PathBuf,
    pub reason: Reason,
}

/// What is the matter with a path. See [`Reason::left_out`].
#[derive(Debug)]
pub enum Reason {
    /// The name is not UTF-8, so no tree can hold it.
    NotUtf8,
    /// The name holds this character, which no tree can hold.
    Separator(char),
    /// The target of a link is not UTF-8.
    TargetNotUtf8,
    /// A fifo, socket or device.
    Special(FileKind),
    /// The system refused to read it.
    Unreadable(io::Error),
    /// It changed, or was replaced or removed, while it was read.
    ChangedWhileRead,
    /// It is kept, but another system cannot have it.
    Unsafe(Hazard),
    /// It is kept, but a system that ignores case cannot have it beside this one.
    EqualButForCase(String),
    /// A line of a file of ignore rules that is no rule; the other lines hold.
    NoRule { line: usize, reason: String },
}

/// ` and 2 more`, for a message that names the first of several paths.
pub fn and_more(more: usize) -> String {
    if more == 0 { String::new() } else { format!(" and {more} more") }
}

impl Reason {
    /// True when the path is missing in the tree (invariant W1: nothing is left out without such a problem, save what a rule ignores).
    pub fn left_out(&self) -> bool {
        !matches!(self, Reason::Unsafe(_) | Reason::EqualButForCase(_) | Reason::NoRule { .. })
    }

    /// A word for JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Reason::NotUtf8 => "not-utf-8",
            Reason::Separator(_) => "separator-in-name",
            Reason::TargetNotUtf8 => "target-not-utf-8",
            Reason::Special(_) => "special-file",
            Reason::Unreadable(_) => "unreadable",
            Reason::ChangedWhileRead => "changed-while-read",
            Reason::Unsafe(_) => "unsafe-name",
            Reason::EqualButForCase(_) => "equal-but-for-case",
            Reason::NoRule { .. } => "no-ignore-rule",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NotUtf8 => f.write_str("the name is not UTF-8, which no tree can hold"),
            Reason::Separator(c) => write!(f, "the name holds `{c}`, which no tree can hold"),
            Reason::TargetNotUtf8 => f.write_str("the link's target is not UTF-8, which no tree can hold"),
            Reason::Special(FileKind::Fifo) => f.write_str("is a fifo, which no tree can hold"),
            Reason::Special(FileKind::Socket) => f.write_str("is a socket, which no tree can hold"),
            Reason::Special(_) => f.write_str("is a device, which no tree can hold"),
            Reason::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Reason::ChangedWhileRead => f.write_str("changed while it was read"),
            Reason::Unsafe(hazard) => write!(f, "kept, but the name {hazard}"),
            Reason::EqualButForCase(twin) => {
                write!(f, "kept, but Windows and macOS cannot have it beside `{twin}`, which differs only by case")
            }
            Reason::NoRule { line, reason } => write!(f, "line {line} is no ignore rule: {reason}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", shown(&self.path), self.reason)
    }
}

/// A path for a message: control characters and bytes that are not UTF-8 are escaped, so that a name cannot drive a terminal.
pub fn shown(path: &std::path::Path) -> String {
    match path.to_str() {
        Some(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => format!("{path:?}"),
    }
}
