//! `docs/json.md` against what is printed.

use serde_json::Value;

/// The first JSON block in a section of `docs/json.md`.
pub fn documented(section: &str) -> Value {
    let text = include_str!("../../docs/json.md");
    let (_, rest) = text.split_once(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("no section {section}"));
    let (_, rest) = rest.split_once("```json\n").unwrap();
    serde_json::from_str(rest.split_once("```").unwrap().0).unwrap()
}

/// Every JSON value in the first block of a section, one after the other.
pub fn documented_lines(section: &str) -> Vec<Value> {
    let text = include_str!("../../docs/json.md");
    let (_, rest) = text.split_once(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("no section {section}"));
    let (_, rest) = rest.split_once("```json\n").unwrap();
    let block = rest.split_once("```").unwrap().0;
    serde_json::Deserializer::from_str(block).into_iter().map(Result::unwrap).collect()
}

/// Every field that is documented is there, and every field that is there is documented.
#[track_caller]
pub fn same_fields(path: &str, documented: &Value, printed: &Value) {
    match (documented, printed) {
        (Value::Object(documented), Value::Object(printed)) => {
            let names = |object: &serde_json::Map<String, Value>| -> Vec<String> {
                let mut names: Vec<_> = object.keys().cloned().collect();
                names.sort();
                names
            };
            assert_eq!(names(documented), names(printed), "{path}");
            documented.iter().for_each(|(name, value)| same_fields(&format!("{path}.{name}"), value, &printed[name]));
        }
        (Value::Array(documented), Value::Array(printed)) => {
            if let (Some(documented), Some(printed)) = (documented.first(), printed.first()) {
                same_fields(&format!("{path}[]"), documented, printed);
            }
        }
        _ => {}
    }
}
