//! MP3: an ID3v2 tag before the sound, with texts under names of their own (`TXXX`). Source: id3.org, ID3v2.2 to 2.4.
//!
//! What is in no tag that can be read is looked for as ComfyUI's editor does: `workflow`, a zero, and the text up to the
//! next zero, somewhere before the sound.

use super::findings::Findings;
use super::flac;
use super::source::{Problem, Slice, Source};

/// How far is looked for text where there is no tag.
const MAX_SEARCHED: u64 = 16 << 20;

const UNSYNCHRONISED: u8 = 0x80;
const EXTENDED: u8 = 0x40;

pub(super) fn read(source: &mut Source<'_>, findings: &mut Findings) -> Result<(), Problem> {
    let mut after = 0;
    if let [b'I', b'D', b'3', version, _, flags, a, b, c, d] = source.array::<10>(0, "tag")? {
        let length = synchsafe([a, b, c, d]);
        let tag = source.bytes(10, length, "tag")?;
        after = 10 + length;
        let whole = if flags & UNSYNCHRONISED != 0 && version < 4 { resynchronised(&tag) } else { tag };
        frames(version, flags, &whole, findings);
        if !findings.any() {
            search(&whole, findings);
        }
    }
    // Some put a tag before FLAC too.
    if after + 4 <= source.size() && &source.array::<4>(after, "tag")? == b"fLaC" {
        return flac::read(source, after, findings);
    }
    if !findings.any() {
        let length = (source.size() - after).min(MAX_SEARCHED);
        search(&source.bytes(after, length, "tag")?, findings);
    }
    Ok(())
}

/// A number of seven bits a byte.
fn synchsafe(bytes: [u8; 4]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f))
}

/// Takes out the zeros that keep a tag from looking like sound.
fn resynchronised(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut before = 0;
    for byte in bytes {
        if !(before == 0xff && *byte == 0) {
            out.push(*byte);
        }
        before = *byte;
    }
    out
}

/// Reads frames as far as they can be read.
fn frames(version: u8, flags: u8, tag: &[u8], findings: &mut Findings) {
    let mut fields = Slice::new(tag);
    let mut read = || -> Option<()> {
        if flags & EXTENDED != 0 && version > 2 {
            let length: [u8; 4] = fields.take(4)?.try_into().ok()?;
            // Version 2.4 counts the length's own bytes.
            let rest = if version == 4 { synchsafe(length).checked_sub(4)? } else { u32::from_be_bytes(length).into() };
            fields.take(usize::try_from(rest).ok()?)?;
        }
        let short = version == 2;
        loop {
            let kind = fields.take(if short { 3 } else { 4 })?;
            let length = match version {
                2 => fields.number(3)?,
                3 => fields.number(4)?,
                _ => synchsafe(fields.take(4)?.try_into().ok()?),
            };
            let how = if short { 0 } else { fields.number(2)? };
            let content = fields.take(usize::try_from(length).ok()?)?;
            // Padding after the last frame.
            if kind[0] == 0 {
                return None;
            }
            let content = match (version, how & 0xff) {
                (4, how) if how & 0x0c == 0 => {
                    let content = if how & 1 != 0 { content.get(4..).unwrap_or_default() } else { content };
                    if how & 2 != 0 { resynchronised(content) } else { content.to_vec() }
                }
                (2 | 3, 0) => content.to_vec(),
                // Compressed or encrypted.
                _ => continue,
            };
            match kind {
                b"TXXX" | b"TXX" => text(&content, 1, findings),
                b"COMM" | b"COM" => text(&content, 4, findings),
                _ => {}
            }
        }
    };
    read();
}

/// A frame with a name and a text, in an encoding that the first byte names; the name begins at `start`.
fn text(content: &[u8], start: usize, findings: &mut Findings) {
    let Some((encoding, inner)) = content.first().zip(content.get(start..)) else { return };
    let decoded = match encoding {
        1 | 2 => utf16(inner, *encoding == 2),
        _ => inner.to_vec(),
    };
    let Some(zero) = decoded.iter().position(|byte| *byte == 0) else { return };
    let (name, value) = (&decoded[..zero], &decoded[zero + 1..]);
    match std::str::from_utf8(name) {
        // The name of a comment says little.
        _ if start == 4 => findings.loose(value),
        Ok(name) => findings.named(name, value),
        Err(_) => {}
    }
}

/// UTF-16 as UTF-8, byte order marks taken out: each of the two texts begins with one.
fn utf16(bytes: &[u8], big: bool) -> Vec<u8> {
    let mut big = big;
    let mut units = Vec::with_capacity(bytes.len() / 2);
    for pair in bytes.chunks_exact(2) {
        match pair {
            [0xff, 0xfe] => big = false,
            [0xfe, 0xff] => big = true,
            [a, b] => units.push(if big { u16::from_be_bytes([*a, *b]) } else { u16::from_le_bytes([*a, *b]) }),
            _ => {}
        }
    }
    String::from_utf16_lossy(&units).into_bytes()
}

/// Looks for names and texts between zeros.
fn search(bytes: &[u8], findings: &mut Findings) {
    for name in ["workflow", "prompt"] {
        let wanted = [name.as_bytes(), b"\0{"].concat();
        let found = bytes.windows(wanted.len()).position(|window| window == wanted);
        let text = found.map(|at| &bytes[at + name.len() + 1..]);
        if let Some((text, end)) = text.and_then(|text| Some((text, text.iter().position(|byte| *byte == 0)?))) {
            findings.named(name, &text[..end]);
        }
    }
}
