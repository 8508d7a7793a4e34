//! Texts that a container held, sorted.

use std::borrow::Cow;

use crate::workflow::document::{Document, Kind, Value};
use crate::workflow::graph::Format;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub workflow: Option<Vec<u8>>,
    pub prompt: Option<Vec<u8>>,
    /// There is text of AUTOMATIC1111's web UI or one like it: how an image was made, and no workflow.
    pub parameters: bool,
}

/// Keys under which tools put a whole JSON document: VideoHelperSuite in `comment`, others where EXIF has room for text.
const LOOSE: [&str; 5] = ["comment", "description", "imagedescription", "usercomment", "parameters"];

impl Findings {
    /// True when there is a workflow or a prompt.
    pub fn any(&self) -> bool {
        self.workflow.is_some() || self.prompt.is_some()
    }

    /// True for a key whose text [`Findings::named`] looks at.
    pub fn wants(key: &str) -> bool {
        part(key).is_some() || LOOSE.iter().any(|loose| key.eq_ignore_ascii_case(loose))
    }

    /// A text under a key. Of a key that stands twice the last counts, as in ComfyUI's editor.
    pub fn named(&mut self, key: &str, text: &[u8]) {
        match part(key) {
            Some(part) => {
                if let Some(text) = object(text) {
                    *self.place(part) = Some(text.into_owned());
                }
            }
            None if Self::wants(key) => self.loose(text),
            None => {}
        }
    }

    /// A text that says itself what it is: `workflow:{…}` as ComfyUI writes EXIF, or a document.
    pub fn loose(&mut self, text: &[u8]) {
        if let Some(document) = object(text) {
            return self.document(&document);
        }
        let key_ends = text.iter().take(16).position(|byte| *byte == b':');
        let named = key_ends.and_then(|end| Some((std::str::from_utf8(&text[..end]).ok()?.trim(), &text[end + 1..])));
        match named {
            Some((key, value)) if part(key).is_some() => self.named(key, value),
            _ => self.parameters |= is_parameters(text),
        }
    }

    /// What a member `workflow` or `prompt` of an object holds: an object, or the text of one.
    pub fn member(&mut self, key: &str, value: Value<'_>) {
        match value.text() {
            Some(text) => self.named(key, text.as_bytes()),
            None if value.kind() == Kind::Object => self.named(key, value.raw().as_bytes()),
            None => {}
        }
    }

    /// A document that wraps workflow and prompt, or is one of them.
    fn document(&mut self, text: &[u8]) {
        let Ok(document) = Document::read(text) else { return };
        let mut any = false;
        for key in ["workflow", "prompt"] {
            if let Some(value) = document.root().get(key) {
                self.member(key, value);
                any |= self.any();
            }
        }
        if any {
            return;
        }
        match crate::workflow::read(text).map(|workflow| workflow.format) {
            Ok(Format::Editor) => self.workflow = Some(text.to_vec()),
            Ok(Format::Api) => self.prompt = Some(text.to_vec()),
            Err(_) => {}
        }
    }

    fn place(&mut self, part: Part) -> &mut Option<Vec<u8>> {
        match part {
            Part::Workflow => &mut self.workflow,
            Part::Prompt => &mut self.prompt,
        }
    }
}

#[derive(Clone, Copy)]
enum Part {
    Workflow,
    Prompt,
}

/// `workflow` and `prompt` in any case: Matroska has them in capitals.
fn part(key: &str) -> Option<Part> {
    match key {
        _ if key.eq_ignore_ascii_case("workflow") => Some(Part::Workflow),
        _ if key.eq_ignore_ascii_case("prompt") => Some(Part::Prompt),
        _ => None,
    }
}

/// `text` without what surrounds it, if it looks like a JSON object: other tools have a `prompt` too, in plain words.
fn object(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let end = text.iter().rposition(|byte| *byte != 0)? + 1;
    let text = text[..end].trim_ascii();
    let inner = text.strip_prefix(b"{")?.trim_ascii_start();
    if !matches!(inner.first(), Some(b'"' | b'}')) {
        return None;
    }
    Some(utf8(text))
}

/// The text as UTF-8: what is not, is Latin-1, as PNG and EXIF have it by their standards.
fn utf8(text: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(text) {
        Ok(_) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(text.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes()),
    }
}

/// The line of settings that the web UI puts below prompt and negative prompt.
fn is_parameters(text: &[u8]) -> bool {
    let holds = |words: &[u8]| text.windows(words.len()).any(|window| window == words);
    holds(b"Steps: ") && holds(b"Sampler: ")
}
