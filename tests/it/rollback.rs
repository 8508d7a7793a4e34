//! `rollback`, `undo` and `redo`: exact, as one step, and nothing lost.

use std::process::Stdio;

use comfrey::platform::process::running_comfyui;

use crate::installation::{Installation, StartedByHand, difference, workflow};
use crate::loopback::{Given, Site};
use crate::support::Run;
use crate::trial::{links_can_be_made, symlink};

/// Two versions that differ in every way, and a working state that differs from both.
fn with_two_versions() -> Installation {
    let demo = Installation::new();
    demo.commit("first");
    demo.write("user/default/workflows/portrait.json", workflow("sub/xl.safetensors"));
    demo.write("user/default/workflows/second/new.json", workflow("sd15.safetensors"));
    std::fs::remove_file(demo.comfyui().join("user/default/workflows/sub/other.json")).unwrap();
    std::fs::remove_dir(demo.comfyui().join("user/default/workflows/sub")).unwrap();
    demo.write("custom_nodes/Impact/__init__.py", "NODE_CLASS_MAPPINGS = {\"new\": 1}\n");
    demo.write("custom_nodes/Impact/added.py", "added = 1\n");
    std::fs::remove_dir_all(demo.comfyui().join("custom_nodes/Impact/sub")).unwrap();
    std::fs::remove_dir_all(demo.comfyui().join("custom_nodes/Other")).unwrap();
    demo.write("custom_nodes/Second/__init__.py", "second = 1\n");
    demo.commit("second");
    demo
}

/// What nobody committed.
fn edit(demo: &Installation) {
    demo.write("user/default/workflows/portrait.json", workflow("unsaved.safetensors"));
    demo.write("user/default/workflows/unsaved.json", "{\"mine\": true}");
    demo.write("custom_nodes/Impact/local.py", "patched = 1\n");
    demo.write("custom_nodes/Unsaved/__init__.py", "u = 1\n");
}

#[test]
fn a_rollback_makes_the_files_those_of_the_version_and_moves_no_history() {
    let demo = Installation::new();
    let first = demo.commit("first");
    let files = demo.comfyui_files();
    let demo = {
        drop(demo);
        with_two_versions()
    };
    let head = demo.comfrey(["rev-parse", "HEAD"]).success().stdout;
    let run = demo.comfrey(["rollback", "v1", "--yes"]).success();
    assert!(run.stderr.contains("as in v1"), "{}", run.stderr);
    assert_eq!(demo.comfrey(["rev-parse", "HEAD"]).success().stdout, head);
    assert_eq!(demo.comfrey(["rev-parse", "v1"]).success().line(), first);
    let mut now = demo.comfyui_files();
    // A node that the version does not have is off, and a node folder's bytecode is nobody's work.
    assert_eq!(now.remove("ComfyUI/custom_nodes/Second.disabled/__init__.py").unwrap(), b"second = 1\n");
    assert_eq!(difference(&now, &files), Vec::<String>::new());
    let status = demo.json(["status"]);
    assert_eq!(status["nodes"]["disabled"], serde_json::json!(["Second"]));
    assert_eq!(status["clean"], false);
    demo.commit("as the first was");
    demo.comfrey(["rollback", "v2"]).success();
    assert!(!demo.exists("custom_nodes/Second.disabled") && demo.exists("custom_nodes/Second"));
    assert_eq!(
        demo.comfrey(["diff", "v2"]).success().stdout,
        "A\tnodes/Other.disabled/__init__.py\nM\tpyproject.toml\n"
    );
}

#[test]
fn without_a_target_it_goes_to_the_version_before() {
    let demo = with_two_versions();
    demo.comfrey(["rollback"]).success();
    assert!(demo.exists("custom_nodes/Other/__init__.py"));
    let run = Installation::new().comfrey(["rollback"]).fails_with(3);
    assert!(run.stderr.contains("there is no version to go back to yet"), "{}", run.stderr);
    let run = demo.comfrey(["rollback", "v7"]).fails_with(3);
    assert!(run.stderr.contains("v7"), "{}", run.stderr);
}

