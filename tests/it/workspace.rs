//! Making a workspace, taking ComfyUI installations into it, and its settings.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::documents::{documented, same_fields};
use crate::support::{Run, Sandbox};

/// A sandbox with a ComfyUI at `ComfyUI/` that has a version, a node, a workflow and a models folder.
fn with_comfyui() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("ComfyUI/main.py", "");
    sandbox.write("ComfyUI/comfy/model.py", "");
    sandbox.write("ComfyUI/comfyui_version.py", "__version__ = \"0.3.64\"\n");
    sandbox.write("ComfyUI/custom_nodes/pack/__init__.py", "");
    sandbox.write("ComfyUI/user/default/workflows/a.json", "{}");
    sandbox.write("ComfyUI/models/checkpoints/a.safetensors", "x");
    sandbox
}

fn json_of(run: &Run) -> Value {
    serde_json::from_str(run.line()).unwrap()
}

/// Every path below `folder` with its length.
fn listing(folder: &Path) -> Vec<(String, u64)> {
    let mut found: Vec<_> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.path().display().to_string(), entry.metadata().unwrap().len()))
        .collect();
    found.sort();
    found
}

#[test]
fn without_a_workspace_a_command_says_how_to_make_one() {
    let run = Sandbox::new().comfrey(["list"]).fails_with(3);
    assert!(run.stderr.contains("no workspace was found"), "{}", run.stderr);
    assert!(run.stderr.contains("hint: `comfrey init` makes one"), "{}", run.stderr);
    assert!(run.stdout.is_empty());
}

#[test]
fn init_makes_a_workspace_that_commands_find_and_says_what_to_type_next() {
    let sandbox = Sandbox::new();
    let run = sandbox.comfrey(["init", "--no-input"]).success();
    assert!(run.stdout.contains("Next:\n  comfrey adopt NAME PATH"), "{}", run.stdout);
    assert!(sandbox.join("comfrey/.comfrey/format").is_file());
    let listed = json_of(&sandbox.comfrey(["list", "--json"]).success());
    assert_eq!(listed["environments"], json!([]));
    assert_eq!(listed["workspace"], json!(sandbox.join("comfrey")));
}

#[test]
fn init_again_says_so_and_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.comfrey(["init", "w", "--no-input"]).success();
    let before = listing(&sandbox.join("w"));
    let run = sandbox.comfrey(["init", "w"]).success();
    assert!(run.stdout.contains("is a workspace already; nothing was changed"), "{}", run.stdout);
    let answer = json_of(&sandbox.comfrey(["init", "w", "--json"]).success());
    assert_eq!(answer["created"], json!(false));
    assert_eq!(listing(&sandbox.join("w")), before);
}

#[test]
fn init_that_was_cut_short_can_be_repeated() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.join("w/.comfrey/segments")).unwrap();
    sandbox.write("w/comfrey.toml", "# mine\n");
    sandbox.comfrey(["--workspace", "w", "list"]).fails_with(3);
    sandbox.comfrey(["init", "w", "--no-input"]).success();
    assert_eq!(sandbox.read("w/comfrey.toml"), b"# mine\n");
    sandbox.comfrey(["--workspace", "w", "list"]).success();
}

#[test]
fn a_dry_run_of_init_or_adopt_writes_nothing() {
    let sandbox = with_comfyui();
    let run = sandbox.comfrey(["init", "w", "--models", "ComfyUI/models", "--dry-run"]).success();
    assert!(run.stdout.starts_with("would make a workspace in "), "{}", run.stdout);
    assert!(!sandbox.join("w").exists());
    sandbox.comfrey(["init", "w", "--no-input"]).success();
    let before = listing(sandbox.path());
    let run = sandbox.comfrey(["--workspace", "w", "adopt", "main", "ComfyUI", "--dry-run"]).success();
    assert!(run.stdout.starts_with("Would adopt "), "{}", run.stdout);
    assert_eq!(listing(sandbox.path()), before);
}

