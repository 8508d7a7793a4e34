//! FLAC: metadata blocks, of which one holds Vorbis comments. Source: RFC 9639, 8.

use super::findings::Findings;
use super::source::{Problem, Source};
use super::vorbis;

const COMMENTS: u8 = 4;

/// Reads the blocks of a FLAC stream that begins at a place.
pub(super) fn read(source: &mut Source<'_>, begins: u64, findings: &mut Findings) -> Result<(), Problem> {
    let mut at = begins + 4;
    loop {
        let [kind, a, b, c] = source.array::<4>(at, "metadata blocks")?;
        let length = u64::from(u32::from_be_bytes([0, a, b, c]));
        if kind & 0x7f == COMMENTS {
            vorbis::read(&source.bytes(at + 4, length, "comments")?, findings);
        }
        at += 4 + length;
        if kind & 0x80 != 0 {
            return Ok(());
        }
    }
}
