//! The lines that a person reads.

use std::borrow::Cow;

use super::change::{Change, Fed, GraphDiff, InputDiff, NodeDiff, PackageDiff, ValueDiff, WorkflowDiff, mode_word};
use crate::workflow::DefinitionKind;

/// How many characters of a value are shown.
const MOST_SHOWN: usize = 72;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How far in it stands: 0 for a graph, one more for a node, one more for what of it differs.
    pub depth: usize,
    /// What happened; nothing for a heading or a detail.
    pub change: Option<Change>,
    pub text: String,
}

impl WorkflowDiff {
    /// The differences as lines.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        self.graphs.iter().for_each(|graph| graph.tell(&mut lines));
        self.packages.iter().for_each(|package| lines.push(package.line()));
        lines
    }
}

impl GraphDiff {
    fn tell(&self, lines: &mut Vec<Line>) {
        let mut depth = 0;
        if let Some(subgraph) = &self.subgraph {
            let kind = match subgraph.kind {
                DefinitionKind::Subgraph => "subgraph",
                DefinitionKind::Group => "group",
            };
            lines.push(Line { depth, change: Some(self.change), text: format!("{kind} {}", subgraph.name) });
            depth = 1;
        }
        // Of a graph that is gone its name says enough.
        if self.change != Change::Removed {
            self.nodes.iter().for_each(|node| node.tell(depth, lines));
        }
        let detail = |text| Line { depth, change: None, text };
        lines.extend(self.outputs.iter().map(|output| detail(format!("output {}", wire(output)))));
        lines.extend(self.layout.iter().map(|value| detail(value_told(value))));
        if self.renumbered > 0 {
            let nodes = if self.renumbered == 1 { "node only has" } else { "nodes only have" };
            lines.push(detail(format!("{} {nodes} another number", self.renumbered)));
        }
    }
}

impl NodeDiff {
    fn tell(&self, depth: usize, lines: &mut Vec<Line>) {
        let mut text = format!("{} {}", self.node, self.class);
        if let Some(title) = self.title.as_ref().filter(|title| **title != self.class) {
            text += &format!(" \"{}\"", shortened(title));
        }
        if let Some(was) = &self.was {
            text += &format!(" (was {was})");
        }
        lines.push(Line { depth, change: Some(self.change), text });
        let mut detail = |text| lines.push(Line { depth: depth + 1, change: None, text });
        if let Some(mode) = self.mode {
            detail(format!("mode: {} → {}", mode_word(mode.old), mode_word(mode.new)));
        }
        if let Some(titles) = &self.titles {
            let told = |title: &Option<String>| title.as_deref().map_or_else(|| "none".into(), quoted);
            detail(format!("title: {} → {}", told(&titles.old), told(&titles.new)));
        }
        self.values.iter().for_each(|value| detail(value_told(value)));
        self.inputs.iter().for_each(|input| detail(wire(input)));
        self.layout.iter().for_each(|value| detail(value_told(value)));
    }
}

impl PackageDiff {
    fn line(&self) -> Line {
        let versions = |of: &[String]| if of.is_empty() { "unknown".to_owned() } else { of.join(", ") };
        let versions = match self.change {
            Change::Added => versions(&self.new),
            Change::Removed => versions(&self.old),
            Change::Changed => format!("{} → {}", versions(&self.old), versions(&self.new)),
        };
        Line { depth: 0, change: Some(self.change), text: format!("package {} {versions}", self.package) }
    }
}

fn value_told(value: &ValueDiff) -> String {
    let name = &value.name;
    match (&value.old, &value.new) {
        (Some(serde_json::Value::String(old)), Some(serde_json::Value::String(new))) => {
            let (old, new) = around_difference(old, new);
            format!("{name}: {} → {}", quoted(&old), quoted(&new))
        }
        (Some(old), Some(new)) => format!("{name}: {} → {}", json(old), json(new)),
        (None, Some(new)) => format!("{name}: {}", json(new)),
        (Some(old), None) => format!("{name}: {} is gone", json(old)),
        (None, None) => name.clone(),
    }
}

fn wire(input: &InputDiff) -> String {
    let name = &input.name;
    match (&input.old, &input.new) {
        (Some(old), Some(new)) => format!("{name}: from {} → from {}", fed(old), fed(new)),
        (None, Some(new)) => format!("{name}: from {}", fed(new)),
        (Some(old), None) => format!("{name}: no longer from {}", fed(old)),
        (None, None) => name.clone(),
    }
}

fn fed(fed: &Fed) -> String {
    let output = fed.output.clone().unwrap_or_else(|| format!("output {}", fed.slot));
    match (&fed.node, &fed.class) {
        (None, _) => format!("the subgraph's {output}"),
        (Some(node), Some(class)) => format!("{node} {class} {output}"),
        (Some(node), None) => format!("{node}, which is not there"),
    }
}

fn json(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => quoted(text),
        other => shortened(&other.to_string()),
    }
}

/// Two long texts from a little before the place where they begin to differ.
fn around_difference<'t>(old: &'t str, new: &'t str) -> (Cow<'t, str>, Cow<'t, str>) {
    /// How much of what is the same is shown.
    const BEFORE: usize = 16;
    let same = old.char_indices().zip(new.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    let same = same.unwrap_or(old.len().min(new.len()));
    let is_long = |text: &str| text.char_indices().nth(MOST_SHOWN).is_some();
    if !is_long(old) && !is_long(new) {
        return (old.into(), new.into());
    }
    let from = old[..same].char_indices().rev().nth(BEFORE - 1).map_or(0, |(at, _)| at);
    let shown = |text: &'t str| if from == 0 { text.into() } else { format!("…{}", &text[from..]).into() };
    (shown(old), shown(new))
}

/// In quotes, on one line.
fn quoted(text: &str) -> String {
    let mut shown = String::new();
    for character in shortened(text).chars() {
        match character {
            '"' | '\'' => shown.push(character),
            other => shown.extend(other.escape_debug()),
        }
    }
    format!("\"{shown}\"")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