#[test]
fn a_models_folder_that_is_not_there_is_refused_before_anything_is_made() {
    let sandbox = Sandbox::new();
    let run = sandbox.comfrey(["init", "w", "--models", "nowhere"]).fails_with(3);
    assert!(run.stderr.contains("there is no such folder"), "{}", run.stderr);
    assert!(!sandbox.join("w").exists());
}

/// Invariant E1.
#[test]
fn the_workspace_is_the_one_named_then_comfrey_home_then_the_nearest_above_then_the_home_folder() {
    let sandbox = Sandbox::new();
    for name in ["named", "variable", "above", "comfrey"] {
        sandbox.comfrey(["init", name, "--no-input"]).success();
    }
    std::fs::create_dir_all(sandbox.join("above/x/y")).unwrap();
    std::fs::create_dir_all(sandbox.join("elsewhere")).unwrap();
    let found = |folder: &str, variable: Option<&str>, arguments: &[&str]| {
        let mut command = sandbox.comfrey_command(arguments.iter().chain(&["list", "--json"]));
        command.current_dir(sandbox.join(folder));
        if let Some(variable) = variable {
            command.env("COMFREY_HOME", sandbox.join(variable));
        }
        json_of(&Run::of(command).success())["workspace"].clone()
    };
    let named = sandbox.join("named").display().to_string();
    assert_eq!(found("above/x/y", Some("variable"), &["--workspace", &named]), json!(sandbox.join("named")));
    assert_eq!(found("above/x/y", Some("variable"), &[]), json!(sandbox.join("variable")));
    assert_eq!(found("above/x/y", None, &[]), json!(sandbox.join("above")));
    assert_eq!(found("elsewhere", None, &[]), json!(sandbox.join("comfrey")));
}

#[test]
fn a_mistyped_workspace_is_answered_with_the_one_meant() {
    let sandbox = Sandbox::new();
    sandbox.comfrey(["init", "pictures", "--no-input"]).success();
    let run = sandbox.comfrey(["--workspace", "picture", "list"]).fails_with(3);
    assert!(run.stderr.contains("did you mean") && run.stderr.contains("/pictures?"), "{}", run.stderr);
    let run = sandbox.comfrey(["--workspace", "pictures/environments", "list"]).fails_with(3);
    assert!(run.stderr.contains("the workspace is"), "{}", run.stderr);
}

/// Invariant E4.
#[test]
fn adopting_registers_an_installation_and_changes_nothing_in_it() {
    let sandbox = with_comfyui();
    sandbox.comfrey(["init", "--no-input"]).success();
    let before = listing(&sandbox.join("ComfyUI"));
    let answer = json_of(&sandbox.comfrey(["adopt", "main", "ComfyUI", "--json"]).success());
    assert_eq!(answer["version"], json!("0.3.64"));
    assert_eq!((&answer["workflows"], &answer["nodes"]), (&json!(1), &json!(1)));
    assert_eq!(answer["active"], json!(true));
    assert_eq!(listing(&sandbox.join("ComfyUI")), before);
    let folders = sandbox.comfrey(["config", "models.folders"]).success();
    assert_eq!(folders.line(), sandbox.join("ComfyUI").join("models").display().to_string());
    let run = sandbox.comfrey(["list"]).success();
    assert!(run.stdout.starts_with("* main  "), "{}", run.stdout);
}

#[test]
fn an_installation_or_a_name_can_be_used_once() {
    let sandbox = with_comfyui();
    sandbox.write("other/main.py", "");
    sandbox.write("other/custom_nodes/x.py", "");
    sandbox.comfrey(["init", "--no-input"]).success();
    sandbox.comfrey(["adopt", "main", "ComfyUI"]).success();
    let run = sandbox.comfrey(["adopt", "second", "ComfyUI"]).fails_with(4);
    assert!(run.stderr.contains("is adopted already, as `main`"), "{}", run.stderr);
    // Invariant E2.
    let run = sandbox.comfrey(["adopt", "MAIN", "other"]).fails_with(4);
    assert!(run.stderr.contains("the name `MAIN` is taken"), "{}", run.stderr);
    sandbox.comfrey(["adopt", "../main", "other"]).fails_with(2);
}

