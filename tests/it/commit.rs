//! `status`, `commit` and the working state's `diff`.

use crate::installation::{Installation, workflow};
use crate::trial::{Closed, links_can_be_made, symlink};

#[test]
fn the_first_commit_records_workflows_nodes_and_the_models_in_use() {
    let demo = Installation::new();
    let before = demo.comfyui_files();
    let run = demo.comfrey(["commit", "-m", "first"]).success();
    assert!(run.stdout.starts_with("[demo main] v1 "), "{}", run.stdout);
    assert!(run.stdout.contains("2 models in use, 3.0 MB"), "{}", run.stdout);
    assert_eq!(demo.comfyui_files(), before, "ComfyUI's folder is not touched");
    let tree = demo.comfrey(["ls-tree", "-r", "HEAD"]).success().stdout;
    for line in [
        "\tpyproject.toml",
        "\tworkflows/portrait.json",
        "\tworkflows/.index.json",
        "\tusers/bob/workflows/his.json",
        "\tnodes/Impact/sub/deep.py",
        "\tnodes/one.py",
        "\tmodels/checkpoints/sd15.safetensors",
        "\tmodels/checkpoints/sub/xl.safetensors",
    ] {
        assert!(tree.contains(line), "{line} in\n{tree}");
    }
    assert!(!tree.contains("__pycache__"), "{tree}");
    assert!(tree.lines().filter(|line| line.contains("models/")).all(|line| line.starts_with("model ")), "{tree}");
    let copy = std::fs::read(demo.cec().join("workflows/portrait.json")).unwrap();
    assert_eq!(copy, workflow("sd15.safetensors").as_bytes());
    assert!(demo.cec().join("users/bob/workflows/his.json").is_file());
    let manifest = std::fs::read_to_string(demo.cec().join("pyproject.toml")).unwrap();
    for text in [
        "name = \"comfrey-env-demo\"",
        "[tool.comfrey.nodes.Impact]\nsource = \"registry\"\nid = \"comfyui-impact-pack\"\nversion = \"8.22.2\"",
        "[tool.comfrey.nodes.\"one.py\"]\nsource = \"manual\"",
        "[tool.comfrey.workflows.\"sub/other\"]\npath = \"workflows/sub/other.json\"",
        "[tool.comfrey.workflows.\"users/bob/his\"]",
        "path = \"checkpoints/sd15.safetensors\"\nsize = 3000000",
        "version = \"0.3.64\"",
    ] {
        assert!(manifest.contains(text), "{text} in\n{manifest}");
    }
    assert_eq!(demo.comfrey(["show", "HEAD:pyproject.toml"]).success().stdout, manifest);
}

#[test]
fn nothing_changed_is_said_and_recorded_as_nothing() {
    let demo = Installation::new();
    let first = demo.commit("first");
    let files = demo.files();
    let run = demo.comfrey(["commit", "-m", "again"]).success();
    assert_eq!(run.stdout, "Nothing to commit: all is as in v1.\n");
    demo.comfrey(["commit", "-m", "again", "--exit-code"]).fails_with(1);
    demo.comfrey(["status", "--exit-code"]).success();
    assert_eq!(demo.json(["commit", "-m", "again"])["id"], first);
    assert_eq!(demo.files(), files);
    assert_eq!(demo.comfrey(["log", "--oneline"]).success().stdout.lines().count(), 1);
}

