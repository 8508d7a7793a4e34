//! What may stand where in a manifest. Someone edits it by hand: a value of another kind than is wanted is an error with its place, and
//! never taken for one that is not there.

use std::ops::Range;

use toml_edit::{Array, Document, Item, TableLike, Value};

use crate::object::ObjectId;

use super::error::ManifestError;

/// What is wanted of a value. Keys that are not listed may hold anything.
enum Shape {
    /// A table with these keys, where they are there.
    Table(&'static [(&'static str, Shape)]),
    /// A table of which every entry is so.
    Each(&'static Shape),
    /// A list of which every entry is so.
    List(&'static Shape),
    Text,
    /// Text that is one of these.
    OneOf(&'static [&'static str]),
    /// An object's id.
    Id,
    Whole,
    Flag,
    Anything,
}

use Shape::{Anything, Each, Flag, Id, List, OneOf, Table, Text, Whole};

const MANIFEST: Shape = Table(&[
    ("project", Table(&[("name", Text), ("version", Text), ("requires-python", Text), ("dependencies", List(&Text))])),
    // An entry of a group may include another group.
    ("dependency-groups", Each(&List(&Anything))),
    ("tool", Table(&[("uv", Table(&[("constraint-dependencies", List(&Text))])), ("comfrey", COMFREY)])),
]);

const COMFREY: Shape = Table(&[
    (
        "environment",
        Table(&[
            ("comfyui", Table(&[("source", Text), ("url", Text), ("ref", Text), ("commit", Text), ("version", Text)])),
            ("python", Text),
        ]),
    ),
    ("nodes", Each(&NODE)),
    ("workflows", Each(&Table(&[("path", Text), ("models", List(&MODEL_USE)), ("nodes", Table(&[]))]))),
    ("models", Each(&MODEL)),
]);

const NODE: Shape = Table(&[
    ("source", OneOf(&["registry", "git", "development", "manual"])),
    ("id", Text),
    ("url", Text),
    ("ref", Text),
    ("commit", Text),
    ("version", Text),
    ("path", Text),
    ("disabled", Flag),
    ("tree", Id),
    ("fetched", Id),
    ("installed", Id),
]);

const MODEL_USE: Shape = Table(&[
    ("scope", List(&Text)),
    ("node", Text),
    ("widget", Whole),
    ("input", Text),
    ("model", Id),
    ("status", Text),
    ("name", Text),
    ("folder", Text),
]);

const MODEL: Shape = Table(&[
    ("filename", Text),
    ("path", Text),
    ("size", Whole),
    ("quick", Text),
    ("sha256", Text),
    ("sources", List(&Text)),
    ("pinned", Flag),
]);

/// Checks a whole manifest.
///
/// # Errors
/// The first value that is of another kind than is wanted, with its place.
pub(super) fn check(document: &Document<&str>) -> Result<(), ManifestError> {
    let wrong = |(span, reason): Wrong| {
        let (line, column) = place(document.raw(), span);
        ManifestError { line, column, reason }
    };
    fits("", Found::of(document.as_item()), &MANIFEST).map_err(wrong)
}

/// Where in the text something stands: line and column, both from 1, the column in characters.
pub(super) fn place(text: &str, span: Option<Range<usize>>) -> (usize, usize) {
    let start = span.map_or(0, |span| span.start).min(text.len());
    let before = text.get(..start).unwrap_or_default();
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
}

type Wrong = (Option<Range<usize>>, String);

/// A value, wherever it stands.
struct Found<'a> {
    value: What<'a>,
    span: Option<Range<usize>>,
}

