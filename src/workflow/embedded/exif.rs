//! EXIF: a TIFF header and folders of tagged values, in either order of bytes.
//!
//! ComfyUI writes `prompt:{…}` into Model (0x0110) and `workflow:{…}` into Make (0x010F), and what else it has into the
//! tags below, so every text of the first folder is looked at. Others use UserComment. Source: TIFF 6.0, Exif 2.32.

use super::findings::Findings;

/// Bytes, text and "undefined": writers do not agree which a UserComment is.
const TYPE_BYTE: u16 = 1;
const TYPE_ASCII: u16 = 2;
const TYPE_UNDEFINED: u16 = 7;
const EXIF_FOLDER: u16 = 0x8769;
const USER_COMMENT: u16 = 0x9286;

/// Reads the EXIF data of an image, with or without the `Exif\0\0` that JPEG puts before it. What cannot be read is no
/// reason to stop: it is one part of an image.
pub(super) fn read(bytes: &[u8], findings: &mut Findings) {
    let bytes = bytes.strip_prefix(b"Exif\0\0").unwrap_or(bytes);
    let tiff = match bytes.get(..4) {
        Some(b"II*\0") => Tiff { bytes, little: true },
        Some(b"MM\0*") => Tiff { bytes, little: false },
        _ => return,
    };
    let Some(first) = tiff.u32(4) else { return };
    let mut below = None;
    tiff.entries(first, |entry| match entry.tag {
        EXIF_FOLDER => below = Some(entry.value),
        _ if entry.kind == TYPE_ASCII => findings.loose(tiff.text(&entry)),
        _ => {}
    });
    tiff.entries(below.unwrap_or(u32::MAX), |entry| {
        if entry.tag == USER_COMMENT && matches!(entry.kind, TYPE_BYTE | TYPE_ASCII | TYPE_UNDEFINED) {
            findings.loose(&comment(tiff.text(&entry)));
        }
    });
}

struct Tiff<'b> {
    bytes: &'b [u8],
    little: bool,
}

struct Entry {
    tag: u16,
    kind: u16,
    /// Values; of the kinds that are looked at, bytes.
    count: u32,
    /// Where the four bytes stand that are the value or its place.
    at: usize,
    /// Those four bytes as a number.
    value: u32,
}

impl<'b> Tiff<'b> {
    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    /// The entries of the folder at a place, as far as they can be read.
    fn entries(&self, folder: u32, mut each: impl FnMut(Entry)) {
        let folder = folder as usize;
        for number in 0..usize::from(self.u16(folder).unwrap_or(0)) {
            let at = folder + 2 + number * 12;
            let entry = (|| {
                let (tag, kind) = (self.u16(at)?, self.u16(at + 2)?);
                Some(Entry { tag, kind, count: self.u32(at + 4)?, at: at + 8, value: self.u32(at + 8)? })
            })();
            match entry {
                Some(entry) => each(entry),
                None => return,
            }
        }
    }

    /// The bytes of a text; empty where they do not lie in the data.
    fn text(&self, entry: &Entry) -> &'b [u8] {
        let (start, length) = (if entry.count <= 4 { entry.at } else { entry.value as usize }, entry.count as usize);
        start.checked_add(length).and_then(|end| self.bytes.get(start..end)).unwrap_or_default()
    }
}

/// A UserComment without the eight bytes that name its encoding, as UTF-8.
fn comment(bytes: &[u8]) -> Vec<u8> {
    if let Some(text) = bytes.strip_prefix(b"ASCII\0\0\0") {
        return text.to_vec();
    }
    let Some(text) = bytes.strip_prefix(b"UNICODE\0") else {
        return bytes.strip_prefix(&[0; 8]).unwrap_or(bytes).to_vec();
    };
    // UTF-16, in whichever order: writers do not agree whether it is that of the TIFF header. Its first character is ASCII.
    let units = text.chunks_exact(2);
    let units: Vec<u16> = if text.first() == Some(&0) {
        units.map(|unit| u16::from_be_bytes([unit[0], unit[1]])).collect()
    } else {
        units.map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect()
    };
    String::from_utf16_lossy(&units).into_bytes()
}
