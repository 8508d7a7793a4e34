//! Why uv failed, where its words tell: so that a person hears what to do about it.

/// What uv met with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// Where packages come from cannot be reached.
    Network,
    DiskFull,
    /// There is no Python of the version or name that was asked for.
    NoInterpreter,
}

/// Words of uv and of the systems that it passes on. The first that is found decides.
const WORDS: [(&str, Complaint); 12] = [
    ("No space left on device", Complaint::DiskFull),
    ("not enough space on the disk", Complaint::DiskFull),
    ("Disk quota exceeded", Complaint::DiskFull),
    ("No interpreter found", Complaint::NoInterpreter),
    ("No download found for request", Complaint::NoInterpreter),
    ("Network connectivity is disabled", Complaint::Network),
    ("network was disabled", Complaint::Network),
    ("dns error", Complaint::Network),
    ("client error (Connect)", Complaint::Network),
    ("tcp connect error", Complaint::Network),
    ("error sending request", Complaint::Network),
    ("operation timed out", Complaint::Network),
];

impl Complaint {
    /// What these lines tell of; nothing where they tell of something else.
    pub fn of(lines: &[String]) -> Option<Self> {
        let found = WORDS.iter().find(|(words, _)| lines.iter().any(|line| line.contains(words)));
        found.map(|(_, complaint)| *complaint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_in_what_uv_says() {
        for (said, expected) in [
            (
                "error: Request failed after 3 retries\n  cause: Failed to fetch: `https://example.org/simple/foo/`\n  cause: error sending request for url (https://example.org/simple/foo/)\n  cause: client error (Connect)",
                Some(Complaint::Network),
            ),
            (
                "error: Failed to download `foo @ https://example.org/foo-1.0-py3-none-any.whl`\n  cause: Network connectivity is disabled, but the requested data wasn't found in the cache",
                Some(Complaint::Network),
            ),
            ("error: failed to write to file `/x`: No space left on device (os error 28)", Some(Complaint::DiskFull)),
            (
                "error: No interpreter found for Python 3.99 in managed installations or search path",
                Some(Complaint::NoInterpreter),
            ),
            ("error: something else", None),
        ] {
            let lines: Vec<String> = said.lines().map(str::to_owned).collect();
            assert_eq!(Complaint::of(&lines), expected, "{said}");
        }
    }
}