#[test]
fn a_dry_run_shows_the_plan_and_touches_nothing() {
    let demo = with_two_versions();
    let files = demo.files();
    let operations = demo.comfrey(["operations"]).success().stdout;
    let run = demo.comfrey(["rollback", "v1", "--dry-run"]).success();
    for text in [
        "disable    nodes/Second -> nodes/Second.disabled",
        "write      nodes/Other",
        "replace    workflows/portrait.json",
    ] {
        assert!(run.stdout.contains(text), "{text} in\n{}", run.stdout);
    }
    assert_eq!(demo.files(), files);
    assert_eq!(demo.comfrey(["operations"]).success().stdout, operations);
    let steps = demo.json(["rollback", "v1", "--dry-run"]);
    assert_eq!(steps["done"], false);
    assert!(
        steps["steps"]
            .as_array()
            .unwrap()
            .iter()
            .any(|step| step["step"] == "disable" && step["from"] == "nodes/Second")
    );
}

#[test]
fn undo_brings_back_exactly_what_was_uncommitted_and_redo_undoes_that() {
    let demo = with_two_versions();
    edit(&demo);
    let before = demo.files();
    demo.comfrey(["rollback", "v1"]).success();
    let after = demo.files();
    let run = demo.comfrey(["undo"]).success();
    assert!(run.stdout.starts_with("comfrey rollback v1: undone\n"), "{}", run.stdout);
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    let run = demo.comfrey(["redo"]).success();
    assert!(run.stdout.starts_with("comfrey rollback v1: done again\n"), "{}", run.stdout);
    assert_eq!(difference(&demo.files(), &after), Vec::<String>::new());
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
}

#[test]
fn what_was_done_after_a_rollback_is_not_lost_by_undoing_it() {
    let demo = with_two_versions();
    demo.comfrey(["rollback", "v1"]).success();
    demo.write("user/default/workflows/later.json", "{\"later\": 1}");
    demo.write("custom_nodes/Other/__init__.py", "later = 1\n");
    let later = demo.files();
    demo.comfrey(["undo"]).success();
    assert!(!demo.exists("user/default/workflows/later.json"));
    demo.comfrey(["redo"]).success();
    assert_eq!(difference(&demo.files(), &later), Vec::<String>::new());
}

#[test]
fn undoing_a_commit_moves_the_version_back_and_leaves_the_files() {
    let demo = Installation::new();
    demo.commit("first");
    let cec = demo.files();
    demo.write("user/default/workflows/portrait.json", workflow("sub/xl.safetensors"));
    demo.commit("second");
    demo.write("user/default/workflows/later.json", "{}");
    let files = demo.comfyui_files();
    let run = demo.comfrey(["undo", "--dry-run"]).success();
    assert!(run.stdout.starts_with("comfrey commit -m second --json would be undone\n"), "{}", run.stdout);
    demo.comfrey(["undo"]).success();
    assert_eq!(demo.comfyui_files(), files);
    assert_eq!(demo.comfrey(["log", "--oneline"]).success().stdout.lines().count(), 1);
    let now = demo.files();
    for path in [".cec/pyproject.toml", ".cec/workflows/portrait.json"] {
        assert_eq!(now[path], cec[path], "{path}");
    }
    demo.comfrey(["redo"]).success();
    assert_eq!(demo.comfrey(["log", "--oneline"]).success().stdout.lines().count(), 2);
    assert_eq!(demo.comfyui_files(), files);
    demo.comfrey(["undo"]).success();
    demo.comfrey(["undo"]).success();
    assert!(!demo.cec().join("workflows").exists() && !demo.cec().join("pyproject.toml").exists());
    assert!(demo.comfrey(["undo"]).fails_with(1).stderr.contains("nothing to undo"));
}

