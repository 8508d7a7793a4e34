//! `merge` and `revert`: what each side changed is taken, what both changed is for a person to decide.

use serde_json::json;

use crate::documents::{documented, same_fields};
use crate::installation::{Installation, StartedByHand, difference, workflow};
use crate::own_python::OwnPython;
use crate::support::Run;

const PORTRAIT: &str = "user/default/workflows/portrait.json";

/// A branch `flux` with `theirs` committed, and `main` with `ours`, both from one version.
fn branches(theirs: impl FnOnce(&Installation), ours: impl FnOnce(&Installation)) -> Installation {
    let demo = Installation::new();
    demo.commit("first");
    demo.comfrey(["switch", "-c", "flux"]).success();
    theirs(&demo);
    demo.commit("on flux");
    demo.comfrey(["switch", "main"]).success();
    ours(&demo);
    demo.commit("on main");
    demo
}

/// Both sides changed something that the other did not.
fn apart() -> Installation {
    branches(
        |demo| {
            demo.write("user/default/workflows/sub/other.json", workflow("sd15.safetensors"));
            demo.write("user/default/workflows/new.json", workflow("sub/xl.safetensors"));
            demo.write("custom_nodes/Impact/__init__.py", "NODE_CLASS_MAPPINGS = {\"new\": 1}\n");
            demo.write("custom_nodes/Impact/added.py", "added = 1\n");
            std::fs::remove_dir_all(demo.comfyui().join("custom_nodes/Other")).unwrap();
            demo.write("custom_nodes/Flux/__init__.py", "flux = 1\n");
        },
        |demo| {
            demo.write(PORTRAIT, workflow("sub/xl.safetensors"));
            demo.write("custom_nodes/one.py", "z = 2\n");
        },
    )
}

/// `"vN"` of the current branch.
fn head(demo: &Installation) -> String {
    demo.comfrey(["rev-parse", "HEAD"]).success().line().to_owned()
}

#[test]
fn what_each_side_changed_is_in_the_merged_version_and_in_the_files() {
    let demo = apart();
    let (ours, theirs) = (head(&demo), demo.comfrey(["rev-parse", "flux"]).success().line().to_owned());
    let run = demo.comfrey(["merge", "flux"]).success();
    assert!(run.stdout.contains("[demo main] v3 ") && run.stdout.contains("Merge branch 'flux'"), "{}", run.stdout);
    for (path, text) in [
        (PORTRAIT, workflow("sub/xl.safetensors")),
        ("user/default/workflows/sub/other.json", workflow("sd15.safetensors")),
        ("user/default/workflows/new.json", workflow("sub/xl.safetensors")),
        ("custom_nodes/Impact/added.py", "added = 1\n".to_owned()),
        ("custom_nodes/Flux/__init__.py", "flux = 1\n".to_owned()),
        ("custom_nodes/one.py", "z = 2\n".to_owned()),
    ] {
        assert_eq!(std::fs::read_to_string(demo.comfyui().join(path)).unwrap(), text, "{path}");
    }
    // A node that they took away is off, as everywhere; the version does not have it.
    assert!(demo.exists("custom_nodes/Other.disabled") && !demo.exists("custom_nodes/Other"));
    let listed = demo.comfrey(["ls-tree", "-r", "HEAD"]).success().stdout;
    assert!(listed.contains("nodes/Flux/__init__.py") && !listed.contains("nodes/Other"), "{listed}");
    let log: serde_json::Value =
        serde_json::from_str(demo.comfrey(["log", "-n", "1", "--json"]).success().line()).unwrap();
    assert_eq!((&log["parents"], &log["message"]), (&json!([ours, theirs]), &json!("Merge branch 'flux'")));
    std::fs::remove_dir_all(demo.comfyui().join("custom_nodes/Other.disabled")).unwrap();
    // What a commit finds out of the files is what the merge said of them.
    let run = demo.comfrey(["commit", "-m", "again"]).success();
    assert!(run.stdout.starts_with("Nothing to commit"), "{}\n{}", run.stdout, demo.comfrey(["diff"]).stdout);
    let models = demo.comfrey(["show", "HEAD:pyproject.toml"]).success().stdout;
    assert!(
        models.contains("checkpoints/sub/xl.safetensors") && models.contains("checkpoints/sd15.safetensors"),
        "{models}"
    );
    demo.comfrey(["fsck"]).success();
}

