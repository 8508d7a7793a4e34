//! What the log of the last start says: custom nodes that were not imported, and failures that are known by their words.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::environment::Environment;
use super::super::launch::log::{self, OURS};
use super::finding::{Check, Finding, Severity};
use super::patterns::{self, Context, Known};

/// As much of a log is read from its end.
const MOST: u64 = 8 << 20;

/// So many of a failed start's last lines are shown.
const LAST_LINES: usize = 6;

/// A custom node that was not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Its name in `custom_nodes`.
    pub node: String,
    pub path: String,
    /// What Python said; empty where the log does not tell.
    pub reason: String,
    /// The lines that led to it.
    pub trace: String,
}

/// Looks at the log of the last start.
pub fn look(environment: &Environment) -> Vec<Finding> {
    let Some(path) = log::newest(environment.folder()) else { return Vec::new() };
    let Ok(text) = log::end_of(&path, MOST) else { return Vec::new() };
    let mut found = of_log(&text, environment.name().as_str(), &|node: &Path| node.exists());
    for finding in &mut found {
        finding.evidence.push(format!("in {}", path.display()));
    }
    found
}

/// What a log says. `is_there` tells whether a node is still where it was.
fn of_log(text: &str, environment: &str, is_there: &dyn Fn(&Path) -> bool) -> Vec<Finding> {
    let (failed, rest) = failed_imports(text);
    let mut found: Vec<Finding> = Vec::new();
    for one in failed.iter().filter(|one| is_there(Path::new(&one.path))) {
        found.push(not_imported(one, environment));
    }
    let known = patterns::all(&rest, Context { environment, node: None });
    let is_explained = known.iter().any(|known| known.severity == Severity::Error);
    found.extend(known.into_iter().map(of_known));
    if let Some(code) = ended_with(text).filter(|code| *code != 0)
        && !is_explained
    {
        let message = format!("ComfyUI ended with exit code {code}, for a reason that is not known");
        let lines: Vec<&str> = rest.lines().filter(|line| !line.trim().is_empty() && !line.starts_with(OURS)).collect();
        let last = lines.iter().skip(lines.len().saturating_sub(LAST_LINES));
        let finding = Finding::new(Check::LastStart, Severity::Error, message);
        found.push(last.fold(finding, |finding, line| finding.evidence(line.trim_end())));
    }
    found
}

fn not_imported(one: &Failed, environment: &str) -> Finding {
    let known = patterns::first(&one.trace, Context { environment, node: Some(&one.node) });
    let message = match &known {
        Some(known) => format!("the custom node {} was not imported: {}", one.node, known.message),
        None if one.reason.is_empty() => format!("the custom node {} was not imported", one.node),
        None => format!("the custom node {} was not imported: {}", one.node, one.reason),
    };
    let mut finding = Finding::new(Check::Nodes, Severity::Error, message);
    let line = known.as_ref().map_or_else(|| one.reason.clone(), |known| known.line.clone());
    if !line.is_empty() {
        finding = finding.evidence(line);
    }
    finding = finding.evidence(one.path.clone());
    match known {
        Some(Known { advice, command, .. }) => Finding { advice, command, ..finding },
        None => finding.command(format!("comfrey node repair {}", one.node)),
    }
}

fn of_known(known: Known) -> Finding {
    let finding = Finding::new(Check::LastStart, known.severity, known.message).evidence(known.line);
    Finding { advice: known.advice, command: known.command, ..finding }
}

/// The nodes that were not imported, and the log without what is said of them.
fn failed_imports(text: &str) -> (Vec<Failed>, String) {
    let lines: Vec<&str> = text.lines().collect();
    let mut told = vec![false; lines.len()];
    let mut found: Vec<Failed> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((path, reason)) = cannot_import(line) else { continue };
        // The trace stands directly before, and begins with the last such line that is not told of another node.
        let begin = (0..at)
            .rev()
            .take_while(|earlier| !told[*earlier])
            .find(|earlier| lines[*earlier].starts_with("Traceback (most recent call last)"));
        // An exception that came of another has a trace of its own before it.
        let mut begin = begin.unwrap_or(at);
        while let Some(earlier) = cause_before(&lines[..begin]) {
            begin = earlier;
        }
        told[begin..=at].fill(true);
        let trace = lines[begin..=at].join("\n");
        found.push(Failed { node: name(path), path: path.to_owned(), reason: reason.to_owned(), trace });
    }
    let known: BTreeSet<String> = found.iter().map(|one| one.path.clone()).collect();
    for (at, line) in lines.iter().enumerate() {
        let Some((_, path)) = line.split_once("(IMPORT FAILED): ") else { continue };
        told[at] = true;
        if !known.contains(path.trim()) {
            let path = path.trim().to_owned();
            found.push(Failed { node: name(&path), path, reason: String::new(), trace: String::new() });
        }
    }
    let rest = lines.iter().zip(&told).filter(|(_, told)| !**told).map(|(line, _)| *line);
    (found, rest.collect::<Vec<_>>().join("\n"))
}

