//! What someone edited: seen, kept by choice, and repaired.

use crate::installation::difference;

use super::sources::{Registry, alone, archive, at, everything, json, manifest, unchanged, with_pack, zip_of};

#[test]
fn edits_survive_an_update_only_by_choice() {
    let demo = with_pack();
    demo.commit("as it came");
    demo.write("custom_nodes/my-pack/lib/same.py", "same = 2 # mine\n");
    demo.write("custom_nodes/my-pack/mine.py", "mine = 1\n");
    assert_eq!(alone(&demo, &["node", "list", "--edited"]).success().stdout.lines().count(), 1);
    let shown = json(&alone(&demo, &["node", "show", "my-pack", "--json"]).success());
    assert_eq!(shown["edited"], serde_json::json!(["lib/same.py", "mine.py"]));
    // An edit is one after it was committed, too.
    demo.commit("edited");
    assert!(manifest(&demo).contains("fetched = \""), "{}", manifest(&demo));
    let (before, all) = (demo.files(), everything(&demo));
    let run = alone(&demo, &["node", "update", "my-pack@1.1.0"]).fails_with(4);
    assert!(run.stderr.contains("was edited since it came: lib/same.py, mine.py"), "{}", run.stderr);
    unchanged(&demo, &all, &run);
    let versions = [("1.0.0", "Active"), ("1.1.0", "Active")];
    let registry = Registry::serving("1.1.0", &versions, archive(zip_of("1.1.0")));
    std::fs::remove_dir_all(demo.sandbox.join("work/.comfrey/catalog/registry")).unwrap();
    at(&demo, &registry.url(), &["node", "update", "my-pack", "--keep-edits"]).success();
    registry.end();
    let text = |name: &str| std::fs::read_to_string(demo.comfyui().join("custom_nodes/my-pack").join(name)).unwrap();
    assert!(text("__init__.py").contains("1.1.0") && text("lib/same.py").contains("mine"));
    assert!(demo.exists("custom_nodes/my-pack/mine.py"));
    let shown = json(&alone(&demo, &["node", "show", "my-pack", "--json"]).success());
    assert_eq!(
        (&shown["edited"], &shown["version"]),
        (&serde_json::json!(["lib/same.py", "mine.py"]), &"1.1.0".into())
    );
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    alone(&demo, &["node", "update", "my-pack@1.1.0", "--discard-edits", "--yes"]).success();
    assert!(text("lib/same.py") == "same = 1\n" && !demo.exists("custom_nodes/my-pack/mine.py"));
    assert!(!manifest(&demo).contains("fetched"));
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
}

#[test]
fn a_repair_makes_the_files_what_the_manifest_says() {
    let demo = with_pack();
    demo.commit("as it came");
    let before = demo.files();
    assert!(alone(&demo, &["node", "repair"]).success().stderr.contains("is what the manifest says"));
    demo.write("custom_nodes/my-pack/lib/same.py", "broken");
    std::fs::remove_file(demo.comfyui().join("custom_nodes/my-pack/__init__.py")).unwrap();
    std::fs::remove_dir_all(demo.comfyui().join("custom_nodes/Other")).unwrap();
    let run = alone(&demo, &["node", "repair", "--offline"]).success();
    assert!(run.stderr.contains("Repaired: Other, my-pack"), "{}", run.stderr);
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    demo.write("custom_nodes/my-pack/lib/same.py", "mine");
    demo.commit("mine");
    alone(&demo, &["node", "repair", "my-pack"]).success();
    assert_eq!(std::fs::read(demo.comfyui().join("custom_nodes/my-pack/lib/same.py")).unwrap(), b"mine");
    alone(&demo, &["node", "repair", "my-pack", "--original"]).success();
    assert_eq!(std::fs::read(demo.comfyui().join("custom_nodes/my-pack/lib/same.py")).unwrap(), b"same = 1\n");
}