#[test]
fn status_names_every_kind_of_change_and_what_to_type_next() {
    let demo = Installation::new();
    let run = demo.comfrey(["status"]).success();
    assert!(run.stdout.contains("no version yet"), "{}", run.stdout);
    assert!(run.stdout.contains("comfrey commit -m MESSAGE"), "{}", run.stdout);
    demo.commit("first");
    let run = demo.comfrey(["status"]).success();
    assert!(run.stdout.ends_with("Workflows and custom nodes are as in v1.\n"), "{}", run.stdout);
    demo.write("user/default/workflows/new.json", workflow("absent.safetensors"));
    demo.write("user/default/workflows/portrait.json", workflow("sub/xl.safetensors"));
    demo.write("user/default/workflows/broken.json", "{\"nodes\": [\n}");
    std::fs::remove_file(demo.comfyui().join("user/bob/workflows/his.json")).unwrap();
    demo.write("custom_nodes/Added/__init__.py", "");
    demo.write("custom_nodes/Impact/__init__.py", "patched = True\n");
    std::fs::rename(demo.comfyui().join("custom_nodes/Other"), demo.comfyui().join("custom_nodes/Other.disabled"))
        .unwrap();
    std::fs::remove_file(demo.comfyui().join("custom_nodes/one.py")).unwrap();
    std::fs::remove_file(demo.comfyui().join("models/checkpoints/sd15.safetensors")).unwrap();
    demo.write_model("checkpoints/sub/xl.safetensors", 20_000, 9);
    demo.write("comfyui_version.py", "__version__ = \"0.3.65\"\n");
    let found = demo.json(["status"]);
    let names = |part: &str, list: &str| {
        found[part][list].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("workflows", "added"), ["workflows/broken.json", "workflows/new.json"]);
    assert_eq!(names("workflows", "modified"), ["workflows/portrait.json"]);
    assert_eq!(names("workflows", "deleted"), ["users/bob/workflows/his.json"]);
    assert_eq!(names("nodes", "added"), ["Added"]);
    assert_eq!(names("nodes", "modified"), ["Impact"]);
    assert_eq!(names("nodes", "disabled"), ["Other"]);
    assert_eq!(names("nodes", "removed"), ["one.py"]);
    assert_eq!(found["models"]["missing"][0]["path"], "checkpoints/sd15.safetensors");
    assert_eq!(found["models"]["missing"][0]["in_store"], true);
    assert_eq!(found["models"]["changed"][0]["path"], "checkpoints/sub/xl.safetensors");
    assert_eq!(found["comfyui"]["changed"], true);
    assert_eq!(found["clean"], false);
    assert_eq!(
        (&found["environment"], &found["branch"], &found["head"]["version"]),
        (&"demo".into(), &"main".into(), &"v1".into())
    );
    let open = found["unresolved"].as_array().unwrap();
    assert_eq!(
        (open.len(), &open[0]["value"], &open[0]["status"]),
        (1, &"absent.safetensors".into(), &"missing".into())
    );
    assert!(found["unreadable"][0]["reason"].as_str().unwrap().contains("line 2"), "{found}");
    let run = demo.comfrey(["status", "--exit-code"]).fails_with(1);
    for text in ["changed   workflows/portrait.json", "disabled  Other", "comfrey rollback HEAD"] {
        assert!(run.stdout.contains(text), "{text} in\n{}", run.stdout);
    }
}

#[test]
fn diff_compares_the_working_state_with_the_last_commit() {
    let demo = Installation::new();
    demo.commit("first");
    assert_eq!(demo.comfrey(["diff"]).success().stdout, "");
    demo.write("user/default/workflows/portrait.json", "{}");
    demo.write("custom_nodes/Impact/new.py", "");
    let run = demo.comfrey(["diff", "--exit-code"]).fails_with(1);
    assert!(run.stdout.contains("M\tworkflows/portrait.json\n"), "{}", run.stdout);
    assert!(run.stdout.contains("A\tnodes/Impact/new.py\n"), "{}", run.stdout);
}

#[test]
fn a_dry_run_says_what_a_commit_would_record_and_records_nothing() {
    let demo = Installation::new();
    let files = demo.files();
    let run = demo.comfrey(["commit", "--dry-run"]).success();
    assert!(run.stdout.starts_with("[demo main] v1 would record:\n"), "{}", run.stdout);
    assert_eq!(demo.files(), files);
    let shown = demo.comfrey(["commit", "--show-manifest"]).success().stdout;
    let planned = demo.json(["commit", "--dry-run"])["tree"].as_str().unwrap().to_owned();
    demo.commit("first");
    assert_eq!(std::fs::read_to_string(demo.cec().join("pyproject.toml")).unwrap(), shown);
    assert_eq!(demo.comfrey(["rev-parse", "HEAD:"]).success().line(), planned);
}

#[test]
fn a_file_that_is_no_workflow_is_kept_and_named_and_the_rest_goes_on() {
    let demo = Installation::new();
    demo.write("user/default/workflows/broken.json", "{\"nodes\": [\n}");
    demo.write("user/default/workflows/else.json", "[1]");
    let run = demo.comfrey(["commit", "-m", "first"]).success();
    assert!(run.stderr.contains("workflows/broken.json: not JSON: line 2"), "{}", run.stderr);
    assert!(run.stderr.contains("workflows/else.json: JSON, but no workflow"), "{}", run.stderr);
    assert_eq!(demo.comfrey(["show", "HEAD:workflows/broken.json"]).success().stdout, "{\"nodes\": [\n}");
    assert!(demo.comfrey(["ls-tree", "-r", "HEAD"]).success().stdout.contains("models/checkpoints/sd15.safetensors"));
}

