//! Changes string values in a document and leaves every other byte as it is (invariant R3).

use std::ops::Range;

use super::document::{Document, Kind};

/// Why a document was not rewritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    #[error("bytes {}..{} are no value that can be replaced so", .0.start, .0.end)]
    NotAValue(Range<usize>),
    #[error("bytes {}..{} would be changed in two ways", .0.start, .0.end)]
    Twice(Range<usize>),
}

/// What a value is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum New {
    /// What a string, or a part of one, says.
    Text(String),
    /// A number, boolean or null as JSON writes it, in place of another.
    Scalar(String),
}

/// As [`rewrite`], for values that are no strings too.
///
/// # Errors
/// As [`rewrite`]; a scalar that is none, or in place of something else.
pub fn rewrite_values(bytes: &[u8], changes: &[(Range<usize>, New)]) -> Result<Vec<u8>, RewriteError> {
    let mut changes: Vec<_> = changes.iter().collect();
    changes.sort_by_key(|(place, _)| (place.start, place.end));
    changes.dedup();
    let style = Style::of(bytes);
    let mut strings = Strings { bytes, at: 0 };
    let mut string = Some(0..0);
    let mut out = Vec::with_capacity(bytes.len() + 64 * changes.len());
    let mut done = 0;
    for (place, new) in changes {
        if place.start < done {
            return Err(RewriteError::Twice(place.clone()));
        }
        let refused = || RewriteError::NotAValue(place.clone());
        // The first string that does not end before the place does.
        while string.as_ref().is_some_and(|string| string.end < place.end) {
            string = strings.next();
        }
        out.extend_from_slice(bytes.get(done..place.start).ok_or_else(refused)?);
        match new {
            New::Text(text) if string.as_ref() == Some(place) => {
                out.push(b'"');
                style.write(text, &mut out);
                out.push(b'"');
            }
            New::Text(text) if string.as_ref().is_some_and(|string| is_within(bytes, string, place)) => {
                style.write(text, &mut out)
            }
            New::Scalar(scalar) if is_before(place, string.as_ref()) && is_scalar(scalar.as_bytes()) => {
                let old = bytes.get(place.clone()).filter(|old| is_scalar(old)).ok_or_else(refused)?;
                // Not within a longer one.
                let joins =
                    |at: Option<&u8>| at.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
                if old.is_empty() || joins(bytes[..place.start].last()) || joins(bytes.get(place.end)) {
                    return Err(refused());
                }
                out.extend_from_slice(scalar.as_bytes());
            }
            _ => return Err(refused()),
        }
        done = place.end;
    }
    out.extend_from_slice(&bytes[done..]);
    Ok(out)
}

/// True for a place that ends before a string begins, or behind the last one.
fn is_before(place: &Range<usize>, string: Option<&Range<usize>>) -> bool {
    string.is_none_or(|string| place.end <= string.start)
}

/// True for a number, a boolean or null.
fn is_scalar(text: &[u8]) -> bool {
    let read = Document::read(text);
    read.is_ok_and(|read| {
        let root = read.root();
        matches!(root.kind(), Kind::Number | Kind::Boolean | Kind::Null) && root.place() == (0..text.len())
    })
}

/// `bytes` with the strings at these places saying something else. A place is a whole string, quotes included, as
/// [`Value::place`](super::document::Value::place) gives it, or a part of what stands between the quotes, as
/// [`Value::place_within`](super::document::Value::place_within) does. The new text is escaped in the way of the file: outside
/// ASCII as `\u` escapes where the file does so (Python's habit), else as it is (JavaScript's). The same change of the same
/// place may be given several times.
///
/// # Errors
/// A place that is neither, or two that overlap and differ.
pub fn rewrite(bytes: &[u8], changes: &[(Range<usize>, String)]) -> Result<Vec<u8>, RewriteError> {
    let changes: Vec<_> = changes.iter().map(|(place, new)| (place.clone(), New::Text(new.clone()))).collect();
    rewrite_values(bytes, &changes)
}

/// The strings of a document, quotes included, one after the other.
struct Strings<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Iterator for Strings<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.at + self.bytes.get(self.at..)?.iter().position(|byte| *byte == b'"')?;
        let mut at = start + 1;
        loop {
            at += self.bytes.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            if self.bytes[at] == b'"' {
                self.at = at + 1;
                return Some(start..at + 1);
            }
            at += 2;
        }
    }
}

/// True for a place between the quotes of `string` that cuts no escape and no character in two.
fn is_within(bytes: &[u8], string: &Range<usize>, place: &Range<usize>) -> bool {
    let inner = string.start + 1..string.end - 1;
    if place.start < inner.start || place.end > inner.end || place.start > place.end {
        return false;
    }
    let is_edge = |at: usize| {
        let escape = (at.saturating_sub(5).max(inner.start)..at).rev().find(|found| {
            let before = bytes[inner.start..*found].iter().rev().take_while(|byte| **byte == b'\\').count();
            bytes[*found] == b'\\' && before % 2 == 0
        });
        let whole = escape.is_none_or(|found| at - found >= if bytes[found + 1] == b'u' { 6 } else { 2 });
        whole && (at == inner.end || bytes[at] & 0xc0 != 0x80)
    };
    is_edge(place.start) && is_edge(place.end)
}

/// How a file writes what may be written in several ways.
struct Style {
    /// Characters outside ASCII as `\u` escapes.
    ascii: bool,
    /// `/` as `\/`.
    slash: bool,
}

