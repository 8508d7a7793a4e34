//! JSON values compared, and taken out of their documents.

use std::collections::BTreeMap;

use crate::workflow::document::{Kind, Value};

use super::change::ValueDiff;

/// True when both say the same: key order, spacing, escapes and the spelling of numbers aside. Whole numbers are compared
/// as such: two seeds of 64 bits can be one floating point number.
pub(in crate::workflow) fn same(a: Value<'_>, b: Value<'_>) -> bool {
    if a.kind() != b.kind() {
        return false;
    }
    if a.raw() == b.raw() {
        return true;
    }
    match a.kind() {
        Kind::Null => true,
        Kind::Boolean => false,
        Kind::Number => same_number(a.raw(), b.raw()),
        Kind::Text => a.text() == b.text(),
        Kind::Array => a.items().count() == b.items().count() && a.items().zip(b.items()).all(|(a, b)| same(a, b)),
        Kind::Object => {
            let (a, b) = (members(a), members(b));
            a.len() == b.len() && a.iter().zip(&b).all(|((a, of_a), (b, of_b))| a == b && same(*of_a, *of_b))
        }
    }
}

fn same_number(a: &str, b: &str) -> bool {
    let whole = |text: &str| text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    if whole(a) && whole(b) {
        return false;
    }
    matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
}

/// By key; of a repeated key the last.
fn members(object: Value<'_>) -> BTreeMap<String, Value<'_>> {
    object.members().map(|(key, value)| (key.text().unwrap_or_default().into_owned(), value)).collect()
}

/// Notes how `name` differs, key by key where both are objects and item by item where both are arrays of one length.
pub(super) fn compare(name: &str, old: Value<'_>, new: Value<'_>, found: &mut Vec<ValueDiff>) {
    if same(old, new) {
        return;
    }
    match (old.kind(), new.kind()) {
        (Kind::Object, Kind::Object) => {
            let (old, new) = (members(old), members(new));
            for (key, was) in &old {
                let below = format!("{name}.{key}");
                match new.get(key) {
                    Some(is) => compare(&below, *was, *is, found),
                    None => found.push(gone(below, *was)),
                }
            }
            let added = new.iter().filter(|(key, _)| !old.contains_key(*key));
            found.extend(added.map(|(key, is)| come(format!("{name}.{key}"), *is)));
        }
        (Kind::Array, Kind::Array) if old.items().count() == new.items().count() => {
            for (at, (was, is)) in old.items().zip(new.items()).enumerate() {
                compare(&format!("{name}.{at}"), was, is, found);
            }
        }
        _ => found.push(ValueDiff { name: name.to_owned(), old: Some(taken(old)), new: Some(taken(new)) }),
    }
}

/// A value that only the new file has.
pub(super) fn come(name: String, value: Value<'_>) -> ValueDiff {
    ValueDiff { name, old: None, new: Some(taken(value)) }
}

/// A value that only the old file has.
pub(super) fn gone(name: String, value: Value<'_>) -> ValueDiff {
    ValueDiff { name, old: Some(taken(value)), new: None }
}

/// The value by itself. `NaN` and the infinities, which JSON has not, become text.
pub(in crate::workflow) fn taken(value: Value<'_>) -> serde_json::Value {
    match value.kind() {
        Kind::Null => serde_json::Value::Null,
        Kind::Boolean => value.raw().starts_with('t').into(),
        Kind::Number => match value.raw().parse::<serde_json::Number>() {
            Ok(number) => serde_json::Value::Number(number),
            Err(_) => value.raw().into(),
        },
        Kind::Text => value.text().unwrap_or_default().into_owned().into(),
        Kind::Array => value.items().map(taken).collect::<Vec<_>>().into(),
        Kind::Object => serde_json::Value::Object(
            value.members().map(|(key, value)| (key.text().unwrap_or_default().into_owned(), taken(value))).collect(),
        ),
    }
}
