//! `requirements.txt`. Source: pip's documentation of the requirements file format.

use std::collections::BTreeSet;
use std::path::Path;

use super::files::{below, inside, text_of};
use super::found::Requirements;
use super::refused::{Origin, Reason};
use super::requirement::Requirement;

const NAME: &str = "requirements.txt";

/// Reads `requirements.txt` and what it includes. False when there is none.
pub fn read(folder: &Path, into: &mut Requirements) -> bool {
    if !folder.join(NAME).is_file() {
        return false;
    }
    let mut reader = Reader { folder, into, seen: BTreeSet::new(), constraints: Vec::new() };
    reader.file(NAME, Kind::Requirements, &Origin::default());
    let constraints = std::mem::take(&mut reader.constraints);
    // A constraint on what is required anyway says no more than a requirement.
    for (line, from, constraint) in constraints {
        match into.accepted.iter().any(|found| found.package() == constraint.package()) {
            true => into.accepted.push(constraint),
            false => into.refuse(&line, from, Reason::Constraint),
        }
    }
    true
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Requirements,
    Constraints,
}

struct Reader<'a> {
    folder: &'a Path,
    into: &'a mut Requirements,
    seen: BTreeSet<String>,
    constraints: Vec<(String, Origin, Requirement)>,
}

impl Reader<'_> {
    /// `from` is where it was included.
    fn file(&mut self, name: &str, kind: Kind, from: &Origin) {
        // A file that includes itself has said all.
        if !self.seen.insert(name.to_owned()) {
            return;
        }
        let refuse = |into: &mut Requirements, reason| into.refuse(name, from.clone(), reason);
        let path = below(self.folder, name);
        // A link may lead out of the folder as well as `..` does.
        let is_inside = match (crate::platform::paths::full(&path), crate::platform::paths::full(self.folder)) {
            (Ok(path), Ok(folder)) => path.starts_with(folder),
            _ => true,
        };
        if !is_inside {
            return refuse(self.into, Reason::Outside);
        }
        let text = match text_of(&path) {
            Ok(Some(text)) => text,
            Ok(None) => return refuse(self.into, Reason::Absent),
            Err(error) => return refuse(self.into, Reason::Unreadable(error.to_string())),
        };
        self.into.files.push(name.to_owned());
        for (number, line) in logical_lines(&text) {
            self.line(&line, kind, Origin { file: name.to_owned(), line: number });
        }
    }

    fn line(&mut self, line: &str, kind: Kind, from: Origin) {
        if let Some(option) = line.strip_prefix('-') {
            return self.option(line, option, kind, from);
        }
        let (requirement, _hashes) = without_options(line);
        match kind {
            Kind::Requirements => self.into.take(requirement, from),
            Kind::Constraints => match Requirement::parse(requirement) {
                Ok(constraint) => self.constraints.push((requirement.to_owned(), from, constraint)),
                Err(reason) => self.into.refuse(requirement, from, reason),
            },
        }
    }

    fn option(&mut self, line: &str, option: &str, kind: Kind, from: Origin) {
        let (name, value) = split_option(option);
        match name {
            "r" | "-requirement" => self.include(value, kind, from),
            "c" | "-constraint" => self.include(value, Kind::Constraints, from),
            // An editable install of what is fetched is an install.
            "e" | "-editable" => self.into.take(value, from),
            "i" | "f" | "-index-url" | "-pypi-url" | "-extra-index-url" | "-find-links" | "-no-index"
            | "-trusted-host" => {
                self.into.refuse(line, from, Reason::Index);
            }
            _ => self.into.refuse(line, from, Reason::Option),
        }
    }

    fn include(&mut self, value: &str, kind: Kind, from: Origin) {
        if value.contains("://") {
            return self.into.refuse(value, from, Reason::Remote);
        }
        let above = from.file.rsplit_once('/').map_or("", |(above, _)| above);
        match inside(above, value) {
            Some(name) => self.file(&name, kind, &from),
            None => self.into.refuse(value, from, Reason::Outside),
        }
    }
}

/// `-rfile`, `-r file`, `--requirement file`, `--requirement=file`: without the first `-`.
fn split_option(option: &str) -> (&str, &str) {
    let (name, value) = match option.strip_prefix('-') {
        Some(_) => option.split_once([' ', '\t', '=']).unwrap_or((option, "")),
        None => option.split_at(option.chars().next().map_or(0, char::len_utf8)),
    };
    (name, value.trim().trim_start_matches('=').trim().trim_matches(['"', '\'']))
}

/// A requirement and the options behind it, such as `--hash=…`, which hold for one file of one version: the lock has its own.
fn without_options(line: &str) -> (&str, &str) {
    match line.find(" --") {
        Some(at) => (line[..at].trim(), line[at..].trim()),
        None => (line.trim(), ""),
    }
}

