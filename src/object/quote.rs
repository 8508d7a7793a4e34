//! Names in lines of text. A name may hold a line feed or a tab, so where a line is one item, a name with a control
//! character or a quotation mark is written as git does it: in quotation marks, with `\n`, `\t`, `\r`, `\"`, and `\ooo` in octal
//! for every other byte below 32 and for 127. Any other name stands as it is. With `-z` nothing is quoted.

use std::borrow::Cow;

/// True for what cannot stand in a line as it is. (`\` cannot occur in a name.)
fn needs_quotes(c: char) -> bool {
    c.is_ascii_control() || c == '"'
}

/// The form of a name or path for a line of text.
pub fn quoted(name: &str) -> Cow<'_, str> {
    if !name.contains(needs_quotes) {
        return Cow::Borrowed(name);
    }
    let mut text = String::from("\"");
    for c in name.chars() {
        match c {
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            c if c.is_ascii_control() => text.push_str(&format!("\\{:03o}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    Cow::Owned(text)
}

/// Reads what [`quoted`] wrote; nothing for quotation marks that are not closed or an unknown escape.
pub fn unquoted(text: &str) -> Option<Cow<'_, str>> {
    let Some(inside) = text.strip_prefix('"') else { return Some(Cow::Borrowed(text)) };
    let inside = inside.strip_suffix('"')?;
    let mut name = String::new();
    let mut rest = inside.chars();
    while let Some(c) = rest.next() {
        if c == '"' {
            return None;
        }
        if c != '\\' {
            name.push(c);
            continue;
        }
        match rest.next()? {
            'n' => name.push('\n'),
            't' => name.push('\t'),
            'r' => name.push('\r'),
            c @ ('"' | '\\') => name.push(c),
            first => {
                let digits = [first, rest.next()?, rest.next()?];
                let number = digits.iter().try_fold(0, |sum, c| Some(sum * 8 + c.to_digit(8)?))?;
                name.push(char::from(u8::try_from(number).ok().filter(u8::is_ascii)?));
            }
        }
    }
    Some(Cow::Owned(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_would_break_a_line_is_quoted() {
        assert_eq!(quoted("a b ü.json"), "a b ü.json");
        assert_eq!(quoted("a\nb\t\"c\"\u{1}\u{7f}"), r#""a\nb\t\"c\"\001\177""#);
        for text in ["\"", "\"a", "\"\\\"", "\"\\x12\"", "\"\\777\"", "\"a\"b\""] {
            assert_eq!(unquoted(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_name_survives_its_quotes(name in any::<String>()) {
            let text = quoted(&name).into_owned();
            prop_assert!(!text.contains(['\n', '\t', '\r']));
            // A name cannot begin with a quotation mark and be written without quotes.
            prop_assert_eq!(unquoted(&text), Some(Cow::Borrowed(name.as_str())));
        }
    }
}