#[test]
fn the_history_shows_both_parents_and_everything_that_walks_it_follows_them() {
    let demo = apart();
    demo.comfrey(["merge", "flux", "-m", "both"]).success();
    let log = demo.comfrey(["log"]).success().stdout;
    let flux = demo.comfrey(["rev-parse", "flux"]).success().line()[..10].to_owned();
    assert!(log.contains(&format!("Merge:  v2 {flux}\n")) && log.contains("    both\n"), "{log}");
    assert_eq!(demo.comfrey(["log", "--oneline"]).success().stdout.lines().count(), 4);
    assert_eq!(demo.comfrey(["log", "--oneline", "--first-parent"]).success().stdout.lines().count(), 3);
    let list = demo.comfrey(["rev-list", "--objects", "HEAD"]).success().stdout;
    assert_eq!(demo.comfrey(["rev-list", "HEAD"]).success().stdout.lines().count(), 4);
    // A pack of it is whole without the branch's own name.
    demo.comfrey(["branch", "-d", "flux"]).success();
    demo.comfrey(["fsck"]).success();
    let pack = demo.sandbox.shell("comfrey --workspace work rev-list --objects HEAD > list").success();
    assert_eq!(pack.code, 0);
    assert_eq!(String::from_utf8(demo.sandbox.read("list")).unwrap().lines().count(), list.lines().count());
    demo.sandbox.comfrey(["init", "elsewhere", "--no-input"]).success();
    demo.sandbox.shell("comfrey --workspace work pack < list > packed").success();
    demo.sandbox.shell("comfrey --workspace elsewhere unpack < packed").success();
    let id = head(&demo);
    let there = demo.sandbox.comfrey(["--workspace", "elsewhere", "rev-list", &id]).success().stdout;
    assert_eq!(there.lines().count(), 4);
}

#[test]
fn a_branch_that_is_only_ahead_is_gone_to_unless_a_version_of_its_own_is_wanted() {
    let demo = Installation::new();
    demo.commit("first");
    demo.comfrey(["switch", "-c", "flux"]).success();
    demo.write(PORTRAIT, workflow("sub/xl.safetensors"));
    let flux = demo.commit("on flux");
    let files = demo.comfyui_files();
    demo.comfrey(["switch", "main"]).success();
    let planned = demo.json(["merge", "flux", "--dry-run"]);
    assert_eq!(
        (&planned["result"], &planned["done"], &planned["version"]),
        (&json!("fast-forward"), &json!(false), &json!("v2"))
    );
    let run = demo.comfrey(["merge", "flux"]).success();
    assert!(run.stdout.contains("fast-forward to on flux"), "{}", run.stdout);
    assert_eq!((head(&demo), difference(&demo.comfyui_files(), &files)), (flux.clone(), vec![]));
    let run = demo.comfrey(["merge", "flux"]).success();
    assert!(run.stderr.contains("Nothing to merge: all of flux is in it already."), "{}", run.stderr);
    assert_eq!(demo.json(["merge", "v1"])["result"], "up-to-date");
    demo.comfrey(["undo"]).success();
    demo.comfrey(["merge", "flux", "--no-ff"]).success();
    assert_ne!(head(&demo), flux);
    assert_eq!(demo.comfrey(["rev-parse", "HEAD^2"]).success().line(), flux);
    assert_eq!(demo.comfrey(["diff", "HEAD", "flux"]).success().stdout, "");
}

