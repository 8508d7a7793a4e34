//! `doctor`: the real program, on what is sound and on what is broken.

use serde_json::Value;

use crate::documents::{documented, same_fields};
use crate::installation::{Installation, workflow};
use crate::standin::{Standin, copy, fixture};
use crate::support::Run;
use crate::trial::{links_can_be_made, symlink};

/// The findings of a check.
fn of<'a>(report: &'a Value, check: &str) -> Vec<&'a Value> {
    report["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == check).collect()
}

fn report(standin: &Standin, arguments: &[&str], code: i32) -> Value {
    let mut command = standin.command(["doctor", "--json"]);
    command.args(arguments);
    let run = Run::of(command).fails_with(code);
    serde_json::from_str(run.line()).unwrap()
}

#[test]
fn a_sound_environment_has_no_errors() {
    let Some(standin) = Standin::new("a_sound_environment_has_no_errors") else { return };
    let report = report(&standin, &[], 0);
    same_fields("doctor", &documented("doctor"), &report);
    assert_eq!(report["errors"], 0, "{report}");
    let sound: Vec<&str> = report["sound"].as_array().unwrap().iter().map(|check| check.as_str().unwrap()).collect();
    for check in ["comfyui", "python", "torch", "links", "port", "operations", "store", "last-start", "nodes"] {
        assert!(sound.contains(&check), "{check}: {report}");
    }
    let run = standin.comfrey(["doctor"]).success();
    assert!(run.stderr.contains("found nothing wrong with demo"), "{}", run.stderr);
}

#[test]
fn a_node_that_was_not_imported_is_named_with_its_missing_module_until_it_is_gone() {
    let Some(standin) = Standin::new("a_node_that_was_not_imported_is_named") else { return };
    standin.node("broken", "import a_module_that_nobody_has\nNODE_CLASS_MAPPINGS = {}\n");
    standin.node("good", "NODE_CLASS_MAPPINGS = {}\n");
    standin.comfrey(["run", "--", "--quick-test-for-ci"]).success();
    let found = report(&standin, &[], 1);
    same_fields("doctor", &documented("doctor"), &found);
    let nodes = of(&found, "nodes");
    assert_eq!(nodes.len(), 1, "{found}");
    let message =
        "the custom node broken was not imported: the Python module a_module_that_nobody_has is not installed";
    assert_eq!((nodes[0]["message"].as_str(), nodes[0]["severity"].as_str()), (Some(message), Some("error")));
    assert_eq!(nodes[0]["command"], "comfrey node repair broken");
    let evidence = nodes[0]["evidence"].to_string();
    assert!(evidence.contains("ModuleNotFoundError") && evidence.contains(".log"), "{evidence}");
    let shown = standin.comfrey(["doctor"]).fails_with(1).stdout;
    assert!(shown.contains(&format!("error (nodes): {message}\n")), "{shown}");

    let nodes = standin.sandbox.join("ComfyUI/custom_nodes");
    std::fs::rename(nodes.join("broken"), nodes.join("broken.disabled")).unwrap();
    assert_eq!(report(&standin, &[], 0)["errors"], 0);
}

#[test]
fn a_start_that_failed_is_explained_where_its_cause_is_known() {
    let Some(standin) = Standin::new("a_start_that_failed_is_explained") else { return };
    let mut command = standin.command(["run"]);
    command.env("STANDIN_CRASH", "3");
    Run::of(command).fails_with(7);
    let found = report(&standin, &[], 1);
    let last = of(&found, "last-start");
    assert_eq!(last[0]["message"], "ComfyUI ended with exit code 3, for a reason that is not known");
    assert!(last[0]["evidence"].to_string().contains("RuntimeError: told to fail"));

    let mut command = standin.command(["run"]);
    command.env("STANDIN_REQUIRE", "1");
    Run::of(command).fails_with(7);
    let found = report(&standin, &[], 1);
    let last = of(&found, "last-start");
    assert_eq!(last[0]["message"], "the Python module comfrey_fixture_alpha is not installed");
    // This Python is not Comfrey's.
    let command = last[0]["command"].as_str().unwrap();
    assert!(command.ends_with(" -m pip install comfrey-fixture-alpha"), "{command}");
}

#[test]
fn a_python_that_is_gone_and_a_comfyui_that_is_gone_are_errors_and_not_failures() {
    let Some(standin) = Standin::new("a_python_that_is_gone") else { return };
    standin.fact("python = 'nowhere/python'");
    let found = report(&standin, &[], 1);
    assert_eq!(of(&found, "python")[0]["message"], "the environment's Python does not run");
    assert!(of(&found, "python")[0]["advice"].as_str().unwrap().contains("environment.toml"));
    std::fs::rename(standin.sandbox.join("ComfyUI"), standin.sandbox.join("elsewhere")).unwrap();
    let found = report(&standin, &[], 1);
    assert_eq!(of(&found, "comfyui")[0]["message"], "ComfyUI's folder is gone");
}

