//! The text of a revision, taken apart and not yet looked up.
//!
//! ```text
//! revision = [ base ] { step } [ ":" path ]
//! base     = name | "@"              nothing means HEAD when a step or a path follows
//! step     = "@{" n "}"              right after the base: as it was n operations ago
//!          | "~" [ n ]               n first parents back, 1 if not said
//!          | "^" [ n ]               the n-th parent, 1 if not said; ^0 is the snapshot itself
//!          | "^{" kind "}"           the snapshot, tree or blob that is meant
//! ```
//!
//! No name of a ref can hold `~ ^ : @{`, so a revision has one reading.

use crate::object::{Kind, NameError, RelativePath};

use super::{Error, Result};

/// A revision taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision<'a> {
    /// As it was typed.
    pub text: &'a str,
    /// A name, a version or the digits of an id; `HEAD` when it is left out or `@`.
    pub base: &'a str,
    /// Look at the refs as they were this many operations ago.
    pub operations_ago: u64,
    pub steps: Vec<Step>,
    pub path: Option<RelativePath>,
}

/// One step from a snapshot to another object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `~n`
    Ancestor(u64),
    /// `^n`
    Parent(u64),
    /// `^{kind}`
    As(Kind),
}

/// More steps than anyone types; each costs an entry.
const MOST_STEPS: usize = 1000;

impl<'a> Revision<'a> {
    /// Takes `text` apart. Errors: `Malformed`, with what is wrong.
    pub fn parse(text: &'a str) -> Result<Self> {
        let malformed = |reason: String| Error::Malformed { revision: text.to_owned(), reason };
        let (front, path) = match text.split_once(':') {
            Some((front, path)) => (front, Some(read_path(path).map_err(|e| malformed(e.to_string()))?)),
            None => (text, None),
        };
        let end = front.find(['~', '^']).unwrap_or(front.len());
        let end = front.find("@{").map_or(end, |at| at.min(end));
        let (base, mut rest) = front.split_at(end);
        if text.is_empty() {
            return Err(malformed("it is empty".into()));
        }
        let mut revision = Revision {
            text,
            base: if base.is_empty() || base == "@" { "HEAD" } else { base },
            operations_ago: 0,
            steps: Vec::new(),
            path,
        };
        if let Some(braced) = rest.strip_prefix("@{") {
            let (inside, after) = braced.split_once('}').ok_or_else(|| malformed("`@{` is not closed".into()))?;
            revision.operations_ago =
                inside.parse().map_err(|_| malformed(format!("`@{{{inside}}}` wants a number of operations")))?;
            rest = after;
        }
        while let Some(sign) = rest.chars().next() {
            let (step, after) = match (sign, &rest[sign.len_utf8()..]) {
                ('^', after) if after.starts_with('{') => {
                    let (inside, after) =
                        after[1..].split_once('}').ok_or_else(|| malformed("`^{` is not closed".into()))?;
                    (Step::As(inside.parse().map_err(malformed)?), after)
                }
                ('^', after) => number(after).map(|(n, after)| (Step::Parent(n), after)).map_err(malformed)?,
                ('~', after) => number(after).map(|(n, after)| (Step::Ancestor(n), after)).map_err(malformed)?,
                _ if rest.starts_with("@{") => {
                    return Err(malformed("`@{n}` can only stand right after a name".into()));
                }
                _ => {
                    return Err(malformed(format!(
                        "`{rest}` is not understood after `{}`",
                        &front[..front.len() - rest.len()]
                    )));
                }
            };
            if revision.steps.len() == MOST_STEPS {
                return Err(malformed(format!("it has more than {MOST_STEPS} steps")));
            }
            revision.steps.push(step);
            rest = after;
        }
        Ok(revision)
    }
}

/// Leading digits as a number, 1 if there are none, and the rest.
fn number(text: &str) -> std::result::Result<(u64, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Ok((1, rest));
    }
    let n = digits.parse().map_err(|_| format!("{digits} is more than any history has"))?;
    Ok((n, rest))
}