#[test]
fn a_custom_node_is_taken_as_a_whole_and_both_versions_are_named() {
    let pack = |version: &str| format!("[project]\nname = \"comfyui-impact-pack\"\nversion = \"{version}\"\n");
    let demo = branches(
        |demo| {
            demo.write("custom_nodes/Impact/pyproject.toml", pack("9.0"));
            demo.write("custom_nodes/Impact/theirs.py", "t = 1\n");
            demo.write("custom_nodes/Other/__init__.py", "y = 3\n");
        },
        |demo| {
            demo.write("custom_nodes/Impact/pyproject.toml", pack("8.30"));
            demo.write("custom_nodes/Impact/ours.py", "o = 1\n");
            std::fs::remove_dir_all(demo.comfyui().join("custom_nodes/Other")).unwrap();
        },
    );
    let (files, before) = (demo.files(), head(&demo));
    let run = demo.comfrey(["merge", "flux"]).fails_with(4);
    for text in [
        "conflict   nodes/Impact: other files on each side",
        "ours   8.30 (files ",
        "theirs 9.0 (files ",
        "before 8.22.2 (files ",
    ] {
        assert!(run.stdout.contains(text), "{text} in\n{}", run.stdout);
    }
    assert!(run.stdout.contains("conflict   nodes/Other") && run.stdout.contains("ours   none"), "{}", run.stdout);
    assert!(
        run.stderr.contains("2 conflicts, and nothing was changed") && run.stderr.contains("--take-theirs"),
        "{}",
        run.stderr
    );
    assert_eq!((difference(&demo.files(), &files), head(&demo)), (vec![], before));
    let run = demo.comfrey(["merge", "flux", "--take-theirs", "Impact"]).fails_with(4);
    assert!(run.stderr.contains("1 conflict, and nothing was changed"), "{}", run.stderr);
    let run = demo.comfrey(["merge", "flux", "--take-theirs", "Impakt", "--ours"]).fails_with(3);
    assert!(
        run.stderr.contains("no conflict is called `Impakt`") && run.stderr.contains("did you mean `Impact`?"),
        "{}",
        run.stderr
    );
    demo.comfrey(["merge", "flux", "--take-theirs", "Impact", "--take-ours", "nodes/Other"]).success();
    assert!(demo.exists("custom_nodes/Impact/theirs.py") && !demo.exists("custom_nodes/Impact/ours.py"));
    assert!(!demo.exists("custom_nodes/Other"));
    let manifest = std::fs::read_to_string(demo.cec().join("pyproject.toml")).unwrap();
    assert!(manifest.contains("\"9.0\"") && !manifest.contains("\"8.30\""), "{manifest}");
    assert_eq!(demo.json(["status"])["clean"], true);
}

#[test]
fn going_between_branches_switches_nodes_off_and_merging_them_switches_them_on() {
    let demo = branches(
        |demo| demo.write("custom_nodes/Flux/__init__.py", "flux = 1\n"),
        // Committed as it lies there after the switch: off.
        |demo| demo.write(PORTRAIT, workflow("sub/xl.safetensors")),
    );
    assert!(demo.comfrey(["ls-tree", "-r", "HEAD"]).success().stdout.contains("nodes/Flux.disabled/__init__.py"));
    demo.comfrey(["merge", "flux"]).success();
    assert!(demo.exists("custom_nodes/Flux") && !demo.exists("custom_nodes/Flux.disabled"));
    assert_eq!(demo.json(["status"])["clean"], true);
}

#[test]
fn undo_takes_a_merge_back_and_redo_brings_it_again() {
    let demo = apart();
    let (before, at) = (demo.files(), head(&demo));
    demo.comfrey(["merge", "flux"]).success();
    let (after, merged) = (demo.files(), head(&demo));
    demo.comfrey(["undo"]).success();
    assert_eq!((difference(&demo.files(), &before), head(&demo)), (vec![], at));
    demo.comfrey(["redo"]).success();
    assert_eq!((difference(&demo.files(), &after), head(&demo)), (vec![], merged));
}

