//! Python packages: with the real uv, on wheels made here, without a network.

use serde_json::Value;

use crate::documents::{documented, documented_lines, same_fields};
use crate::installation::Installation;
use crate::own_python::OwnPython;
use crate::support::Run;

/// ComfyUI wants `torch` and `foo`, its node Impact `bar` and what is refused. Nothing where there is no uv.
pub fn demo() -> Option<OwnPython> {
    let demo = OwnPython::wanting("torch\nfoo\n")?;
    demo.demo.write(
        "custom_nodes/Impact/requirements.txt",
        "# needs\nbar>=1 # why\ntorch==1.0\n--index-url https://example.org/x\n./local.whl\n",
    );
    Some(demo)
}

#[test]
fn sync_gives_an_adopted_comfyui_a_python_of_its_own_with_what_it_and_its_nodes_require() {
    let Some(demo) = demo() else { return };
    let refused = demo.comfrey(["sync"]).fails_with(4);
    assert!(
        refused.stderr.contains("no Python of its own yet") && refused.stderr.contains("--own-python"),
        "{refused:?}"
    );
    assert!(!demo.folder().join(".cec/uv.lock").exists());

    let comfyui = demo.demo.comfyui_files();
    let done = demo.json(["sync", "--own-python"]);
    let mut documented = documented("sync");
    documented["packages"][0].as_object_mut().unwrap().remove("from");
    same_fields("sync", &documented, &done);
    let refused: Vec<_> = done["refused"].as_array().unwrap().iter().map(|r| r["reason"].as_str().unwrap()).collect();
    assert_eq!(refused, ["index", "local-path", "torch"]);
    assert_eq!(demo.installed(), ["bar 1.0", "foo 1.0", "torch 2.9.0"]);
    assert_eq!(demo.demo.comfyui_files(), comfyui);
    let manifest = std::fs::read_to_string(demo.folder().join(".cec/pyproject.toml")).unwrap();
    assert!(manifest.contains("node-impact = [\n    \"bar>=1\",\n]"), "{manifest}");
    let facts = std::fs::read_to_string(demo.folder().join("environment.toml")).unwrap();
    assert!(facts.contains("python = \".venv") || facts.contains("python = '.venv"), "{facts}");

    let nothing = demo.comfrey(["sync"]).success();
    assert!(nothing.stdout.starts_with("Nothing to do"), "{nothing:?}");
    let status = demo.json(["status"]);
    assert_eq!((&status["python"]["in_sync"], &status["python"]["owner"]), (&true.into(), &"own".into()), "{status}");

    let listed = demo.comfrey(["py", "list", "--json"]).success();
    let bar: Value = serde_json::from_str(listed.stdout.lines().next().unwrap()).unwrap();
    same_fields("py list", &documented_lines("py list")[0], &bar);
    assert_eq!(bar["wanted_by"], serde_json::json!(["node-impact"]));

    // The lock is part of the version.
    demo.comfrey(["commit", "-m", "first"]).success();
    let lock = demo.comfrey(["show", "HEAD:uv.lock"]).success().stdout;
    assert_eq!(lock, std::fs::read_to_string(demo.folder().join(".cec/uv.lock")).unwrap());
}

#[test]
fn packages_are_added_constrained_and_removed_and_undo_and_redo_bring_them_back() {
    let Some(demo) = demo() else { return };
    demo.comfrey(["sync", "--own-python"]).success();
    demo.comfrey(["commit", "-m", "first"]).success();
    let before = demo.installed();

    let dry = demo.comfrey(["py", "add", "rich", "-n"]).success();
    assert!(dry.stdout.contains("install    rich 1.0") && dry.stdout.contains("would be"), "{dry:?}");
    assert_eq!(demo.installed(), before);
    let added = demo.comfrey(["py", "add", "rich>=1"]).success();
    assert!(added.stdout.contains("install    colour 0.5"), "{added:?}");
    assert_eq!(demo.installed(), ["bar 1.0", "colour 0.5", "foo 1.0", "rich 1.0", "torch 2.9.0"]);
    assert_eq!(demo.json(["status"])["python"]["lock_changed"], true);

    demo.comfrey(["undo"]).success();
    assert_eq!(demo.installed(), before);
    demo.comfrey(["redo"]).success();
    assert_eq!(demo.installed().len(), 5);

    let not_added = demo.comfrey(["py", "remove", "bar"]).fails_with(3);
    assert!(not_added.stderr.contains("wanted by node-impact"), "{not_added:?}");
    demo.comfrey(["py", "remove", "Rich"]).success();
    assert_eq!(demo.installed(), before);

    demo.comfrey(["constraint", "add", "foo<3"]).success();
    let listed = demo.comfrey(["constraint", "list", "--json"]).success();
    let line: Value = serde_json::from_str(listed.line()).unwrap();
    same_fields("constraint list", &documented("constraint list"), &line);
    assert_eq!(line["constraint"], "foo<3");
    let wrong = demo.comfrey(["constraint", "remove", "numpy"]).fails_with(3);
    assert!(wrong.stderr.contains("there is no constraint on numpy"), "{wrong:?}");
    demo.comfrey(["constraint", "remove", "foo"]).success();
    assert_eq!(demo.comfrey(["constraint", "list"]).success().stdout, "");
    let usage = demo.comfrey(["py", "add", "./here"]).fails_with(2);
    assert!(usage.stderr.contains("a file or folder of one machine"), "{usage:?}");
}

