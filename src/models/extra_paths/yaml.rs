//! YAML as a tree in which every value knows its line.
//!
//! Aliases stand for what they name and `<<` takes another mapping's entries in, as in PyYAML's `safe_load`, with which ComfyUI reads.
//! Size, depth and what aliases may unfold to are bounded, so that no file costs more than a moment.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput};

/// A value and the line, counted from 1, on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub line: usize,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text as written; `plain` without quotes, so that it may mean something else than text.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// In the order of the file; of entries with one key the last counts.
    Map(Vec<(Node, Node)>),
}

/// Why a text is no YAML, or not one that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    pub line: usize,
    pub reason: String,
}

/// How deep lists and mappings may stand in each other.
const MAX_DEPTH: usize = 32;

/// How many values a file may have, those that aliases stand for included.
const MAX_VALUES: usize = 100_000;

/// The only document in `text`; nothing where there is none but comments.
pub fn read(text: &str) -> Result<Option<Node>, YamlError> {
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), left: MAX_VALUES };
    let mut document = None;
    loop {
        let (event, line) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(document),
            Event::StreamStart | Event::Nothing | Event::DocumentStart(_) | Event::DocumentEnd => {}
            _ if document.is_some() => return Err(YamlError { line, reason: "a second document begins here".into() }),
            event => document = Some(reader.node(event, line, 0)?),
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    left: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, usize), YamlError> {
        let wrong = |error: ScanError| YamlError { line: error.marker().line(), reason: error.info().to_owned() };
        match self.parser.next() {
            Some(event) => event.map(|(event, span)| (event, span.start.line())).map_err(wrong),
            None => Ok((Event::StreamEnd, 0)),
        }
    }

    fn spend(&mut self, values: usize, line: usize) -> Result<(), YamlError> {
        self.left = self
            .left
            .checked_sub(values)
            .ok_or_else(|| YamlError { line, reason: format!("more than {MAX_VALUES} values") })?;
        Ok(())
    }

    fn node(&mut self, event: Event<'t>, line: usize, depth: usize) -> Result<Node, YamlError> {
        if depth > MAX_DEPTH {
            return Err(YamlError { line, reason: format!("more than {MAX_DEPTH} levels") });
        }
        self.spend(1, line)?;
        let (content, anchor) = match event {
            Event::Alias(anchor) => {
                let named = self.anchors.get(&anchor).cloned();
                let named = named.ok_or_else(|| YamlError { line, reason: "an alias of itself".into() })?;
                self.spend(named.values(), line)?;
                return Ok(Node { line, ..named });
            }
            Event::Scalar(text, style, anchor, _) => {
                (Content::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break (Content::List(items), anchor),
                        (event, line) => items.push(self.node(event, line, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(anchor, _) => {
                let mut entries = Vec::new();
                loop {
                    match self.next()? {
                        (Event::MappingEnd, _) => break (Content::Map(merged(entries)), anchor),
                        (event, line) => {
                            let key = self.node(event, line, depth + 1)?;
                            let (event, line) = self.next()?;
                            entries.push((key, self.node(event, line, depth + 1)?));
                        }
                    }
                }
            }
            other => return Err(YamlError { line, reason: format!("{other:?} is not expected here") }),
        };
        let node = Node { line, content };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }
}

impl Node {
    fn values(&self) -> usize {
        match &self.content {
            Content::Scalar { .. } => 1,
            Content::List(items) => 1 + items.iter().map(Node::values).sum::<usize>(),
            Content::Map(entries) => {
                1 + entries.iter().map(|(key, value)| key.values() + value.values()).sum::<usize>()
            }
        }
    }

    /// True for what YAML takes for no value.
    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// A scalar's text, whatever YAML takes it for.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// What Python's `if value:` says: a word of YAML 1.1 for "no", nothing, zero and empty things are false, all else is true.
    pub fn is_true(&self) -> bool {
        match &self.content {
            Content::Scalar { text, plain: false } => !text.is_empty(),
            Content::Scalar { text, plain: true } => {
                let word = text.to_ascii_lowercase();
                !self.is_null()
                    && !matches!(word.as_str(), "false" | "no" | "off")
                    && !word.parse::<f64>().is_ok_and(|number| number == 0.0)
            }
            Content::List(items) => !items.is_empty(),
            Content::Map(entries) => !entries.is_empty(),
        }
    }

    /// What stands there, in words, for a message.
    pub fn kind(&self) -> &'static str {
        match &self.content {
            Content::Scalar { .. } if self.is_null() => "empty",
            Content::Scalar { .. } => "text",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }
}

/// One entry a key, the last one's value where the first one stands; entries of `<<` give way to the mapping's own.
fn merged(entries: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    let mut own: Vec<(Node, Node)> = Vec::with_capacity(entries.len());
    let mut taken_in = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (key, value) in entries {
        let is_merge = matches!(&key.content, Content::Scalar { text, plain: true } if text == "<<");
        match (is_merge, value.content, key.text()) {
            (true, Content::Map(more), _) => taken_in.extend(more),
            (true, Content::List(more), _) => taken_in.extend(more.into_iter().flat_map(|node| match node.content {
                Content::Map(more) => more,
                _ => Vec::new(),
            })),
            (_, content, Some(name)) => {
                let value = Node { line: value.line, content };
                match places.get(name) {
                    Some(at) => own[*at].1 = value,
                    None => {
                        places.insert(name.to_owned(), own.len());
                        own.push((key, value));
                    }
                }
            }
            (_, content, None) => own.push((key, Node { line: value.line, content })),
        }
    }
    for (key, value) in taken_in {
        let Some(name) = key.text() else { continue };
        if !places.contains_key(name) {
            places.insert(name.to_owned(), own.len());
            own.push((key, value));
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map(text: &str) -> Vec<(String, Node)> {
        match read(text).unwrap().unwrap().content {
            Content::Map(entries) => {
                entries.into_iter().map(|(key, value)| (key.text().unwrap().to_owned(), value)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_value_knows_its_line_and_a_later_key_counts() {
        let entries = map("# c\na: x\nb:\n  - 1\na: |\n  y\n  z\n");
        assert_eq!((entries[0].0.as_str(), entries[0].1.text(), entries[0].1.line), ("a", Some("y\nz\n"), 6));
        assert_eq!((entries[1].0.as_str(), entries[1].1.kind(), entries[1].1.line), ("b", "a list", 4));
    }

    #[test]
    fn aliases_and_merged_mappings_stand_for_what_they_name() {
        let entries = map("one: &x {a: 1, b: 2}\ntwo:\n  <<: *x\n  b: 3\nthree: *x\n");
        let two = match &entries[1].1.content {
            Content::Map(two) => two.iter().map(|(k, v)| (k.text().unwrap(), v.text().unwrap())).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(two, [("b", "3"), ("a", "1")]);
        assert_eq!(entries[2].1.kind(), "a mapping");
    }

    #[test]
    fn what_python_takes_for_false_is_false() {
        let words = ["false", "No", "off", "0", "0.0", "~", "null", "''", "[]", "{}", ""];
        let values = |words: &[&str]| -> Vec<bool> {
            words.iter().map(|word| map(&format!("a: {word}\n"))[0].1.is_true()).collect()
        };
        assert_eq!(values(&words), [false; 11]);
        assert_eq!(values(&["true", "yes", "1", "'false'", "x", "[0]"]), [true; 6]);
    }

    #[test]
    fn a_comment_is_no_document_and_two_documents_are_refused() {
        assert_eq!(read("# nothing\n# here\n"), Ok(None));
        assert_eq!(read("a: 1\n---\nb: 2\n").unwrap_err().line, 3);
        assert!(read("a: [1\n").is_err());
    }

    #[test]
    fn depth_and_aliases_are_bounded() {
        assert!(read(&"[".repeat(10_000)).is_err());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "));
        }
        assert!(read(&bomb).unwrap_err().reason.contains("values"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-c&*<>|#: \\-\\[\\]{},'\"\n\t!%@~0-9é]{0,80}") {
            drop(read(&text));
        }
    }
}
