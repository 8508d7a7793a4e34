//! `cat-object` as scripts use it.

use comfrey::object::{Encoded, EntryKind, ObjectId, Time, Tree};
use comfrey::store::Store;

use crate::support::{Sandbox, entry, history_of};

const HELLO: &str = "ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f";

/// A workspace with `hello`, three mebibytes of sevens, and a tree, a snapshot and an operation.
fn workspace() -> (Sandbox, [String; 4]) {
    let sandbox = Sandbox::new();
    let store = Store::create(&sandbox.join(".comfrey")).unwrap();
    sandbox.write("large", vec![7; 3 << 20]);
    let writer = store.writer().unwrap();
    writer.put(comfrey::object::Kind::Blob, b"hello").unwrap();
    let large = writer.put_file(&sandbox.join("large"), Default::default(), &comfrey::observer::Silent).unwrap().id;
    let tree = Tree::new(vec![entry("greeting", EntryKind::File, ObjectId::of_blob(b"hello"), 5)]).unwrap();
    let (snapshot, operation) = history_of(&tree, None, Time { milliseconds: 1_763_630_130_250, offset_minutes: 60 });
    writer.put_value(&tree).unwrap();
    writer.put_value(&snapshot).unwrap();
    writer.put_value(&operation).unwrap();
    writer.publish().unwrap();
    (sandbox, [large, tree.id(), snapshot.id(), operation.id()].map(|id| id.to_hex()))
}

#[test]
fn kind_size_presence_and_content_are_shown() {
    let (sandbox, [large, tree, snapshot, operation]) = workspace();
    assert_eq!(sandbox.comfrey(["cat-object", "-t", HELLO]).success().line(), "blob");
    assert_eq!(sandbox.comfrey(["cat-object", "-s", &large]).success().line(), "3145728");
    assert_eq!(sandbox.comfrey(["cat-object", "-e", &large]).success().stdout, "");
    assert_eq!(sandbox.comfrey(["cat-object", "-p", HELLO]).success().stdout, "hello");
    assert_eq!(sandbox.comfrey(["cat-object", "-p", &large]).success().stdout.len(), 3 << 20);
    let shown = sandbox.comfrey(["cat-object", "-p", &tree]).success();
    assert_eq!(shown.stdout, format!("file {HELLO} 5\tgreeting\n"));
    let shown = sandbox.comfrey(["cat-object", "-p", &snapshot]).success();
    assert!(shown.stdout.starts_with(&format!("tree {tree}\nenvironment demo\nauthor Ann\n")), "{}", shown.stdout);
    let shown = sandbox.comfrey(["cat-object", "-p", &operation]).success();
    assert!(shown.stdout.contains(&format!("ref demo/heads/main {snapshot}\n")), "{}", shown.stdout);
}

#[test]
fn a_prefix_will_do_and_an_absent_object_is_not_found() {
    let (sandbox, _) = workspace();
    assert_eq!(sandbox.comfrey(["cat-object", "-p", &HELLO[..6]]).success().stdout, "hello");
    let absent = "0".repeat(64);
    assert_eq!(sandbox.comfrey(["cat-object", "-e", &absent]).fails_with(1).stderr, "");
    let run = sandbox.comfrey(["cat-object", "-p", &absent]).fails_with(3);
    assert_eq!(run.stderr, format!("error: object {absent} is not in the store\n"));
    let run = sandbox.comfrey(["cat-object", "-p", "no-name"]).fails_with(3);
    assert!(run.stderr.contains("no-name"), "{}", run.stderr);
    sandbox.comfrey(["cat-object", "-e", "no-name"]).fails_with(1);
    sandbox.comfrey(["cat-object", HELLO]).fails_with(2);
}

#[test]
fn an_ambiguous_prefix_lists_what_was_meant() {
    let (sandbox, _) = workspace();
    let store = Store::open(&sandbox.join(".comfrey"), &Default::default()).unwrap();
    let writer = store.writer().unwrap();
    // Among these two ids begin with the same four digits.
    let mut seen = std::collections::BTreeMap::new();
    let (first, second) = (0_u32..)
        .find_map(|i| {
            let bytes = i.to_le_bytes();
            let id = ObjectId::of_blob(&bytes).to_hex();
            seen.insert(id[..4].to_owned(), bytes).map(|before| (before, bytes))
        })
        .unwrap();
    let ids = [first, second].map(|bytes| writer.put(comfrey::object::Kind::Blob, &bytes).unwrap().to_hex());
    writer.publish().unwrap();
    let prefix = &ids[0][..4];
    let run = sandbox.comfrey(["cat-object", "-t", prefix]).fails_with(3);
    assert!(ids.iter().all(|id| run.stderr.contains(&format!("{id} blob"))), "{}", run.stderr);
    let run = sandbox.comfrey_with_input(["cat-object", "--batch-check"], prefix).success();
    assert_eq!(run.line(), format!("{prefix} ambiguous"));
}

#[test]
fn many_are_answered_in_order() {
    let (sandbox, [large, ..]) = workspace();
    let absent = "0".repeat(64);
    let input = format!("{HELLO}\n{absent}\n{large}\n{}\n", &HELLO[..8]);
    let run = sandbox.comfrey_with_input(["cat-object", "--batch-check"], &input).success();
    assert_eq!(run.stdout, format!("{HELLO} blob 5\n{absent} missing\n{large} blob 3145728\n{HELLO} blob 5\n"));
    let run = sandbox.comfrey_with_input(["cat-object", "--batch"], format!("{HELLO}\n{absent}\nx\n")).success();
    assert_eq!(run.stdout, format!("{HELLO} blob 5\nhello\n{absent} missing\nx missing\n"));
    let run = sandbox.comfrey_with_input(["cat-object", "--batch-check", "--json"], &input).success();
    let first: serde_json::Value = serde_json::from_str(run.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((first["kind"].as_str(), first["size"].as_u64()), (Some("blob"), Some(5)));
}

#[test]
fn a_revision_names_an_object_too() {
    let (sandbox, [_, tree, snapshot, operation]) = workspace();
    let store = Store::open(&sandbox.join(".comfrey"), &Default::default()).unwrap();
    assert!(store.advance_operation(None, operation.parse().unwrap()).unwrap());
    let show = |name: &str| sandbox.comfrey(["cat-object", "-p", name]).success().stdout;
    assert!(show("demo/heads/main").starts_with(&format!("tree {tree}\n")));
    assert_eq!(show("demo/heads/main:greeting"), "hello");
    assert_eq!(show(&snapshot), show("demo/heads/main"));
}

#[test]
fn json_shows_the_fields_of_every_kind() {
    let (sandbox, [_, tree, snapshot, operation]) = workspace();
    let json = |id: &str| -> serde_json::Value {
        serde_json::from_str(sandbox.comfrey(["cat-object", "--json", "-p", id]).success().line()).unwrap()
    };
    assert_eq!(json(&tree)["entries"][0]["name"], "greeting");
    assert_eq!(json(&snapshot)["tree"], tree);
    assert_eq!(json(&operation)["refs"]["demo/heads/main"], snapshot);
    assert_eq!(json(HELLO)["place"], "segment 1");
}
