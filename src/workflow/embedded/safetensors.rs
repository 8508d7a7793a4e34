//! safetensors, and `.latent`, which is one: texts in `__metadata__` of the header. Source: safetensors' README, "Format".

use super::container::MAX_SAFETENSORS_HEADER;
use super::findings::Findings;
use super::source::{Problem, Source};
use crate::workflow::document::Document;

pub(super) fn read(source: &mut Source<'_>, findings: &mut Findings) -> Result<(), Problem> {
    let length = u64::from_le_bytes(source.array(0, "header")?);
    if length > MAX_SAFETENSORS_HEADER {
        return Err(Problem::TooLarge);
    }
    let header = source.bytes(8, length, "header")?;
    let document =
        Document::read(&header).map_err(|_| Problem::Malformed { at: 8, what: "a header that is not JSON" })?;
    let metadata = document.root().get("__metadata__");
    for (key, value) in metadata.into_iter().flat_map(|metadata| metadata.members()) {
        findings.member(&key.text().unwrap_or_default(), value);
    }
    Ok(())
}
