//! What an archive may hold. An archive is a stranger's word about names and sizes; here each entry is judged before
//! anything is written for it.
//!
//! The rules are those that extractors learnt the hard way: names that climb out, links that lead out, names that two
//! file systems take for one or for two, devices, sizes that only exist to fill a disk. Invariant B1: nothing is
//! written for an entry that [`Guard::admit`] has not let through.

use std::collections::HashMap;
use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::object::RelativePath;
use crate::platform::names;

/// How much an archive may hold.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Entries, folders and headers of any kind included.
    pub entries: u64,
    /// Bytes of all contents together.
    pub total: u64,
    /// How many times larger than its compressed form an archive may become, once past `slack`.
    pub ratio: u64,
    /// Bytes that may be unpacked whatever the ratio.
    pub slack: u64,
    /// Bytes in one name between slashes.
    pub name: usize,
    /// Bytes in a whole path.
    pub path: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { entries: 999_999, total: 16 << 40, ratio: 500, slack: 1 << 20, name: 255, path: 4096 }
    }
}

impl Limits {
    /// Checks that `unpacked` bytes may come out of `packed` ones.
    pub fn expansion(&self, unpacked: u64, packed: u64) -> Result<(), Rule> {
        if unpacked > self.slack && unpacked / self.ratio.max(1) > packed {
            return Err(Rule::Ratio { limit: self.ratio });
        }
        if unpacked > self.total {
            return Err(Rule::Total { limit: self.total });
        }
        Ok(())
    }
}

/// What an entry claims to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim<'a> {
    /// A regular file of so many bytes.
    File(u64),
    Folder,
    /// A symbolic link to this target.
    Symlink(&'a [u8]),
    /// Another name for an entry that came before.
    HardLink(&'a [u8]),
    /// Anything else, by its usual name.
    Other(&'static str),
}

/// An entry that is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    File,
    Folder,
    /// The target as written: relative, within the root.
    Symlink(String),
    /// A file that came before.
    HardLink(RelativePath),
}

/// The rule that an entry breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    #[error("the name is empty, or empty between two slashes")]
    Empty,
    #[error("the name is absolute")]
    Absolute,
    #[error("the name begins with a drive letter")]
    Drive,
    #[error("the name holds `.` or `..`, which lead elsewhere")]
    Dots,
    #[error("the name holds a backslash")]
    Backslash,
    #[error("the name holds a control character")]
    Control,
    #[error("the name is not UTF-8")]
    NotUtf8,
    #[error("the name is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("the name means a device on Windows")]
    Reserved,
    #[error("the link leads out of the archive, to `{target}`")]
    LinkOut { target: String },
    #[error("the link leads through another link, to `{target}`")]
    LinkThroughLink { target: String },
    #[error("the hard link names no file that came before it: `{target}`")]
    HardLinkToNothing { target: String },
    #[error("its folder `{folder}` is a link")]
    BelowLink { folder: String },
    #[error("its folder `{folder}` is a file")]
    BelowFile { folder: String },
    #[error("a {0} has no place in an archive of files")]
    Special(&'static str),
    #[error("the same name stands twice")]
    Duplicate,
    #[error("the name equals `{other}` where file systems do not tell capital letters, accents or final dots apart")]
    SameButForCase { other: String },
    #[error("more than {limit} entries")]
    Entries { limit: u64 },
    #[error("contents of more than {limit} bytes")]
    Total { limit: u64 },
    #[error("it unpacks to more than {limit} times its size")]
    Ratio { limit: u64 },
    #[error("an extended header of {size} bytes, where {limit} are enough for any name")]
    Header { size: u64, limit: u64 },
}

/// An entry that is not let through: its name, made safe to print, and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}`: {rule}")]
pub struct Refusal {
    pub name: String,
    #[source]
    pub rule: Rule,
}

impl Refusal {
    pub fn new(name: &[u8], rule: Rule) -> Self {
        Refusal { name: printable(name), rule }
    }
}

/// What stands under a name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    File,
    Link,
    /// A folder that is there only because something lies in it.
    ImpliedFolder,
    Folder,
}

/// Judges the entries of one archive in their order.
#[derive(Debug, Default)]
pub struct Guard {
    limits: Limits,
    /// By folded name: what is there, and the name as it was written where folding changed it.
    seen: HashMap<Box<str>, (Seen, Option<Box<str>>)>,
    /// Links and the places they lead to.
    links: Vec<(RelativePath, RelativePath)>,
    /// The folder of the entry before, which was judged already.
    last_folder: String,
    entries: u64,
    total: u64,
}

