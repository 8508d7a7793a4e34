//! What nodes require of Python: with the real uv, on wheels made here, without a network.

use serde_json::Value;

use crate::documents::{documented, same_fields};
use crate::installation::difference;
use crate::own_python::OwnPython;
use crate::support::Run;

use super::sources::{everything, manifest, unchanged, zipped};

/// ComfyUI wants `foo`, of which there are two versions; `wants-bar.zip` wants the older, `wants-baz.zip` the newer. Nothing where there is no uv.
fn demo() -> Option<OwnPython> {
    let demo = OwnPython::wanting("foo\n")?;
    wanting(&demo, "wants-bar", "bar\n--index-url https://example.org/x\n./local.whl\nhttps://example.org/x\n");
    wanting(&demo, "wants-baz", "-r more/list.txt\n");
    demo.comfrey(["sync", "--own-python"]).success();
    Some(demo)
}

/// The archive `NAME.zip` of a node with these requirements.
fn wanting(demo: &OwnPython, name: &str, requirements: &str) {
    let files = [("__init__.py", ""), ("requirements.txt", requirements), ("more/list.txt", "baz>=1 # the newest\n")];
    demo.demo.sandbox.write(format!("work/{name}.zip"), zipped(&files));
}

#[test]
fn what_a_node_requires_comes_and_goes_with_it() {
    let Some(demo) = demo() else { return };
    assert_eq!(demo.installed(), ["foo 2.0"]);
    let before = demo.demo.files();
    let dry = demo.comfrey(["node", "add", "./wants-bar.zip", "--dry-run"]).success();
    assert!(dry.stdout.contains("bar 1.0") && dry.stdout.contains("foo 2.0 -> 1.0"), "{}", dry.stdout);
    assert_eq!(difference(&demo.demo.files(), &before), Vec::<String>::new());
    let run = demo.comfrey(["node", "add", "./wants-bar.zip", "--json"]).success();
    let answer: Value = serde_json::from_str(run.line()).unwrap();
    let section = "node add, node update, node remove, node enable, node disable, node repair";
    let mut shape = documented(section);
    shape.as_object_mut().unwrap().remove("version");
    same_fields("add", &shape, &answer);
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 3, "an index, a path and a nameless URL: {answer}");
    assert_eq!(demo.installed(), ["bar 1.0", "foo 1.0"]);
    assert!(manifest(&demo.demo).contains("node-wants-bar = ["), "{}", manifest(&demo.demo));
    demo.comfrey(["commit", "-m", "with bar"]).success();
    demo.comfrey(["node", "disable", "wants-bar"]).success();
    assert!(!manifest(&demo.demo).contains("node-wants-bar = ["), "{}", manifest(&demo.demo));
    assert!(!demo.installed().contains(&"bar 1.0".to_owned()));
    demo.comfrey(["undo"]).success();
    assert_eq!(demo.installed(), ["bar 1.0", "foo 1.0"]);
    demo.comfrey(["undo"]).success();
    demo.comfrey(["undo"]).success();
    assert_eq!(demo.installed(), ["foo 2.0"]);
    assert_eq!(difference(&demo.demo.files(), &before), Vec::<String>::new());
}

#[test]
fn two_nodes_that_disagree_are_named_before_anything_is_touched() {
    let Some(demo) = demo() else { return };
    demo.comfrey(["node", "add", "./wants-bar.zip"]).success();
    let before = demo.demo.files();
    let run = demo.comfrey(["node", "add", "./wants-baz.zip"]).fails_with(4);
    for part in ["wants-bar", "wants-baz", "foo", "--force"] {
        assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
    }
    assert_eq!(difference(&demo.demo.files(), &before), Vec::<String>::new());
    assert_eq!(demo.installed(), ["bar 1.0", "foo 1.0"]);
    let run = demo.comfrey(["node", "add", "./wants-baz.zip", "--force"]).success();
    assert!(run.stderr.contains("wants-baz comes without its Python packages"), "{}", run.stderr);
    assert!(demo.demo.exists("custom_nodes/wants-baz") && !manifest(&demo.demo).contains("node-wants-baz"));
    demo.comfrey(["undo"]).success();
    let run = demo.comfrey(["node", "add", "./wants-baz.zip", "--no-test"]).success();
    assert!(run.stderr.contains("comfrey sync"), "{}", run.stderr);
    assert!(manifest(&demo.demo).contains("node-wants-baz = [") && demo.installed() == ["bar 1.0", "foo 1.0"]);
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.demo.files(), &before), Vec::<String>::new());
}

