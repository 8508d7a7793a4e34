//! ISO base media: boxes in boxes. MP4 and MOV keep texts in `udta` or `moov`, AVIF has EXIF as an item.
//!
//! ComfyUI's SaveVideo has FFmpeg write `moov/udta/meta` with `keys` (names) and `ilst` (values by number). Without
//! FFmpeg's `use_metadata_tags` only fixed names exist, of which VideoHelperSuite uses the comment (`©cmt`). Sources:
//! ISO 14496-12; QuickTime File Format, "Metadata" and "User data".

use super::avif::{self, Items};
use super::boxes::{Part, next};
use super::findings::Findings;
use super::source::{Problem, Slice, Source};

pub(super) fn read(source: &mut Source<'_>, findings: &mut Findings) -> Result<(), Problem> {
    let mut at = 0;
    while let Some(part) = next(source, &mut at, source.size())? {
        match &part.kind {
            b"moov" => {
                let mut at = part.start;
                while let Some(part) = next(source, &mut at, part.end)? {
                    user_data_or_meta(source, part, findings)?;
                }
            }
            _ => user_data_or_meta(source, part, findings)?,
        }
    }
    Ok(())
}

fn user_data_or_meta(source: &mut Source<'_>, part: Part, findings: &mut Findings) -> Result<(), Problem> {
    match &part.kind {
        b"udta" => {
            let mut at = part.start;
            while let Some(inner) = next(source, &mut at, part.end)? {
                match &inner.kind {
                    b"meta" => meta(source, inner, findings)?,
                    // A text of QuickTime: its length and its language in two bytes each.
                    b"\xa9cmt" | b"\xa9des" => {
                        let text = source.bytes(inner.start, inner.end - inner.start, "comment")?;
                        findings.loose(text.get(4..).unwrap_or_default());
                    }
                    _ => {}
                }
            }
            Ok(())
        }
        b"meta" => meta(source, part, findings),
        _ => Ok(()),
    }
}

fn meta(source: &mut Source<'_>, part: Part, findings: &mut Findings) -> Result<(), Problem> {
    // By ISO version and flags come first, by QuickTime they do not; the first box is the handler.
    let handler_first = part.end - part.start >= 8 && &source.array::<8>(part.start, "boxes")?[4..] == b"hdlr";
    let mut at = if handler_first { part.start } else { part.start.saturating_add(4) };
    let mut names = Vec::new();
    let mut items = Items::default();
    while let Some(inner) = next(source, &mut at, part.end)? {
        match &inner.kind {
            b"keys" => names = keys(&source.bytes(inner.start, inner.end - inner.start, "keys")?),
            b"ilst" => list(source, inner, &names, findings)?,
            b"iinf" => items.info = Some(inner),
            b"iloc" => items.places = Some(inner),
            b"idat" => items.data = Some(inner),
            _ => {}
        }
    }
    avif::read(source, &items, findings)
}

/// The names of a `keys` box, in order.
fn keys(content: &[u8]) -> Vec<String> {
    let mut content = Slice::new(content);
    // Version, flags and the number of names, which the box's length says too.
    content.take(8);
    let mut name = || {
        let length = usize::try_from(content.number(4)?).ok()?;
        let entry = content.take(length.checked_sub(4)?)?;
        // The first four bytes say whose name it is.
        let name = String::from_utf8_lossy(entry.get(4..)?).into_owned();
        Some(name.rsplit('.').next().unwrap_or_default().to_owned())
    };
    std::iter::from_fn(&mut name).collect()
}

/// The values of an `ilst` box: each in a `data` box, in a box of its number in `keys` or of a fixed name.
fn list(source: &mut Source<'_>, part: Part, names: &[String], findings: &mut Findings) -> Result<(), Problem> {
    let mut at = part.start;
    while let Some(entry) = next(source, &mut at, part.end)? {
        let number = u32::from_be_bytes(entry.kind) as usize;
        let mut name = match &entry.kind {
            b"\xa9cmt" => Some("comment".to_owned()),
            b"desc" | b"ldes" => Some("description".to_owned()),
            b"----" => None,
            _ => number.checked_sub(1).and_then(|number| names.get(number)).cloned(),
        };
        let mut inside = entry.start;
        while let Some(inner) = next(source, &mut inside, entry.end)? {
            match (&inner.kind, &name) {
                // A name of one's own; version and flags before it.
                (b"name", _) if &entry.kind == b"----" => {
                    let text = source.bytes(inner.start, inner.end - inner.start, "keys")?;
                    name = text.get(4..).map(|name| String::from_utf8_lossy(name).into_owned());
                }
                // The type of the value and its language before it.
                (b"data", Some(name)) if Findings::wants(name) => {
                    let value = source.bytes(inner.start, inner.end - inner.start, "values")?;
                    findings.named(name, value.get(8..).unwrap_or_default());
                }
                _ => {}
            }
        }
    }
    Ok(())
}