impl Guard {
    pub fn new(limits: Limits) -> Self {
        Guard { limits, ..Guard::default() }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Judges the next entry: where it may go and as what, or the rule it breaks.
    pub fn admit(&mut self, name: &[u8], claim: &Claim<'_>) -> Result<(RelativePath, Admitted), Refusal> {
        self.judge(name, claim).map_err(|rule| Refusal::new(name, rule))
    }

    /// Judges what can be known only at the end: that no link leads through a link that came later.
    pub fn finish(&self) -> Result<(), Refusal> {
        for (path, target) in &self.links {
            let mut above = RelativePath::root();
            for name in target.names() {
                above = above.join(&name);
                if matches!(self.seen.get(fold(above.as_str()).as_str()), Some((Seen::Link, _))) {
                    let rule = Rule::LinkThroughLink { target: target.to_string() };
                    return Err(Refusal::new(path.as_str().as_bytes(), rule));
                }
            }
        }
        Ok(())
    }

    /// Counts an entry that carries no name of its own, such as an extended header.
    pub fn count(&mut self, name: &[u8]) -> Result<(), Refusal> {
        self.entries += 1;
        let limit = self.limits.entries;
        if self.entries > limit { Err(Refusal::new(name, Rule::Entries { limit })) } else { Ok(()) }
    }

    fn judge(&mut self, name: &[u8], claim: &Claim<'_>) -> Result<(RelativePath, Admitted), Rule> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(Rule::Entries { limit: self.limits.entries });
        }
        let what = match claim {
            Claim::Folder => Seen::Folder,
            Claim::File(size) => {
                self.total = self.total.saturating_add(*size);
                if self.total > self.limits.total {
                    return Err(Rule::Total { limit: self.limits.total });
                }
                Seen::File
            }
            Claim::HardLink(_) => Seen::File,
            Claim::Symlink(_) => Seen::Link,
            Claim::Other(what) => return Err(Rule::Special(what)),
        };
        let path = self.path(name, what == Seen::Folder)?;
        let Some((folder, _)) = path.split_last() else {
            return Ok((path, Admitted::Folder));
        };
        self.claim_folder(&folder)?;
        let admitted = match claim {
            Claim::Symlink(target) => Admitted::Symlink(self.link_target(&path, &folder, target)?),
            Claim::HardLink(target) => Admitted::HardLink(self.earlier_file(target)?),
            Claim::Folder => Admitted::Folder,
            Claim::File(_) | Claim::Other(_) => Admitted::File,
        };
        self.claim_name(path.as_str(), what)?;
        Ok((path, admitted))
    }

    /// A name as a path. A leading `./` and a folder's final slash, which archivers write, are taken off.
    fn path(&self, name: &[u8], folder: bool) -> Result<RelativePath, Rule> {
        if name.len() > self.limits.path {
            return Err(Rule::TooLong { limit: self.limits.path });
        }
        let text = std::str::from_utf8(name).map_err(|_| Rule::NotUtf8)?;
        let text = match text.strip_prefix("./") {
            Some("") if folder => return Ok(RelativePath::root()),
            Some(rest) => rest,
            None if text == "." && folder => return Ok(RelativePath::root()),
            None => text,
        };
        let text = if folder { text.strip_suffix('/').unwrap_or(text) } else { text };
        check_path(text)?;
        for part in text.split('/') {
            if part.len() > self.limits.name {
                return Err(Rule::TooLong { limit: self.limits.name });
            }
        }
        RelativePath::new(text).map_err(|_| Rule::Empty)
    }

    /// Every folder above must be one, under one spelling.
    fn claim_folder(&mut self, folder: &RelativePath) -> Result<(), Rule> {
        if folder.as_str() == self.last_folder {
            return Ok(());
        }
        let mut above = RelativePath::root();
        for name in folder.names() {
            above = above.join(&name);
            let folded = fold(above.as_str());
            match self.seen.get(folded.as_str()) {
                None => {
                    self.seen.insert(folded.clone().into(), (Seen::ImpliedFolder, spelling(&folded, above.as_str())));
                }
                Some((seen, written)) => {
                    let written = written.as_deref().unwrap_or(&folded);
                    if written != above.as_str() {
                        return Err(Rule::SameButForCase { other: printable(written.as_bytes()) });
                    }
                    match seen {
                        Seen::Link => return Err(Rule::BelowLink { folder: above.to_string() }),
                        Seen::File => return Err(Rule::BelowFile { folder: above.to_string() }),
                        Seen::Folder | Seen::ImpliedFolder => {}
                    }
                }
            }
        }
        self.last_folder = folder.as_str().to_owned();
        Ok(())
    }

