//! `[project] dependencies` of a `pyproject.toml`. Source: PEP 621.

use std::path::Path;

use toml_edit::{DocumentMut, Item};

use super::files::text_of;
use super::found::Requirements;
use super::refused::{Origin, Reason};

const NAME: &str = "pyproject.toml";

/// Reads the project's dependencies. False when there are none.
pub fn read(folder: &Path, into: &mut Requirements) -> bool {
    let refuse = |into: &mut Requirements, line: &str, reason| {
        into.refuse(line, Origin { file: NAME.to_owned(), line: 0 }, reason);
    };
    let text = match text_of(&folder.join(NAME)) {
        Ok(Some(text)) => text,
        Ok(None) => return false,
        Err(error) => {
            refuse(into, NAME, Reason::Unreadable(error.to_string()));
            return true;
        }
    };
    let document: DocumentMut = match text.parse() {
        Ok(document) => document,
        Err(error) => {
            let error: toml_edit::TomlError = error;
            refuse(into, NAME, Reason::Unreadable(error.message().trim().to_owned()));
            return true;
        }
    };
    let Some(project) = document.get("project") else { return false };
    let Some(dependencies) = project.get("dependencies") else {
        let dynamic = project.get("dynamic").and_then(Item::as_array);
        let is_computed = dynamic.is_some_and(|list| list.iter().any(|name| name.as_str() == Some("dependencies")));
        // What computes them may be a setup.py, which is looked at next.
        if is_computed && !folder.join("setup.py").is_file() {
            refuse(into, "dynamic = [\"dependencies\"]", Reason::Computed);
        }
        return false;
    };
    into.files.push(NAME.to_owned());
    let Some(list) = dependencies.as_array() else {
        refuse(into, "dependencies", Reason::Invalid("it is no list".to_owned()));
        return true;
    };
    let entries: Vec<Option<String>> = list.iter().map(|value| value.as_str().map(str::to_owned)).collect();
    for entry in entries {
        match entry {
            Some(line) => into.take(&line, Origin { file: NAME.to_owned(), line: 0 }),
            None => refuse(into, "dependencies", Reason::Invalid("not a text".to_owned())),
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (bool, Requirements) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), text).unwrap();
        let mut found = Requirements::default();
        (read(folder.path(), &mut found), found)
    }

    #[test]
    fn dependencies_are_read_and_what_is_none_is_named() {
        let (there, found) = of("[project]\ndependencies = [\"numpy>=1\", \"foo @ ./x\", 3]\n");
        assert!(there);
        assert_eq!(found.texts(), ["numpy>=1"]);
        let words: Vec<_> = found.refused.iter().map(|refused| refused.reason.word()).collect();
        assert_eq!(words, ["local-path", "invalid"]);
    }

    #[test]
    fn a_file_without_dependencies_says_nothing_and_a_broken_one_is_named() {
        assert_eq!(of("[tool.comfy]\nx = 1\n"), (false, Requirements::default()));
        let (there, found) = of("[project\n");
        assert!(there);
        assert_eq!(found.refused[0].reason.word(), "unreadable");
        let (_, found) = of("[project]\ndynamic = [\"dependencies\"]\n");
        assert_eq!(found.refused[0].reason, Reason::Computed);
    }
}