#[test]
fn rollback_brings_back_the_lock_and_the_packages() {
    let Some(demo) = demo() else { return };
    demo.comfrey(["sync", "--own-python"]).success();
    demo.comfrey(["commit", "-m", "first"]).success();
    demo.demo.write("custom_nodes/Impact/requirements.txt", "baz\n");
    demo.comfrey(["sync", "--rescan"]).success();
    assert_eq!(demo.installed(), ["baz 1.0", "foo 2.0", "torch 2.9.0"]);
    demo.comfrey(["commit", "-m", "second"]).success();
    let second = demo.files();

    let plan = demo.comfrey(["rollback", "v1", "-n"]).success();
    assert!(plan.stdout.contains("package    foo 2.0 -> 1.0"), "{plan:?}");
    let done = demo.comfrey(["rollback", "v1"]).success();
    assert!(done.stdout.contains("uninstall  baz 1.0") && done.stdout.contains("install    bar 1.0"), "{done:?}");
    assert_eq!(demo.installed(), ["bar 1.0", "foo 1.0", "torch 2.9.0"]);
    assert_eq!(demo.json(["status"])["python"]["in_sync"], true);
    demo.comfrey(["undo"]).success();
    assert_eq!(demo.installed(), ["baz 1.0", "foo 2.0", "torch 2.9.0"]);
    let differing = crate::installation::difference(&second, &demo.files());
    let is_ours = |name: &String| name.contains("/.venv/") || name.ends_with(".json");
    assert!(differing.iter().all(is_ours), "{differing:?}");

    // A virtual environment that is gone is made again, and packages installed by other hands go.
    std::fs::remove_dir_all(demo.folder().join(".venv")).unwrap();
    assert_eq!(demo.json(["status"])["python"]["in_sync"], false);
    demo.comfrey(["rollback", "HEAD"]).success();
    assert_eq!(demo.installed(), ["baz 1.0", "foo 2.0", "torch 2.9.0"]);
}

#[test]
fn two_nodes_that_disagree_are_named_and_nothing_is_changed() {
    let Some(demo) = demo() else { return };
    demo.comfrey(["sync", "--own-python"]).success();
    let before = demo.files();
    demo.demo.write("custom_nodes/Other/requirements.txt", "baz\n");
    let refused = demo.comfrey(["sync"]).fails_with(4);
    for said in [
        "the node Impact wants foo<2, through bar",
        "the node Other wants foo>=2, through baz",
        "take another version of Impact or of Other",
        "nothing was changed",
    ] {
        assert!(refused.stderr.contains(said), "{said} in {refused:?}");
    }
    assert_eq!(crate::installation::difference(&before, &demo.files()), Vec::<String>::new());
    let missing = demo.comfrey(["py", "add", "nothere>3"]).fails_with(4);
    assert!(
        missing.stderr.contains("nothere>3") && missing.stderr.contains("no nothere that can be had"),
        "{missing:?}"
    );
    assert_eq!(crate::installation::difference(&before, &demo.files()), Vec::<String>::new());
}

