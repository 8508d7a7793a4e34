//! WebM and MKV: EBML elements. FFmpeg writes metadata as tags with names in capitals. Source: RFC 8794, RFC 9559.

use super::findings::Findings;
use super::source::{Problem, Slice, Source};

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const TAGS: u32 = 0x1254_c367;
const TAG: u32 = 0x7373;
const SIMPLE_TAG: u32 = 0x67c8;
const TAG_NAME: u32 = 0x45a3;
const TAG_STRING: u32 = 0x4487;

pub(super) fn read(source: &mut Source<'_>, findings: &mut Findings) -> Result<(), Problem> {
    let mut at = 0;
    while at < source.size() {
        // A number and a length have twelve bytes at most.
        let left = (source.size() - at).min(12);
        let header = if left == 12 {
            source.array::<12>(at, "elements")?.to_vec()
        } else {
            source.bytes(at, left, "elements")?
        };
        let mut fields = Slice::new(&header);
        let (Some(id), Some(length)) = (id(&mut fields), length(&mut fields)) else {
            return Err(Problem::Malformed { at, what: "no element where one should begin" });
        };
        let start = at + (header.len() - fields.rest().len()) as u64;
        at = match (id, length) {
            // A recording that was cut off has no lengths; the elements inside do.
            (SEGMENT, _) | (CLUSTER, None) => start,
            (TAGS, Some(length)) => {
                tags(&source.bytes(start, length, "tags")?, findings);
                start + length
            }
            (_, Some(length)) => start.saturating_add(length),
            (_, None) => return Err(Problem::Malformed { at, what: "an element without a length" }),
        };
    }
    Ok(())
}

/// The number of an element, with the bits that say how long it is.
fn id(fields: &mut Slice<'_>) -> Option<u32> {
    let length = fields.rest().first()?.leading_zeros() as usize + 1;
    if length > 4 { None } else { u32::try_from(fields.number(length)?).ok() }
}

/// The length of an element's content; inside nothing where it is not known.
fn length(fields: &mut Slice<'_>) -> Option<Option<u64>> {
    let length = fields.rest().first()?.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let mask = (1 << (7 * length)) - 1;
    let value = fields.number(length)? & mask;
    Some(Some(value).filter(|value| *value != mask))
}

/// The next element of a slice.
fn element<'b>(fields: &mut Slice<'b>) -> Option<(u32, &'b [u8])> {
    let (id, length) = (id(fields)?, length(fields)??);
    Some((id, fields.take(usize::try_from(length).ok()?)?))
}

fn elements(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut fields = Slice::new(bytes);
    std::iter::from_fn(move || element(&mut fields))
}

fn tags(bytes: &[u8], findings: &mut Findings) {
    let of = |bytes, wanted| elements(bytes).filter(move |(id, _)| *id == wanted).map(|(_, content)| content);
    for simple in of(bytes, TAG).flat_map(|tag| of(tag, SIMPLE_TAG)) {
        let name = of(simple, TAG_NAME).next().and_then(|name| std::str::from_utf8(name).ok());
        if let (Some(name), Some(text)) = (name, of(simple, TAG_STRING).next()) {
            findings.named(name.trim_end_matches('\0'), text);
        }
    }
}
