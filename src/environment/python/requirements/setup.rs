//! `install_requires` of a `setup.py`, as far as it is written out. The file is never run.

use std::path::Path;

use super::files::text_of;
use super::found::Requirements;
use super::refused::{Origin, Reason};

const NAME: &str = "setup.py";

/// Reads `install_requires`. False when there is none.
pub fn read(folder: &Path, into: &mut Requirements) -> bool {
    let origin = |line| Origin { file: NAME.to_owned(), line };
    let text = match text_of(&folder.join(NAME)) {
        Ok(Some(text)) => text,
        Ok(None) => return false,
        Err(error) => {
            into.refuse(NAME, origin(0), Reason::Unreadable(error.to_string()));
            return true;
        }
    };
    let tokens = tokens(&text);
    let Some(at) = position(&tokens, "install_requires") else { return false };
    into.files.push(NAME.to_owned());
    // `install_requires=[…]`, or `install_requires=NAME` with `NAME = […]` somewhere before.
    let value = &tokens[at + 2..];
    let list = match value.first().map(|token| &token.kind) {
        Some(Kind::Name(name)) => tokens
            .windows(3)
            .position(|window| {
                matches!(&window[0].kind, Kind::Name(found) if found == name)
                    && window[1].kind == Kind::Other('=')
                    && window[2].kind == Kind::Other('[')
            })
            .and_then(|at| strings(&tokens[at + 2..])),
        _ => strings(value),
    };
    match list {
        Some(list) => list.into_iter().for_each(|(line, text)| into.take(&text, origin(line))),
        None => into.refuse("install_requires", origin(tokens[at].line), Reason::Computed),
    }
    true
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Name(String),
    Text(String),
    /// A text with something worked out in it, such as `f"…"`.
    Computed,
    Other(char),
}

#[derive(Debug)]
struct Token {
    kind: Kind,
    line: usize,
}

/// Where `name =` or `"name":` stands.
fn position(tokens: &[Token], name: &str) -> Option<usize> {
    tokens.windows(2).position(|window| match (&window[0].kind, &window[1].kind) {
        (Kind::Name(found), Kind::Other('=')) => found == name,
        (Kind::Text(found), Kind::Other(':')) => found == name,
        _ => false,
    })
}

/// The texts of a list that holds nothing else.
fn strings(tokens: &[Token]) -> Option<Vec<(usize, String)>> {
    let mut tokens = tokens.iter();
    let close = match tokens.next()?.kind {
        Kind::Other('[') => ']',
        Kind::Other('(') => ')',
        _ => return None,
    };
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut after_text = false;
    for token in tokens {
        match &token.kind {
            Kind::Text(text) if after_text => {
                // Python joins texts that follow each other.
                if let Some((_, last)) = found.last_mut() {
                    last.push_str(text);
                }
            }
            Kind::Text(text) => {
                found.push((token.line, text.clone()));
                after_text = true;
            }
            Kind::Other(',') => after_text = false,
            Kind::Other(end) if *end == close => return Some(found),
            _ => return None,
        }
    }
    None
}

/// Names, texts and single characters of a Python file, without comments and spaces.
fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let begun = line;
        let length = match c {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '\n' => {
                line += 1;
                1
            }
            '"' | '\'' => {
                let (length, content) = literal(rest);
                line += rest[..length].matches('\n').count();
                let is_raw_or_plain = !content.contains('\\');
                let kind = if is_raw_or_plain { Kind::Text(content.to_owned()) } else { Kind::Computed };
                found.push(Token { kind, line: begun });
                length
            }
            c if c.is_alphabetic() || c == '_' => {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let name = &rest[..length];
                if rest[length..].starts_with(['"', '\'']) && name.len() <= 2 {
                    // A prefix: only `f` has something worked out in it.
                    let (inner, content) = literal(&rest[length..]);
                    line += rest[length..length + inner].matches('\n').count();
                    let is_computed = name.to_ascii_lowercase().contains(['f', 'b']);
                    let kind = if is_computed { Kind::Computed } else { Kind::Text(content.to_owned()) };
                    found.push(Token { kind, line: begun });
                    length + inner
                } else {
                    found.push(Token { kind: Kind::Name(name.to_owned()), line });
                    length
                }
            }
            c if c.is_whitespace() => c.len_utf8(),
            c => {
                found.push(Token { kind: Kind::Other(c), line });
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    found
}

/// The length of the text that begins here, and what stands between its quotation marks.
fn literal(text: &str) -> (usize, &str) {
    let quote = &text[..1];
    let triple = quote.repeat(3);
    let mark = if text.starts_with(&triple) { triple.as_str() } else { quote };
    let inner = &text[mark.len()..];
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' if mark.len() == 1 => return (mark.len() + at, &inner[..at]),
            _ if inner[at..].starts_with(mark) => return (2 * mark.len() + at, &inner[..at]),
            _ => {}
        }
    }
    (text.len(), inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> (bool, Vec<String>, Vec<&'static str>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), text).unwrap();
        let mut found = Requirements::default();
        let there = read(folder.path(), &mut found);
        (there, found.texts(), found.refused.iter().map(|refused| refused.reason.word()).collect())
    }

    #[test]
    fn what_is_written_out_is_read() {
        for text in [
            "setup(\n  name='x', # install_requires=['no']\n  install_requires=[\n    'foo>=1', # why\n    \"bar\" '<2',\n  ],\n)\n",
            "reqs = ['foo>=1', r'bar<2']\nsetup(install_requires=reqs)\n",
            "setup(**{'install_requires': ('foo>=1', u'bar<2',)})\n",
        ] {
            assert_eq!(of(text), (true, vec!["foo>=1".into(), "bar<2".into()], vec![]), "{text}");
        }
    }

    #[test]
    fn what_a_program_works_out_is_named_and_not_run() {
        for text in [
            "setup(install_requires=open('requirements.txt').read().split())\n",
            "setup(install_requires=['foo'] + more)\nx",
            "setup(install_requires=[f'foo=={v}'])\n",
            "setup(install_requires=unknown)\n",
        ] {
            let (there, accepted, refused) = of(text);
            assert!(there);
            // `['foo'] + more` is read as far as it is written out.
            assert!(refused == ["computed"] || accepted == ["foo"], "{text}");
        }
        assert_eq!(of("from setuptools import setup\nsetup()\n"), (false, vec![], vec![]));
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[ -~\n]{0,120}") {
            drop(tokens(&text));
            of(&text);
        }
    }
}