#[test]
fn node_types_without_a_package_are_recorded_as_open_until_someone_says_what_they_are() {
    let demo = Installation::new();
    let flow = r#"{"nodes":[{"id":1,"type":"Mystery Node","widgets_values":[]}],"links":[]}"#;
    demo.sandbox.write("ComfyUI/user/default/workflows/mystery.json", flow);
    let run = demo.comfrey(["commit", "-m", "first"]).success();
    let told = "warning: workflows/mystery.json: node type Mystery Node: no package is known";
    assert!(run.stderr.contains(told), "{}", run.stderr);
    let manifest = || std::fs::read_to_string(demo.cec().join("pyproject.toml")).unwrap();
    assert!(manifest().contains(r#"nodes = { "Mystery Node" = { status = "unresolved" } }"#), "{}", manifest());
    assert_eq!(demo.comfrey(["commit", "-m", "again"]).success().stdout, "Nothing to commit: all is as in v1.\n");
    let open = &demo.json(["commit", "-m", "again"])["unresolved_types"][0];
    assert_eq!((&open["type"], &open["status"]), (&"Mystery Node".into(), &"missing".into()));
    // Once it is said, it is no longer open; and a type that has gone is forgotten.
    let answers = demo.sandbox.write("answers.toml", "[[node]]\ntype = 'Mystery Node'\nskip = true\n");
    demo.comfrey(["workflow", "resolve", "--answers", answers.to_str().unwrap()]).success();
    assert!(manifest().contains(r#"nodes = { "Mystery Node" = false }"#), "{}", manifest());
    let run = demo.comfrey(["commit", "-m", "said"]).success();
    assert!(!run.stderr.contains("Mystery Node"), "{}", run.stderr);
    demo.sandbox.write("ComfyUI/user/default/workflows/mystery.json", flow.replace("Mystery Node", "KSampler"));
    demo.comfrey(["commit", "-m", "gone"]).success();
    assert!(!manifest().contains("Mystery Node"), "{}", manifest());
}

#[test]
fn a_folder_that_may_not_be_read_is_named_and_the_rest_goes_on() {
    let demo = Installation::new();
    let folder = demo.comfyui().join("custom_nodes/Other");
    let Some(closed) = Closed::new("a_folder_that_may_not_be_read_is_named", folder) else { return };
    let run = demo.comfrey(["commit", "-m", "first"]).fails_with(3);
    drop(closed);
    assert!(run.stderr.contains("custom_nodes/Other"), "{}", run.stderr);
    assert!(demo.comfrey(["ls-tree", "-r", "HEAD"]).success().stdout.contains("nodes/Impact/__init__.py"));
}

#[test]
fn links_that_lead_in_a_circle_are_links_and_a_linked_node_is_its_files() {
    if !links_can_be_made("links_that_lead_in_a_circle_are_links") {
        return;
    }
    let demo = Installation::new();
    let node = demo.comfyui().join("custom_nodes/Impact");
    symlink(".", node.join("loop"));
    demo.sandbox.write("elsewhere/__init__.py", "dev = True\n");
    symlink(demo.sandbox.join("elsewhere"), demo.comfyui().join("custom_nodes/Dev"));
    demo.commit("first");
    let tree = demo.comfrey(["ls-tree", "-r", "HEAD"]).success().stdout;
    assert!(tree.lines().any(|line| line.starts_with("symlink ") && line.ends_with("\tnodes/Impact/loop")), "{tree}");
    assert!(tree.contains("\tnodes/Dev/__init__.py"), "{tree}");
    let manifest = std::fs::read_to_string(demo.cec().join("pyproject.toml")).unwrap();
    assert!(manifest.contains("[tool.comfrey.nodes.Dev]\nsource = \"development\""), "{manifest}");
    demo.comfrey(["status", "--exit-code"]).success();
}

#[test]
fn weights_in_a_node_are_model_entries() {
    let demo = Installation::new();
    demo.write("custom_nodes/Impact/weights.pth", vec![7; 2_000_000]);
    demo.commit("first");
    let tree = demo.comfrey(["ls-tree", "-r", "HEAD"]).success().stdout;
    assert!(
        tree.lines().any(|line| line.starts_with("model ") && line.ends_with("\tnodes/Impact/weights.pth")),
        "{tree}"
    );
}

#[test]
fn a_model_that_went_away_is_remembered_where_the_workflow_still_names_it() {
    let demo = Installation::new();
    demo.commit("first");
    std::fs::remove_file(demo.comfyui().join("models/checkpoints/sd15.safetensors")).unwrap();
    demo.write("user/default/workflows/third.json", workflow("sub/xl.safetensors"));
    demo.commit("second");
    let tree = demo.comfrey(["ls-tree", "-r", "HEAD"]).success().stdout;
    assert!(tree.contains("\tmodels/checkpoints/sd15.safetensors"), "{tree}");
    assert_eq!(demo.json(["status"])["models"]["missing"].as_array().unwrap().len(), 1);
}

#[test]
fn a_hand_edited_manifest_keeps_its_comments_and_a_broken_one_stops_the_commit() {
    let demo = Installation::new();
    demo.commit("first");
    let path = demo.cec().join("pyproject.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("# mine\n{text}\n[tool.mine]\nkept = 1 # really\n")).unwrap();
    assert_eq!(demo.json(["status"])["python"]["manifest_edited"], true);
    demo.write("user/default/workflows/more.json", workflow("sd15.safetensors"));
    demo.commit("second");
    let after = std::fs::read_to_string(&path).unwrap();
    assert!(
        after.starts_with("# mine\n") && after.contains("kept = 1 # really") && after.contains("workflows.more]"),
        "{after}"
    );
    std::fs::write(&path, "[project\n").unwrap();
    let run = demo.comfrey(["commit", "-m", "third"]).fails_with(4);
    assert!(run.stderr.contains("pyproject.toml, line 1, column 9:"), "{}", run.stderr);
    assert_eq!(demo.comfrey(["log", "--oneline"]).success().stdout.lines().count(), 2);
}

#[test]
fn uv_accepts_the_manifest() {
    let demo = Installation::new();
    demo.commit("first");
    let mut command = demo.sandbox.command("uv");
    command.args(["lock", "--offline", "--dry-run", "--project"]).arg(demo.cec());
    match command.output() {
        Err(_) => eprintln!("SKIPPED: uv is not at hand"),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if said.contains("No interpreter found") || said.contains("not found in the") {
                eprintln!("SKIPPED: uv has no Python here: {said}");
                return;
            }
            assert!(output.status.success(), "{said}");
        }
    }
}

/// Without `.cec` being half-written: a fault at any step of a commit leaves all as before or all as after.
#[test]
fn a_fault_at_any_step_of_a_commit_leaves_the_old_version_or_the_new() {
    for manner in ["", "+", "!"] {
        for k in (1..).step_by(if manner.is_empty() { 1 } else { 3 }) {
            let demo = Installation::new();
            demo.commit("first");
            demo.write("user/default/workflows/portrait.json", workflow("sub/xl.safetensors"));
            demo.write("custom_nodes/Added/__init__.py", "a = 1\n");
            let before = demo.files();
            let mut command = demo.command(["commit", "-m", "second"]);
            command.env("COMFREY_FAULT_AT", format!("{k}{manner}"));
            let run = crate::support::Run::of(command);
            let log = demo.comfrey(["log", "--oneline"]).success().stdout;
            let after = demo.files();
            let made = log.lines().count() == 2;
            let cec_is_new = after[".cec/workflows/portrait.json"] == workflow("sub/xl.safetensors").as_bytes();
            assert_eq!(made, cec_is_new, "step {k}{manner}: {}\n{log}", run.stderr);
            if !made {
                assert_eq!(after, before, "step {k}{manner}");
            }
            assert!(run.code != 0 || made, "step {k}{manner}");
            demo.comfrey(["commit", "-m", "second"]).success();
            demo.comfrey(["status", "--exit-code"]).success();
            assert!(!demo.sandbox.join("work/environments/demo/journal.json").exists());
            if run.code == 0 {
                break;
            }
        }
    }
}

#[test]
fn json_is_as_documented() {
    use crate::documents::{documented, same_fields};
    let demo = Installation::new();
    demo.write("user/default/workflows/open.json", workflow("absent.safetensors"));
    let commit = demo.json(["commit", "-m", "first"]);
    same_fields("commit", &documented("commit"), &commit);
    demo.write("user/default/workflows/portrait.json", "{}");
    same_fields("rollback", &documented("rollback"), &demo.json(["rollback", "HEAD"]));
    let undone = demo.json(["undo"]);
    let steps = undone["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["step"] == "replace"), "{undone}");
    assert_eq!((&undone["command"], &undone["done"]), (&"rollback HEAD --json".into(), &true.into()));
    std::fs::remove_file(demo.comfyui().join("models/checkpoints/sd15.safetensors")).unwrap();
    demo.write("comfyui_version.py", "__version__ = \"0.3.65\"\n");
    same_fields("status", &documented("status"), &demo.json(["status"]));
}
