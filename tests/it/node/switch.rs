//! Off and on, and away.

use std::path::Path;

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

/// Windows replaces and moves nothing that is open: everything stays, and the file is named. Elsewhere that is no obstacle.
#[test]
fn a_node_whose_folder_is_open_in_another_program_stays_as_it_is() {
    for words in [&["node", "disable", "Other"][..], &["node", "remove", "Other", "--delete"], &["rollback", "HEAD"]] {
        let demo = Installation::new();
        demo.commit("before");
        demo.write("custom_nodes/Other/__init__.py", "y = 3\n");
        let before = everything(&demo);
        let open = open_unshared(&demo.comfyui().join("custom_nodes/Other/__init__.py"));
        let run = alone(&demo, words);
        drop(open);
        if cfg!(windows) {
            let run = run.fails_with(4);
            assert!(run.stderr.contains("custom_nodes/Other/__init__.py"), "{words:?}: {}", run.stderr);
            unchanged(&demo, &before, &run);
            alone(&demo, words).success();
        } else {
            run.success();
        }
    }
}

/// Opens a file as a program does that lets nobody else have it meanwhile, where there is such a thing.
fn open_unshared(path: &Path) -> std::fs::File {
    let mut options = std::fs::OpenOptions::new();
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::share_mode(&mut options, 0);
    options.read(true).open(path).unwrap()
}
