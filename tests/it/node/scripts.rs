//! Scripts of a node, which run only with consent.

use crate::installation::{Installation, difference};
use crate::loopback::Loopback;

use super::sources::{alone, archive, everything, json, unchanged, zipped};

/// The environment gets a Python that lets the system's shell run scripts.
fn with_python(demo: &Installation) {
    let cmd = "echo ran %1 in %COMFYUI_PATH%\ncopy /y %1 \"%~dp0run.cmd\" >nul\n\"%~dp0run.cmd\"";
    let python = demo.sandbox.script("python", "echo \"ran $1 in $COMFYUI_PATH\"\n. ./$1", cmd);
    let facts = demo.sandbox.join("work/environments/demo/environment.toml");
    let text = std::fs::read_to_string(&facts).unwrap();
    std::fs::write(&facts, format!("{text}python = '{}'\n", python.display())).unwrap();
}

#[test]
fn an_install_script_runs_only_with_consent_and_its_failure_puts_everything_back() {
    let demo = Installation::new();
    with_python(&demo);
    let node = |script: &str| zipped(&[("__init__.py", ""), ("install.py", script), ("prestartup_script.py", "")]);
    demo.sandbox.write("work/good.zip", node("echo made > made.txt\n"));
    let bad = match cfg!(windows) {
        true => "@echo half > half.txt\r\n@echo it broke 1>&2\r\n@exit /b 3\r\n",
        false => "echo half > half.txt; echo it broke >&2; exit 3\n",
    };
    demo.sandbox.write("work/bad.zip", node(bad));
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

// Not on Windows: its script is one of `sh`.
// Instead: `an_install_script_runs_only_with_consent_and_its_failure_puts_everything_back`.
#[cfg(unix)]
#[test]
fn what_an_install_script_made_is_no_edit_and_stays_with_another_version() {
    let demo = Installation::new();
    with_python(&demo);
    let node = |number: &str, script: &str| {
        let text = format!("NUMBER = {number}\n");
        zipped(&[("__init__.py", &text), ("install.py", script), ("config.ini", "as it came\n")])
    };
    let script = "echo made > made.txt; mkdir -p bin; echo tool > bin/tool; echo filled in > config.ini\n";
    let address = |bytes: Vec<u8>| Loopback::start(vec![archive(bytes)]);
    let host = address(node("1", script));
    let url = host.url("/scripted.zip");
    alone(&demo, &["node", "add", &url, "--allow-scripts"]).success();
    host.requests();
    let shown = || json(&alone(&demo, &["node", "show", "scripted", "--json"]).success());
    let text = |name: &str| std::fs::read_to_string(demo.comfyui().join("custom_nodes/scripted").join(name)).unwrap();
    assert_eq!((&shown()["files"], &shown()["edited"]), (&"as-it-came".into(), &serde_json::json!([])));
    demo.commit("with it");
    assert_eq!(shown()["files"], "as-it-came");
    // A repair makes it what it was when the script had run.
    std::fs::remove_file(demo.comfyui().join("custom_nodes/scripted/made.txt")).unwrap();
    assert_eq!(shown()["edited"], serde_json::json!(["made.txt"]));
    alone(&demo, &["node", "repair", "--original"]).success();
    assert_eq!((text("made.txt").as_str(), &shown()["files"]), ("made\n", &"as-it-came".into()));
    // Someone's own edits are seen beside.
    demo.write("custom_nodes/scripted/__init__.py", "NUMBER = 'mine'\n");
    assert_eq!(shown()["edited"], serde_json::json!(["__init__.py"]));
    demo.comfrey(["rollback", "HEAD"]).success();
    let before = demo.files();
    let second = |words: &[&str]| {
        let host = Loopback::start_at(&url, vec![archive(node("2", "echo again >> made.txt\n"))]);
        let run = alone(&demo, &[&["node", "update", "scripted"], words].concat()).success();
        host.requests();
        run
    };
    let run = second(&[]);
    assert!(run.stderr.contains("install.py, which was not run"), "{}", run.stderr);
    assert_eq!(
        (text("__init__.py").as_str(), text("made.txt").as_str(), text("bin/tool").as_str()),
        ("NUMBER = 2\n", "made\n", "tool\n")
    );
    assert_eq!(text("config.ini"), "filled in\n");
    assert_eq!(shown()["files"], "as-it-came");
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    second(&["--allow-scripts"]);
    assert_eq!((text("made.txt").as_str(), &shown()["files"]), ("made\nagain\n", &"as-it-came".into()));
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    demo.write("custom_nodes/scripted/mine.txt", "mine");
    second(&["--allow-scripts", "--keep-edits"]);
    assert_eq!((&shown()["edited"], text("made.txt").as_str()), (&serde_json::json!(["mine.txt"]), "made\nagain\n"));
    demo.comfrey(["undo"]).success();
}
