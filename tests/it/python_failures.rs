//! What becomes of an environment when uv, the disk, the network or Comfrey itself gives way while Python packages are at work.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::json;

use crate::installation::difference;
use crate::own_python::OwnPython;
use crate::python;
use crate::support::Run;

/// The demo with two versions: the first has `bar` and the older `foo`, the second `baz` and the newer one.
fn two_versions() -> Option<OwnPython> {
    let demo = python::demo()?;
    demo.comfrey(["sync", "--own-python"]).success();
    demo.comfrey(["commit", "-m", "first"]).success();
    demo.demo.write("custom_nodes/Impact/requirements.txt", "baz\n");
    demo.comfrey(["sync", "--rescan"]).success();
    demo.comfrey(["commit", "-m", "second"]).success();
    Some(demo)
}

/// Nothing of the environment or of its ComfyUI has changed, and Python is what the lock says.
#[track_caller]
fn all_is_as(before: &BTreeMap<String, Vec<u8>>, demo: &OwnPython, what: &str) {
    assert_eq!(difference(before, &demo.files()), Vec::<String>::new(), "{what}");
    assert_eq!(demo.json(["status"])["python"]["packages"], json!([]), "{what}");
}

// Not on Windows: the program in uv's place is a script of `sh`.
// Instead: `what_cannot_be_had_is_refused_with_who_wants_it_and_nothing_is_changed`, whose uv fails by itself.
#[cfg(unix)]
#[test]
fn uv_killed_at_any_of_its_steps_is_said_and_everything_is_put_back() {
    let Some(demo) = two_versions() else { return };
    demo.demo.write("custom_nodes/Other/requirements.txt", "rich\n");
    let before = demo.files();
    // It has done half of its work: a package is gone, another half written.
    let killed_at = |step: &str| {
        demo.stand_in(&format!(
            "if [ \"$1\" = {step} ]; then\n\"$UV\" \"$@\" >/dev/null 2>&1\n\
             for site in \"${{UV_PROJECT_ENVIRONMENT:-none}}\"/lib/*/site-packages; do\n\
             if [ -d \"$site\" ]; then rm -rf \"$site/foo\"; echo x > \"$site/half.py\"; fi; done\n\
             echo 'Downloading foo' >&2; kill -9 $$; fi\nexec \"$UV\" \"$@\""
        ))
    };
    let uv = killed_at("lock");
    for words in [&["sync"][..], &["py", "add", "rich"], &["constraint", "add", "foo<9"]] {
        let run = Run::of(demo.with_uv(&uv, words.iter().copied())).fails_with(7);
        assert!(
            run.stderr.contains("uv lock failed, ended by a signal\n  Downloading foo"),
            "{words:?}: {}",
            run.stderr
        );
        assert!(run.stderr.contains("nothing was changed") && run.stderr.contains("logs/uv.log"), "{}", run.stderr);
        all_is_as(&before, &demo, &words.join(" "));
    }
    let uv = killed_at("sync");
    for words in [
        &["sync"][..],
        &["py", "add", "rich"],
        &["rollback", "v1"],
        &["switch", "-c", "old", "v1", "--discard-changes"],
    ] {
        let run = Run::of(demo.with_uv(&uv, words.iter().copied())).fails_with(7);
        assert!(run.stderr.contains("uv sync failed, ended by a signal"), "{words:?}: {}", run.stderr);
        all_is_as(&before, &demo, &words.join(" "));
    }
    // The same commands with a uv that lives.
    demo.comfrey(["rollback", "v1"]).success();
    demo.comfrey(["undo"]).success();
    all_is_as(&before, &demo, "rollback and undo");
}

