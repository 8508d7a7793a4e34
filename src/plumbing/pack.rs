//! `pack`: objects as one stream on standard output.

use std::io::{BufRead, IsTerminal};
use std::num::NonZeroUsize;

use serde_json::json;

use crate::bundle::pack::PackOptions;
use crate::bundle::send::send;
use crate::bundle::unpack::default_limits;
use crate::object::ObjectId;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

/// Reads ids, a line each, and writes a pack of those objects to standard output.
///
/// The first word of a line is the id, so that lines of `rev-list --objects` and `ls-tree` serve. Each object is packed once, in
/// the order of its first line. What comes in is the same for the same ids, down to the byte.
#[derive(Debug, clap::Args)]
pub struct Pack {
    /// How many threads compress; the pack does not depend on it [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl Command for Pack {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        if std::io::stdout().is_terminal() {
            return Err(Failure::new(Exit::Usage, "pack: a pack is not for a terminal")
                .hint("write it to a file (`> FILE`), or pipe it into `comfrey unpack`"));
        }
        let store = session.store()?;
        let ids = ids(session.input)?;
        let mut options = PackOptions::default();
        options.threads = self.threads.unwrap_or(options.threads);
        let packed = send(&store, ids, &mut *session.out, &options, session.observer)?;
        let needs = packed.needs.len();
        if session.globals.json {
            // Standard output is the pack itself.
            let summary = json!({
                "objects": packed.objects, "bytes": packed.bytes, "packed": packed.packed,
                "needs": packed.needs.iter().map(super::unpack::need_json).collect::<Vec<_>>(),
            });
            writeln!(session.err, "{summary}").map_err(|e| Failure::io("standard error", &e))?;
        } else if session.globals.verbose > 0 {
            let (objects, bytes, size) = (packed.objects, packed.bytes, packed.packed);
            session.note(format_args!("{objects} objects, {bytes} bytes in {size}; {needs} more are needed"))?;
        }
        if let Err(rule) = default_limits().expansion(packed.bytes, packed.packed) {
            session.warn(format_args!("{rule}; to unpack it, `--max-ratio` must be given"))?;
        }
        Ok(Exit::Done)
    }
}

/// The first words of all lines. Read to the end before the store is looked at, so that nothing is held open while waiting.
fn ids(input: &mut dyn BufRead) -> Result<Vec<ObjectId>, Failure> {
    let mut ids = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = input.read_until(b'\n', &mut line).map_err(|e| Failure::io("standard input", &e))?;
        if read == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let Some(word) = text.split_ascii_whitespace().next() else { continue };
        let id = word.parse().map_err(|error| {
            Failure::new(Exit::Usage, format!("standard input, line {number}: {error}"))
                .hint("`comfrey rev-list --objects REV` prints what is to be packed")
        })?;
        ids.push(id);
    }
    Ok(ids)
}
