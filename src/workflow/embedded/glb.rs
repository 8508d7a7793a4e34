//! GLB: the JSON chunk of glTF; ComfyUI's SaveGLB puts texts into `asset.extras`. Source: glTF 2.0, 4.4.

use super::findings::Findings;
use super::source::{Problem, Source};
use crate::workflow::document::Document;

pub(super) fn read(source: &mut Source<'_>, findings: &mut Findings) -> Result<(), Problem> {
    let [a, b, c, d, kind @ ..] = source.array::<8>(12, "chunks")?;
    if &kind != b"JSON" {
        return Err(Problem::Malformed { at: 12, what: "no JSON chunk" });
    }
    let json = source.bytes(20, u64::from(u32::from_le_bytes([a, b, c, d])), "JSON chunk")?;
    let document =
        Document::read(&json).map_err(|_| Problem::Malformed { at: 20, what: "a JSON chunk that is not JSON" })?;
    let extras = document.root().get("asset").and_then(|asset| asset.get("extras"));
    for (key, value) in extras.into_iter().flat_map(|extras| extras.members()) {
        findings.member(&key.text().unwrap_or_default(), value);
    }
    Ok(())
}