// Not on Windows: the program in uv's place is a script of `sh`.
// Instead: `what_cannot_be_had_is_refused_with_who_wants_it_and_nothing_is_changed`, whose uv fails by itself.
#[cfg(unix)]
#[test]
fn uv_killed_while_it_makes_the_first_virtual_environment_leaves_none() {
    let Some(demo) = python::demo() else { return };
    let before = demo.files();
    for step in ["lock", "venv", "sync"] {
        let uv = demo.stand_in(&format!(
            "if [ \"$1\" = {step} ]; then \"$UV\" \"$@\" >/dev/null 2>&1; kill -9 $$; fi\nexec \"$UV\" \"$@\""
        ));
        let run = Run::of(demo.with_uv(&uv, ["sync", "--own-python"])).fails_with(7);
        assert!(run.stderr.contains(&format!("uv {step} failed, ended by a signal")), "{}", run.stderr);
        assert_eq!(difference(&before, &demo.files()), Vec::<String>::new(), "{step}");
    }
    demo.comfrey(["sync", "--own-python"]).success();
}

// Not on Windows: the program in uv's place is a script of `sh`.
// Instead: `what_cannot_be_had_is_refused_with_who_wants_it_and_nothing_is_changed`, whose uv fails by itself.
#[cfg(unix)]
#[test]
fn whatever_command_is_killed_while_uv_works_the_next_takes_it_back() {
    let Some(demo) = two_versions() else { return };
    demo.demo.write("custom_nodes/Other/requirements.txt", "rich\n");
    let before = demo.files();
    for step in ["lock", "sync"] {
        // What uv does after Comfrey is gone must do no harm either.
        let uv = demo.stand_in(&format!(
            "if [ \"$1\" = {step} ]; then rm -rf \"${{UV_PROJECT_ENVIRONMENT:-none}}\"/lib/*/site-packages/foo; kill -9 $PPID; fi\nexec \"$UV\" \"$@\""
        ));
        for words in [&["sync"][..], &["py", "add", "rich"], &["rollback", "v1"]] {
            if step == "lock" && words[0] == "rollback" {
                continue;
            }
            let run = Run::of(demo.with_uv(&uv, words.iter().copied()));
            assert_eq!(run.code, -1, "{words:?}: {run:?}");
            let next = demo.comfrey(["status"]).success();
            let said = next.stderr.contains("was interrupted in demo: undone");
            assert_eq!(said, step == "sync", "{words:?} at {step}: {}", next.stderr);
            all_is_as(&before, &demo, &words.join(" "));
        }
    }
    // Where something was being resolved, the next that resolves cleans up.
    demo.comfrey(["sync", "--dry-run"]).success();
    let names = std::fs::read_dir(demo.folder()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().starts_with(".comfrey-")));
}

#[test]
fn what_cannot_be_had_is_refused_with_who_wants_it_and_nothing_is_changed() {
    let Some(demo) = two_versions() else { return };
    let before = demo.files();
    for (wish, said) in [
        ("nothere", "`comfrey py add` wants nothere\nno nothere that can be had satisfies that"),
        ("foo>9", "wants foo>9"),
        ("bar", "wants foo<2, through bar"),
        ("foo @ https://127.0.0.1:1/foo-1.0-py3-none-any.whl", "Failed to download `foo @ https://127.0.0.1:1/foo-1.0"),
    ] {
        let run = demo.comfrey(["py", "add", wish]);
        assert!(matches!(run.code, 4 | 7), "{wish}: {run:?}");
        assert!(run.stderr.contains(said) && run.stderr.contains("nothing was changed"), "{wish}: {}", run.stderr);
        assert_eq!(difference(&before, &demo.files()), Vec::<String>::new(), "{wish}");
    }
    // What names a place of one machine, or none, is a wrong use.
    for (wish, said) in [
        ("./local.whl", "a file or folder of one machine"),
        ("--index-url", "unexpected argument"),
        ("https://example.org/foo.whl", "does not say which package it is"),
        ("foo=1", "cannot be used"),
    ] {
        let run = demo.comfrey(["py", "add", wish]).fails_with(2);
        assert!(run.stderr.contains(said), "{wish}: {}", run.stderr);
        assert_eq!(difference(&before, &demo.files()), Vec::<String>::new(), "{wish}");
    }
}