#[test]
fn requirements_that_nobody_can_meet_are_named_with_the_node_that_has_them_and_nothing_is_changed() {
    let Some(demo) = demo() else { return };
    wanting(&demo, "wants-nothere", "nothere>3\n");
    wanting(&demo, "wants-newer", "foo>=9\n");
    let before = everything(&demo.demo);
    for (name, parts) in [
        ("wants-nothere", ["wants-nothere", "nothere>3", "nothere that can be had"]),
        ("wants-newer", ["wants-newer", "foo>=9", "foo"]),
    ] {
        let run = demo.comfrey(["node", "add", &format!("./{name}.zip")]).fails_with(4);
        for part in parts.into_iter().chain(["nothing was changed", "--force"]) {
            assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
        }
        unchanged(&demo.demo, &before, &run);
    }
}

#[test]
fn requirements_that_name_a_path_an_index_or_an_address_are_left_out_by_name_and_reason() {
    let Some(demo) = demo() else { return };
    wanting(
        &demo,
        "odd",
        "--index-url https://example.org/x\n--extra-index-url https://me:hush@example.org/y\n--find-links ./wheels\n\
         ./local.whl\n-e .\n/opt/x\nfile:///opt/x.whl\nhttps://example.org/x\nfoo @ file:///opt/foo.whl\nbar\n",
    );
    let run = demo.comfrey(["node", "add", "./odd.zip"]).success();
    for (line, reason) in [
        ("--index-url", "where packages come from"),
        ("--extra-index-url", "where packages come from"),
        ("--find-links", "where packages come from"),
        ("./local.whl", "of one machine"),
        ("`.`", "of one machine"),
        ("/opt/x", "of one machine"),
        ("file:///opt/x.whl", "of one machine"),
        ("`https://example.org/x`", "does not say which package it is"),
        ("foo @ file:///opt/foo.whl", "of one machine"),
    ] {
        let said = run.stderr.lines().find(|said| said.starts_with("warning: odd: ") && said.contains(line));
        assert!(said.is_some_and(|said| said.contains(reason)), "{line}, {reason} in {}", run.stderr);
    }
    assert!(!run.stderr.contains("hush"), "{}", run.stderr);
    assert_eq!(demo.installed(), ["bar 1.0", "foo 1.0"]);
    assert!(manifest(&demo.demo).contains("node-odd = [\n    \"bar\",\n]"), "{}", manifest(&demo.demo));
}

// Not on Windows: the program in uv's place is a script of `sh`.
// Instead: `a_python_that_cannot_be_made_takes_the_environment_with_it`, whose script is also one of `cmd`.
#[cfg(unix)]
#[test]
fn uv_that_is_killed_or_finds_no_network_ends_an_addition_or_update_with_all_as_it_was() {
    let Some(demo) = demo() else { return };
    let before = everything(&demo.demo);
    let wheels = demo.demo.sandbox.join("wheels");
    for (script, parts) in [
        ("if [ \"$1\" = lock ]; then kill -9 $$; fi", ["uv lock failed, ended by a signal", "nothing was changed"]),
        (
            // Half of its work is done.
            "if [ \"$1\" = sync ]; then rm -rf \"$UV_PROJECT_ENVIRONMENT\"/lib/*/site-packages/foo*; kill -9 $$; fi",
            ["uv sync failed, ended by a signal", "nothing was changed"],
        ),
        (
            "if [ \"$1\" = lock ]; then unset UV_OFFLINE UV_NO_INDEX UV_FIND_LINKS; export UV_HTTP_RETRIES=0 NO_PROXY='*' \
             UV_DEFAULT_INDEX=http://127.0.0.1:9/simple; fi",
            ["uv lock failed with exit code", "127.0.0.1:9"],
        ),
        (
            // Versions are known, and the files are not to be had.
            "if [ \"$1\" = sync ]; then mv \"$WHEELS\" \"$WHEELS.gone\"; rm -rf \"$UV_CACHE_DIR\"; \"$UV\" \"$@\"; code=$?; \
             mv \"$WHEELS.gone\" \"$WHEELS\"; exit $code; fi",
            ["uv sync failed with exit code", "nothing was changed"],
        ),
    ] {
        let uv = demo.stand_in(&format!("WHEELS='{}'\n{script}\nexec \"$UV\" \"$@\"", wheels.display()));
        let run = Run::of(demo.with_uv(&uv, ["node", "add", "./wants-bar.zip"])).fails_with(7);
        for part in parts {
            assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
        }
        unchanged(&demo.demo, &before, &run);
    }
    demo.comfrey(["node", "add", "./wants-bar.zip"]).success();
    assert_eq!(demo.installed(), ["bar 1.0", "foo 1.0"]);
    // The same with another version of it.
    wanting(&demo, "wants-bar", "baz\n");
    let before = everything(&demo.demo);
    for (step, said) in [("lock", "uv lock failed, ended by a signal"), ("sync", "uv sync failed, ended by a signal")] {
        let uv = demo.stand_in(&format!("if [ \"$1\" = {step} ]; then kill -9 $$; fi\nexec \"$UV\" \"$@\""));
        let run = Run::of(demo.with_uv(&uv, ["node", "update", "wants-bar"])).fails_with(7);
        assert!(run.stderr.contains(said) && run.stderr.contains("nothing was changed"), "{}", run.stderr);
        unchanged(&demo.demo, &before, &run);
    }
    demo.comfrey(["node", "update", "wants-bar"]).success();
    assert_eq!(demo.installed(), ["baz 1.0", "foo 2.0"]);
}

