//! Off and on, and away.

use crate::installation::{Installation, difference};

use super::sources::{alone, everything, manifest, unchanged};

#[test]
fn a_node_is_switched_off_and_on_and_deleted_and_each_can_be_taken_back() {
    let demo = Installation::new();
    demo.commit("before");
    let before = demo.files();
    let run = alone(&demo, &["node", "disable", "comfyui_impact_pack", "one.py"]).success();
    assert!(run.stderr.contains("Switched off: Impact, one.py"), "{}", run.stderr);
    assert!(demo.exists("custom_nodes/Impact.disabled/sub/deep.py") && demo.exists("custom_nodes/one.py.disabled"));
    assert!(alone(&demo, &["node", "disable", "Impact"]).success().stderr.contains("already"));
    alone(&demo, &["node", "add", "comfyui-impact-pack"]).success();
    assert!(demo.exists("custom_nodes/Impact/__pycache__/x.cpython-312.pyc"), "renamed, not made anew");
    for _ in 0..2 {
        demo.comfrey(["undo"]).success();
    }
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    alone(&demo, &["node", "remove", "Other"]).success();
    assert!(demo.exists("custom_nodes/Other.disabled"));
    alone(&demo, &["node", "enable", "Other"]).success();
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    alone(&demo, &["node", "remove", "Other", "one.py", "--delete"]).success();
    assert!(!demo.exists("custom_nodes/Other") && !demo.exists("custom_nodes/one.py"));
    assert!(!manifest(&demo).contains("nodes.Other"));
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    let run = alone(&demo, &["node", "remove", "Otter"]).fails_with(3);
    assert!(run.stderr.contains("did you mean `Other`?"), "{}", run.stderr);
}

#[test]
fn what_no_snapshot_holds_is_deleted_by_force_only() {
    let demo = Installation::new();
    demo.write("custom_nodes/Other/.git/HEAD", "a".repeat(40));
    let before = everything(&demo);
    let run = alone(&demo, &["node", "remove", "Other", "--delete"]).fails_with(4);
    assert!(run.stderr.contains("no snapshot can bring back: .git"), "{}", run.stderr);
    unchanged(&demo, &before, &run);
    alone(&demo, &["node", "remove", "Other", "--delete", "--force"]).success();
    assert!(!demo.exists("custom_nodes/Other"));
    demo.comfrey(["undo"]).success();
    assert!(demo.exists("custom_nodes/Other/__init__.py") && !demo.exists("custom_nodes/Other/.git"));
}

#[cfg(windows)]
#[test]
fn a_node_whose_folder_is_open_in_another_program_stays_as_it_is() {
    use std::os::windows::fs::OpenOptionsExt;
    let demo = Installation::new();
    let before = everything(&demo);
    // Shared with nobody.
    let open = std::fs::OpenOptions::new()
        .read(true)
        .share_mode(0)
        .open(demo.comfyui().join("custom_nodes/Other/__init__.py"));
    let open = open.unwrap();
    let runs =
        [&["node", "disable", "Other"][..], &["node", "remove", "Other", "--delete"]].map(|words| alone(&demo, words));
    drop(open);
    for run in runs {
        assert_ne!(run.code, 0, "{}", run.stdout);
        unchanged(&demo, &before, &run);
    }
}
