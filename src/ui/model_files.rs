//! Files of the model index as `index-dir` and `models` ask for and show them.

use std::io::{self, Write};

use serde::Serialize;

use crate::digest::{QuickHash, Sha256};
use crate::models::{Depth, IndexedFile, Problem};
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

/// One file as a line of JSON: `path` as ComfyUI sees it below `models/`, `file` on this machine.
pub fn write_json(file: &IndexedFile, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line {
        path: String,
        file: String,
        size: u64,
        /// Seconds since 1970.
        mtime: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        quick: Option<QuickHash>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<ObjectId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sha256: Option<Sha256>,
        state: &'static str,
    }
    let line = Line {
        path: file.place(),
        file: file.file().to_string_lossy().into_owned(),
        size: file.size(),
        mtime: file.stamp.modified as f64 / 1e9,
        quick: file.quick,
        id: file.id,
        sha256: file.sha256,
        state: file.state.as_str(),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}
