//! SVG: JSON in a `metadata` element, which ComfyUI's SaveSVG puts after the opening tag, as a CDATA section.

use super::findings::Findings;
use super::source::{MAX_METADATA, Problem, Source};

const CLOSE: &[u8] = b"</metadata";
const CDATA: &[u8] = b"<![CDATA[";
const CDATA_END: &[u8] = b"]]>";

pub(super) fn read(source: &mut Source<'_>, findings: &mut Findings) -> Result<(), Problem> {
    // Drawings of this size have their metadata at the beginning. A part of the limit is gone for the first bytes.
    let text = source.head(MAX_METADATA / 2)?;
    let mut rest = &text[..];
    while let Some(element) = after(rest, b"<metadata") {
        let Some(content) = after(element, b">") else { return Ok(()) };
        let plain = content.trim_ascii_start();
        match plain.strip_prefix(CDATA) {
            Some(section) => {
                let length = cdata_length(section);
                findings.loose(&section[..length]);
                rest = &section[length..];
            }
            None => {
                let length = find(content, CLOSE).unwrap_or(content.len());
                findings.loose(&unescaped(&content[..length]));
                rest = &content[length..];
            }
        }
    }
    Ok(())
}

/// How long the section is: up to the mark that ends it before the end of the element, as text may hold the mark too.
fn cdata_length(section: &[u8]) -> usize {
    let mut from = 0;
    while let Some(found) = find(&section[from..], CDATA_END) {
        from += found;
        if section[from + CDATA_END.len()..].trim_ascii_start().starts_with(CLOSE) {
            return from;
        }
        from += CDATA_END.len();
    }
    section.len()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn after<'b>(bytes: &'b [u8], wanted: &[u8]) -> Option<&'b [u8]> {
    find(bytes, wanted).map(|at| &bytes[at + wanted.len()..])
}

/// XML's own entities undone.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let text = text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&apos;", "'");
    text.replace("&amp;", "&").into_bytes()
}
