//! Lora Manager's loaders: a text of `<lora:name:weight>`, and behind it an array of `{name, active, strength, …}`, which is what counts. In
//! the API format the array is the input `loras`, maybe within `{"__value__": […]}`. Names have neither folder nor extension.

use crate::workflow::Value;
use crate::workflow::document::Kind;

use super::super::reference::Names;
use super::{Named, Seen};

pub(in crate::catalog) fn read(seen: &Seen<'_, '_>) -> Option<Vec<Named>> {
    if !seen.node.class.trim().ends_with("(LoraManager)") {
        return None;
    }
    let mut names = Vec::new();
    for held in seen.values {
        let value = seen.workflow.value(held.value);
        let list = value.get("__value__").unwrap_or(value);
        for row in list.items().filter(|row| is_row(*row)) {
            let Some(name) = row.get("name") else { continue };
            let on = row.get("active").and_then(Value::boolean).unwrap_or(true);
            names.push(Named { on, names: Names::Stem, ..Named::file(held, name.id(), &["loras"]) });
        }
    }
    // Without an array the text is all there is.
    if names.is_empty() { None } else { Some(names) }
}

/// A LoRA's row has a strength; rows of trigger words, in nodes beside the loaders, have other fields.
fn is_row(row: Value<'_>) -> bool {
    row.get("name").is_some_and(|name| name.kind() == Kind::Text) && row.get("strength").is_some()
}
