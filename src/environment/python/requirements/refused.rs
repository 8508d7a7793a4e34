//! What is not taken over, where it stands, and why.

use std::fmt;

/// Something that was asked for and that is not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// As it is written, without names and passwords.
    pub line: String,
    pub from: Origin,
    pub reason: Reason,
}

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Relative to the folder, with `/`.
    pub file: String,
    /// From 1; 0 where it is not known.
    pub line: usize,
}

/// Why something is not taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("not a requirement: {0}")]
    Invalid(String),
    #[error("a file or folder of one machine")]
    LocalPath,
    #[error("a URL that does not say which package it is; write `NAME @ URL`")]
    NoName,
    #[error("it needs a variable of one machine")]
    Variable,
    /// torch and what is bound to one version of it.
    #[error("torch and what is bound to its version come with ComfyUI")]
    Torch,
    #[error("where packages come from is for you to set, for instance with UV_INDEX")]
    Index,
    #[error("an option of pip's that uv does not take from a requirements file")]
    Option,
    #[error("a constraint on a package that it does not require; `comfrey constraint add` makes it hold for all")]
    Constraint,
    #[error("a file that is not there")]
    Absent,
    #[error("a file outside the folder")]
    Outside,
    #[error("a file that has to be fetched")]
    Remote,
    #[error("worked out by a program, which is not run")]
    Computed,
    #[error("not readable: {0}")]
    Unreadable(String),
}

impl Reason {
    /// One word for JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Reason::Invalid(_) => "invalid",
            Reason::LocalPath => "local-path",
            Reason::NoName => "no-name",
            Reason::Variable => "variable",
            Reason::Torch => "torch",
            Reason::Index => "index",
            Reason::Option => "option",
            Reason::Constraint => "constraint",
            Reason::Absent => "absent",
            Reason::Outside => "outside",
            Reason::Remote => "remote",
            Reason::Computed => "computed",
            Reason::Unreadable(_) => "unreadable",
        }
    }

    /// True where nobody need do anything: it is meant to be so.
    pub fn is_expected(&self) -> bool {
        matches!(self, Reason::Torch)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused { line, from, reason } = self;
        match from.line {
            0 => write!(f, "{}: `{line}` is left out: {reason}", from.file),
            number => write!(f, "{}:{number}: `{line}` is left out: {reason}", from.file),
        }
    }
}