/// Lines with those joined that end with `\`, without comments and empty ones; each with the number at which it begins.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let (number, mut whole) = open.take().unwrap_or((index + 1, String::new()));
        // A comment takes the rest of its line, a `\` at its end included.
        let is_comment = line.trim_start().starts_with('#');
        match line.strip_suffix('\\').filter(|_| !is_comment) {
            Some(begun) => open = Some((number, whole + begun)),
            None => {
                whole += line;
                found.push((number, whole));
            }
        }
    }
    found.extend(open);
    let plain = found.into_iter().map(|(number, line)| (number, without_comment(&line).trim().to_owned()));
    plain.filter(|(_, line)| !line.is_empty()).collect()
}

/// A comment begins with `#` at the beginning or behind a space: URLs hold others.
fn without_comment(line: &str) -> &str {
    let begins = |at: &usize| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    match line.match_indices('#').map(|(at, _)| at).find(begins) {
        Some(at) => &line[..at],
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(files: &[(&str, &str)]) -> Requirements {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = below(folder.path(), name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut found = Requirements::default();
        assert!(read(folder.path(), &mut found));
        found
    }

    fn refused(found: &Requirements) -> Vec<(String, usize, &'static str)> {
        found.refused.iter().map(|refused| (refused.line.clone(), refused.from.line, refused.reason.word())).collect()
    }

    #[test]
    fn comments_continuations_hashes_and_empty_lines_are_understood() {
        let found = of(&[(
            "requirements.txt",
            "# top\n\nnumpy>=1.2 # why\nscipy \\\n  >=1.0\nfoo @ https://example.org/foo-1.zip#sha256=00\n\
             bar==1.0 --hash=sha256:00 \\\n  --hash=sha256:11\n# last \\\nbaz\n",
        )]);
        assert_eq!(
            found.texts(),
            ["numpy>=1.2", "scipy   >=1.0", "foo @ https://example.org/foo-1.zip#sha256=00", "bar==1.0", "baz"]
        );
        assert_eq!(found.refused, []);
    }

    #[test]
    fn includes_are_followed_inside_the_folder_and_once() {
        let found = of(&[
            (
                "requirements.txt",
                "-r sub/more.txt\n--requirement=requirements.txt\n-r ../../out.txt\n-rgone.txt\n-r https://example.org/r.txt\n-c pins.txt\n",
            ),
            ("sub/more.txt", "foo\n-r ../base.txt\n"),
            ("base.txt", "bar\n-r sub/more.txt\n"),
            ("pins.txt", "foo<2\nelse<3\n"),
        ]);
        assert_eq!(found.texts(), ["foo", "bar", "foo<2"]);
        assert_eq!(found.files, ["requirements.txt", "sub/more.txt", "base.txt", "pins.txt"]);
        assert_eq!(
            refused(&found),
            [
                ("../../out.txt".into(), 3, "outside"),
                ("gone.txt".into(), 4, "absent"),
                ("https://example.org/r.txt".into(), 5, "remote"),
                ("else<3".into(), 2, "constraint"),
            ]
        );
    }

    #[test]
    fn an_index_a_local_path_and_other_options_are_named() {
        let found = of(&[(
            "requirements.txt",
            "--index-url https://example.org/simple\n--extra-index-url=https://example.org/cu\n-f ./wheels\n--pre\n-e .\n\
             -e git+https://example.org/a/tool.git\n./local.whl\nnot a requirement\nnumpy\n",
        )]);
        assert_eq!(found.texts(), ["tool @ git+https://example.org/a/tool.git", "numpy"]);
        let words: Vec<_> = refused(&found).into_iter().map(|(_, line, word)| (line, word)).collect();
        assert_eq!(
            words,
            [
                (1, "index"),
                (2, "index"),
                (3, "index"),
                (4, "option"),
                (5, "local-path"),
                (7, "local-path"),
                (8, "invalid")
            ]
        );
        assert_eq!(found.refused[6].to_string().split(':').take(2).collect::<Vec<_>>(), ["requirements.txt", "8"]);
    }

    proptest! {
        #[test]
        fn every_line_is_accepted_refused_or_a_comment(text in "([ -~]{0,30}[\\\\\n]?){0,8}") {
            let found = of(&[("requirements.txt", &text)]);
            let lines = logical_lines(&text).len();
            // A line that includes files says more or less than one thing.
            if !text.contains("-r") && !text.contains("-c") {
                prop_assert_eq!(found.accepted.len() + found.refused.len(), lines);
            }
        }
    }
}