// Not on Windows: the program in uv's place is a script of `sh`.
// Instead: `a_python_that_cannot_be_made_takes_the_environment_with_it`, whose script is also one of `cmd`.
#[cfg(unix)]
#[test]
fn an_addition_that_dies_with_its_uv_is_undone_by_the_next_command() {
    let Some(demo) = demo() else { return };
    let before = everything(&demo.demo);
    let uv = demo.stand_in("if [ \"$1\" = sync ]; then \"$UV\" \"$@\"; kill -9 $PPID; exit 0; fi\nexec \"$UV\" \"$@\"");
    let killed = Run::of(demo.with_uv(&uv, ["node", "add", "./wants-bar.zip"]));
    assert_eq!(killed.code, -1, "{killed:?}");
    let next = demo.comfrey(["status"]).success();
    assert!(next.stderr.contains("`comfrey node add ./wants-bar.zip` was interrupted in demo: undone"), "{next:?}");
    // The staging folder of a dead process goes with the next one that writes.
    demo.comfrey(["gc"]).success();
    unchanged(&demo.demo, &before, &next);
    demo.comfrey(["node", "add", "./wants-bar.zip"]).success();
}

// Not on Windows: the program in uv's place is a script of `sh`.
// Instead: `a_python_that_cannot_be_made_takes_the_environment_with_it`, whose script is also one of `cmd`.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full_once_packages_come_is_told_and_all_is_as_it_was() {
    let Some(demo) = demo() else { return };
    let mut noise = vec![0; 6 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    demo.wheels.add_with("heavy", "1.0", &[], &noise);
    wanting(&demo, "wants-heavy", "heavy\n");
    // The environment's own folder is a small disk.
    let folder = demo.folder();
    let kept = folder.with_file_name("kept");
    std::fs::rename(&folder, &kept).unwrap();
    let _mounted = match crate::store::tmpfs(&folder, "200m") {
        Ok(mounted) => mounted,
        Err(why) => return crate::store::skip("packages on a full disk", &why),
    };
    let disk = folder.to_str().unwrap();
    crate::store::system("cp", &["-a", &format!("{}/.", kept.display()), disk]).unwrap();
    std::fs::remove_dir_all(&kept).unwrap();
    let before = everything(&demo.demo);
    let stat = rustix::fs::statvfs(&folder).unwrap();
    let used = (stat.f_blocks - stat.f_bfree) * stat.f_frsize;
    // Room for the twin of the virtual environment and not for what is to come into it.
    let size = format!("remount,size={}k", used / 1024 + 3000);
    crate::store::system("mount", &["-o", &size, disk]).unwrap();
    let run = demo.comfrey(["node", "add", "./wants-heavy.zip"]).fails_with(7);
    for part in ["uv sync failed", "No space left on device", "nothing was changed"] {
        assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
    }
    unchanged(&demo.demo, &before, &run);
    crate::store::system("mount", &["-o", "remount,size=200m", disk]).unwrap();
    demo.comfrey(["node", "add", "./wants-heavy.zip"]).success();
}