#[test]
fn a_dry_run_says_it_and_changes_nothing_and_the_json_is_as_documented() {
    let demo = apart();
    let (files, operations) = (demo.files(), demo.comfrey(["operations"]).success().stdout);
    let run = demo.comfrey(["merge", "flux", "--dry-run"]).success();
    for text in
        ["enable     nodes/Flux.disabled -> nodes/Flux", "disable    nodes/Other", "v3 would be: Merge branch 'flux'"]
    {
        assert!(run.stdout.contains(text), "{text} in\n{}", run.stdout);
    }
    let planned = demo.json(["merge", "flux", "--dry-run"]);
    assert_eq!((demo.files(), demo.comfrey(["operations"]).success().stdout), (files, operations));
    let documented = documented("merge, revert");
    // Steps are those of a rollback, each kind with fields of its own.
    let without_steps = |mut value: serde_json::Value| {
        value["steps"] = json!([]);
        value
    };
    same_fields("merge", &without_steps(documented["merged"].clone()), &without_steps(planned.clone()));
    assert!(planned["id"].is_null() && planned["done"] == false);
    let done = demo.json(["merge", "flux"]);
    assert_eq!((&done["merged"], &done["steps"]), (&planned["merged"], &planned["steps"]));
    assert_eq!(done["id"], json!(head(&demo)));
    let demo = branches(|demo| demo.write(PORTRAIT, "theirs"), |demo| demo.write(PORTRAIT, "ours"));
    let conflicts = demo.comfrey(["merge", "flux", "--json"]).fails_with(4);
    let conflicts: serde_json::Value = serde_json::from_str(conflicts.line()).unwrap();
    same_fields("merge", &documented["conflicts"], &conflicts);
    assert_eq!(conflicts["conflicts"][0]["name"], "workflows/portrait.json");
    demo.comfrey(["merge", "flux", "--theirs"]).success();
    assert_eq!(std::fs::read_to_string(demo.comfyui().join(PORTRAIT)).unwrap(), "theirs");
}

#[test]
fn what_was_not_committed_is_not_merged_over() {
    let demo = apart();
    demo.write("user/default/workflows/mine.json", workflow("unsaved.safetensors"));
    let files = demo.files();
    for words in [&["merge", "flux"][..], &["merge", "flux", "--dry-run"], &["revert", "HEAD"]] {
        let run = demo.comfrey(words.iter().copied()).fails_with(4);
        assert!(run.stderr.contains("workflows/mine.json would be left behind, not committed"), "{}", run.stderr);
    }
    assert_eq!(demo.files(), files);
    demo.comfrey(["merge", "flux", "--discard-changes"]).success();
    assert!(!demo.exists("user/default/workflows/mine.json"));
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.files(), &files), Vec::<String>::new());
}

#[test]
fn while_comfyui_runs_nothing_is_merged() {
    let demo = apart();
    let test = "while_comfyui_runs_nothing_is_merged";
    let Some(_running) = StartedByHand::new(test, &demo.comfyui()) else { return };
    let files = demo.files();
    assert!(demo.comfrey(["merge", "flux"]).fails_with(4).stderr.contains("is running"));
    assert_eq!(difference(&demo.files(), &files), Vec::<String>::new());
    demo.comfrey(["merge", "flux", "--while-running"]).success();
}

#[test]
fn branches_that_were_merged_crosswise_are_merged_again() {
    let demo = branches(
        |demo| demo.write("user/default/workflows/theirs.json", workflow("sd15.safetensors")),
        |demo| demo.write("user/default/workflows/ours.json", workflow("sd15.safetensors")),
    );
    // Each into the other, from before the other's merge.
    demo.comfrey(["branch", "old-main"]).success();
    demo.comfrey(["merge", "flux"]).success();
    demo.comfrey(["switch", "flux"]).success();
    demo.comfrey(["merge", "old-main"]).success();
    demo.write(PORTRAIT, workflow("sub/xl.safetensors"));
    demo.commit("more on flux");
    demo.comfrey(["switch", "main"]).success();
    demo.write("custom_nodes/one.py", "z = 9\n");
    demo.commit("more on main");
    let merged = demo.json(["merge", "flux"]);
    assert_eq!((&merged["result"], &merged["conflicts"]), (&json!("merged"), &json!([])));
    assert_eq!(std::fs::read_to_string(demo.comfyui().join(PORTRAIT)).unwrap(), workflow("sub/xl.safetensors"));
    assert_eq!(std::fs::read_to_string(demo.comfyui().join("custom_nodes/one.py")).unwrap(), "z = 9\n");
    let again = demo.json(["merge", "flux"]);
    assert_eq!(again["result"], "up-to-date");
}