/// Where the trace begins of what led to the exception whose trace begins after these lines.
fn cause_before(lines: &[&str]) -> Option<usize> {
    let mut end = lines.len();
    while end > 0 && lines[end - 1].trim().is_empty() {
        end -= 1;
    }
    let link = lines.get(end.checked_sub(1)?)?;
    let is_link =
        link.starts_with("During handling of the above exception") || link.starts_with("The above exception was the");
    if !is_link {
        return None;
    }
    lines[..end].iter().rposition(|line| line.starts_with("Traceback (most recent call last)"))
}

/// `Cannot import PATH module for custom nodes: REASON`.
fn cannot_import(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("Cannot import ")?.split_once(" module for custom nodes:").map(|(path, why)| (path, why.trim()))
}

/// The last name of a path of any system.
fn name(path: &str) -> String {
    path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned()
}

/// With which exit code it ended by itself, as the line says that we add.
fn ended_with(text: &str) -> Option<i32> {
    let line = text.lines().rev().find(|line| line.starts_with(OURS))?;
    let code = line[OURS.len()..].strip_prefix("ended with exit code ")?;
    code.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
[comfrey] 2026-11-20T10:00:00 python main.py
ComfyUI version: 0.3.64
Traceback (most recent call last):
  File \"/c/nodes.py\", line 2129, in load_custom_node
    module_spec.loader.exec_module(module)
  File \"/c/custom_nodes/first/core.py\", line 2, in <module>
    import onnx
ModuleNotFoundError: No module named 'onnx'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/c/custom_nodes/first/__init__.py\", line 8, in <module>
    raise RuntimeError('cannot go on')
RuntimeError: cannot go on

Cannot import /c/custom_nodes/first module for custom nodes: cannot go on
Traceback (most recent call last):
  File \"/c/custom_nodes/second/__init__.py\", line 1, in <module>
    1 / 0
ZeroDivisionError: division by zero

Cannot import /c/custom_nodes/second module for custom nodes: division by zero

Import times for custom nodes:
   0.0 seconds: /c/custom_nodes/good
   0.0 seconds (IMPORT FAILED): /c/custom_nodes/first
   0.1 seconds (IMPORT FAILED): /c/custom_nodes/second
   0.1 seconds (IMPORT FAILED): C:\\c\\custom_nodes\\third
";

    fn messages(text: &str) -> Vec<String> {
        let found = of_log(text, "demo", &|path: &Path| !path.ends_with("gone"));
        found.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_node_that_was_not_imported_is_named_with_the_module_that_it_misses() {
        let found = of_log(LOG, "demo", &|_: &Path| true);
        let messages: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "the custom node first was not imported: the Python module onnx is not installed",
                "the custom node second was not imported: division by zero",
                "the custom node third was not imported",
            ]
        );
        assert_eq!(found[0].command.as_deref(), Some("comfrey node repair first"));
        assert_eq!(found[0].evidence, ["ModuleNotFoundError: No module named 'onnx'", "/c/custom_nodes/first"]);
    }

    #[test]
    fn a_node_that_is_no_longer_there_is_no_finding() {
        assert!(messages("Cannot import /c/custom_nodes/gone module for custom nodes: x\n").is_empty());
    }

    #[test]
    fn a_start_that_failed_is_explained_by_what_is_known_or_shown_as_it_is() {
        let known = "OSError: [Errno 98] error while attempting to bind on address ('127.0.0.1', 8188): address already in use\n\
            [comfrey] ended with exit code 1 before it answered\n";
        assert_eq!(messages(known), ["the port was in use when ComfyUI wanted to listen"]);
        let unknown = "one\nRuntimeError: told to fail\n[comfrey] ended with exit code 3\n";
        let found = of_log(unknown, "demo", &|_: &Path| true);
        assert_eq!(found[0].message, "ComfyUI ended with exit code 3, for a reason that is not known");
        assert_eq!(found[0].evidence, ["one", "RuntimeError: told to fail"]);
        assert!(messages("one\n[comfrey] stopped\n").is_empty());
        assert!(messages("one\n[comfrey] ended with exit code 0\n").is_empty());
    }
}
