//! JPEG: EXIF in APP1, and comments. Source: ITU T.81, B.1; Exif 2.32, 4.7.
//!
//! ComfyUI itself does not save JPEG. Packs that do put the texts of its WebP there, or one document into UserComment.

use super::exif;
use super::findings::Findings;
use super::source::{Problem, Source};

pub(super) fn read(source: &mut Source<'_>, findings: &mut Findings) -> Result<(), Problem> {
    let mut at = 2;
    loop {
        let [start, marker] = source.array::<2>(at, "segments")?;
        if start != 0xff {
            return Err(Problem::Malformed { at, what: "no marker where a segment should begin" });
        }
        match marker {
            // Fill bytes before a marker.
            0xff => at += 1,
            // Markers that stand alone.
            0x01 | 0xd0..=0xd8 => at += 2,
            // The image data begins, or the end has come.
            0xd9 | 0xda => return Ok(()),
            _ => {
                let length = u64::from(u16::from_be_bytes(source.array(at + 2, "segments")?));
                let Some(inner) = length.checked_sub(2) else {
                    return Err(Problem::Malformed { at, what: "a segment of an impossible length" });
                };
                match marker {
                    0xe1 => {
                        let segment = source.bytes(at + 4, inner, "EXIF data")?;
                        if segment.starts_with(b"Exif\0\0") {
                            exif::read(&segment, findings);
                        }
                    }
                    0xfe => findings.loose(&source.bytes(at + 4, inner, "comment")?),
                    _ => {}
                }
                at += 2 + length;
            }
        }
    }
}