enum What<'a> {
    Table(&'a dyn TableLike),
    List(&'a Array),
    /// `[[such]]`.
    Tables,
    Plain(&'a Value),
}

impl<'a> Found<'a> {
    fn of(item: &'a Item) -> Self {
        let value = match item {
            Item::Value(value) => return Self::of_value(value),
            Item::Table(table) => What::Table(table),
            Item::ArrayOfTables(_) | Item::None => What::Tables,
        };
        Found { value, span: item.span() }
    }

    fn of_value(value: &'a Value) -> Self {
        let span = value.span();
        let value = match value {
            Value::InlineTable(table) => What::Table(table),
            Value::Array(list) => What::List(list),
            plain => What::Plain(plain),
        };
        Found { value, span }
    }

    fn kind(&self) -> &'static str {
        match self.value {
            What::Table(_) => "a table",
            What::List(_) => "a list",
            What::Tables => "several tables",
            What::Plain(Value::Boolean(_)) => "true or false",
            What::Plain(Value::Datetime(_)) => "a date",
            What::Plain(_) => "a number",
        }
    }
}

fn fits(at: &str, found: Found<'_>, shape: &Shape) -> Result<(), Wrong> {
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{}", named(key)) };
    let wanted = match (shape, &found.value) {
        (Anything, _) | (Text, What::Plain(Value::String(_))) => return Ok(()),
        (Whole, What::Plain(Value::Integer(_))) | (Flag, What::Plain(Value::Boolean(_))) => return Ok(()),
        (Id, What::Plain(Value::String(text))) if text.value().parse::<ObjectId>().is_ok() => return Ok(()),
        (OneOf(words), What::Plain(Value::String(text))) if words.contains(&text.value().as_str()) => return Ok(()),
        (Table(keys), What::Table(table)) => {
            return keys.iter().try_for_each(|(key, shape)| match table.get(key) {
                Some(item) => fits(&below(key), Found::of(item), shape),
                None => Ok(()),
            });
        }
        (Each(shape), What::Table(table)) => {
            return table.iter().try_for_each(|(key, item)| fits(&below(key), Found::of(item), shape));
        }
        (List(shape), What::List(list)) => {
            return list.iter().try_for_each(|value| fits(at, Found::of_value(value), shape));
        }
        (Table(_) | Each(_), _) => "a table".to_owned(),
        (List(_), _) => "a list".to_owned(),
        (Text, _) => "text in quotes".to_owned(),
        (OneOf(words), _) => words.join(" or "),
        (Id, _) => "an id of 64 hex digits".to_owned(),
        (Whole, _) => "a whole number".to_owned(),
        (Flag, _) => "true or false".to_owned(),
    };
    let is = match &found.value {
        What::Plain(Value::String(text)) => format!("`{}`", text.value()),
        _ => found.kind().to_owned(),
    };
    Err((found.span, format!("`{at}` is {is}; {wanted} is wanted")))
}

/// A key as it would be written.
fn named(key: &str) -> String {
    let is_plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if is_plain { key.to_owned() } else { format!("\"{key}\"") }
}

#[cfg(test)]
mod tests {
    use super::super::Manifest;

    #[track_caller]
    fn said(text: &str) -> String {
        let error = Manifest::parse(text).unwrap_err();
        format!("{}:{}: {}", error.line, error.column, error.reason)
    }

    #[test]
    fn a_value_of_another_kind_than_is_wanted_is_named_with_its_place() {
        for (text, expected) in [
            ("project = 3\n", "1:11: `project` is a number; a table is wanted"),
            ("[project]\ndependencies = \"x\"\n", "2:16: `project.dependencies` is `x`; a list is wanted"),
            ("[project]\ndependencies = [1]\n", "2:17: `project.dependencies` is a number; text in quotes is wanted"),
            ("dependency-groups = 1\n", "1:21: `dependency-groups` is a number; a table is wanted"),
            ("[dependency-groups]\nx = 1\n", "2:5: `dependency-groups.x` is a number; a list is wanted"),
            ("[tool]\nuv = 1\n", "2:6: `tool.uv` is a number; a table is wanted"),
            (
                "[tool.uv]\nconstraint-dependencies = 1\n",
                "2:27: `tool.uv.constraint-dependencies` is a number; a list is wanted",
            ),
            ("[tool.comfrey]\nnodes = \"ö\"\n", "2:9: `tool.comfrey.nodes` is `ö`; a table is wanted"),
            (
                "[tool.comfrey.nodes]\n\"a b\" = { tree = 1 }\n",
                "2:18: `tool.comfrey.nodes.\"a b\".tree` is a number; an id of 64 hex digits is wanted",
            ),
            (
                "[tool.comfrey.nodes.x]\nid = \"ö\" # ö\nsource = \"svn\"\n",
                "3:10: `tool.comfrey.nodes.x.source` is `svn`; registry or git or development or manual is wanted",
            ),
            (
                "[[tool.comfrey.workflows.a.models]]\nnode = \"1\"\n",
                "1:1: `tool.comfrey.workflows.a.models` is several tables; a list is wanted",
            ),
            (
                "[tool.comfrey.workflows.a]\nmodels = [{ node = 1 }]\n",
                "2:20: `tool.comfrey.workflows.a.models.node` is a number; text in quotes is wanted",
            ),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_toml_is_named_with_line_and_column() {
        assert_eq!(said("[project]\nname = \"é\" x\n"), "2:12: unexpected key or value, expected newline, `#`");
        assert!(
            said("[project]\ndependencies = [\n").starts_with("2:17: unclosed array"),
            "{}",
            said("[project]\ndependencies = [\n")
        );
    }

    #[test]
    fn keys_that_nobody_knows_and_groups_that_include_others_are_fine() {
        Manifest::parse("[dependency-groups]\na = [\"x\", { include-group = \"b\" }]\n[tool.comfrey.more]\nx = 1\n[tool.uv.sources]\n")
            .unwrap();
    }
}
