//! Names of models within texts: `embedding:NAME`, which ComfyUI's own text encoders read, and `<lora:NAME:weight>`, which some
//! custom nodes do.

use std::ops::Range;

use super::super::folders::MODEL_EXTENSIONS;
use super::super::reference::Names;

/// No prompt is longer; a longer text is data.
const MAX_TEXT: usize = 1 << 20;

/// No path is longer.
const MAX_NAME: usize = 1 << 10;

/// A name in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::catalog) struct Tag {
    pub kind: TagKind,
    /// The name's bytes in the text.
    pub name: Range<usize>,
    /// [`Names::Stem`] where the extension is left out.
    pub names: Names,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::catalog) enum TagKind {
    Embedding,
    Lora,
}

impl TagKind {
    pub fn folder(self) -> &'static str {
        match self {
            TagKind::Embedding => "embeddings",
            TagKind::Lora => "loras",
        }
    }
}

/// The names in a text, in its order.
pub(in crate::catalog) fn tags(text: &str) -> Vec<Tag> {
    if text.len() > MAX_TEXT {
        return Vec::new();
    }
    let mut tags = Vec::new();
    let mut at = 0;
    while let Some(colon) = text[at..].find(':').map(|found| at + found) {
        at = colon + 1;
        let before = &text[..colon];
        let (kind, end) = if before.ends_with("<lora") {
            let Some(end) = text[at..].find([':', '>', '<', '\n']).map(|found| at + found) else { continue };
            (TagKind::Lora, end)
        } else if before.strip_suffix("embedding").is_some_and(begins_a_word) {
            (TagKind::Embedding, at + embedding_length(&text[at..]))
        } else {
            continue;
        };
        let name = text[at..end].trim();
        if name.is_empty() || name.len() > MAX_NAME {
            continue;
        }
        let start = at + (text[at..end].len() - text[at..end].trim_start().len());
        tags.push(Tag { kind, name: start..start + name.len(), names: names(name) });
        at = end;
    }
    tags
}

/// True where a word can begin behind `before`.
fn begins_a_word(before: &str) -> bool {
    !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '\\'))
}

/// A name ends at blanks, commas, brackets of any kind, and a weight's colon. A backslash before a bracket belongs to the
/// bracket; elsewhere it stands between folders.
fn embedding_length(text: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || ",:;()[]{}<>|\"'".contains(c);
    let length = text.find(ends).unwrap_or(text.len());
    text[..length].trim_end_matches(['\\', '.']).len()
}

/// Whether a name has its extension.
fn names(name: &str) -> Names {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let is_model = |extension: &str| MODEL_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension));
    if extension.is_some_and(is_model) { Names::File } else { Names::Stem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(TagKind, &str)> {
        tags(text).into_iter().map(|tag| (tag.kind, &text[tag.name])).collect()
    }

    #[test]
    fn embeddings_end_where_comfyui_ends_them() {
        let text = "a, (embedding:sub\\neg v2:1.2), embedding:easy.pt, embedding:a-b_c\nembedding:(x) embedding: , embedding:last.";
        let names: Vec<_> = found(text).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["sub\\neg", "easy.pt", "a-b_c", "last"]);
        assert_eq!(tags("embedding:easy.pt")[0].names, Names::File);
        assert_eq!(tags("embedding:v1.5")[0].names, Names::Stem);
        assert!(found("my_embedding:x unembedding:y").is_empty());
    }

    #[test]
    fn loras_end_at_their_weight() {
        let text = "x <lora:a b:0.8> <lora:sub/c.safetensors:0.5:0.6:LBW=1,0>, <lora:d> <lora::1> <lora:open";
        let expected = ["a b", "sub/c.safetensors", "d"].map(|name| (TagKind::Lora, name));
        assert_eq!(found(text), expected);
    }

    #[test]
    fn a_text_that_is_no_prompt_is_passed_over() {
        assert!(tags(&"embedding:a ".repeat(1 << 17)).is_empty());
    }
}
