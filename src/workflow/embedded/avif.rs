//! AVIF: EXIF is an item of the `meta` box. `iinf` says which item it is, `iloc` where its bytes are. Source: ISO
//! 14496-12, 8.11; ISO 23008-12, annex A.

use super::boxes::{Part, next};
use super::exif;
use super::findings::Findings;
use super::source::{Problem, Slice, Source};

/// The boxes of a `meta` box that say where items are.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub info: Option<Part>,
    pub places: Option<Part>,
    /// Items that lie in the `meta` box itself.
    pub data: Option<Part>,
}

/// An image has one.
const MAX_EXIF_ITEMS: usize = 16;

/// A piece of an item's bytes.
struct Extent {
    start: u64,
    length: u64,
}

pub(super) fn read(source: &mut Source<'_>, items: &Items, findings: &mut Findings) -> Result<(), Problem> {
    let (Some(info), Some(places)) = (items.info, items.places) else { return Ok(()) };
    let wanted = exif_items(source, info)?;
    if wanted.is_empty() {
        return Ok(());
    }
    let places = source.bytes(places.start, places.end - places.start, "item places")?;
    let in_meta = items.data.map_or(0, |data| data.start);
    for extents in extents_of(&wanted, &places, in_meta) {
        let mut item = Vec::new();
        for extent in extents {
            item.extend(source.bytes(extent.start, extent.length, "EXIF data")?);
        }
        // The item begins with how far ahead the TIFF header is.
        let Some((ahead, rest)) = item.split_first_chunk::<4>() else { continue };
        let ahead = u32::from_be_bytes(*ahead) as usize;
        exif::read(rest.get(ahead..).unwrap_or_default(), findings);
    }
    Ok(())
}

/// The numbers of the items that are EXIF.
fn exif_items(source: &mut Source<'_>, info: Part) -> Result<Vec<u64>, Problem> {
    let [version, ..] = source.array::<4>(info.start, "items")?;
    let mut at = info.start + if version == 0 { 6 } else { 8 };
    let mut found = Vec::new();
    while let Some(entry) = next(source, &mut at, info.end)? {
        // Longer than what is looked at, with the item's name.
        if &entry.kind != b"infe" || entry.end - entry.start < 12 {
            continue;
        }
        let start = source.array::<12>(entry.start, "items")?;
        let mut fields = Slice::new(&start);
        let id_length = match fields.number(4).map(|word| word >> 24) {
            Some(2) => 2,
            Some(3) => 4,
            _ => continue,
        };
        let id = fields.number(id_length);
        fields.take(2);
        // With a long number the kind's last two bytes stand after the twelve.
        let is_exif = fields.rest().iter().zip(b"Exif").all(|(byte, wanted)| byte == wanted);
        found.extend(id.filter(|_| is_exif));
        if found.len() == MAX_EXIF_ITEMS {
            break;
        }
    }
    Ok(found)
}

/// Where the bytes of the wanted items are, as far as `iloc` can be read. `in_meta` is where the data of the `meta` box begins.
fn extents_of(wanted: &[u64], places: &[u8], in_meta: u64) -> Vec<Vec<Extent>> {
    let mut found = Vec::new();
    let mut fields = Slice::new(places);
    let mut read = || -> Option<()> {
        let version = fields.number(4)? >> 24;
        let sizes = fields.number(2)?;
        let nibble = |shift: u32| (sizes >> shift & 15).min(8) as usize;
        let (offset, length, base) = (nibble(12), nibble(8), nibble(4));
        let index = if version == 0 { 0 } else { nibble(0) };
        // Extents that take no bytes could be any number of them.
        if index + offset + length == 0 {
            return None;
        }
        let number = if version < 2 { 2 } else { 4 };
        for _ in 0..fields.number(number)? {
            let id = fields.number(number)?;
            let method = if version == 0 { 0 } else { fields.number(2)? & 15 };
            fields.number(2)?;
            let base = fields.number(base)?;
            // Other methods put the item together from other items.
            let is_wanted = method < 2 && wanted.contains(&id);
            let mut extents = Vec::new();
            for _ in 0..fields.number(2)? {
                fields.take(index)?;
                let start = base.checked_add(fields.number(offset)?)?;
                let start = if method == 1 { start.checked_add(in_meta)? } else { start };
                let length = fields.number(length)?;
                if is_wanted {
                    extents.push(Extent { start, length });
                }
            }
            if is_wanted {
                found.push(extents);
            }
        }
        Some(())
    };
    read();
    found
}