#[test]
fn a_version_that_has_nothing_in_common_is_merged_where_nothing_differs() {
    let demo = Installation::new();
    demo.commit("first");
    // The same files but one and one more, from nobody.
    let tree = demo.comfrey(["write-tree", "../ComfyUI/user/default/workflows"]).success().line().to_owned();
    demo.sandbox.write("other/workflows/portrait.json", workflow("sd15.safetensors"));
    demo.sandbox.write("other/workflows/stranger.json", workflow("sd15.safetensors"));
    let stranger = demo.comfrey(["write-tree", "../other"]).success().line().to_owned();
    assert_ne!(tree, stranger);
    let id = demo.comfrey(["commit-tree", &stranger, "-m", "stranger"]).success().line().to_owned();
    let run = demo.comfrey(["merge", &id, "--dry-run"]).success();
    assert!(run.stderr.contains("no version in common"), "{}", run.stderr);
    demo.comfrey(["merge", &id]).success();
    assert!(
        demo.exists("user/default/workflows/stranger.json") && demo.exists("user/default/workflows/sub/other.json")
    );
    assert!(demo.exists("custom_nodes/Impact/__init__.py"));
    let log = demo.comfrey(["log", "-n", "1"]).success().stdout;
    assert!(log.contains(&format!("    Merge '{id}'")), "{log}");
}

#[test]
fn revert_takes_back_one_version_and_leaves_what_came_after_it() {
    let demo = Installation::new();
    demo.commit("first");
    demo.write(PORTRAIT, workflow("sub/xl.safetensors"));
    demo.write("custom_nodes/Second/__init__.py", "second = 1\n");
    demo.commit("second");
    demo.write("user/default/workflows/later.json", workflow("sd15.safetensors"));
    demo.commit("later");
    let run = demo.comfrey(["revert", "v2"]).success();
    assert!(run.stdout.contains("v4 ") && run.stdout.contains("Revert \"second\""), "{}", run.stdout);
    assert_eq!(std::fs::read_to_string(demo.comfyui().join(PORTRAIT)).unwrap(), workflow("sd15.safetensors"));
    assert!(demo.exists("user/default/workflows/later.json") && demo.exists("custom_nodes/Second.disabled"));
    assert_eq!(
        demo.comfrey(["rev-parse", "HEAD^"]).success().line(),
        demo.comfrey(["rev-parse", "v3"]).success().line()
    );
    let run = demo.comfrey(["revert", "v2"]).success();
    assert!(run.stderr.contains("Nothing to take back"), "{}", run.stderr);
    // The last one, and with that what it took back.
    demo.comfrey(["revert", "HEAD"]).success();
    assert_eq!(demo.comfrey(["diff", "v3", "HEAD"]).success().stdout, "");
    assert!(demo.exists("custom_nodes/Second"));
    let run = demo.comfrey(["revert", "v1"]).fails_with(4);
    assert!(run.stderr.contains("v1 is the first version"), "{}", run.stderr);
}

#[test]
fn of_a_merge_it_has_to_be_said_which_parent_to_go_back_to() {
    let demo = apart();
    let run = demo.comfrey(["revert", "HEAD", "--mainline", "2"]).fails_with(2);
    assert!(run.stderr.contains("v2 is no merge"), "{}", run.stderr);
    demo.comfrey(["merge", "flux"]).success();
    let run = demo.comfrey(["revert", "HEAD"]).fails_with(2);
    assert!(
        run.stderr.contains("v3 is a merge of 2 versions") && run.stderr.contains("--mainline 1"),
        "{}",
        run.stderr
    );
    demo.comfrey(["revert", "HEAD", "--mainline", "1"]).success();
    assert_eq!(demo.comfrey(["diff", "v2", "HEAD"]).success().stdout, "");
    assert_eq!(
        demo.comfrey(["log", "-n", "1"]).success().stdout.lines().filter(|line| line.starts_with("Merge:")).count(),
        0
    );
}

#[test]
fn before_the_first_version_there_is_nothing_to_merge_into() {
    let demo = Installation::new();
    demo.commit("first");
    let id = head(&demo);
    demo.comfrey(["undo"]).success();
    let run = demo.comfrey(["merge", &id]).fails_with(3);
    assert!(run.stderr.contains("there is no version to merge into yet"), "{}", run.stderr);
    demo.comfrey(["merge", "nowhere"]).fails_with(3);
}

