//! WebP: a RIFF file with an `EXIF` chunk. Source: RFC 9649, 2.7.

use super::exif;
use super::findings::Findings;
use super::source::{Problem, Source};

pub(super) fn read(source: &mut Source<'_>, findings: &mut Findings) -> Result<(), Problem> {
    let mut at = 12;
    while at < source.size() {
        let [kind @ .., a, b, c, d] = source.array::<8>(at, "chunks")?;
        let length = u64::from(u32::from_le_bytes([a, b, c, d]));
        if &kind == b"EXIF" {
            exif::read(&source.bytes(at + 8, length, "EXIF data")?, findings);
        }
        // Chunks begin at even places.
        at += 8 + length + length % 2;
    }
    Ok(())
}
