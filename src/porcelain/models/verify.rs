//! `models verify`: reads files again and compares them with what was recorded.

use serde::Serialize;

use crate::models::verify::{Outcome, verify};
use crate::models::{Headers, IndexedFile, ModelIndex};
use crate::object::ObjectId;
use crate::ui::program::Command;
use crate::ui::report::{Bytes, count};
use crate::ui::{Exit, Failure, Session};

use super::Place;
use super::selection::select;

const HELP: &str = "\
Every byte is read. `damaged` is a file whose bytes changed although nothing shows that anyone wrote to it: a disk that fails, or a download
that never was whole. A file that someone wrote to is `changed`: `models index` takes it in as it is now.

Exit code 5 says that something is damaged.

Examples:
  comfrey models verify                        all of them
  comfrey models verify checkpoints/sd15.safetensors
  comfrey models verify --json | jq 'select(.state == \"damaged\")'";

/// Reads model files whole and compares them with the ids that were recorded of them.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Verify {
    /// Only these: places, paths, names, or first digits of hashes [default: all]
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
}

#[derive(Serialize)]
struct Line {
    path: String,
    file: String,
    size: u64,
    /// `same`, `first-read`, `changed`, `damaged`, `unreadable`, `absent`.
    state: &'static str,
    /// As recorded before.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<ObjectId>,
    /// What a damaged file's bytes are.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<ObjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Command for Verify {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let Place { workspace, roots, .. } = super::place(session)?;
        let inventory = ModelIndex::new(workspace.store()).inventory(&roots)?;
        let files: Vec<IndexedFile> = if self.models.is_empty() {
            // What is known to be gone is no news.
            inventory.files().iter().filter(|file| file.is_present()).cloned().collect()
        } else {
            let mut files: Vec<IndexedFile> = Vec::new();
            for word in &self.models {
                files.extend(select(&inventory, word)?.into_iter().cloned());
            }
            files
        };
        let verified = verify(workspace.store(), files, session.observer)?;
        let there: Vec<&IndexedFile> = verified.iter().map(|verified| &verified.file).collect();
        let headers = Headers::new(workspace.store()).known(&there)?;
        let mut exit = Exit::Done;
        let (mut same, mut first, mut bytes) = (0, 0, 0);
        for (verified, header) in verified.iter().zip(headers) {
            let file = &verified.file;
            let damage = header.and_then(|header| header.damage);
            let (state, found, reason) = match &verified.outcome {
                // Read for the first time it agrees with itself, but its header may not.
                Outcome::FirstRead if damage.is_some() => ("damaged", None, damage),
                Outcome::FirstRead => ("first-read", None, None),
                Outcome::Same => ("same", None, None),
                Outcome::Changed => ("changed", None, None),
                Outcome::Damaged { found } => ("damaged", Some(*found), None),
                Outcome::Unreadable(error) => ("unreadable", None, Some(error.to_string())),
                Outcome::Absent => ("absent", None, None),
            };
            match state {
                "damaged" => exit = Exit::Damaged,
                "unreadable" | "absent" if exit == Exit::Done => exit = Exit::NotFound,
                "same" => same += 1,
                "first-read" => first += 1,
                _ => {}
            }
            bytes += if matches!(state, "same" | "first-read") { file.size() } else { 0 };
            let line = Line {
                path: file.place(),
                file: file.file().to_string_lossy().into_owned(),
                size: file.size(),
                state,
                id: file.id,
                found,
                reason,
            };
            if session.globals.json {
                session.print_json(&line)?;
            } else if !matches!(state, "same" | "first-read") {
                say(&line, session)?;
            }
        }
        if !session.globals.json {
            let firsts = if first > 0 {
                format!(", {} of them for the first time", count(first, "file"))
            } else {
                String::new()
            };
            writeln!(session.out, "{} right, {}{firsts}", count(same + first, "model file"), Bytes(bytes))?;
        }
        Ok(exit)
    }
}

fn say(line: &Line, session: &mut Session<'_>) -> Result<(), Failure> {
    let paint = session.paint;
    let (state, more) = match (line.state, &line.reason, line.found, line.id) {
        ("damaged", _, Some(found), Some(id)) => {
            (paint.bad("damaged"), format!(": was {}, is {}", id.short(), found.short()))
        }
        ("damaged", Some(reason), ..) => (paint.bad("damaged"), format!(": {reason}")),
        ("damaged", ..) => (paint.bad("damaged"), ": not the bytes that were sampled before".to_owned()),
        ("changed", ..) => (paint.changed("changed"), ": someone wrote to it since it was indexed".to_owned()),
        (state, Some(reason), ..) => (paint.bad(state), format!(": {reason}")),
        (state, ..) => (paint.bad(state), String::new()),
    };
    writeln!(session.out, "{state}  {}{more}", line.path)?;
    Ok(())
}
