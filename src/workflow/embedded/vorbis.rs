//! Vorbis comments: `NAME=value`, in FLAC and Ogg. Source: "Ogg Vorbis I format specification: comment field and header".

use super::findings::Findings;
use super::source::Slice;

/// Reads comments as far as they can be read.
pub(super) fn read(bytes: &[u8], findings: &mut Findings) {
    let mut fields = Slice::new(bytes);
    let mut string = || {
        let length = usize::try_from(fields.number_reversed(4)?).ok()?;
        fields.take(length)
    };
    // Who wrote them.
    if string().is_none() {
        return;
    }
    fields.take(4);
    let mut string = || {
        let length = usize::try_from(fields.number_reversed(4)?).ok()?;
        fields.take(length)
    };
    while let Some(comment) = string() {
        let Some(equals) = comment.iter().position(|byte| *byte == b'=') else { continue };
        if let Ok(name) = std::str::from_utf8(&comment[..equals]) {
            findings.named(name, &comment[equals + 1..]);
        }
    }
}