    fn claim_name(&mut self, path: &str, what: Seen) -> Result<(), Rule> {
        let folded = fold(path);
        if let Some((seen, written)) = self.seen.get_mut(folded.as_str()) {
            let written = written.as_deref().unwrap_or(&folded);
            if written != path {
                return Err(Rule::SameButForCase { other: printable(written.as_bytes()) });
            }
            if (*seen, what) != (Seen::ImpliedFolder, Seen::Folder) {
                return Err(Rule::Duplicate);
            }
            *seen = Seen::Folder;
            return Ok(());
        }
        let written = spelling(&folded, path);
        self.seen.insert(folded.into(), (what, written));
        Ok(())
    }

    fn link_target(&mut self, path: &RelativePath, folder: &RelativePath, target: &[u8]) -> Result<String, Rule> {
        let text = std::str::from_utf8(target).map_err(|_| Rule::NotUtf8)?;
        let out = || Rule::LinkOut { target: printable(target) };
        if text.is_empty() || text.len() > self.limits.path {
            return Err(out());
        }
        let place = link_destination(folder, text).ok_or_else(out)?;
        self.links.push((path.clone(), place));
        Ok(text.to_owned())
    }

    fn earlier_file(&self, target: &[u8]) -> Result<RelativePath, Rule> {
        let path = self.path(target, false)?;
        let folded = fold(path.as_str());
        let found = self.seen.get(folded.as_str());
        let same = found.is_some_and(|(seen, written)| {
            *seen == Seen::File && written.as_deref().unwrap_or(&folded) == path.as_str()
        });
        if same { Ok(path) } else { Err(Rule::HardLinkToNothing { target: printable(target) }) }
    }
}

/// Checks the text of a relative path name by name.
fn check_path(text: &str) -> Result<(), Rule> {
    let bytes = text.as_bytes();
    if let [letter, b':', ..] = bytes
        && letter.is_ascii_alphabetic()
    {
        return Err(Rule::Drive);
    }
    if text.starts_with('/') {
        return Err(Rule::Absolute);
    }
    if text.contains('\\') {
        return Err(Rule::Backslash);
    }
    if text.chars().any(char::is_control) {
        return Err(Rule::Control);
    }
    for part in text.split('/') {
        match part {
            "" => return Err(Rule::Empty),
            "." | ".." => return Err(Rule::Dots),
            _ if names::is_device(part) => return Err(Rule::Reserved),
            _ => {}
        }
    }
    Ok(())
}

/// Where a link that stands in `folder` leads, if that is a place below the root.
pub fn link_destination(folder: &RelativePath, target: &str) -> Option<RelativePath> {
    let drive = matches!(target.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    if target.starts_with('/') || drive || target.contains('\\') || target.chars().any(char::is_control) {
        return None;
    }
    let mut place: Vec<&str> = folder.as_str().split('/').filter(|part| !part.is_empty()).collect();
    let mut descended = false;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            // After a name, `..` is above whatever that name leads to, which need not be here.
            ".." if descended => return None,
            ".." => {
                place.pop()?;
            }
            name => {
                descended = true;
                place.push(name);
            }
        }
    }
    RelativePath::new(place.join("/")).ok()
}

/// The form under which a name is one with those that some file system takes for the same.
fn fold(path: &str) -> String {
    if path.is_ascii() && !path.contains("./") && !path.contains(" /") && !path.ends_with(['.', ' ']) {
        return path.to_ascii_lowercase();
    }
    let parts: Vec<String> =
        path.split('/').map(|part| part.nfc().flat_map(char::to_lowercase).nfc().collect::<String>()).collect();
    parts.iter().map(|part| part.trim_end_matches(['.', ' '])).collect::<Vec<_>>().join("/")
}

fn spelling(folded: &str, written: &str) -> Option<Box<str>> {
    (folded != written).then(|| written.into())
}

