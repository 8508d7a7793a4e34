//! Names that one system allows and another refuses or takes for something else.
//!
//! Rules: <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>.

use std::fmt;

/// Why a name cannot be had, or would mean something else, on another system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hazard {
    /// A device on Windows, with or without a suffix: `nul`, `COM1.txt`.
    Reserved,
    /// Windows drops a dot or a space at the end.
    TrailingDotOrSpace,
    /// A character that Windows refuses: one of `<>:"|?*` or a control character.
    Character(char),
    /// More than 255 UTF-16 units, the most that NTFS and APFS hold.
    TooLong,
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hazard::Reserved => f.write_str("is the name of a device on Windows"),
            Hazard::TrailingDotOrSpace => f.write_str("ends with a dot or a space, which Windows drops"),
            Hazard::Character(c) if c.is_control() => {
                write!(f, "holds the control character U+{:04X}, which Windows refuses", *c as u32)
            }
            Hazard::Character(c) => write!(f, "holds `{c}`, which Windows refuses"),
            Hazard::TooLong => f.write_str("is longer than 255 characters, which Windows and macOS refuse"),
        }
    }
}

/// What would go wrong with this name on another system, if anything.
pub fn hazard(name: &str) -> Option<Hazard> {
    if let Some(c) = name.chars().find(|c| matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') || (*c as u32) < 32) {
        return Some(Hazard::Character(c));
    }
    if name.ends_with(['.', ' ']) {
        return Some(Hazard::TrailingDotOrSpace);
    }
    if is_device(name) {
        return Some(Hazard::Reserved);
    }
    (name.len() > 255 && name.encode_utf16().count() > 255).then_some(Hazard::TooLong)
}

/// True where this very system cannot keep the name as it is.
pub fn refused_here(name: &str) -> Option<Hazard> {
    if cfg!(windows) { hazard(name) } else { None }
}

/// True for a name that Windows takes for a device, with any ending.
pub fn is_device(name: &str) -> bool {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    if stem.len() > 7 {
        return false;
    }
    if DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)) {
        return true;
    }
    // COM and LPT with a digit; the superscripts ¹ ² ³ count as digits.
    let mut characters = stem.chars();
    let port: String = characters.by_ref().take(3).collect();
    let number = (characters.next(), characters.next());
    (port.eq_ignore_ascii_case("COM") || port.eq_ignore_ascii_case("LPT"))
        && matches!(number, (Some('0'..='9' | '¹' | '²' | '³'), None))
}

/// The form under which a file system that ignores case keeps a name. Simple lower case: close to what NTFS and APFS do,
/// and never laxer for ASCII.
pub fn fold_case(name: &str) -> String {
    if name.is_ascii() { name.to_ascii_lowercase() } else { name.chars().flat_map(char::to_lowercase).collect() }
}

/// Of names sorted by bytes, those that equal another but for case, with that other.
pub fn equal_but_for_case<'a>(sorted: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    // Of two different names that fold alike at least one is changed by folding.
    let fold = |name: &&'a str| {
        let plain = name.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase());
        if plain { None } else { Some((fold_case(name), *name)).filter(|(folded, name)| folded != name) }
    };
    let mut folded: Vec<(String, &str)> = sorted.iter().filter_map(fold).collect();
    folded.sort();
    let mut pairs = Vec::new();
    let mut previous: Option<&(String, &str)> = None;
    for item in &folded {
        let twin = match previous {
            Some(before) if before.0 == item.0 => Some(before.1),
            _ => sorted.binary_search(&item.0.as_str()).ok().map(|at| sorted[at]).filter(|twin| *twin != item.1),
        };
        if let Some(twin) = twin {
            pairs.push((item.1, twin));
        }
        previous = Some(item);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_windows_takes_for_something_else_are_known() {
        for name in ["CON", "nul", "Aux.txt", "com1", "LPT9.tar.gz", "COM¹", "conin$", "NUL .txt"] {
            assert_eq!(hazard(name), Some(Hazard::Reserved), "{name}");
        }
        for name in ["a.", "a ", "...", " "] {
            assert_eq!(hazard(name), Some(Hazard::TrailingDotOrSpace), "{name:?}");
        }
        assert_eq!(hazard("a:b"), Some(Hazard::Character(':')));
        assert_eq!(hazard("a\u{1b}[31m"), Some(Hazard::Character('\u{1b}')));
        assert_eq!(hazard(&"x".repeat(256)), Some(Hazard::TooLong));
        assert_eq!(hazard(&"ä".repeat(200)), None);
    }

    #[test]
    fn ordinary_names_have_no_hazard() {
        for name in ["a", ".git", "console", "com", "com10", "COMA", "nullable.py", "ä b", "__init__.py", "x.nul"] {
            assert_eq!(hazard(name), None, "{name}");
        }
    }

    #[test]
    fn names_that_differ_only_by_case_are_found() {
        let found = |names: &[&'static str]| {
            let mut names = names.to_vec();
            names.sort();
            equal_but_for_case(&names)
        };
        assert_eq!(found(&["a", "b", "README"]), []);
        assert_eq!(found(&["readme", "README"]), [("README", "readme")]);
        assert_eq!(found(&["Readme", "README"]), [("Readme", "README")]);
        assert_eq!(found(&["ä", "Ä"]), [("Ä", "ä")]);
        assert_eq!(found(&["a", "A", "aB", "Ab"]).len(), 2);
    }
}
