//! One requirement: a name and what is asked of it. Source: PEP 508, and the ways around it that requirements.txt knows.

use std::fmt;

use pep508_rs::{Requirement as Parsed, VerbatimUrl, VersionOrUrl};

use super::refused::Reason;

/// A requirement that uv understands, in its author's spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requirement {
    text: String,
    package: String,
}

impl Requirement {
    /// Reads one requirement as a line of requirements.txt has it, without comment and options.
    ///
    /// A URL without a name gets the one that it ends with, as most do; uv finds out if that is wrong.
    ///
    /// # Errors
    /// It is none, or one that is true on one machine alone.
    pub fn parse(line: &str) -> Result<Self, Reason> {
        let line = line.trim();
        if line.contains("${") {
            return Err(Reason::Variable);
        }
        let line = match bare_url(line) {
            Some(Bare::Url(url)) => named_url(url)?,
            Some(Bare::Path) => return Err(Reason::LocalPath),
            None => line.to_owned(),
        };
        check_names(&line)?;
        let parsed: Parsed<VerbatimUrl> = line.parse().map_err(|error: pep508_rs::Pep508Error<VerbatimUrl>| {
            // The library's text has the line once more, with an arrow.
            let text = error.to_string();
            match line.split_once('@') {
                Some((_, place)) if is_path(place.trim()) => Reason::LocalPath,
                _ => Reason::Invalid(text.lines().next().unwrap_or_default().to_owned()),
            }
        })?;
        if let Some(VersionOrUrl::Url(url)) = &parsed.version_or_url
            && (url.scheme() == "file" || is_path(url.given().unwrap_or_default()))
        {
            return Err(Reason::LocalPath);
        }
        Ok(Requirement { text: line, package: parsed.name.to_string() })
    }

    /// As it stands in a manifest.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The package's name as all spellings of it compare (PEP 503).
    pub fn package(&self) -> &str {
        &self.package
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A package's name as all spellings of it compare: lower case, runs of `-`, `_` and `.` as one `-`. Source: PEP 503.
pub fn normalized(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for c in name.trim().chars() {
        match c {
            '-' | '_' | '.' if plain.ends_with('-') => {}
            '-' | '_' | '.' => plain.push('-'),
            c => plain.push(c.to_ascii_lowercase()),
        }
    }
    plain
}

/// Refuses names that the parser behind us panics on instead of refusing them: those that end with `-`, `_` or `.`.
fn check_names(line: &str) -> Result<(), Reason> {
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name_end = line.find(|c| !is_in_name(c)).unwrap_or(line.len());
    let rest = line[name_end..].trim_start();
    let extras = rest.strip_prefix('[').map(|rest| rest.split(']').next().unwrap_or(rest)).unwrap_or_default();
    let mut names = std::iter::once(&line[..name_end]).chain(extras.split(',').map(str::trim));
    match names.find(|name| name.ends_with(['-', '_', '.'])) {
        Some(name) => Err(Reason::Invalid(format!("`{name}` is no name"))),
        None => Ok(()),
    }
}

enum Bare<'a> {
    Url(&'a str),
    Path,
}

/// A URL or path that stands alone, without a name before it.
fn bare_url(line: &str) -> Option<Bare<'_>> {
    let scheme = line.split_once("://").map(|(scheme, _)| scheme);
    match scheme.filter(|scheme| scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))) {
        Some(scheme) if scheme.eq_ignore_ascii_case("file") => Some(Bare::Path),
        Some(_) => Some(Bare::Url(line)),
        None => is_path(line).then_some(Bare::Path),
    }
}

/// True for what names a file or folder of this machine.
fn is_path(text: &str) -> bool {
    let first = text.split([' ', ';', '[']).next().unwrap_or_default();
    let bytes = text.as_bytes();
    let has_drive =
        bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'\\' | b'/');
    let is_archive = [".whl", ".tar.gz", ".zip"].iter().any(|end| first.to_ascii_lowercase().ends_with(end));
    let is_url = text.contains("://");
    first == "."
        || first.starts_with(['/', '\\', '~'])
        || first.starts_with("./")
        || first.starts_with("..")
        || first.starts_with(".\\")
        || first.to_ascii_lowercase().starts_with("file:")
        || has_drive
        || (is_archive && !is_url)
}

/// `name @ URL`.
fn named_url(line: &str) -> Result<String, Reason> {
    // A marker begins behind a space and a semicolon, which no URL holds.
    let (url, marker) = match line.split_once(" ;") {
        Some((url, marker)) => (url.trim(), format!(" ; {}", marker.trim())),
        None => (line, String::new()),
    };
    let (place, fragment) = url.split_once('#').unwrap_or((url, ""));
    let fragments: Vec<&str> = fragment.split('&').filter(|part| !part.is_empty()).collect();
    let egg = fragments.iter().find_map(|part| part.strip_prefix("egg="));
    let name = match egg {
        Some(egg) => egg.to_owned(),
        None => name_of(place).ok_or(Reason::NoName)?,
    };
    // uv wants the name before the URL and nowhere else.
    let rest: Vec<&str> = fragments.into_iter().filter(|part| !part.starts_with("egg=")).collect();
    let rest = if rest.is_empty() { String::new() } else { format!("#{}", rest.join("&")) };
    Ok(format!("{name} @ {place}{rest}{marker}"))
}