#[test]
fn without_a_network_neither_resolving_nor_installing_changes_anything_and_both_say_what_to_do() {
    let Some(demo) = two_versions() else { return };
    // A port that nobody listens at stands for the index.
    let cut_off = |words: &[&str]| {
        let mut command = demo.command(words.iter().copied());
        let index = format!("http://127.0.0.1:{}/simple", crate::standin::free_port());
        for name in ["UV_FIND_LINKS", "UV_NO_INDEX", "UV_OFFLINE"] {
            command.env_remove(name);
        }
        command.env("UV_DEFAULT_INDEX", index).env("UV_HTTP_RETRIES", "0").env("UV_HTTP_TIMEOUT", "10");
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(name);
        }
        command
    };
    let before = demo.files();
    let run = Run::of(cut_off(&["py", "add", "another"])).fails_with(7);
    assert!(run.stderr.contains("uv lock failed") && run.stderr.contains("check the network"), "{}", run.stderr);
    all_is_as(&before, &demo, "py add");
    // What is locked is in uv's cache no more, and where it was cannot be reached.
    std::fs::rename(demo.demo.sandbox.join("wheels"), demo.demo.sandbox.join("away")).unwrap();
    std::fs::create_dir(demo.demo.sandbox.join("wheels")).unwrap();
    std::fs::remove_dir_all(demo.demo.sandbox.join("uv-cache")).unwrap();
    for words in [&["rollback", "v1"][..], &["switch", "-c", "old", "v1"]] {
        let run = demo.comfrey(words.iter().copied()).fails_with(7);
        assert!(run.stderr.contains("uv sync failed"), "{}", run.stderr);
        all_is_as(&before, &demo, &words.join(" "));
    }
    // What needs no package goes on.
    demo.comfrey(["commit", "--dry-run"]).success();
    demo.demo.write("custom_nodes/one.py", "z = 3\n");
    demo.comfrey(["rollback", "HEAD"]).success();
    all_is_as(&before, &demo, "rollback of files");
}

#[test]
fn a_disk_that_is_full_while_uv_installs_changes_nothing() {
    let Some(demo) = python::demo() else { return };
    let disk = demo.demo.sandbox.join("disk");
    let _mounted = match crate::store::tmpfs(&disk, "24m") {
        Ok(mounted) => mounted,
        Err(why) => return crate::store::skip("Python packages on a full disk", &why),
    };
    let mut noise = vec![0; 30_000_000];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    demo.wheels.add_with("big", "1.0", &[], &noise);
    let comfrey = |words: &[&str]| -> Command {
        let mut command = demo.command([]);
        command.current_dir(&disk).env("COMFREY_HOME", &disk).args(words);
        command
    };
    let plain = demo.demo.comfyui();
    std::fs::write(plain.join("requirements.txt"), "foo\n").unwrap();
    Run::of(comfrey(&["init", "--no-input", "."])).success();
    let create = ["create", "small", "--comfyui", plain.to_str().unwrap()];
    let files = || {
        let mut found = BTreeMap::new();
        crate::installation::collect(&disk.join("environments"), "", &mut found);
        found.retain(|name, _| !name.contains("/logs/") && !name.ends_with("/lock") && !name.contains("__pycache__"));
        found
    };
    let empty = files();
    // In the middle of `create`.
    std::fs::write(plain.join("requirements.txt"), "foo\nbig\n").unwrap();
    let run = Run::of(comfrey(&create)).fails_with(7);
    assert!(run.stderr.contains("No space left on device") && run.stderr.contains("Make room"), "{}", run.stderr);
    assert_eq!(difference(&empty, &files()), Vec::<String>::new());
    std::fs::write(plain.join("requirements.txt"), "foo\n").unwrap();
    Run::of(comfrey(&create)).success();
    // Of `py add` and `sync`.
    let before = files();
    for words in [&["py", "add", "big"][..], &["sync", "--rescan"]] {
        let requirements = disk.join("environments/small/ComfyUI/requirements.txt");
        std::fs::write(&requirements, if words[0] == "sync" { "foo\nbig\n" } else { "foo\n" }).unwrap();
        let run = Run::of(comfrey(words)).fails_with(7);
        assert!(run.stderr.contains("No space left on device"), "{words:?}: {}", run.stderr);
        std::fs::write(&requirements, "foo\n").unwrap();
        assert_eq!(difference(&before, &files()), Vec::<String>::new(), "{words:?}");
    }
    // And of `rollback` to a version with more in it than there is room for now.
    crate::store::system("mount", &["-o", "remount,size=96m", disk.to_str().unwrap()]).unwrap();
    Run::of(comfrey(&["py", "add", "big"])).success();
    Run::of(comfrey(&["commit", "-m", "with big"])).success();
    Run::of(comfrey(&["rollback", "v1"])).success();
    crate::store::system("mount", &["-o", "remount,size=24m", disk.to_str().unwrap()]).unwrap();
    let before = files();
    let run = Run::of(comfrey(&["rollback", "v2"])).fails_with(7);
    assert!(run.stderr.contains("No space left on device"), "{}", run.stderr);
    assert_eq!(difference(&before, &files()), Vec::<String>::new());
    crate::store::system("mount", &["-o", "remount,size=96m", disk.to_str().unwrap()]).unwrap();
    Run::of(comfrey(&["rollback", "v2"])).success();
}