/// A path as people type it: a slash at the end, `./` at the front and `.` for the root do no harm.
fn read_path(text: &str) -> std::result::Result<RelativePath, NameError> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let text = text.strip_prefix("./").unwrap_or(text);
    RelativePath::new(if text == "." { "" } else { text })
}

/// The number of a version, if `name` has the form `v1`, `v2`, …
pub fn version_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix('v')?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if plain { Some(digits.parse().unwrap_or(u64::MAX)) } else { None }
}

/// `A..B` as (A, B), either of them `HEAD` when left out; nothing when there is no `..` before a path begins.
pub fn range(text: &str) -> Option<(&str, &str)> {
    let front = text.split(':').next().unwrap_or(text);
    let at = front.find("..")?;
    let (from, to) = (&text[..at], &text[at + 2..]);
    let or_head = |name| if str::is_empty(name) { "HEAD" } else { name };
    Some((or_head(from), or_head(to)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> (&str, u64, Vec<Step>, Option<String>) {
        let parsed = Revision::parse(text).unwrap();
        (parsed.base, parsed.operations_ago, parsed.steps, parsed.path.map(|p| p.as_str().to_owned()))
    }

    #[test]
    fn every_form_is_taken_apart() {
        use Step::{Ancestor, As, Parent};
        assert_eq!(parts("main"), ("main", 0, vec![], None));
        assert_eq!(parts("@"), ("HEAD", 0, vec![], None));
        assert_eq!(parts("@{2}"), ("HEAD", 2, vec![], None));
        assert_eq!(parts("main@{2}~3^2^"), ("main", 2, vec![Ancestor(3), Parent(2), Parent(1)], None));
        assert_eq!(parts("~"), ("HEAD", 0, vec![Ancestor(1)], None));
        assert_eq!(parts("v3^{tree}:a/b"), ("v3", 0, vec![As(Kind::Tree)], Some("a/b".into())));
        assert_eq!(parts(":a b"), ("HEAD", 0, vec![], Some("a b".into())));
        assert_eq!(parts("HEAD:"), ("HEAD", 0, vec![], Some(String::new())));
        assert_eq!(parts("HEAD:a~1/x^y/"), ("HEAD", 0, vec![], Some("a~1/x^y".into())));
        assert_eq!(parts("user@host"), ("user@host", 0, vec![], None));
    }

    #[test]
    fn what_has_no_reading_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "empty"),
            ("HEAD@{", "not closed"),
            ("HEAD@{x}", "number of operations"),
            ("HEAD~1@{1}", "right after a name"),
            ("HEAD^{tree", "not closed"),
            ("HEAD^{fish}", "not a kind"),
            ("HEAD~1x", "not understood"),
            ("HEAD~99999999999999999999999", "more than any history"),
            ("HEAD:../x", ".."),
            ("HEAD:/x", "not relative"),
        ] {
            let error = Revision::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn ranges_and_versions_are_told_from_names() {
        assert_eq!(range("a..b"), Some(("a", "b")));
        assert_eq!(range("a.."), Some(("a", "HEAD")));
        assert_eq!(range(".."), Some(("HEAD", "HEAD")));
        assert_eq!(range("HEAD:a..b"), None);
        assert_eq!(version_number("v12"), Some(12));
        for name in ["v", "v0", "v01", "v1.0", "V1", "12", "v-1"] {
            assert_eq!(version_number(name), None, "{name}");
        }
        assert_eq!(version_number("v99999999999999999999999"), Some(u64::MAX));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn no_text_makes_the_parser_panic(text in "[a-z0-9@{}~^:/. é\\\\]{0,24}") {
            drop(Revision::parse(&text));
            let _ = range(&text);
        }

        #[test]
        fn no_text_at_all_makes_the_parser_panic(text in any::<String>()) {
            drop(Revision::parse(&text));
        }
    }
}
