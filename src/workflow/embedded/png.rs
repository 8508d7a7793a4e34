//! PNG and APNG: text chunks. Source: PNG specification, third edition, 11.3.3; `comf` chunks are ComfyUI's own, for
//! animations, and have the form of `tEXt`.
//!
//! Checksums are not compared: ComfyUI's editor does not, and what is broken is no JSON.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::exif;
use super::findings::Findings;
use super::source::{Problem, Slice, Source};

pub(super) fn read(source: &mut Source<'_>, findings: &mut Findings) -> Result<(), Problem> {
    let mut at = 8;
    loop {
        let header = source.array::<8>(at, "chunks")?;
        let [a, b, c, d, kind @ ..] = header;
        let length = u64::from(u32::from_be_bytes([a, b, c, d]));
        if length > i32::MAX as u64 {
            return Err(Problem::Malformed { at, what: "a chunk of an impossible length" });
        }
        match &kind {
            b"tEXt" | b"zTXt" | b"iTXt" | b"comf" => {
                let chunk = source.bytes(at + 8, length, "text")?;
                text(&kind, &chunk, source, findings)?;
            }
            b"eXIf" => exif::read(&source.bytes(at + 8, length, "EXIF data")?, findings),
            b"IEND" => return Ok(()),
            _ => {}
        }
        at += 12 + length;
    }
}

/// A chunk of text: a key, a zero, and what the kind of chunk has.
fn text(kind: &[u8; 4], chunk: &[u8], source: &mut Source<'_>, findings: &mut Findings) -> Result<(), Problem> {
    let Some((key, value)) = cut(chunk) else { return Ok(()) };
    let Ok(key) = std::str::from_utf8(key) else { return Ok(()) };
    if !Findings::wants(key) {
        return Ok(());
    }
    match kind {
        b"zTXt" => {
            if let Some((0, packed)) = value.split_first() {
                findings.named(key, &unpacked(packed, source)?);
            }
        }
        b"iTXt" => {
            let mut parts = Slice::new(value);
            let Some([is_packed, _method]) = parts.take(2) else { return Ok(()) };
            // Language, and the key in it.
            let Some((_, rest)) = cut(parts.rest()) else { return Ok(()) };
            let Some((_, value)) = cut(rest) else { return Ok(()) };
            if *is_packed == 0 {
                findings.named(key, value);
            } else {
                findings.named(key, &unpacked(value, source)?);
            }
        }
        _ => findings.named(key, value),
    }
    Ok(())
}

/// What stands before and after the first zero.
fn cut(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let zero = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..zero], &bytes[zero + 1..]))
}

/// Decompresses as much as may still be read; a few bytes can claim to be gigabytes.
fn unpacked(packed: &[u8], source: &mut Source<'_>) -> Result<Vec<u8>, Problem> {
    let mut text = Vec::new();
    // Broken at the end, it may still be whole as JSON.
    let _ = ZlibDecoder::new(packed).take(source.bytes_left() + 1).read_to_end(&mut text);
    source.spend(text.len() as u64)?;
    Ok(text)
}