#[test]
fn a_model_that_was_deleted_comes_back_from_the_store() {
    let demo = Installation::new();
    demo.comfrey(["config", "store.models", "copy"]).success();
    demo.commit("first");
    let path = demo.comfyui().join("models/checkpoints/sd15.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let run = demo.comfrey(["rollback", "HEAD"]).success();
    assert!(run.stdout.contains("bring back"), "{}", run.stdout);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(demo.json(["status"])["models"]["missing"], serde_json::json!([]));
}

#[test]
fn a_model_that_nobody_holds_is_listed_with_its_sources_and_comes_back_once_it_is_fetched() {
    let demo = Installation::new();
    demo.comfrey(["config", "store.models", "reference"]).success();
    let model = demo.comfyui().join("models/checkpoints/sd15.safetensors");
    let bytes = std::fs::read(&model).unwrap();
    let served = bytes.clone();
    let site = Site::start(move |asked| Given::file(asked, &served));
    let url = site.url("/sd15");
    let declared = format!(
        "{{\"nodes\":[{{\"id\":4,\"type\":\"CheckpointLoaderSimple\",\"widgets_values\":[\"sd15.safetensors\"],\
        \"properties\":{{\"models\":[{{\"name\":\"sd15.safetensors\",\"url\":\"{url}\",\"directory\":\"checkpoints\"}}]}}}}],\"links\":[]}}"
    );
    demo.write("user/default/workflows/portrait.json", &declared);
    demo.commit("first");
    std::fs::remove_file(&model).unwrap();
    demo.write("user/default/workflows/portrait.json", "{}");
    let run = demo.comfrey(["rollback", "HEAD"]).success();
    assert!(run.stdout.contains("missing    models/checkpoints/sd15.safetensors"), "{}", run.stdout);
    assert!(run.stdout.contains(&format!("to be had from {url}\n")), "{}", run.stdout);
    assert_eq!(demo.sandbox.read("ComfyUI/user/default/workflows/portrait.json"), declared.as_bytes());
    let named = run.stdout.lines().find_map(|line| line.trim().strip_prefix("comfrey ")).unwrap();
    demo.comfrey(named.split(' ').map(|word| word.trim_matches('"'))).success();
    assert_eq!(site.asked().len(), 1);
    demo.comfrey(["rollback", "HEAD"]).success();
    assert_eq!(std::fs::read(&model).unwrap(), bytes);
}

#[test]
fn what_no_snapshot_holds_stays_where_it_is() {
    let demo = with_two_versions();
    demo.write("custom_nodes/Second/.git/HEAD", "ref: refs/heads/main\n");
    demo.write("custom_nodes/Impact/.git/HEAD", "ref: refs/heads/main\n");
    std::fs::write(demo.cec().join(".comfreyignore"), "*.log\n").unwrap();
    demo.write("custom_nodes/Impact/sub/run.log", "log");
    demo.comfrey(["rollback", "v1"]).success();
    for path in ["Second.disabled/.git/HEAD", "Impact/.git/HEAD", "Impact/sub/run.log", "Impact/sub/deep.py"] {
        assert!(demo.exists(&format!("custom_nodes/{path}")), "{path}");
    }
    demo.comfrey(["undo"]).success();
    for path in ["Second/.git/HEAD", "Impact/.git/HEAD", "Impact/sub/run.log"] {
        assert!(demo.exists(&format!("custom_nodes/{path}")), "{path}");
    }
    assert!(!demo.exists("custom_nodes/Impact/sub/deep.py"));
}

#[test]
fn a_linked_node_is_left_alone() {
    if !links_can_be_made("a_linked_node_is_left_alone") {
        return;
    }
    let demo = Installation::new();
    demo.sandbox.write("elsewhere/__init__.py", "one = 1\n");
    symlink(demo.sandbox.join("elsewhere"), demo.comfyui().join("custom_nodes/Dev"));
    demo.commit("first");
    demo.sandbox.write("elsewhere/__init__.py", "two = 2\n");
    demo.write("user/default/workflows/portrait.json", "{}");
    let run = demo.comfrey(["rollback", "HEAD"]).success();
    assert!(run.stdout.contains("left alone nodes/Dev"), "{}", run.stdout);
    assert_eq!(demo.sandbox.read("elsewhere/__init__.py"), b"two = 2\n");
}

#[test]
fn while_comfyui_runs_nothing_is_rewritten() {
    let demo = with_two_versions();
    let Some(running) = StartedByHand::new("while_comfyui_runs_nothing_is_rewritten", &demo.comfyui()) else { return };
    assert_eq!(running_comfyui(&demo.comfyui().join("custom_nodes")), None);
    let files = demo.files();
    assert!(demo.comfrey(["rollback", "v1"]).fails_with(4).stderr.contains("is running"));
    assert_eq!(difference(&demo.files(), &files), Vec::<String>::new());
    demo.comfrey(["rollback", "v1", "--while-running"]).success();
    drop(running);
    assert_eq!(running_comfyui(&demo.comfyui()), None);
    demo.comfrey(["rollback", "v2"]).success();
}

/// The states that there may be: before and after, both whole.
fn check(demo: &Installation, before: &Files, after: &Files, what: &str) -> bool {
    let now = demo.files();
    let (to_before, to_after) = (difference(&now, before), difference(&now, after));
    assert!(to_before.is_empty() || to_after.is_empty(), "{what}: {to_before:?} and {to_after:?}");
    to_before.is_empty()
}

type Files = std::collections::BTreeMap<String, Vec<u8>>;

#[test]
fn a_fault_at_any_step_of_a_rollback_leaves_all_before_or_all_after_and_loses_nothing() {
    let demo = with_two_versions();
    edit(&demo);
    let before = demo.files();
    demo.comfrey(["rollback", "v1"]).success();
    let after = demo.files();
    demo.comfrey(["undo"]).success();
    for (manner, stride) in [("", 1), ("+", 3), ("!", 1)] {
        for k in (1..).step_by(stride) {
            let mut command = demo.command(["rollback", "v1"]);
            command.env("COMFREY_FAULT_AT", format!("{k}{manner}"));
            let run = Run::of(command);
            // The next command of any kind.
            let next = demo.comfrey(["operations"]).success();
            let what = format!("step {k}{manner}: {}\n{}", run.stderr, next.stderr);
            let was_undone = check(&demo, &before, &after, &what);
            assert!(run.code != 0 || !was_undone, "{what}");
            assert!(!demo.sandbox.join("work/environments/demo/journal.json").exists(), "{what}");
            if !was_undone {
                assert!(demo.comfrey(["operations"]).stdout.lines().next().unwrap().contains("rollback"), "{what}");
                demo.comfrey(["undo"]).success();
                assert_eq!(difference(&demo.files(), &before), Vec::<String>::new(), "{what}");
            }
            if run.code == 0 {
                break;
            }
        }
    }
}

#[test]
fn a_rollback_killed_at_random_moments_is_ended_by_the_next_command() {
    let rounds: u64 = std::env::var("COMFREY_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(30);
    let demo = with_two_versions();
    for n in 0..150 {
        demo.write(format!("custom_nodes/Impact/many/{n}.py"), format!("n = {n}\n"));
    }
    demo.commit("many");
    demo.write("custom_nodes/Impact/many/3.py", "edited\n");
    edit(&demo);
    let before = demo.files();
    let begun = std::time::Instant::now();
    demo.comfrey(["rollback", "v1"]).success();
    let whole = begun.elapsed();
    let after = demo.files();
    demo.comfrey(["undo"]).success();
    let mut seen = [0, 0];
    for round in 0..rounds {
        let mut child = demo.command(["rollback", "v1"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64((round as f64 * 0.618) % 1.0));
        // The process may have ended by itself.
        drop(child.kill());
        child.wait().unwrap();
        let next = demo.comfrey(["status", "--json"]).success();
        let was_undone = check(&demo, &before, &after, &format!("round {round}: {}", next.stderr));
        seen[usize::from(was_undone)] += 1;
        if !was_undone {
            demo.comfrey(["undo"]).success();
            assert_eq!(difference(&demo.files(), &before), Vec::<String>::new(), "round {round}");
        }
    }
    eprintln!("{rounds} rounds: {} ended after, {} before", seen[0], seen[1]);
}
