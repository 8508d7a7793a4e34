//! A folder that someone works in.

use crate::installation::{Installation, difference};
use crate::trial::links_can_be_made;

use super::sources::{alone, manifest};

#[test]
fn a_folder_to_work_in_is_linked_and_tracked_and_undo_takes_away_the_link_alone() {
    if !links_can_be_made("a_folder_to_work_in_is_linked_and_tracked") {
        return;
    }
    let demo = Installation::new();
    demo.sandbox.write("mine/__init__.py", "x = 1\n");
    demo.commit("before");
    let before = demo.files();
    let run = alone(&demo, &["node", "add", "../mine", "--dev"]).success();
    assert!(run.stderr.contains("mine was added as a link to "), "{}", run.stderr);
    assert!(demo.comfyui().join("custom_nodes/mine").is_symlink());
    demo.sandbox.write("mine/more.py", "y = 1\n");
    demo.commit("tracked in full");
    assert!(demo.comfrey(["ls-tree", "-r", "HEAD"]).success().stdout.contains("nodes/mine/more.py"));
    let run = alone(&demo, &["node", "update", "mine"]).fails_with(4);
    assert!(run.stderr.contains("a link"), "{}", run.stderr);
    demo.comfrey(["undo"]).success();
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    assert_eq!(demo.sandbox.read("mine/more.py"), b"y = 1\n");
    // Redone it is the link that it was, with all that was done in the folder since.
    demo.sandbox.write("mine/later.py", "z = 1\n");
    demo.comfrey(["redo"]).success();
    let link = demo.comfyui().join("custom_nodes/mine");
    assert!(link.is_symlink() && link.join("later.py").exists());
    alone(&demo, &["node", "remove", "mine", "--delete", "--yes"]).success();
    assert!(!demo.exists("custom_nodes/mine") && demo.sandbox.join("mine/later.py").exists());
    demo.comfrey(["undo"]).success();
    assert!(link.is_symlink());
    // Without the folder the files come back as they were.
    alone(&demo, &["node", "remove", "mine", "--delete", "--yes"]).success();
    std::fs::rename(demo.sandbox.join("mine"), demo.sandbox.join("moved")).unwrap();
    demo.comfrey(["undo"]).success();
    assert!(!link.is_symlink() && demo.exists("custom_nodes/mine/later.py"));
    std::fs::rename(demo.sandbox.join("moved"), demo.sandbox.join("mine")).unwrap();
    alone(&demo, &["node", "remove", "mine", "--delete", "--yes"]).success();
    alone(&demo, &["node", "add", "../mine", "--dev", "--copy"]).success();
    assert!(!demo.comfyui().join("custom_nodes/mine").is_symlink() && demo.exists("custom_nodes/mine/more.py"));
    assert!(manifest(&demo).contains("source = \"development\""));
    let run = alone(&demo, &["node", "add", "my-pack", "--dev"]).fails_with(2);
    assert!(run.stderr.contains("--dev wants a folder"), "{}", run.stderr);
}

#[test]
fn a_folder_that_was_copied_is_copied_again_by_an_update() {
    let demo = Installation::new();
    demo.sandbox.write("mine/__init__.py", "x = 1\n");
    alone(&demo, &["node", "add", "../mine"]).success();
    demo.sandbox.write("mine/__init__.py", "x = 2\n");
    alone(&demo, &["node", "update", "mine"]).success();
    assert_eq!(std::fs::read(demo.comfyui().join("custom_nodes/mine/__init__.py")).unwrap(), b"x = 2\n");
    demo.commit("with it");
    let same = alone(&demo, &["node", "update", "mine"]).success();
    assert!(same.stderr.contains("mine is as it is at "), "{}", same.stderr);
}
