//! Files of the model index as `index-dir` and `models` ask for and show them.

use std::io::{self, Write};

use serde::Serialize;

use crate::digest::{QuickHash, Sha256};
use crate::models::header::{Format, Kind, Verdict};
use crate::models::{Depth, Header, IndexedFile, Problem};
use crate::object::ObjectId;

use super::{Exit, Failure, Session};

/// Says what could not be taken in; the exit code follows.
pub fn complain(problems: Vec<Problem>, session: &mut Session<'_>) -> Result<Exit, Failure> {
    session.out.flush()?;
    let mut exit = Exit::Done;
    for problem in problems {
        let failure = Failure::from(problem);
        session.complain(&failure)?;
        exit = Exit::NotFound;
    }
    Ok(exit)
}

/// What the two options ask for.
pub fn depth(full: bool, sha256: bool) -> Depth {
    if full || sha256 { Depth::Full { sha256 } } else { Depth::Quick }
}

/// One file as JSON has it.
#[derive(Serialize)]
pub struct FileLine {
    /// As ComfyUI sees it below `models/`.
    pub path: String,
    /// On this machine.
    pub file: String,
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quick: Option<QuickHash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<ObjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    pub state: &'static str,
}

impl FileLine {
    pub fn of(file: &IndexedFile) -> Self {
        FileLine {
            path: file.place(),
            file: file.file().to_string_lossy().into_owned(),
            size: file.size(),
            mtime: file.stamp.modified as f64 / 1e9,
            quick: file.quick,
            id: file.id,
            sha256: file.sha256,
            state: file.state.as_str(),
        }
    }
}

/// What of a header stands in a list; all of it absent while the header was not read.
#[derive(Default, Serialize)]
pub struct HeaderLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Of a pickle: the worst of what it would import.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pickle: Option<Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

impl HeaderLine {
    pub fn of(header: Option<&Header>) -> Self {
        header.map_or_else(HeaderLine::default, |header| HeaderLine {
            format: Some(header.format),
            kind: header.kind,
            base: header.base.clone(),
            pickle: header.pickle.as_ref().map(|scan| scan.verdict()),
            damage: header.damage.clone(),
        })
    }
}

/// One file as a line of JSON.
pub fn write_json(file: &IndexedFile, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &FileLine::of(file))?;
    out.write_all(b"\n")
}