#[test]
fn a_lock_that_is_not_what_the_manifest_asks_for_is_warned_of_at_a_commit() {
    let Some(demo) = two_versions() else { return };
    let manifest = demo.folder().join(".cec/pyproject.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"foo\"", "\"foo>=1\"")).unwrap();
    let warning = "uv.lock is not what pyproject.toml asks for; `comfrey sync` makes it so";
    let dry = demo.comfrey(["commit", "--dry-run"]).success();
    assert!(dry.stderr.contains(warning), "{}", dry.stderr);
    let run = demo.comfrey(["commit", "-m", "by hand"]).success();
    assert!(run.stderr.contains(warning), "{}", run.stderr);
    assert_eq!(demo.json(["commit", "--dry-run"])["lock_follows"], false);
    demo.comfrey(["sync"]).success();
    let run = demo.comfrey(["commit", "-m", "in step"]).success();
    assert!(!run.stderr.contains("uv.lock"), "{}", run.stderr);
}

#[test]
fn rollback_undo_and_switch_list_the_packages_that_change_in_json_too() {
    let Some(demo) = two_versions() else { return };
    let packages = |value: &serde_json::Value| -> Vec<String> {
        let side = |package: &serde_json::Value, key: &str| package[key].as_str().unwrap_or("-").to_owned();
        let list = value["packages"].as_array().unwrap_or_else(|| panic!("{value}"));
        list.iter()
            .map(|found| format!("{} {} {}", side(found, "package"), side(found, "from"), side(found, "to")))
            .collect()
    };
    let there = ["bar - 1.0", "baz 1.0 -", "foo 2.0 1.0"];
    let back = ["bar 1.0 -", "baz - 1.0", "foo 1.0 2.0"];
    let mut shape = crate::documents::documented("rollback");
    shape["packages"][0].as_object_mut().unwrap().remove("from");
    let dry = demo.json(["rollback", "v1", "--dry-run"]);
    crate::documents::same_fields("rollback", &shape, &dry);
    assert_eq!(packages(&dry), there);
    assert_eq!(packages(&demo.json(["rollback", "v1"])), there);
    let undo = demo.json(["undo"]);
    let mut shape = crate::documents::documented("undo, redo");
    shape["steps"] = json!([]);
    crate::documents::same_fields("undo", &shape, &undo);
    assert_eq!(packages(&undo), back);
    let switch = demo.json(["switch", "-c", "old", "v1"]);
    crate::documents::same_fields("switch", &crate::documents::documented("switch"), &switch);
    assert_eq!(packages(&switch), there);
    assert_eq!(packages(&demo.json(["undo"])), back);
    std::fs::remove_dir_all(demo.folder().join(".venv")).unwrap();
    let status = demo.comfrey(["status"]).success();
    assert!(status.stdout.contains("the Python of this environment is not there"), "{}", status.stdout);
    let dry = demo.comfrey(["sync", "--dry-run"]).success();
    assert!(dry.stdout.contains("A Python environment would be made for demo"), "{}", dry.stdout);
    let made = demo.json(["rollback", "HEAD"]);
    assert_eq!((packages(&made).len(), &made["made_python"]), (0, &true.into()));
}