/// The editor's format: a loader, and a sampler with named widgets behind it.
fn graph(checkpoint: &str, steps: u32, cfg: u32, more: &str) -> String {
    format!(
        r#"{{"last_node_id":4,"last_link_id":1,"nodes":[
  {{"id":4,"type":"CheckpointLoaderSimple","pos":[0,0],"inputs":[],"outputs":[{{"name":"MODEL","type":"MODEL","links":[1]}}],"widgets_values":["{checkpoint}"]}},
  {{"id":3,"type":"KSampler","title":"Base","pos":[300,0],"inputs":[{{"name":"model","type":"MODEL","link":1}},{{"name":"steps","type":"INT","widget":{{"name":"steps"}},"link":null}},{{"name":"cfg","type":"FLOAT","widget":{{"name":"cfg"}},"link":null}}],"outputs":[],"widgets_values":[{steps}, {cfg}]}}{more}
],"links":[[1,4,0,3,0,"MODEL"]],"version":0.4}}
"#
    )
}

/// Two branches of the two workflows.
fn edited(base: [&str; 2], theirs: [&str; 2], ours: [&str; 2]) -> Installation {
    let demo = Installation::new();
    let second = "user/default/workflows/sub/other.json";
    let write = |[portrait, other]: [&str; 2], message: &str| {
        demo.write(PORTRAIT, portrait);
        demo.write(second, other);
        demo.commit(message);
    };
    write(base, "first");
    demo.comfrey(["switch", "-c", "flux"]).success();
    write(theirs, "on flux");
    demo.comfrey(["switch", "main"]).success();
    write(ours, "on main");
    demo
}

#[test]
fn two_workflows_are_merged_by_node_and_widget_on_our_bytes() {
    let base = graph("sd15.safetensors", 20, 8, "");
    let lora = r#",
  {"id":5,"type":"CheckpointLoaderSimple","pos":[1,1],"outputs":[],"widgets_values":["sub/xl.safetensors"]}"#;
    let note = |text: &str| format!(",\n  {{\"id\":5,\"type\":\"Note\",\"widgets_values\":[\"{text}\"]}}");
    let demo = edited(
        [&base, &base],
        [&graph("sd15.safetensors", 30, 8, lora), &graph("sub/xl.safetensors", 20, 8, "")],
        [&graph("sd15.safetensors", 20, 7, &note("mine")), &graph("sd15.safetensors", 25, 8, "")],
    );
    let merged = demo.json(["merge", "flux"]);
    assert_eq!(merged["conflicts"], json!([]));
    assert!(merged["merged"].as_array().unwrap().contains(&json!({"path":"workflows/portrait.json","from":"both"})));
    let renumbered = lora.replace("\"id\":5", "\"id\":6");
    let expected = graph("sd15.safetensors", 30, 7, &(note("mine") + &renumbered))
        .replace("\"last_node_id\":4", "\"last_node_id\":6");
    let text = |path: &str| std::fs::read_to_string(demo.comfyui().join(path)).unwrap();
    assert_eq!(text(PORTRAIT), expected);
    assert_eq!(text("user/default/workflows/sub/other.json"), graph("sub/xl.safetensors", 25, 8, ""));
    let told = demo.comfrey(["workflow", "diff", "v2:workflows/portrait.json", "portrait"]).success().stdout;
    assert!(
        told.contains("steps: 20 → 30") && told.contains("+ 6 CheckpointLoaderSimple") && !told.contains("cfg"),
        "{told}"
    );
    // What the manifest says of the models of both is what a commit finds.
    let run = demo.comfrey(["commit", "-m", "again"]).success();
    assert!(run.stdout.starts_with("Nothing to commit"), "{}\n{}", run.stdout, demo.comfrey(["diff"]).stdout);
    assert_eq!(std::fs::read(demo.cec().join("workflows/portrait.json")).unwrap(), expected.as_bytes());
}

