//! `unpack`: a pack on standard input into the store.

use std::io::BufReader;
use std::num::NonZeroUsize;

use serde_json::{Value, json};

use crate::bundle::pack::{Need, Role};
use crate::bundle::receive::{Arrived, Purpose, ReceiveOptions, receive};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

/// Reads a pack from standard input, verifies all of it, and stores its objects.
///
/// Prints `tip KIND ID SIZE` for each object that no other in the pack refers to, then `needs KIND ID SIZE` for what the objects refer
/// to and neither pack nor store has. Exit 1 when more than models is missing. A pack that is cut short, damaged, or followed
/// by anything is refused, and nothing of it is stored.
#[derive(Debug, clap::Args)]
pub struct Unpack {
    /// Print `object KIND ID SIZE` for every object, in the pack's order, before the tips
    #[arg(long)]
    list: bool,
    /// Verify the pack and say what it holds, but store nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Refuse a pack that becomes so many times larger
    #[arg(long, value_name = "N")]
    max_ratio: Option<u64>,
    /// How many threads hash and compress [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl Command for Unpack {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let store = session.store()?;
        let mut options = ReceiveOptions::default();
        options.threads = self.threads.unwrap_or(options.threads);
        options.limits.ratio = self.max_ratio.unwrap_or(options.limits.ratio);
        if self.dry_run {
            options.purpose = Purpose::Verify;
        }
        let input = BufReader::with_capacity(1 << 18, &mut *session.input);
        let received = receive(&store, input, &options, session.observer)?;
        if session.globals.json {
            let bytes: u64 = received.objects.iter().map(|object| object.size).sum();
            let mut summary = json!({
                "objects": received.objects.len(), "new": received.new, "bytes": bytes,
                "tips": received.tips.iter().map(arrived_json).collect::<Vec<_>>(),
                "needs": received.absent.iter().map(need_json).collect::<Vec<_>>(),
            });
            if self.list {
                summary["arrived"] = received.objects.iter().map(arrived_json).collect();
            }
            writeln!(session.out, "{summary}")?;
        } else {
            let listed: &[Arrived] = if self.list { &received.objects } else { &[] };
            for (word, objects) in [("object", listed), ("tip", &received.tips)] {
                for Arrived { id, kind, size } in objects {
                    writeln!(session.out, "{word} {kind} {id} {size}")?;
                }
            }
            for Need { id, role, size } in &received.absent {
                writeln!(session.out, "needs {} {id} {size}", role.as_str())?;
            }
            let count = received.objects.len();
            match options.purpose {
                Purpose::Keep => session.note(format_args!("{count} objects, {} of them new", received.new))?,
                Purpose::Verify => session.note(format_args!("{count} objects, all sound; nothing was stored"))?,
            }
        }
        if received.is_complete() {
            return Ok(Exit::Done);
        }
        let missing = received.absent.iter().filter(|need| need.role != Role::Model).count();
        session.warn(format_args!("{missing} objects that these refer to are not in this store"))?;
        Ok(Exit::Negative)
    }
}

fn arrived_json(object: &Arrived) -> Value {
    json!({ "kind": object.kind.as_str(), "id": object.id, "size": object.size })
}

/// A need as JSON; a size of 0 is not known.
pub(super) fn need_json(need: &Need) -> Value {
    let mut value = json!({ "kind": need.role.as_str(), "id": need.id });
    if need.size > 0 {
        value["size"] = need.size.into();
    }
    value
}