#[test]
fn status_sees_what_other_hands_did_and_runs_nothing_for_it() {
    let Some(demo) = demo() else { return };
    demo.comfrey(["sync", "--own-python"]).success();
    demo.comfrey(["commit", "-m", "first"]).success();
    let python = demo.folder().join(if cfg!(windows) { ".venv/Scripts/python.exe" } else { ".venv/bin/python" });
    let mut pip = demo.demo.sandbox.command(demo.wheels.uv());
    demo.wheels.apply(&mut pip);
    pip.args(["pip", "install", "--python"]).arg(&python).args(["colour", "foo==2.0"]);
    Run::of(pip).success();
    let manifest = demo.folder().join(".cec/pyproject.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"foo\"", "\"foo>=1\"")).unwrap();

    let mut status = demo.command(["status"]);
    status.env("COMFREY_UV", "/nowhere");
    let shown = Run::of(status).success();
    for line in [
        "uv.lock is not what pyproject.toml asks for",
        "colour 0.5 is installed, and not in uv.lock",
        "foo is 2.0, locked is 1.0",
        "comfrey sync makes Python what it is to be",
    ] {
        assert!(shown.stdout.contains(line), "{line} in {shown:?}");
    }
    let status = demo.json(["status"]);
    same_fields("status.python", &documented("status")["python"], &{
        let mut python = status["python"].clone();
        python["packages"] = serde_json::json!([python["packages"][1]]);
        python
    });
    demo.comfrey(["sync"]).success();
    assert_eq!(demo.json(["status"])["python"]["in_sync"], true);
    assert_eq!(demo.installed(), ["bar 1.0", "foo 1.0", "torch 2.9.0"]);
}

// Not on Windows: the program in uv's place is a script of `sh`.
// Instead: `a_python_that_cannot_be_made_takes_the_environment_with_it`, whose script is also one of `cmd`.
#[cfg(unix)]
#[test]
fn when_uv_fails_everything_is_put_back_and_its_last_lines_are_shown() {
    let Some(demo) = demo() else { return };
    demo.comfrey(["sync", "--own-python"]).success();
    demo.comfrey(["commit", "-m", "first"]).success();
    demo.demo.write("custom_nodes/Impact/requirements.txt", "baz\n");
    demo.comfrey(["sync", "--rescan"]).success();
    demo.comfrey(["commit", "-m", "second"]).success();
    let before = demo.files();
    // It does half of its work, and then the disk is full.
    let uv = demo.stand_in(
        "if [ \"$1\" = sync ]; then \"$UV\" \"$@\"; rm -rf \"$UV_PROJECT_ENVIRONMENT\"/lib/*/site-packages/torch; \
         echo 'error: No space left on device (os error 28)' >&2; exit 2; fi\nexec \"$UV\" \"$@\"",
    );
    for arguments in [["rollback", "v1"].as_slice(), &["py", "add", "rich"]] {
        let failed = Run::of(demo.with_uv(&uv, arguments.iter().copied())).fails_with(7);
        assert!(failed.stderr.contains("uv sync failed with exit code 2"), "{failed:?}");
        assert!(failed.stderr.contains("No space left on device"), "{failed:?}");
        assert_eq!(crate::installation::difference(&before, &demo.files()), Vec::<String>::new(), "{arguments:?}");
    }
    assert_eq!(demo.json(["status"])["python"]["in_sync"], true);
    let log = std::fs::read_to_string(demo.folder().join("logs/uv.log")).unwrap();
    assert!(log.contains("No space left on device"), "{log}");
    // uv itself is killed.
    let uv = demo.stand_in("if [ \"$1\" = sync ]; then kill -9 $$; fi\nexec \"$UV\" \"$@\"");
    let killed = Run::of(demo.with_uv(&uv, ["py", "add", "rich"])).fails_with(7);
    assert!(killed.stderr.contains("uv sync failed, ended by a signal"), "{killed:?}");
    assert_eq!(crate::installation::difference(&before, &demo.files()), Vec::<String>::new());
    // uv says that it has done it, and has not.
    let uv = demo.stand_in("if [ \"$1\" = sync ]; then exit 0; fi\nexec \"$UV\" \"$@\"");
    let lied = Run::of(demo.with_uv(&uv, ["rollback", "v1"])).fails_with(5);
    assert!(lied.stderr.contains("foo is 2.0, locked is 1.0"), "{lied:?}");
    assert_eq!(crate::installation::difference(&before, &demo.files()), Vec::<String>::new());
}