#[test]
fn what_can_be_mended_without_asking_is_mended_with_fix() {
    let Some(standin) = Standin::new("what_can_be_mended_without_asking") else { return };
    copy(&fixture(), &standin.sandbox.join("Second"));
    standin.comfrey(["adopt", "second", "../Second"]).success();
    let second = standin.sandbox.join("work/environments/second/environment.toml");
    let text = std::fs::read_to_string(&second).unwrap();
    std::fs::write(&second, format!("{text}port = {}\n", standin.port)).unwrap();
    let record = r#"{"watcher":{"number":1,"began":"never"},"comfyui":null,"port":1,"url":"","since":0,"log":"x","ready":true,"restarts":0}"#;
    let path = standin.folder().join("running.json");
    std::fs::write(&path, record).unwrap();

    let found = report(&standin, &[], 0);
    assert_eq!(of(&found, "port")[0]["fixable"], true);
    assert_eq!(of(&found, "operations")[0]["fixable"], true);
    report(&standin, &["--fix", "--dry-run"], 0);
    assert!(path.exists());
    let mended = report(&standin, &["--fix"], 0);
    assert!(of(&mended, "port")[0]["fixed"].as_str().unwrap().starts_with("demo has port"), "{mended}");
    assert!(of(&mended, "operations")[0]["fixed"].is_string());
    assert!(!path.exists());
    let found = report(&standin, &[], 0);
    assert!(of(&found, "port").is_empty() && of(&found, "operations").is_empty(), "{found}");
    let url = standin.json(["run", "--dry-run"])[0]["url"].as_str().unwrap().to_owned();
    assert!(!url.ends_with(&format!(":{}", standin.port)), "{url}");
}

#[test]
fn packages_that_are_not_as_the_lock_says_and_links_that_lead_nowhere_are_told() {
    let Some(standin) = Standin::new("packages_that_are_not_as_the_lock_says") else { return };
    let python = crate::standin::python("packages").unwrap();
    let venv = standin.folder().join(".venv");
    let (own, packages) = match cfg!(windows) {
        true => (venv.join("Scripts/python.exe"), venv.join("Lib/site-packages")),
        false => (venv.join("bin/python"), venv.join("lib/python3.11/site-packages")),
    };
    std::fs::create_dir_all(own.parent().unwrap()).unwrap();
    std::fs::create_dir_all(packages.join("einops-0.7.0.dist-info")).unwrap();
    match cfg!(windows) {
        true => drop(std::fs::copy(python, &own).unwrap()),
        false => symlink(python, &own),
    }
    std::fs::write(venv.join("pyvenv.cfg"), "version = 3.11.7\n").unwrap();
    standin.fact(&format!("python = '{}'", own.display()));
    let lock = "version = 1\n[[package]]\nname = \"env\"\nversion = \"1\"\nsource = { virtual = \".\" }\n\
        dependencies = [{ name = \"einops\" }]\n[[package]]\nname = \"einops\"\nversion = \"0.8.1\"\n";
    std::fs::create_dir_all(standin.folder().join(".cec")).unwrap();
    std::fs::write(standin.folder().join(".cec/uv.lock"), lock).unwrap();
    let models = standin.sandbox.join("ComfyUI/models/checkpoints");
    let with_links = links_can_be_made("packages_that_are_not_as_the_lock_says, with links");
    if with_links {
        symlink("/nowhere/x.safetensors", models.join("x.safetensors"));
    }

    let found = report(&standin, &[], 0);
    assert_eq!(of(&found, "packages")[0]["evidence"][0], "einops is 0.7.0, locked is 0.8.1", "{found}");
    assert_eq!(of(&found, "packages")[0]["command"], "comfrey sync -E demo");
    if !with_links {
        return;
    }
    let links = of(&found, "links");
    assert!(links[0]["evidence"][0].as_str().unwrap().ends_with("x.safetensors -> /nowhere/x.safetensors"), "{found}");
}

#[test]
fn models_and_nodes_that_workflows_want_are_told() {
    let installation = Installation::new();
    installation.write("user/default/workflows/new.json", workflow("never-there.safetensors"));
    let run = installation.comfrey(["doctor", "--json"]);
    let found: Value = serde_json::from_str(run.line()).unwrap();
    let models = of(&found, "models");
    assert!(models[0]["evidence"].to_string().contains("never-there.safetensors, for workflows/new.json"), "{found}");
    assert_eq!(models[0]["severity"], "warning");
    // This one was adopted without a Python.
    assert_eq!(of(&found, "python")[0]["message"], "no Python is known that runs this ComfyUI");
    assert_eq!(run.code, 1);
}