/// The name that a URL ends with: that of a wheel or archive, or of a repository.
fn name_of(url: &str) -> Option<String> {
    let (_, path) = url.split_once("://")?;
    let path = path.split('?').next().unwrap_or(path);
    let last = path.trim_end_matches('/').rsplit('/').next().filter(|last| *last != path)?;
    let name = if let Some(stem) = last.strip_suffix(".whl") {
        // `NAME-VERSION-PYTHON-ABI-PLATFORM`, and perhaps a build number: uv takes no others.
        stem.split('-').next().filter(|_| (4..=5).contains(&stem.matches('-').count()))?
    } else if let Some(stem) = [".tar.gz", ".zip"].iter().find_map(|end| last.strip_suffix(end)) {
        stem.rsplit_once('-').map_or(stem, |(name, _)| name)
    } else if url.starts_with("git+") {
        // `repository.git@reference`
        let last = last.split('@').next().unwrap_or(last);
        last.strip_suffix(".git").unwrap_or(last)
    } else {
        return None;
    };
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn read(line: &str) -> (String, String) {
        let found = Requirement::parse(line).unwrap();
        (found.package().to_owned(), found.to_string())
    }

    #[test]
    fn requirements_keep_their_spelling_and_are_known_by_their_plain_name() {
        for (line, package) in [
            ("numpy", "numpy"),
            ("Pillow >=9, <12", "pillow"),
            ("opencv_python.headless~=4.5", "opencv-python-headless"),
            ("requests[security,socks] >= 2 ; python_version < '3.12' and sys_platform == \"win32\"", "requests"),
            ("foo==1.0+cu118", "foo"),
            ("foo (>=1.0)", "foo"),
            ("clip @ git+https://example.org/openai/CLIP.git@main", "clip"),
        ] {
            assert_eq!(read(line), (package.to_owned(), line.to_owned()));
        }
    }

    #[test]
    fn a_url_without_a_name_gets_the_one_that_it_ends_with() {
        for (line, meant) in [
            (
                "git+https://example.org/a/Segment_Anything.git",
                "Segment_Anything @ git+https://example.org/a/Segment_Anything.git",
            ),
            ("git+https://example.org/a/x@v1.0", "x @ git+https://example.org/a/x@v1.0"),
            ("git+https://example.org/a/x.git#egg=real", "real @ git+https://example.org/a/x.git"),
            (
                "git+https://example.org/a/x#egg=y&subdirectory=python",
                "y @ git+https://example.org/a/x#subdirectory=python",
            ),
            (
                "https://example.org/w/foo_bar-1.0-py3-none-any.whl ; sys_platform == 'linux'",
                "foo_bar @ https://example.org/w/foo_bar-1.0-py3-none-any.whl ; sys_platform == 'linux'",
            ),
            ("https://example.org/foo-1.2.tar.gz", "foo @ https://example.org/foo-1.2.tar.gz"),
        ] {
            assert_eq!(read(line).1, meant);
        }
        assert_eq!(Requirement::parse("https://example.org/"), Err(Reason::NoName));
        assert_eq!(Requirement::parse("https://example.org/page"), Err(Reason::NoName));
        assert_eq!(Requirement::parse("https://example.org/foo.whl"), Err(Reason::NoName));
    }

    #[test]
    fn what_is_true_on_one_machine_alone_is_refused() {
        for line in [
            ".",
            "./wheels/foo.whl",
            "../lib",
            "/opt/foo",
            "~/foo",
            "C:\\wheels\\foo.whl",
            "foo-1.0-py3-none-any.whl",
            "file:///opt/foo",
            "foo @ file:///opt/foo",
            "foo @ ./foo",
            ".[dev]",
        ] {
            assert_eq!(Requirement::parse(line), Err(Reason::LocalPath), "{line}");
        }
        assert_eq!(Requirement::parse("foo @ https://${TOKEN}@example.org/x.whl"), Err(Reason::Variable));
    }

    #[test]
    fn what_is_no_requirement_is_refused_with_what_is_wrong() {
        for line in ["foo=1", "foo>=", "-x", "foo bar", "foo; nonsense", "<<<<<<< HEAD"] {
            assert!(matches!(Requirement::parse(line), Err(Reason::Invalid(why)) if !why.is_empty()), "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_line_may_hold_is_too_much(line in "\\PC{0,60}") {
            if let Ok(found) = Requirement::parse(&line) {
                // What was accepted once is accepted as it is written down.
                prop_assert_eq!(Requirement::parse(found.as_str()), Ok(found));
            }
        }

        #[test]
        fn a_name_with_a_version_is_understood_in_every_spelling(
            name in "[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?",
            version in "[0-9]{1,3}(\\.[0-9]{1,3}){0,3}",
            space in " {0,2}",
            operator in prop::sample::select(vec!["==", ">=", "<=", "!=", "<", ">"]),
        ) {
            let line = format!("{name}{space}{operator}{space}{version}");
            let found = Requirement::parse(&line).unwrap();
            prop_assert_eq!(found.package(), normalized(&name));
            prop_assert_eq!(found.as_str(), line.trim());
        }
    }
}