#[test]
fn a_widget_that_both_changed_is_a_conflict_with_both_values_and_can_be_decided_by_name() {
    let base = graph("sd15.safetensors", 20, 8, "");
    let (theirs, ours) = (graph("sub/xl.safetensors", 30, 9, ""), graph("gone.safetensors", 25, 8, ""));
    let demo = edited([&base, &base], [&theirs, &theirs], [&ours, &base]);
    let files = demo.files();
    let run = demo.comfrey(["merge", "flux"]).fails_with(4);
    let expected = "  conflict   workflows/portrait.json#3:steps: KSampler \"Base\"
               before 20
               ours   25
               theirs 30
  conflict   workflows/portrait.json#4:0: CheckpointLoaderSimple
               before \"sd15.safetensors\"
               ours   \"gone.safetensors\"
               theirs \"sub/xl.safetensors\"
";
    assert_eq!(run.stdout, expected);
    assert!(run.stderr.contains("2 conflicts, and nothing was changed"), "{}", run.stderr);
    assert_eq!(difference(&demo.files(), &files), Vec::<String>::new());
    let printed = demo.comfrey(["merge", "flux", "--json"]).fails_with(4);
    let printed: serde_json::Value = serde_json::from_str(printed.line()).unwrap();
    same_fields("conflict", &documented("merge, revert")["conflict"], &printed["conflicts"][0]);
    let words = ["merge", "flux", "--take-theirs", "portrait#3:steps", "--take-ours", "workflows/portrait.json#4:0"];
    let run = demo.comfrey(words).success();
    assert!(run.stdout.contains("theirs     workflows/portrait.json#3:steps"), "{}", run.stdout);
    let text = std::fs::read_to_string(demo.comfyui().join(PORTRAIT)).unwrap();
    assert_eq!(text, graph("gone.safetensors", 30, 9, ""));
    assert_eq!(demo.json(["status"])["clean"], true);
    demo.comfrey(["undo"]).success();
    demo.comfrey(["merge", "flux", "--take-theirs", "portrait"]).success();
    assert_eq!(std::fs::read_to_string(demo.comfyui().join(PORTRAIT)).unwrap(), theirs);
}

/// All answers of one text were those of its first name.
#[test]
fn several_models_that_one_text_names_keep_an_answer_each() {
    let text = r#",
  {"id":5,"type":"CLIPTextEncode","widgets_values":["a <lora:ink:1> and <lora:oil:0.5>, embedding:neat"]}"#;
    let of = |steps, cfg| graph("sd15.safetensors", steps, cfg, text);
    let base = of(20, 8);
    let demo = edited([&base, &base], [&of(30, 8), &base], [&of(20, 7), &base]);
    demo.comfrey(["merge", "flux"]).success();
    assert_eq!(std::fs::read_to_string(demo.comfyui().join(PORTRAIT)).unwrap(), of(30, 7));
    let manifest = std::fs::read_to_string(demo.cec().join("pyproject.toml")).unwrap();
    assert!(["ink", "oil", "neat"].iter().all(|name| manifest.contains(&format!("name = \"{name}\""))), "{manifest}");
    let run = demo.comfrey(["commit", "-m", "again"]).success();
    assert!(run.stdout.starts_with("Nothing to commit"), "{}", run.stdout);
}

#[test]
fn a_workflow_that_cannot_be_read_or_understood_is_one_conflict() {
    let base = graph("sd15.safetensors", 20, 8, "");
    let twice = graph("sd15.safetensors", 20, 8, ",{\"id\":4,\"type\":\"Note\"}");
    let other = graph("sd15.safetensors", 21, 8, "");
    let demo = edited([&base, &base], ["{\"nodes\": [", &twice], [&other, &other]);
    let run = demo.comfrey(["merge", "flux", "--json"]).fails_with(4);
    let printed: serde_json::Value = serde_json::from_str(run.line()).unwrap();
    let names: Vec<_> = printed["conflicts"].as_array().unwrap().iter().map(|c| (&c["kind"], &c["name"])).collect();
    let workflow = json!("workflow");
    assert_eq!(
        names,
        [(&workflow, &json!("workflows/portrait.json")), (&workflow, &json!("workflows/sub/other.json"))]
    );
}

