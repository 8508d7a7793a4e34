//! Rows that a count or a switch turns off.

use crate::workflow::Value;

use super::Seen;

/// True where the row of this input counts. Its position is that of the name among the node's values.
pub(in crate::catalog) fn is_on(seen: &Seen<'_, '_>, input: &str, at: Option<usize>) -> bool {
    match seen.node.class.trim() {
        // input_mode, lora_count, then the rows.
        "LoRA Stacker" => is_counted(seen, input, "lora_count", 1),
        // toggle, mode, num_loras, then the rows.
        "easy loraStack" => {
            let toggle = seen.named("toggle").or_else(|| seen.at(0));
            toggle.and_then(Value::boolean) != Some(false) && is_counted(seen, input, "num_loras", 2)
        }
        class if class.starts_with("CR ") => {
            let of_row = number_in(input).and_then(|row| seen.named(&format!("switch_{row}")));
            let before = || seen.at(at?.checked_sub(1)?);
            !of_row.or_else(|| seen.named("switch")).or_else(before).is_some_and(|switch| switch.says("Off"))
        }
        _ => true,
    }
}

/// True for a row among the first so many.
fn is_counted(seen: &Seen<'_, '_>, input: &str, name: &str, at: usize) -> bool {
    let count = seen.named(name).or_else(|| seen.at(at)).and_then(Value::integer);
    match (count, number_in(input)) {
        (Some(count), Some(row)) => row <= count,
        _ => true,
    }
}

/// The first number in an input's name.
fn number_in(input: &str) -> Option<i64> {
    input.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}