impl Style {
    fn of(bytes: &[u8]) -> Style {
        let (mut ascii, mut slash) = (false, false);
        // A backslash that is itself escaped begins nothing, so each escape is stepped over whole.
        let mut at = 0;
        while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'\\') {
            at += found;
            match bytes.get(at + 1) {
                Some(b'/') => slash = true,
                // Control characters are written like this in every style.
                Some(b'u') => ascii |= bytes.get(at + 2..at + 6).is_some_and(|digits| digits >= b"0080".as_slice()),
                _ => {}
            }
            at = (at + 2).min(bytes.len());
        }
        Style { ascii: ascii && bytes.is_ascii(), slash }
    }

    fn write(&self, text: &str, out: &mut Vec<u8>) {
        for character in text.chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\u{8}' => out.extend_from_slice(b"\\b"),
                '\u{c}' => out.extend_from_slice(b"\\f"),
                '/' if self.slash => out.extend_from_slice(b"\\/"),
                plain if plain >= ' ' && (plain.is_ascii() || !self.ascii) => {
                    out.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
                }
                other => {
                    for unit in other.encode_utf16(&mut [0; 2]) {
                        out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_first(text: &str, new: &str) -> String {
        let document = Document::read(text.as_bytes()).unwrap();
        let place = document.root().items().next().unwrap().place();
        String::from_utf8(rewrite(text.as_bytes(), &[(place, new.to_owned())]).unwrap()).unwrap()
    }

    #[test]
    fn new_text_is_escaped_in_the_way_of_the_file() {
        assert_eq!(with_first(r#"[ "a" , "ö"]"#, "b\\ä\n"), r#"[ "b\\ä\n" , "ö"]"#);
        assert_eq!(with_first(r#"["a", "\u00f6"]"#, "ä\u{1f600}"), r#"["\u00e4\ud83d\ude00", "\u00f6"]"#);
        assert_eq!(with_first(r#"["a", "\\u00f6"]"#, "ä"), r#"["ä", "\\u00f6"]"#);
        assert_eq!(with_first(r#"["a\/b", 1.0]"#, "c/d"), r#"["c\/d", 1.0]"#);
    }

    #[test]
    fn a_part_of_a_string_changes_alone() {
        let text = r#"["a \"\u003clora:b\u003e\" ü", "é"]"#;
        let document = Document::read(text.as_bytes()).unwrap();
        let value = document.root().items().next().unwrap();
        let said = value.text().unwrap().into_owned();
        let at = said.find("lora:b").unwrap() + 5;
        let place = value.place_within(at..at + 1).unwrap();
        let after = rewrite(text.as_bytes(), &[(place, "c\\d".into())]).unwrap();
        assert_eq!(String::from_utf8(after).unwrap(), r#"["a \"\u003clora:c\\d\u003e\" ü", "é"]"#);
        // Whole escapes and whole characters only.
        for cut in [5..6, 8..10, text.find('ü').unwrap() + 1..text.find('ü').unwrap() + 2] {
            assert!(rewrite(text.as_bytes(), &[(cut, String::new())]).is_err());
        }
    }

    #[test]
    fn numbers_and_booleans_are_replaced_by_their_like() {
        let bytes = br#"["1", 1.50, true, [2]]"#;
        let scalar = |place, new: &str| rewrite_values(bytes, &[(place, New::Scalar(new.into()))]);
        assert_eq!(scalar(6..10, "0.7").unwrap(), br#"["1", 0.7, true, [2]]"#);
        assert_eq!(scalar(12..16, "null").unwrap(), br#"["1", 1.50, null, [2]]"#);
        for (place, new) in
            [(6..10, "\"x\""), (6..10, "[1]"), (6..10, ""), (2..3, "7"), (6..8, "7"), (18..21, "7"), (90..91, "7")]
        {
            assert!(scalar(place.clone(), new).is_err(), "{place:?} {new}");
        }
    }

    #[test]
    fn one_change_given_twice_is_one_change() {
        let bytes = b"[\"a\", 1]";
        let change = (1..4, "x".to_owned());
        assert_eq!(rewrite(bytes, &[change.clone(), change]).unwrap(), b"[\"x\", 1]");
    }

    #[test]
    fn a_place_that_is_no_string_or_is_given_twice_is_refused() {
        let bytes = b"[\"a\", 1]";
        assert!(rewrite(bytes, &[(6..7, "x".into())]).is_err());
        assert!(rewrite(bytes, &[(1..4, "x".into()), (1..4, "y".into())]).is_err());
        assert!(rewrite(bytes, &[(5..99, "x".into())]).is_err());
    }

    proptest! {
        #[test]
        fn one_string_changes_and_nothing_else(texts in prop::collection::vec(".{0,8}", 1..6), chosen in any::<prop::sample::Index>(), new in ".{0,12}") {
            let chosen = chosen.index(texts.len());
            let bytes = serde_json::to_vec_pretty(&texts).unwrap();
            let document = Document::read(&bytes).unwrap();
            let place = document.root().items().nth(chosen).unwrap().place();
            let after = rewrite(&bytes, &[(place.clone(), new.clone())]).unwrap();
            let mut expected = texts.clone();
            expected[chosen] = new;
            prop_assert_eq!(serde_json::from_slice::<Vec<String>>(&after).unwrap(), expected);
            prop_assert_eq!(&after[..place.start], &bytes[..place.start]);
            prop_assert!(after.ends_with(&bytes[place.end..]));
            // Written back, the first bytes are there again.
            let document = Document::read(&after).unwrap();
            let place = document.root().items().nth(chosen).unwrap().place();
            prop_assert_eq!(rewrite(&after, &[(place, texts[chosen].clone())]).unwrap(), bytes);
        }
    }
}
