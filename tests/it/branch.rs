//! `branch` and `switch`.

use serde_json::json;

use crate::installation::{Installation, difference, workflow};

/// Two branches: `main` at its first version, `flux` one further with another workflow and another node.
fn two_branches() -> Installation {
    let demo = Installation::new();
    demo.commit("first");
    demo.comfrey(["switch", "-c", "flux"]).success();
    demo.write("user/default/workflows/portrait.json", workflow("sub/xl.safetensors"));
    demo.write("custom_nodes/Flux/__init__.py", "flux = 1\n");
    std::fs::remove_dir_all(demo.comfyui().join("custom_nodes/Other")).unwrap();
    demo.commit("flux");
    demo
}

#[test]
fn each_branch_has_its_files_and_going_between_them_loses_nothing() {
    let demo = Installation::new();
    demo.commit("first");
    let main = demo.comfyui_files();
    drop(demo);
    let demo = two_branches();
    let flux = demo.comfyui_files();
    let run = demo.comfrey(["switch", "main"]).success();
    assert!(run.stderr.contains("On the branch `main`"), "{}", run.stderr);
    let mut now = demo.comfyui_files();
    assert_eq!(now.remove("ComfyUI/custom_nodes/Flux.disabled/__init__.py").unwrap(), b"flux = 1\n");
    assert_eq!(difference(&now, &main), Vec::<String>::new());
    let copy = std::fs::read(demo.cec().join("workflows/portrait.json")).unwrap();
    assert_eq!(copy, workflow("sd15.safetensors").as_bytes(), "the copies are those of the branch");
    assert_eq!(demo.json(["status"])["branch"], "main");
    assert_eq!(demo.json(["status"])["workflows"]["modified"], json!([]));
    // A node that is only disabled holds nobody up.
    demo.comfrey(["switch", "flux"]).success();
    let mut now = demo.comfyui_files();
    assert_eq!(now.remove("ComfyUI/custom_nodes/Other.disabled/__init__.py").unwrap(), b"y = 1\n");
    assert_eq!(difference(&now, &flux), Vec::<String>::new());
    // History went along with neither.
    assert_eq!(demo.comfrey(["log", "--oneline", "main"]).success().stdout.lines().count(), 1);
    assert_eq!(demo.comfrey(["log", "--oneline", "flux"]).success().stdout.lines().count(), 2);
    demo.comfrey(["undo"]).success();
    assert_eq!(demo.json(["status"])["branch"], "main");
    demo.comfrey(["fsck"]).success();
}

#[test]
fn what_was_not_committed_is_not_left_behind_unless_that_is_wished_and_then_undo_brings_it_back() {
    let demo = two_branches();
    demo.write("user/default/workflows/mine.json", workflow("unsaved.safetensors"));
    let files = demo.files();
    for words in [&["switch", "main"][..], &["switch", "main", "--dry-run"]] {
        let run = demo.comfrey(words.iter().copied()).fails_with(4);
        assert!(run.stderr.contains("workflows/mine.json would be left behind, not committed"), "{}", run.stderr);
    }
    assert_eq!(demo.files(), files);
    // To a branch that begins here it comes along.
    demo.comfrey(["switch", "-c", "try"]).success();
    assert!(demo.exists("user/default/workflows/mine.json"));
    let before = demo.comfyui_files();
    demo.comfrey(["switch", "main", "--discard-changes"]).success();
    assert!(!demo.exists("user/default/workflows/mine.json"));
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.comfyui_files(), &before), Vec::<String>::new());
    assert_eq!(demo.json(["status"])["branch"], "try");
}

#[test]
fn branches_are_listed_begun_renamed_and_deleted() {
    let demo = Installation::new();
    assert_eq!(demo.comfrey(["branch"]).success().stdout, "* main  no version yet\n");
    demo.comfrey(["branch", "early"]).fails_with(3);
    let first = demo.commit("first");
    let begun = demo.json(["branch", "flux"]);
    assert_eq!((&begun["branch"], &begun["id"], &begun["current"]), (&json!("flux"), &json!(first), &json!(false)));
    let taken = demo.comfrey(["branch", "flux"]).fails_with(4);
    assert!(taken.stderr.contains("the branch `flux` is there already"), "{}", taken.stderr);
    demo.comfrey(["branch", "v7"]).fails_with(2);
    demo.comfrey(["branch", "-m", "trunk"]).success();
    let listed = demo.comfrey(["branch"]).success().stdout;
    let names: Vec<&str> = listed.lines().map(|line| &line[..7]).collect();
    assert_eq!(names, ["  flux ", "* trunk"]);
    let current = demo.comfrey(["branch", "-d", "trunk"]).fails_with(4);
    assert!(current.stderr.contains("`trunk` is the current branch"), "{}", current.stderr);
    let mistyped = demo.comfrey(["switch", "flix"]).fails_with(3);
    assert!(mistyped.stderr.contains("did you mean `flux`?"), "{}", mistyped.stderr);
    demo.comfrey(["switch", "flux"]).success();
    demo.write("user/default/workflows/portrait.json", workflow("sub/xl.safetensors"));
    demo.commit("only here");
    demo.comfrey(["switch", "trunk"]).success();
    let lost = demo.comfrey(["branch", "-d", "flux"]).fails_with(4);
    assert!(lost.stderr.contains("only `flux` leads to 1 version"), "{}", lost.stderr);
    demo.comfrey(["branch", "-d", "flux", "--force"]).success();
    demo.comfrey(["switch", "flux"]).fails_with(3);
    demo.comfrey(["undo"]).success();
    demo.comfrey(["switch", "flux"]).success();
}
