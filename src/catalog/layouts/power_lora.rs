//! rgthree's Power Lora Loader: a list of `{}`, a header, rows of `{on, lora, strength, strengthTwo}`, and a text at the end. In the
//! API format the rows are inputs `lora_1`, `lora_2`, …

use crate::workflow::Value;

use super::{Named, Seen};

pub(in crate::catalog) fn read(seen: &Seen<'_, '_>) -> Option<Vec<Named>> {
    if seen.node.class.trim() != "Power Lora Loader (rgthree)" {
        return None;
    }
    let rows = seen.values.iter().filter_map(|held| {
        let row = seen.workflow.value(held.value);
        let lora = row.get("lora")?;
        let on = row.get("on").and_then(Value::boolean).unwrap_or(true);
        Some(Named { on, ..Named::file(held, lora.id(), &["loras"]) })
    });
    Some(rows.collect())
}