// Not on Windows: the program in uv's place is a script of `sh`.
// Instead: `a_python_that_cannot_be_made_takes_the_environment_with_it`, whose script is also one of `cmd`.
#[cfg(unix)]
#[test]
fn a_command_killed_while_uv_works_is_undone_by_the_next() {
    let Some(demo) = demo() else { return };
    demo.comfrey(["sync", "--own-python"]).success();
    let before = demo.files();
    let uv = demo.stand_in(
        "if [ \"$1\" = sync ]; then rm -rf \"$UV_PROJECT_ENVIRONMENT\"/lib/*/site-packages/foo; kill -9 $PPID; fi\nexec \"$UV\" \"$@\"",
    );
    let killed = Run::of(demo.with_uv(&uv, ["py", "add", "rich"]));
    assert_eq!(killed.code, -1, "{killed:?}");
    assert!(demo.folder().join("journal.json").exists());
    let next = demo.comfrey(["status"]).success();
    assert!(next.stderr.contains("`comfrey py add rich` was interrupted in demo: undone"), "{next:?}");
    assert_eq!(crate::installation::difference(&before, &demo.files()), Vec::<String>::new());
}

// Not on Windows: the program in uv's place is a script of `sh`.
// Instead: `a_python_that_cannot_be_made_takes_the_environment_with_it`, whose script is also one of `cmd`.
#[cfg(unix)]
#[test]
fn ctrl_c_stops_uv_and_leaves_all_as_it_was() {
    let Some(demo) = demo() else { return };
    demo.comfrey(["sync", "--own-python"]).success();
    let before = demo.files();
    let begun = demo.demo.sandbox.join("begun");
    let uv = demo.stand_in(&format!(
        "if [ \"$1\" = sync ]; then echo $$ > '{0}.new'; mv '{0}.new' '{0}'; sleep 600; fi\nexec \"$UV\" \"$@\"",
        begun.display()
    ));
    let mut command = demo.with_uv(&uv, ["py", "add", "rich"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    while !begun.exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let process = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let uv: i32 = std::fs::read_to_string(&begun).unwrap().trim().parse().unwrap();
    let uv = rustix::process::Pid::from_raw(uv).unwrap();
    assert!(rustix::process::test_kill_process(uv).is_err(), "uv still runs");
    assert_eq!(crate::installation::difference(&before, &demo.files()), Vec::<String>::new());
}

// Not on Windows: the program in uv's place is a script of `sh`.
// Instead: `a_python_that_cannot_be_made_takes_the_environment_with_it`, whose script is also one of `cmd`.
#[cfg(unix)]
#[test]
fn a_torch_backend_brings_its_own_build_of_the_locked_torch() {
    let Some(demo) = demo() else { return };
    // What the backend's index would have: here a folder that is looked into in its place.
    let backend = crate::wheels::Wheels::new(&demo.demo.sandbox.join("backend")).unwrap();
    backend.add("torch", "2.9.0+cpu", &[]);
    let uv = demo.stand_in(&format!(
        "if [ \"$1\" = pip ]; then shift 5; export UV_FIND_LINKS=\"$UV_FIND_LINKS,{}\"; exec \"$UV\" pip install --exact \"$@\"; fi\n\
         exec \"$UV\" \"$@\"",
        demo.demo.sandbox.join("backend/wheels").display()
    ));
    Run::of(demo.with_uv(&uv, ["sync", "--own-python", "--torch-backend", "cpu"])).success();
    assert_eq!(demo.installed(), ["bar 1.0", "foo 1.0", "torch 2.9.0+cpu"]);
    let log = std::fs::read_to_string(demo.folder().join("logs/uv.log")).unwrap();
    assert!(log.contains("pip install --exact --torch-backend cpu"), "{log}");
    assert_eq!(demo.json(["status"])["python"]["in_sync"], true);
    // A fact of this machine: neither in the manifest nor in the lock.
    let facts = std::fs::read_to_string(demo.folder().join("environment.toml")).unwrap();
    assert!(facts.contains("torch_backend = \"cpu\""), "{facts}");
    for file in [".cec/pyproject.toml", ".cec/uv.lock"] {
        assert!(!std::fs::read_to_string(demo.folder().join(file)).unwrap().contains("cpu"), "{file}");
    }
    let wrong = demo.comfrey(["sync", "--torch-backend", "../cpu"]).fails_with(2);
    assert!(wrong.stderr.contains("is no torch backend"), "{wrong:?}");
}

#[test]
fn a_python_that_someone_else_made_is_never_touched() {
    let demo = Installation::new();
    let python = if cfg!(windows) { "venv/Scripts/python.exe" } else { "venv/bin/python" };
    demo.write(python, "");
    demo.comfrey(["adopt", "other", "../ComfyUI"]).fails_with(4);
    let facts = demo.sandbox.join("work/environments/demo/environment.toml");
    let text = std::fs::read_to_string(&facts).unwrap();
    let path = demo.comfyui().join(python);
    std::fs::write(&facts, format!("{text}python = {:?}\n", path.to_str().unwrap())).unwrap();
    let before = demo.files();
    for arguments in [vec!["sync"], vec!["py", "add", "rich"], vec!["constraint", "add", "rich<2"]] {
        let mut command = demo.command(arguments);
        command.env("COMFREY_UV", std::env::current_exe().unwrap());
        let refused = Run::of(command).fails_with(4);
        assert!(refused.stderr.contains("which Comfrey did not make and does not change"), "{refused:?}");
        assert!(refused.stderr.contains("comfrey sync --own-python"), "{refused:?}");
    }
    assert_eq!(demo.files(), before);
    assert_eq!(demo.json(["status"])["python"]["owner"], "foreign");
}

#[test]
fn where_there_is_no_uv_it_is_said_how_to_have_one() {
    let demo = Installation::new();
    let mut command = demo.command(["sync", "--own-python"]);
    command.env("COMFREY_UV", demo.sandbox.join("nowhere/uv"));
    let refused = Run::of(command).fails_with(7);
    assert!(
        refused.stderr.contains("COMFREY_UV is") && refused.stderr.contains("there is no such file"),
        "{refused:?}"
    );
    let mut command = demo.command(["sync", "--own-python"]);
    command.env("PATH", demo.sandbox.join("empty"));
    let refused = Run::of(command).fails_with(7);
    for said in ["uv was not found", "no Python on the PATH", "pip install uv"] {
        assert!(refused.stderr.contains(said), "{said} in {refused:?}");
    }
}

// Not on Windows: the program in uv's place is a script of `sh`.
// Instead: `a_python_that_cannot_be_made_takes_the_environment_with_it`, whose script is also one of `cmd`.
#[cfg(unix)]
#[test]
fn uv_is_installed_into_the_workspace_once_with_the_machines_pip() {
    use std::os::unix::fs::PermissionsExt;
    let Some(demo) = demo() else { return };
    // A pip that puts a link to the real uv where it is told to, and fails the first time.
    let real = demo.wheels.uv().display();
    let script = format!(
        "#!/bin/sh\nif [ \"$1 $2 $3\" != '-m pip install' ]; then exit 9; fi\n\
         if [ ! -e tried ]; then /bin/touch tried; echo 'ERROR: Could not find a version' >&2; exit 1; fi\n\
         while [ \"$1\" != --target ]; do shift; done\n/bin/mkdir -p \"$2/bin\"\n/bin/ln -s '{real}' \"$2/bin/uv\"\n"
    );
    let python = demo.demo.sandbox.write("bin/python3", script);
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = demo.command(arguments.iter().copied());
        command.env_remove("COMFREY_UV").env("PATH", python.parent().unwrap());
        Run::of(command)
    };
    let failed = run(&["sync", "--own-python"]).fails_with(7);
    assert!(
        failed.stderr.contains("Could not find a version") && failed.stderr.contains("pip install uv"),
        "{failed:?}"
    );
    let tools = demo.demo.sandbox.join("work/.comfrey/tools/uv");
    assert!(!tools.exists());
    // The Python for the environment is found by its path: on this PATH there is none.
    let mut find = demo.demo.sandbox.command(demo.wheels.uv());
    find.args(["python", "find", "--no-project"]);
    let interpreter = Run::of(find).success();
    run(&["sync", "--own-python", interpreter.line()]).success();
    assert!(tools.join("bin/uv").exists());
    std::fs::remove_file(&python).unwrap();
    run(&["py", "add", "rich"]).success();
    assert!(demo.installed().contains(&"rich 1.0".to_owned()));
}

#[test]
fn a_manifest_that_is_no_toml_stops_it_with_the_line() {
    let demo = Installation::new();
    let manifest = demo.cec().join("pyproject.toml");
    std::fs::write(&manifest, "[project]\nname = \"comfrey-env-demo\"\ndependencies = [\n").unwrap();
    for arguments in [vec!["sync"], vec!["py", "add", "rich"], vec!["constraint", "list"]] {
        let refused = demo.comfrey(arguments).fails_with(4);
        assert!(refused.stderr.contains("pyproject.toml, line 3"), "{refused:?}");
    }
}