/// A name from outside in a form that a terminal can show: control characters escaped, cut after 200 characters.
pub fn printable(name: &[u8]) -> String {
    struct Escaped<'a>(&'a str);
    impl fmt::Display for Escaped<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            for (count, character) in self.0.chars().enumerate() {
                if count == 200 {
                    return f.write_str("…");
                }
                if character.is_control() {
                    write!(f, "{}", character.escape_default())?;
                } else {
                    write!(f, "{character}")?;
                }
            }
            Ok(())
        }
    }
    Escaped(&String::from_utf8_lossy(name)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(entries: &[(&str, Claim<'_>)]) -> Option<Rule> {
        let mut guard = Guard::default();
        for (name, claim) in entries {
            if let Err(refusal) = guard.admit(name.as_bytes(), claim) {
                return Some(refusal.rule);
            }
        }
        guard.finish().err().map(|refusal| refusal.rule)
    }

    fn file(name: &str) -> Option<Rule> {
        rule(&[(name, Claim::File(1))])
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        assert_eq!(file("/etc/passwd"), Some(Rule::Absolute));
        assert_eq!(file("C:/x"), Some(Rule::Drive));
        assert_eq!(file("c:x"), Some(Rule::Drive));
        assert_eq!(file("C:\\x"), Some(Rule::Drive));
        assert_eq!(file("\\\\server\\share"), Some(Rule::Backslash));
        assert_eq!(file("a/../b"), Some(Rule::Dots));
        assert_eq!(file(".."), Some(Rule::Dots));
        assert_eq!(file("a/./b"), Some(Rule::Dots));
        assert_eq!(file(""), Some(Rule::Empty));
        assert_eq!(file("a//b"), Some(Rule::Empty));
        assert_eq!(file("a/"), Some(Rule::Empty));
        assert_eq!(file("a\0b"), Some(Rule::Control));
        assert_eq!(file("a\x1b[2J"), Some(Rule::Control));
    }

    #[test]
    fn names_that_archivers_write_for_ordinary_files_are_let_through() {
        assert_eq!(rule(&[("./", Claim::Folder), ("./a", Claim::File(1)), ("d/", Claim::Folder)]), None);
        assert_eq!(file("nodes/a b/ä.py"), None);
        assert_eq!(file("...a/.git"), None);
    }

    #[test]
    fn names_of_devices_on_windows_are_refused() {
        for name in ["CON", "nul.txt", "a/com1", "LPT9.tar.gz", "aux "] {
            assert_eq!(file(name), Some(Rule::Reserved), "{name}");
        }
        for name in ["console", "com10", "auxiliary.py", "xcon"] {
            assert_eq!(file(name), None, "{name}");
        }
    }

    #[test]
    fn over_long_names_are_refused() {
        assert_eq!(file(&"a".repeat(255)), None);
        assert_eq!(file(&"a".repeat(256)), Some(Rule::TooLong { limit: 255 }));
        assert_eq!(file(&"a/".repeat(3000)), Some(Rule::TooLong { limit: 4096 }));
    }

    #[test]
    fn the_same_name_twice_is_refused_in_every_combination() {
        use Claim::{File, Folder, Symlink};
        for (first, second) in
            [(File(1), File(1)), (Folder, Folder), (File(1), Folder), (Folder, File(1)), (Symlink(b"b"), File(1))]
        {
            assert_eq!(rule(&[("a", first), ("a", second)]), Some(Rule::Duplicate));
        }
        assert_eq!(rule(&[("a/b", File(1)), ("a", File(1))]), Some(Rule::Duplicate));
        assert_eq!(rule(&[("a/b", File(1)), ("a/", Folder)]), None);
    }

    #[test]
    fn names_that_some_file_systems_take_for_one_are_refused() {
        let two = |a: &str, b: &str| rule(&[(a, Claim::File(1)), (b, Claim::File(1))]);
        for (a, b) in [
            ("A", "a"),
            ("Foo/x", "foo/y"),
            ("é", "e\u{301}"),
            ("É", "e\u{301}"),
            ("a/b.", "a/b"),
            ("a /b", "a/c"),
            ("ÄB", "äb"),
        ] {
            assert!(matches!(two(a, b), Some(Rule::SameButForCase { .. })), "{a} {b}");
        }
        assert_eq!(two("a/x", "b/x"), None);
    }

    #[test]
    fn a_file_or_a_link_is_no_folder() {
        let file_then = rule(&[("a", Claim::File(1)), ("a/b", Claim::File(1))]);
        assert_eq!(file_then, Some(Rule::BelowFile { folder: "a".into() }));
        let link_then = rule(&[("d/x", Claim::File(1)), ("a", Claim::Symlink(b"d")), ("a/b", Claim::File(1))]);
        assert_eq!(link_then, Some(Rule::BelowLink { folder: "a".into() }));
    }

    #[test]
    fn links_that_lead_out_or_through_links_are_refused() {
        let link = |name: &str, target: &str| rule(&[(name, Claim::Symlink(target.as_bytes()))]);
        for (name, target) in [
            ("a", "/etc"),
            ("a", "../b"),
            ("d/a", "../../b"),
            ("a", "b/../../c"),
            ("a", "C:/x"),
            ("a", "b\\c"),
            ("a", ""),
            ("d/a", "b/../../x"),
        ] {
            assert!(matches!(link(name, target), Some(Rule::LinkOut { .. })), "{name} -> {target}");
        }
        assert_eq!(link("d/a", "../b"), None);
        let chain = [("a", Claim::Symlink(b"b/c".as_slice())), ("b", Claim::Symlink(b"d".as_slice()))];
        assert_eq!(rule(&chain), Some(Rule::LinkThroughLink { target: "b/c".into() }));
    }

    #[test]
    fn a_hard_link_must_name_a_file_that_came_before() {
        let hard = |target: &'static [u8]| {
            rule(&[("a", Claim::File(1)), ("s", Claim::Symlink(b"a")), ("h", Claim::HardLink(target))])
        };
        assert_eq!(hard(b"a"), None);
        assert!(matches!(hard(b"b"), Some(Rule::HardLinkToNothing { .. })));
        assert!(matches!(hard(b"s"), Some(Rule::HardLinkToNothing { .. })));
        assert_eq!(hard(b"/etc/passwd"), Some(Rule::Absolute));
        assert_eq!(hard(b"../a"), Some(Rule::Dots));
    }

    #[test]
    fn devices_are_refused() {
        assert_eq!(rule(&[("a", Claim::Other("device"))]), Some(Rule::Special("device")));
    }

    #[test]
    fn a_million_entries_and_a_thousandfold_bomb_are_refused() {
        let limits = Limits::default();
        assert!(limits.entries < 1_000_000);
        let mut guard = Guard::new(Limits { entries: 999, ..limits.clone() });
        let refused = (0..1000).find_map(|n| guard.admit(format!("d/{n}").as_bytes(), &Claim::File(0)).err());
        assert_eq!(refused, Some(Refusal { name: "d/999".into(), rule: Rule::Entries { limit: 999 } }));
        assert_eq!(limits.expansion(1000 << 20, 1 << 20), Err(Rule::Ratio { limit: 500 }));
        assert_eq!(limits.expansion(100 << 20, 1 << 20), Ok(()));
        let mut guard = Guard::default();
        assert!(guard.admit(b"a", &Claim::File(u64::MAX)).is_err());
        // The real limit, without a million names.
        let mut guard = Guard { entries: limits.entries - 1, ..Guard::new(limits.clone()) };
        assert!(guard.admit(b"the last", &Claim::File(0)).is_ok());
        let refused = guard.admit(b"one too many", &Claim::File(0)).unwrap_err();
        assert_eq!(refused.rule, Rule::Entries { limit: 999_999 });
    }

    #[test]
    fn a_refused_name_is_safe_to_print() {
        let refusal = Guard::default().admit(b"a\x1b[2J\nb", &Claim::File(0)).unwrap_err();
        assert_eq!(refusal.to_string(), "`a\\u{1b}[2J\\nb`: the name holds a control character");
    }

    proptest! {
        #[test]
        fn whatever_is_let_through_stays_below_the_root(name in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok((path, _)) = Guard::default().admit(&name, &Claim::File(0)) {
                prop_assert!(RelativePath::new(path.as_str()).is_ok());
                prop_assert!(!path.is_root());
                prop_assert!(path.below(std::path::Path::new("/root/x")).starts_with("/root/x"));
            }
        }

        #[test]
        fn a_link_let_through_leads_below_the_root(folder in "[a-c]{1}(/[a-c]{1}){0,2}", target in "[a-c./]{0,12}") {
            let folder = RelativePath::new(folder).unwrap();
            if let Some(place) = link_destination(&folder, &target) {
                prop_assert!(RelativePath::new(place.as_str()).is_ok());
            }
        }
    }
}
