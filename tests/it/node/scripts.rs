//! Scripts of a node, which run only with consent.

use crate::installation::Installation;

use super::sources::{alone, everything, json, unchanged, zipped};

#[cfg(unix)]
#[test]
fn an_install_script_runs_only_with_consent_and_its_failure_puts_everything_back() {
    use std::os::unix::fs::PermissionsExt;
    let demo = Installation::new();
    let python = demo.sandbox.write("python", "#!/bin/sh\necho \"ran $1 in $COMFYUI_PATH\"\n. ./$1\n");
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let facts = demo.sandbox.join("work/environments/demo/environment.toml");
    let text = std::fs::read_to_string(&facts).unwrap();
    std::fs::write(&facts, format!("{text}python = \"{}\"\n", python.display())).unwrap();
    let node = |script: &str| zipped(&[("__init__.py", ""), ("install.py", script), ("prestartup_script.py", "")]);
    demo.sandbox.write("work/good.zip", node("echo made > made.txt\n"));
    demo.sandbox.write("work/bad.zip", node("echo half > half.txt; echo it broke >&2; exit 3\n"));
    let run = alone(&demo, &["node", "add", "./good.zip"]).success();
    assert!(run.stderr.contains("install.py, which was not run"), "{}", run.stderr);
    assert!(run.stderr.contains("prestartup_script.py, which ComfyUI runs at every start"), "{}", run.stderr);
    assert!(!demo.exists("custom_nodes/good/made.txt"));
    demo.comfrey(["undo"]).success();
    let run = alone(&demo, &["node", "add", "./good.zip", "--allow-scripts", "--json"]).success();
    assert_eq!(json(&run)["scripts"], serde_json::json!(["install.py", "prestartup_script.py"]));
    assert!(demo.exists("custom_nodes/good/made.txt"));
    let log = demo.sandbox.read("work/environments/demo/logs/install-good.log");
    assert!(String::from_utf8(log).unwrap().contains("ran install.py in"));
    let before = everything(&demo);
    let run = alone(&demo, &["node", "add", "./bad.zip", "--allow-scripts"]).fails_with(7);
    assert!(run.stderr.contains("exit code 3") && run.stderr.contains("it broke"), "{}", run.stderr);
    unchanged(&demo, &before, &run);
}
