//! How a value is changed so that all else stays as it was written.

use toml_edit::{InlineTable, Item, Table, TableLike, Value};

pub(super) fn implicit() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

pub(super) fn entry<'a>(part: &'a mut dyn TableLike, key: &str) -> Option<&'a mut dyn TableLike> {
    let inline = part.get(key).is_none() && part.iter().next().is_some_and(|(_, item)| item.is_value());
    let fresh = || if inline { Item::Value(InlineTable::new().into()) } else { Item::Table(Table::new()) };
    part.entry(key).or_insert_with(fresh).as_table_like_mut()
}

pub(super) fn keep_only(part: &mut dyn TableLike, keep: impl Fn(&str, Option<&dyn TableLike>) -> bool) {
    let gone: Vec<String> =
        part.iter().filter(|(key, item)| !keep(key, item.as_table_like())).map(|(key, _)| key.to_owned()).collect();
    for key in gone {
        part.remove(&key);
    }
}

/// Sorts entries by name. Tables that were in the text keep their place; new ones follow the one before them.
pub(super) fn in_order(part: &mut dyn TableLike) {
    part.sort_values();
}

/// Sets, changes or removes one value; a value that is right already keeps its spelling and comments.
pub(super) fn set(table: &mut dyn TableLike, key: &str, value: Option<Value>) {
    match (value, table.get_mut(key)) {
        (None, None) => {}
        (None, Some(_)) => {
            table.remove(key);
        }
        (Some(value), None) => {
            table.insert(key, Item::Value(value));
        }
        (Some(value), Some(present)) => match present.as_value_mut() {
            Some(old) if same(old, &value) => {}
            Some(old) => {
                let decor = old.decor().clone();
                *old = value;
                *old.decor_mut() = decor;
            }
            None => *present = Item::Value(value),
        },
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.value() == b.value(),
        (Value::Integer(a), Value::Integer(b)) => a.value() == b.value(),
        (Value::Float(a), Value::Float(b)) => a.value() == b.value(),
        (Value::Datetime(a), Value::Datetime(b)) => a.value() == b.value(),
        (Value::Boolean(a), Value::Boolean(b)) => a.value() == b.value(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::InlineTable(a), Value::InlineTable(b)) => same_table(a, b),
        _ => false,
    }
}

/// True when both say the same, whatever their spelling, order and comments.
pub(super) fn same_item(a: &Item, b: &Item) -> bool {
    match (a.as_table_like(), b.as_table_like(), a.as_value(), b.as_value()) {
        (Some(a), Some(b), ..) => same_table(a, b),
        (None, None, Some(a), Some(b)) => same(a, b),
        (None, None, None, None) => a.to_string() == b.to_string(),
        _ => false,
    }
}

fn same_table(a: &dyn TableLike, b: &dyn TableLike) -> bool {
    a.len() == b.len() && a.iter().all(|(key, item)| b.get(key).is_some_and(|other| same_item(item, other)))
}

/// Makes one entry that of another document, with the comments that it has there; nothing where that has none.
pub(super) fn take(table: &mut dyn TableLike, key: &str, from: Option<&dyn TableLike>) {
    let Some((name, item)) = from.and_then(|from| from.get_key_value(key)) else {
        table.remove(key);
        return;
    };
    match (item.as_value(), table.get_mut(key)) {
        (Some(value), Some(present)) if present.is_value() => set(table, key, Some(value.clone())),
        (_, Some(present)) => *present = detached(item.clone()),
        (_, None) => drop(table.entry_format(name).or_insert(detached(item.clone()))),
    }
}

/// An item without its place in the document that it comes from.
fn detached(mut item: Item) -> Item {
    match &mut item {
        Item::Table(table) => {
            table.set_position(None);
            for (_, inner) in table.iter_mut() {
                *inner = detached(std::mem::take(inner));
            }
        }
        Item::ArrayOfTables(tables) => tables.iter_mut().for_each(|table| table.set_position(None)),
        _ => {}
    }
    item
}

pub(super) fn text(table: &dyn TableLike, key: &str) -> Option<String> {
    table.get(key)?.as_str().map(str::to_owned)
}

pub(super) fn flag(table: &dyn TableLike, key: &str) -> bool {
    table.get(key).and_then(Item::as_bool).unwrap_or(false)
}

pub(super) fn texts(table: &dyn TableLike, key: &str) -> Vec<String> {
    let array = table.get(key).and_then(Item::as_array);
    array.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
