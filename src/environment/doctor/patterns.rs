//! Failures that are known by their words. They are data: `patterns.toml`, which says of itself what may stand there.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex, RegexBuilder};
use toml_edit::{DocumentMut, Item, TableLike};

use super::finding::Severity;

const TEXT: &str = include_str!("patterns.toml");

/// A failure and what is to be said of it.
#[derive(Debug)]
pub struct Pattern {
    pub id: String,
    words: Regex,
    pub severity: Severity,
    message: String,
    advice: Option<String>,
    command: Option<String>,
    node_command: Option<String>,
    #[cfg(test)]
    examples: Vec<(String, String)>,
}

/// A stretch of log in which a pattern was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub id: &'static str,
    pub severity: Severity,
    pub message: String,
    pub advice: Option<String>,
    pub command: Option<String>,
    /// The module that is missing, if one is.
    pub module: Option<String>,
    /// The line of the log.
    pub line: String,
}

struct Book {
    patterns: Vec<Pattern>,
    packages: BTreeMap<String, String>,
}

static BOOK: LazyLock<Book> = LazyLock::new(|| {
    // The file is part of the program, and a test reads it: one that cannot be read knows no failures.
    read(TEXT).unwrap_or_else(|_| Book { patterns: Vec::new(), packages: BTreeMap::new() })
});

fn read(text: &str) -> Result<Book, String> {
    let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    let tables = document.get("pattern").and_then(Item::as_array_of_tables).ok_or("no patterns")?;
    let patterns = tables.iter().map(|table| pattern(table)).collect::<Result<_, _>>()?;
    let packages = document.get("packages").and_then(Item::as_table).ok_or("no packages")?;
    let packages = packages.iter().filter_map(|(module, name)| Some((module.to_owned(), name.as_str()?.to_owned())));
    Ok(Book { patterns, packages: packages.collect() })
}

fn pattern(table: &dyn TableLike) -> Result<Pattern, String> {
    let text = |key: &str| table.get(key).and_then(Item::as_str).map(str::to_owned);
    let id = text("id").ok_or("a pattern without id")?;
    let must = |key: &str| text(key).ok_or_else(|| format!("{id}: no `{key}`"));
    let words =
        RegexBuilder::new(&must("match")?).multi_line(true).build().map_err(|error| format!("{id}: {error}"))?;
    let severity = match must("severity")?.as_str() {
        "error" => Severity::Error,
        "warning" => Severity::Warning,
        "note" => Severity::Note,
        other => return Err(format!("{id}: severity {other}")),
    };
    let message = must("message")?;
    let (advice, command, node_command) = (text("advice"), text("command"), text("node_command"));
    #[cfg(test)]
    let examples = {
        let list = table.get("examples").and_then(Item::as_array).ok_or_else(|| format!("{id}: no examples"))?;
        let example = |value: &toml_edit::Value| {
            let table = value.as_inline_table()?;
            Some((table.get("log")?.as_str()?.to_owned(), table.get("says")?.as_str()?.to_owned()))
        };
        list.iter().map(|value| example(value).ok_or_else(|| format!("{id}: an example"))).collect::<Result<_, _>>()?
    };
    Ok(Pattern {
        words,
        severity,
        message,
        advice,
        command,
        node_command,
        #[cfg(test)]
        examples,
        id,
    })
}

/// Whose log it is.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub environment: &'a str,
    /// The folder of the custom node that fails, where that is known.
    pub node: Option<&'a str>,
}

/// The first pattern that fits a stretch of log.
pub fn first(log: &str, context: Context<'_>) -> Option<Known> {
    BOOK.patterns.iter().find_map(|pattern| pattern.find(log, context).into_iter().next())
}

/// Every pattern that fits, each of its messages once.
pub fn all(log: &str, context: Context<'_>) -> Vec<Known> {
    let mut found: Vec<Known> = Vec::new();
    for known in BOOK.patterns.iter().flat_map(|pattern| pattern.find(log, context)) {
        // What stands on a line that a more special pattern knows is not said again.
        if !found.iter().any(|other| other.message == known.message || other.line == known.line) {
            found.push(known);
        }
    }
    found
}