#[test]
fn what_is_no_comfyui_is_answered_with_what_was_looked_for() {
    let sandbox = with_comfyui();
    sandbox.write("photos/a.png", "");
    sandbox.comfrey(["init", "--no-input"]).success();
    let run = sandbox.comfrey(["adopt", "main", "photos"]).fails_with(3);
    assert!(run.stderr.contains("looked for main.py"), "{}", run.stderr);
    let run = sandbox.comfrey(["adopt", "main", "ComfUI"]).fails_with(3);
    assert!(run.stderr.contains("did you mean") && run.stderr.contains("/ComfyUI?"), "{}", run.stderr);
    let run = sandbox.comfrey(["adopt", "main", "ComfyUI/custom_nodes"]).fails_with(3);
    assert!(run.stderr.contains("/ComfyUI?"), "{}", run.stderr);
}

#[test]
fn use_makes_an_environment_active_and_a_mistyped_name_is_answered_with_the_one_meant() {
    let sandbox = with_comfyui();
    sandbox.write("other/main.py", "");
    sandbox.write("other/custom_nodes/x.py", "");
    sandbox.comfrey(["init", "--no-input"]).success();
    sandbox.comfrey(["adopt", "portraits", "ComfyUI"]).success();
    sandbox.comfrey(["adopt", "videos", "other"]).success();
    assert_eq!(sandbox.comfrey(["config", "active"]).success().line(), "portraits");
    let run = sandbox.comfrey(["use", "video"]).fails_with(3);
    assert!(run.stderr.contains("did you mean `videos`?"), "{}", run.stderr);
    sandbox.comfrey(["use", "videos", "--dry-run"]).success();
    assert_eq!(sandbox.comfrey(["config", "active"]).success().line(), "portraits");
    sandbox.comfrey(["use", "videos"]).success();
    assert_eq!(sandbox.comfrey(["config", "active"]).success().line(), "videos");
    sandbox.comfrey(["config", "active", "nobody"]).fails_with(3);
}

#[test]
fn settings_keep_what_a_person_wrote() {
    let sandbox = Sandbox::new();
    sandbox.comfrey(["init", "--no-input"]).success();
    let mine = "# mine\nfuture = 1 # later\nauthor = \"A\" # me\n";
    sandbox.write("comfrey/comfrey.toml", mine);
    let run = sandbox.comfrey(["config", "author", "Ann <ann@example.org>"]).success();
    assert!(run.stderr.contains("comfrey.toml:2: `future` is not a setting"), "{}", run.stderr);
    let text = String::from_utf8(sandbox.read("comfrey/comfrey.toml")).unwrap();
    assert_eq!(text, mine.replace("\"A\"", "\"Ann <ann@example.org>\""));
    sandbox.comfrey(["config", "--unset", "author"]).success();
    sandbox.comfrey(["config", "author"]).fails_with(1);
}

#[test]
fn a_wrong_setting_is_named_with_its_line() {
    let sandbox = Sandbox::new();
    sandbox.comfrey(["init", "--no-input"]).success();
    sandbox.write("comfrey/comfrey.toml", "author = \"A\"\n\n[store]\nmodels = \"move\"\n");
    let run = sandbox.comfrey(["list"]).fails_with(2);
    assert!(run.stderr.contains("comfrey.toml:4: `store.models` is `move`"), "{}", run.stderr);
    let run = sandbox.comfrey(["config", "authr"]);
    assert_eq!(run.code, 2);
}

#[test]
fn a_mistyped_setting_is_answered_with_the_one_meant() {
    let sandbox = Sandbox::new();
    sandbox.comfrey(["init", "--no-input"]).success();
    let run = sandbox.comfrey(["config", "model.folders"]).fails_with(2);
    assert!(run.stderr.contains("did you mean `models.folders`?"), "{}", run.stderr);
    let run = sandbox.comfrey(["config", "store.models", "move"]).fails_with(2);
    assert!(run.stderr.starts_with("error: `store.models` is `move`; auto,"), "{}", run.stderr);
}

