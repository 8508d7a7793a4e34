//! Ogg: pages that carry packets. The second packet of each stream holds its comments. Source: RFC 3533; RFC 7845, 5.2.

use std::collections::HashMap;

use super::findings::Findings;
use super::source::{Problem, Source};
use super::vorbis;

/// More streams than any file has that carries comments.
const MAX_STREAMS: usize = 64;

/// How far a stream was read.
#[derive(Default)]
struct Stream {
    /// Packets that are whole.
    packets: usize,
    /// The second packet, as far as it has come.
    comments: Vec<u8>,
}

pub(super) fn read(source: &mut Source<'_>, findings: &mut Findings) -> Result<(), Problem> {
    let mut streams: HashMap<u32, Stream> = HashMap::new();
    let mut at = 0;
    while at < source.size() {
        let header = source.array::<27>(at, "pages")?;
        if !header.starts_with(b"OggS") {
            return Err(Problem::Malformed { at, what: "no page where one should begin" });
        }
        let serial = u32::from_le_bytes([header[14], header[15], header[16], header[17]]);
        let lengths = source.bytes(at + 27, u64::from(header[26]), "pages")?;
        let content = at + 27 + lengths.len() as u64;
        let total: u64 = lengths.iter().map(|length| u64::from(*length)).sum();
        if streams.len() == MAX_STREAMS && !streams.contains_key(&serial) {
            return Err(Problem::TooMany);
        }
        let stream = streams.entry(serial).or_default();
        if stream.packets < 2 {
            let page = source.bytes(content, total, "pages")?;
            stream.page(&lengths, &page, findings);
        }
        // Every stream begins before any goes on (RFC 3533, 4), so nobody's comments are still to come.
        if streams.values().all(|stream| stream.packets >= 2) {
            return Ok(());
        }
        at = content + total;
    }
    Ok(())
}

impl Stream {
    /// Takes a page: pieces of at most 255 bytes, of which a shorter one ends a packet.
    fn page(&mut self, lengths: &[u8], page: &[u8], findings: &mut Findings) {
        let mut rest = page;
        for length in lengths {
            let (piece, after) = rest.split_at(usize::from(*length).min(rest.len()));
            rest = after;
            if self.packets == 1 {
                self.comments.extend_from_slice(piece);
            }
            if *length < 255 {
                self.packets += 1;
                if self.packets == 2 {
                    comments(&std::mem::take(&mut self.comments), findings);
                    return;
                }
            }
        }
    }
}

fn comments(packet: &[u8], findings: &mut Findings) {
    let starts: [&[u8]; 3] = [b"OpusTags", b"\x03vorbis", b"\x81theora"];
    if let Some(comments) = starts.iter().find_map(|start| packet.strip_prefix(*start)) {
        vorbis::read(comments, findings);
    } else if packet.first().is_some_and(|kind| kind & 0x7f == 4) {
        // FLAC in Ogg: a metadata block with its header.
        vorbis::read(packet.get(4..).unwrap_or_default(), findings);
    }
}