impl Pattern {
    fn find(&'static self, log: &str, context: Context<'_>) -> Vec<Known> {
        let known = |captures: Captures<'_>| {
            let module = captures.name("module").map(|module| module.as_str().to_owned());
            let distribution = module.as_deref().map(distribution).unwrap_or_default();
            let put = |template: &String| {
                let mut text = template.clone();
                for name in self.words.capture_names().flatten() {
                    let value = captures.name(name).map_or("", |value| value.as_str());
                    text = text.replace(&format!("{{{name}}}"), value);
                }
                let package = format!("its package is {distribution}");
                text.replace("{node}", context.node.unwrap_or_default())
                    .replace("{environment}", context.environment)
                    .replace("{package}", &package)
                    .replace("{distribution}", &distribution)
            };
            let command = match (context.node, &self.node_command) {
                (Some(_), Some(command)) => Some(command),
                _ => self.command.as_ref(),
            };
            let whole = captures.get(0).map_or(0..0, |found| found.range());
            let begin = log[..whole.start].rfind('\n').map_or(0, |at| at + 1);
            let end = log[whole.start..].find('\n').map_or(log.len(), |at| whole.start + at);
            Known {
                id: &self.id,
                severity: self.severity,
                message: put(&self.message),
                // Where the package has the module's name, there is nothing to advise.
                advice: self.advice.as_ref().map(put).filter(|advice| {
                    module.as_ref().is_none_or(|module| *advice != format!("its package is {module}"))
                }),
                command: command.map(put),
                module,
                line: log[begin..end].trim().to_owned(),
            }
        };
        self.words.captures_iter(log).map(known).collect()
    }
}

/// The package that brings a module: often of the same name.
fn distribution(module: &str) -> String {
    let top = module.split('.').next().unwrap_or(module);
    BOOK.packages.get(top).cloned().unwrap_or_else(|| top.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Context<'_> = Context { environment: "demo", node: None };

    #[test]
    fn the_file_can_be_read_and_ids_stand_once() {
        let book = read(TEXT).unwrap();
        let mut ids: Vec<&str> = book.patterns.iter().map(|pattern| pattern.id.as_str()).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert!(book.patterns.iter().all(|pattern| !pattern.examples.is_empty()));
    }

    #[test]
    fn each_pattern_is_the_first_to_know_its_examples() {
        for pattern in &BOOK.patterns {
            for (log, says) in &pattern.examples {
                let known = first(log, HERE).unwrap_or_else(|| panic!("{} does not know {log}", pattern.id));
                assert_eq!((known.id, known.message.as_str()), (pattern.id.as_str(), says.as_str()), "{log}");
                assert!(log.contains(&known.line), "{}", known.line);
                let texts = [Some(known.message), known.advice, known.command];
                assert!(texts.iter().flatten().all(|text| !text.contains(['{', '}'])), "{texts:?}");
            }
        }
    }

    #[test]
    fn a_log_in_which_all_is_well_is_not_taken_for_a_failure() {
        let log = "Adding extra search path checkpoints /m\nPython version: 3.11.7\nTotal VRAM 8192 MB, total RAM 32000 MB\n\
            Device: cuda:0 NVIDIA GeForce RTX 3070\nImport times for custom nodes:\n   0.0 seconds: /c/custom_nodes/mine\n\
            Starting server\n\nTo see the GUI go to: http://127.0.0.1:8188\ngot prompt\nPrompt executed in 1.90 seconds\n";
        assert_eq!(all(log, HERE), Vec::new());
    }

    #[test]
    fn where_the_node_is_known_the_command_is_about_it() {
        let log = "ModuleNotFoundError: No module named 'cv2'";
        assert_eq!(first("ModuleNotFoundError: No module named 'onnx'", HERE).unwrap().advice, None);
        let known = first(log, Context { node: Some("mask-tools"), ..HERE }).unwrap();
        assert_eq!(known.command.as_deref(), Some("comfrey node repair mask-tools"));
        assert_eq!(known.advice.as_deref(), Some("its package is opencv-python-headless"));
        assert_eq!(first(log, HERE).unwrap().command.as_deref(), Some("comfrey py add opencv-python-headless"));
        // Said once, however often it stands there.
        assert_eq!(all(&format!("{log}\n{log}\n"), HERE).len(), 1);
    }
}
