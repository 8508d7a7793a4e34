//! Boxes in boxes, of which ISO base media are made. Source: ISO 14496-12, section 4.2.

use super::source::{Problem, Source};

/// A box: what is in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub kind: [u8; 4],
    /// Where its content begins and ends.
    pub start: u64,
    pub end: u64,
}

/// The box at a place before `end`, and the place after it; nothing at the end.
pub(super) fn next(source: &mut Source<'_>, at: &mut u64, end: u64) -> Result<Option<Part>, Problem> {
    // QuickTime ends some lists with four zero bytes.
    if end.saturating_sub(*at) < 8 {
        return Ok(None);
    }
    let [a, b, c, d, kind @ ..] = source.array::<8>(*at, "boxes")?;
    let (header, length) = match u32::from_be_bytes([a, b, c, d]) {
        0 => (8, end - *at),
        1 => (16, u64::from_be_bytes(source.array(*at + 8, "boxes")?)),
        length => (8, u64::from(length)),
    };
    let ends = at.checked_add(length).filter(|ends| length >= header && *ends <= end);
    let Some(ends) = ends else {
        return Err(Problem::Malformed { at: *at, what: "a box larger than what it is in" });
    };
    let part = Part { kind, start: *at + header, end: ends };
    *at = ends;
    Ok(Some(part))
}
