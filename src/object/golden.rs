//! The worked examples of `docs/formats.md` are what the code writes and reads (invariant O3).

use super::{Encoded, Entry, EntryKind, EntryName, Kind, ObjectId, Operation, RefTarget, Snapshot, Time, Tree};

const FORMATS: &str = include_str!("../../docs/formats.md");

/// The bytes and the id of the example called `name`: a block ```` ```hex NAME ```` whose lines are `HEX  what it is`, and
/// whose last is `id ID`.
fn example(name: &str) -> (Vec<u8>, ObjectId) {
    let fence = format!("```hex {name}\n");
    let (_, rest) = FORMATS.split_once(&fence).unwrap_or_else(|| panic!("no example called {name}"));
    let (block, _) = rest.split_once("```").unwrap();
    let mut bytes = Vec::new();
    for line in block.lines() {
        if let Some(id) = line.strip_prefix("id ") {
            return (bytes, id.trim().parse().unwrap());
        }
        let hex = line.split("  ").next().unwrap().replace(' ', "");
        bytes.extend((0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()));
    }
    panic!("the example {name} has no id");
}

/// The text block that follows the example.
fn text_of(name: &str) -> &'static str {
    let (_, rest) = FORMATS.split_once(&format!("```text {name}\n")).unwrap_or_else(|| panic!("no text called {name}"));
    rest.split_once("```").unwrap().0
}

fn check<T: Encoded + PartialEq + std::fmt::Debug + std::fmt::Display>(name: &str, value: &T) {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (bytes, id) = example(name);
    assert_eq!(hex(&value.encode()), hex(&bytes), "{name}: the bytes");
    assert_eq!(value.id(), id, "{name}: the id");
    assert_eq!(T::decode(&bytes).as_ref(), Ok(value));
    assert_eq!(value.to_string(), text_of(name), "{name}: the text form");
}

fn tree() -> Tree {
    let entry = |name: &str, kind, id, size| Entry { name: EntryName::new(name).unwrap(), kind, id, size };
    Tree::new(vec![
        entry("a.json", EntryKind::File, ObjectId::of_blob(b"{}"), 2),
        entry("m.safetensors", EntryKind::Model, ObjectId([0xab; 32]), 4_265_380_512),
    ])
    .unwrap()
}

fn snapshot() -> Snapshot {
    Snapshot {
        tree: tree().id(),
        parents: vec![],
        environment: "demo".into(),
        author: "Ada <ada@example.org>".into(),
        time: "2026-11-20T10:00:00+01:00".parse::<Time>().unwrap(),
        message: "first".into(),
        tool: "comfrey 0.1.0".into(),
    }
}

#[test]
fn a_blob_has_the_id_that_b3sum_prints() {
    let (bytes, id) = example("blob");
    assert_eq!((bytes.as_slice(), Kind::Blob.id_of(&bytes)), (b"{}".as_slice(), id));
}

#[test]
fn the_tree_of_the_document_is_what_the_code_writes() {
    check("tree", &tree());
    assert_eq!(Tree::parse(text_of("tree")), Ok(tree()));
}

#[test]
fn the_snapshot_of_the_document_is_what_the_code_writes() {
    check("snapshot", &snapshot());
}

#[test]
fn the_operation_of_the_document_is_what_the_code_writes() {
    let refs = [
        ("demo/HEAD".to_owned(), RefTarget::Symbolic("demo/heads/main".into())),
        ("demo/heads/main".to_owned(), RefTarget::Snapshot(snapshot().id())),
    ];
    let operation = Operation {
        parent: None,
        command: "commit -m first".into(),
        author: "Ada <ada@example.org>".into(),
        time: "2026-11-20T10:00:00+01:00".parse::<Time>().unwrap(),
        refs: refs.into(),
        restore_points: [].into(),
        undoes: None,
    };
    check("operation", &operation);
}