#[test]
fn revert_takes_back_a_value_and_leaves_what_was_changed_beside_it() {
    let demo = Installation::new();
    for (steps, cfg, message) in [(20, 8, "first"), (30, 8, "more steps"), (30, 5, "less cfg")] {
        demo.write(PORTRAIT, graph("sd15.safetensors", steps, cfg, ""));
        demo.commit(message);
    }
    demo.comfrey(["revert", "v2"]).success();
    let text = |demo: &Installation| std::fs::read_to_string(demo.comfyui().join(PORTRAIT)).unwrap();
    assert_eq!(text(&demo), graph("sd15.safetensors", 20, 5, ""));
    demo.write(PORTRAIT, graph("sd15.safetensors", 40, 5, ""));
    demo.commit("many steps");
    let run = demo.comfrey(["revert", "v2"]).fails_with(4);
    assert!(run.stdout.contains("workflows/portrait.json#3:steps: KSampler \"Base\"\n               before 30\n               ours   40\n               theirs 20\n"), "{}", run.stdout);
}

type Files = std::collections::BTreeMap<String, Vec<u8>>;

/// The states that there may be: before and after, both whole. True for before.
fn check(demo: &Installation, before: &(Files, String), after: &(Files, String), what: &str) -> bool {
    let now = (demo.files(), head(demo));
    let differs = |other: &(Files, String)| (difference(&now.0, &other.0), now.1 != other.1);
    let (to_before, to_after) = (differs(before), differs(after));
    let none = (vec![], false);
    assert!(to_before == none || to_after == none, "{what}: {to_before:?} and {to_after:?}");
    to_before == none
}

#[test]
fn a_fault_at_any_step_of_a_merge_leaves_all_before_or_all_after_and_loses_nothing() {
    let demo = apart();
    let before = (demo.files(), head(&demo));
    demo.comfrey(["merge", "flux"]).success();
    let after = (demo.files(), head(&demo));
    demo.comfrey(["undo"]).success();
    for (manner, stride) in [("", 1), ("+", 3), ("!", 2)] {
        for k in (1..).step_by(stride) {
            let mut command = demo.command(["merge", "flux"]);
            command.env("COMFREY_FAULT_AT", format!("{k}{manner}"));
            let run = Run::of(command);
            // The next command of any kind.
            let next = demo.comfrey(["operations"]).success();
            let what = format!("step {k}{manner}: {}\n{}", run.stderr, next.stderr);
            let was_undone = check(&demo, &before, &after, &what);
            assert!(run.code != 0 || !was_undone, "{what}");
            assert!(!demo.sandbox.join("work/environments/demo/journal.json").exists(), "{what}");
            if !was_undone {
                demo.comfrey(["undo"]).success();
                assert_eq!(difference(&demo.files(), &before.0), Vec::<String>::new(), "{what}");
            }
            if run.code == 0 {
                break;
            }
        }
    }
}

#[test]
fn requirements_of_both_sides_are_resolved_together_and_those_that_disagree_are_named() {
    let Some(own) = OwnPython::wanting("torch\n") else { return };
    own.comfrey(["sync", "--own-python"]).success();
    own.comfrey(["commit", "-m", "first"]).success();
    own.comfrey(["switch", "-c", "flux"]).success();
    own.comfrey(["py", "add", "rich"]).success();
    own.comfrey(["commit", "-m", "rich"]).success();
    own.comfrey(["switch", "main"]).success();
    own.comfrey(["py", "add", "bar"]).success();
    own.comfrey(["commit", "-m", "bar"]).success();
    assert!(!own.installed().contains(&"rich 1.0".to_owned()));
    own.comfrey(["merge", "flux"]).success();
    let installed = own.installed();
    for package in ["rich 1.0", "bar 1.0", "foo 1.0", "colour 0.5", "torch 2.9.0"] {
        assert!(installed.contains(&package.to_owned()), "{package} in {installed:?}");
    }
    assert_eq!(own.json(["status"])["clean"], true);
    own.comfrey(["undo"]).success();
    assert!(!own.installed().contains(&"rich 1.0".to_owned()));
    // `bar` wants an older foo than `baz`.
    own.comfrey(["switch", "flux"]).success();
    own.comfrey(["py", "add", "baz"]).success();
    own.comfrey(["commit", "-m", "baz"]).success();
    own.comfrey(["switch", "main"]).success();
    let files = own.files();
    let run = own.comfrey(["merge", "flux"]).fails_with(4);
    assert!(run.stderr.contains("bar") && run.stderr.contains("baz"), "{}", run.stderr);
    assert_eq!(difference(&own.files(), &files), Vec::<String>::new());
}