#[test]
fn settings_changed_by_many_programs_at_once_are_all_kept() {
    let sandbox = Sandbox::new();
    sandbox.comfrey(["init", "--no-input"]).success();
    let children: Vec<_> = (0..8)
        .map(|n| {
            let folder = format!("m{n}");
            std::fs::create_dir(sandbox.join(&folder)).unwrap();
            sandbox.comfrey_command(["config", "--add", "models.folders", &folder]).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(sandbox.comfrey(["config", "models.folders"]).success().stdout.lines().count(), 8);
}

#[test]
fn a_lock_held_by_another_is_waited_for_and_then_named() {
    let sandbox = Sandbox::new();
    sandbox.comfrey(["init", "--no-input"]).success();
    let lock = std::fs::File::create(sandbox.join("comfrey/.comfrey/settings.lock")).unwrap();
    lock.lock().unwrap();
    let holder = r#"{"command":"comfrey config author X","process":7,"user":"ann"}"#;
    sandbox.write("comfrey/.comfrey/settings.holder", holder);
    let begun = Instant::now();
    let run = sandbox.comfrey(["--lock-timeout", "0.2", "config", "author", "Y"]).fails_with(4);
    assert!(begun.elapsed() >= Duration::from_millis(200));
    let expected = "comfrey.toml is held by `comfrey config author X` (process 7, user ann)";
    assert!(run.stderr.contains(expected), "{}", run.stderr);
}

#[test]
fn what_is_printed_as_json_is_what_is_documented() {
    let sandbox = with_comfyui();
    sandbox.write("ComfyUI/.git/HEAD", "a125cd84b054a57729b5eecab930ca9408719832\n");
    sandbox.write("ComfyUI/venv/bin/python", "");
    sandbox.write("other/main.py", "");
    sandbox.write("other/custom_nodes/x.py", "");
    let made = json_of(&sandbox.comfrey(["init", "--no-input", "--json"]).success());
    let mut expected = documented("init");
    expected["adopted"] = json!([]);
    same_fields("init", &expected, &made);
    same_fields(
        "adopt",
        &documented("adopt"),
        &json_of(&sandbox.comfrey(["adopt", "main", "ComfyUI", "--json"]).success()),
    );
    sandbox.comfrey(["adopt", "other", "other"]).success();
    same_fields("use", &documented("use"), &json_of(&sandbox.comfrey(["use", "other", "--json"]).success()));
    sandbox.comfrey(["use", "main"]).success();
    let settings = sandbox.comfrey(["config", "--json"]).success();
    assert!(include_str!("../../docs/json.md").contains("\"models.folders\":["));
    assert_eq!(json_of(&settings).as_object().unwrap().len(), 7);
    let mut expected = documented("list");
    let listed = json_of(&sandbox.comfrey(["list", "--json"]).success());
    for absent in ["head", "port"] {
        expected["environments"][0].as_object_mut().unwrap().remove(absent);
    }
    same_fields("list", &expected, &listed);
}

#[test]
fn every_command_has_a_manual_page() {
    let sandbox = Sandbox::new();
    sandbox.comfrey(["man", "--to", "pages"]).success();
    let page = String::from_utf8(sandbox.read("pages/comfrey-adopt.1")).unwrap();
    assert!(page.contains("comfrey adopt"), "{page}");
    assert!(sandbox.join("pages/comfrey.1").is_file());
    assert_eq!(sandbox.comfrey(["man", "adopt"]).success().stdout, page);
    let run = sandbox.comfrey(["man", "adpot"]).fails_with(2);
    assert!(run.stderr.contains("did you mean `adopt`?"), "{}", run.stderr);
}

#[test]
fn completion_scripts_name_the_commands() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = sandbox.comfrey(["completions", shell]).success();
        assert!(run.stdout.contains("hash-object") && run.stdout.contains("adopt"), "{shell}");
    }
}
