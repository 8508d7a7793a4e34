//! Files to trees and back, through the programs.

use std::fs;

use comfrey::object::{EntryKind, ObjectId};
use comfrey::store::Store;
use serde_json::Value;

use crate::support::{Run, Sandbox};
use crate::trial::Closed;

/// A workspace with a store and no environment.
fn workspace() -> Sandbox {
    let sandbox = Sandbox::new();
    Store::create(&sandbox.join(".comfrey")).unwrap();
    sandbox
}

fn json(run: &Run) -> Value {
    serde_json::from_str(run.line()).unwrap()
}

/// A folder with one of everything.
fn furnish(sandbox: &Sandbox) {
    sandbox.write("in/a.txt", "hello");
    sandbox.write("in/sub/b.py", "print()");
    sandbox.write("in/sub/__pycache__/b.pyc", "code");
    sandbox.write("in/.git/HEAD", "ref");
    sandbox.write("in/big.bin", vec![7; 2 << 20]);
    fs::create_dir(sandbox.join("in/empty")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::os::unix::fs::symlink("a.txt", sandbox.join("in/link")).unwrap();
        let run = sandbox.write("in/run.sh", "#!/bin/sh");
        fs::set_permissions(run, PermissionsExt::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_folder_goes_into_the_store_is_listed_and_comes_out_again() {
    let sandbox = workspace();
    furnish(&sandbox);
    let tree = sandbox.comfrey(["write-tree", "in"]).success().line().to_owned();
    let listed = sandbox.comfrey(["ls-tree", "-r", &tree]).success().stdout;
    let names: Vec<(&str, &str)> =
        listed.lines().map(|line| (line.split(' ').next().unwrap(), line.split('\t').nth(1).unwrap())).collect();
    let wanted = [
        ("file", "a.txt"),
        ("file", "big.bin"),
        ("tree", "empty"),
        #[cfg(unix)]
        ("symlink", "link"),
        #[cfg(unix)]
        ("executable", "run.sh"),
        ("file", "sub/b.py"),
    ];
    assert_eq!(names, wanted);
    let hello = ObjectId::of_blob(b"hello");
    assert!(listed.starts_with(&format!("file {hello} 5\ta.txt\n")));
    sandbox.comfrey(["checkout-tree", &tree, "out"]).success();
    assert_eq!(sandbox.comfrey(["write-tree", "out"]).success().line(), tree);
    assert_eq!(sandbox.read("in/big.bin"), sandbox.read("out/big.bin"));
    assert!(sandbox.join("out/empty").is_dir());
    #[cfg(unix)]
    sandbox.shell("test -x out/run.sh && test -L out/link").success();
    // With a prefix of the id, into the same folder: nothing to do.
    let again = sandbox.comfrey(["checkout-tree", &tree[..12], "out", "--json"]).success();
    let again = json(&again);
    assert_eq!(
        (&again["written"], &again["unchanged"], &again["tree"]),
        (&0.into(), &if cfg!(unix) { 5 } else { 3 }.into(), &tree.as_str().into())
    );
}

#[test]
fn listing_follows_options() {
    let sandbox = workspace();
    for path in ["in/a", "in/d/b", "in/d/e/c"] {
        sandbox.write(path, path);
    }
    let tree = sandbox.comfrey(["write-tree", "in"]).success().line().to_owned();
    let list = |arguments: &[&str]| {
        let all = [&["ls-tree", "--name-only"], arguments, &[tree.as_str()]].concat();
        sandbox.comfrey(all).success().stdout
    };
    assert_eq!(list(&[]), "a\nd\n");
    assert_eq!(list(&["-r"]), "a\nd/b\nd/e/c\n");
    assert_eq!(list(&["-r", "-t"]), "a\nd\nd/b\nd/e\nd/e/c\n");
    assert_eq!(list(&["-z"]), "a\0d\0");
    let below = sandbox.comfrey(["ls-tree", "--name-only", &format!("{tree}:d")]).success().stdout;
    assert_eq!(below, "b\ne\n");
    let path = sandbox.comfrey(["ls-tree", "-r", "--name-only", &tree, "d/e", "a"]).success().stdout;
    assert_eq!(path, "d/e/c\na\n");
    let absent = sandbox.comfrey(["ls-tree", &tree, "d/x"]).fails_with(3);
    assert!(absent.stderr.contains("holds no `d/x`"), "{}", absent.stderr);
    let lines = sandbox.comfrey(["ls-tree", "--json", &tree]).success().stdout;
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["path"], &first["kind"], &first["size"]), (&"a".into(), &"file".into(), &4.into()));
}

#[test]
fn a_tree_is_made_of_what_ls_tree_prints() {
    let sandbox = workspace();
    sandbox.write("in/a", "one");
    sandbox.write("in/d/b", "two");
    let tree = sandbox.comfrey(["write-tree", "in"]).success().line().to_owned();
    // Wine has no `sort`; there the order is turned below instead.
    if cfg!(unix) {
        let script = format!("comfrey ls-tree {tree} | sort -r | comfrey make-tree");
        assert_eq!(sandbox.shell(&script).success().line(), tree);
    }
    let listed = sandbox.comfrey(["ls-tree", &tree]).success().stdout;
    let turned: String = listed.lines().rev().map(|line| format!("{line}\n")).collect();
    assert_eq!(sandbox.comfrey_with_input(["make-tree"], turned).success().line(), tree);
    let script = format!("comfrey ls-tree -z {tree} | comfrey make-tree -z");
    assert_eq!(sandbox.shell(&script).success().line(), tree);
    let one = ObjectId::of_blob(b"one");
    let absent = ObjectId::of_blob(b"absent");
    for (line, code, says) in [
        (format!("file {one} 4\ta\n"), 2, "has 3 bytes, not 4"),
        (format!("tree {one} 3\ta\n"), 2, "is a blob"),
        (format!("file {absent} 6\ta\n"), 3, "not in the store"),
        (format!("file {one} 3\ta\nfile {one} 3\ta\n"), 2, "stands twice"),
        (format!("file {one} 3\t..\n"), 2, "line 1"),
        ("nonsense\n".to_owned(), 2, "line 1"),
    ] {
        let run = sandbox.comfrey_with_input(["make-tree"], &line).fails_with(code);
        assert!(run.stderr.contains(says) && run.stdout.is_empty(), "{line}: {}", run.stderr);
    }
    // Only a model may be absent.
    sandbox.comfrey_with_input(["make-tree"], format!("model {absent} 6\ta\n")).success();
    let made = sandbox.comfrey_with_input(["make-tree", "--json"], "").success();
    assert_eq!(json(&made)["entries"], 0);
}

#[test]
fn a_dry_run_stores_nothing_and_says_what_it_would_do() {
    let sandbox = workspace();
    sandbox.write("in/a", "one");
    sandbox.write("in/d/b", "two");
    let tree = sandbox.comfrey(["write-tree", "-n", "in"]).success().line().to_owned();
    sandbox.comfrey(["ls-tree", &tree]).fails_with(3);
    assert_eq!(sandbox.comfrey(["write-tree", "in"]).success().line(), tree);
    sandbox.write("out/a", "other");
    sandbox.write("out/x", "extra");
    let plan = sandbox.comfrey(["checkout-tree", "-n", "--exact", &tree, "out"]).success().stdout;
    assert_eq!(plan, "M\ta\nA\td\nD\tx\n");
    assert_eq!(sandbox.read("out/a"), b"other");
    let refused = sandbox.comfrey(["checkout-tree", "--no-overwrite", &tree, "out"]).fails_with(4);
    assert!(refused.stderr.contains("out/a is in the way"), "{}", refused.stderr);
    sandbox.comfrey(["checkout-tree", "--exact", "--move-aside", "aside", &tree, "out"]).success();
    assert_eq!((sandbox.read("out/a"), sandbox.read("aside/a")), (b"one".to_vec(), b"other".to_vec()));
    assert_eq!(sandbox.read("aside/x"), b"extra");
    assert!(!sandbox.join("out/x").exists());
}

// Not on Windows: it has no such names.
// Instead: `names_that_this_system_cannot_hold_are_named_before_anything_is_written`.
#[test]
#[cfg(unix)]
fn names_that_no_tree_holds_are_errors_and_unsafe_ones_warnings() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = workspace();
    sandbox.write("in/good", "x");
    sandbox.write(std::path::Path::new("in").join(std::ffi::OsStr::from_bytes(b"bad\xff")), "x");
    sandbox.write("in/back\\slash", "x");
    for unsafe_name in ["in/aux.txt", "in/dot.", "in/a:b", "in/line\nfeed", "in/Readme", "in/README"] {
        sandbox.write(unsafe_name, "x");
    }
    let run = sandbox.comfrey(["write-tree", "in", "--json"]).fails_with(3);
    let answer = json(&run);
    assert_eq!(answer["files"], 7);
    let of = |kept: bool| -> Vec<&str> {
        let problems = answer["problems"].as_array().unwrap().iter();
        problems.filter(|p| p["kept"] == kept).map(|p| p["reason"].as_str().unwrap()).collect()
    };
    assert_eq!(of(false), ["separator-in-name", "not-utf-8"]);
    assert_eq!(of(true).len(), 5);
    assert!(run.stderr.contains(r#"error: "in/bad\xFF": the name is not UTF-8"#), "{}", run.stderr);
    assert!(run.stderr.contains("warning: in/aux.txt: kept, but the name is the name of a device"), "{}", run.stderr);
    assert!(run.stderr.contains("beside `README`"), "{}", run.stderr);
    // What was kept comes out as it went in, and is quoted where a line is a name.
    let tree = answer["id"].as_str().unwrap();
    let names = sandbox.comfrey(["ls-tree", "--name-only", tree]).success().stdout;
    assert!(names.contains("\"line\\nfeed\"\n"), "{names}");
    sandbox.comfrey(["checkout-tree", tree, "out"]).success();
    assert_eq!(sandbox.read("out/line\nfeed"), b"x");
}

// Not on Windows: it has no pipes as files.
// Instead: `a_folder_that_is_not_there_is_an_error` and the link tests.
#[test]
#[cfg(unix)]
fn loops_of_links_fifos_and_folders_that_are_not_there() {
    let sandbox = workspace();
    sandbox.write("in/a", "x");
    sandbox.shell("cd in && ln -s b c && ln -s c b && ln -s . self && mkfifo pipe").success();
    // In a folder a loop is some links, kept as they are; a fifo is named, and not waited for.
    let run = sandbox.comfrey(["write-tree", "in"]).fails_with(3);
    assert!(run.stderr.contains("in/pipe: is a fifo"), "{}", run.stderr);
    let listed = sandbox.comfrey(["ls-tree", run.line()]).success().stdout;
    assert_eq!(listed.lines().filter(|line| line.starts_with(EntryKind::Symlink.as_str())).count(), 3);
    // As the folder itself it is an error that names it.
    let looped = sandbox.comfrey(["write-tree", "in/b"]).fails_with(3);
    assert!(looped.stderr.starts_with("error: in/b: ") && looped.stdout.is_empty(), "{}", looped.stderr);
    let absent = sandbox.comfrey(["write-tree", "nowhere"]).fails_with(3);
    assert!(absent.stderr.starts_with("error: nowhere: "), "{}", absent.stderr);
    sandbox.comfrey(["write-tree", "in/a"]).fails_with(3);
}

#[test]
fn a_folder_that_may_not_be_read_is_named_and_the_rest_goes_on() {
    let sandbox = workspace();
    sandbox.write("in/a", "x");
    sandbox.write("in/closed/b", "x");
    let closed = Closed::new("a_folder_that_may_not_be_read_is_named_and_the_rest_goes_on", sandbox.join("in/closed"));
    let Some(closed) = closed else { return };
    let run = sandbox.comfrey(["write-tree", "in"]).fails_with(3);
    drop(closed);
    assert!(run.stderr.contains("in/closed: cannot be read"), "{}", run.stderr);
    assert_eq!(sandbox.comfrey(["ls-tree", "--name-only", run.line()]).success().stdout, "a\n");
}

#[test]
fn rules_of_a_user_leave_out_and_bring_back() {
    let sandbox = workspace();
    sandbox.write("in/.comfreyignore", "*.log\n!__pycache__/\n");
    sandbox.write("in/.comfydock_ignore", "secret\n");
    sandbox.write("in/.gitignore", "weights\n");
    for path in ["in/x.log", "in/weights", "in/secret", "in/__pycache__/kept.txt", "in/a.md", "in/sub/y.log"] {
        sandbox.write(path, "x");
    }
    let tree = sandbox.comfrey(["write-tree", "in", "--exclude", "*.md"]).success().line().to_owned();
    let names = sandbox.comfrey(["ls-tree", "-r", "--name-only", &tree]).success().stdout;
    assert_eq!(names, ".comfreyignore\n.comfydock_ignore\n.gitignore\n__pycache__/kept.txt\nsub\nweights\n");
    let all = sandbox.comfrey(["write-tree", "in", "--no-ignore", "--json"]).success();
    assert_eq!(json(&all)["files"], 9);
}

#[test]
fn weights_become_models_when_asked_and_an_absent_one_is_listed() {
    let sandbox = workspace();
    sandbox.write("in/m.safetensors", "weights");
    sandbox.write("in/a.py", "code");
    let answer = json(&sandbox.comfrey(["write-tree", "--models", "in", "--json"]).success());
    assert_eq!((&answer["files"], &answer["models"]), (&2.into(), &1.into()));
    let tree = answer["id"].as_str().unwrap();
    sandbox.comfrey(["checkout-tree", tree, "out"]).success();
    assert_eq!(sandbox.read("out/m.safetensors"), b"weights");
    // In a store without the bytes.
    let absent = ObjectId::of_blob(b"nobody has this");
    let made = sandbox.comfrey_with_input(["make-tree"], format!("model {absent} 15\tgone.pt\n")).success();
    let run = sandbox.comfrey(["checkout-tree", made.line(), "empty"]).fails_with(1);
    assert_eq!(run.stdout, format!("absent {absent} 15\tgone.pt\n"));
    assert_eq!(fs::read_dir(sandbox.join("empty")).unwrap().count(), 0);
}

#[test]
fn a_damaged_object_keeps_everything_as_it_was() {
    let sandbox = workspace();
    sandbox.write("in/a", "some text that is long enough to be found");
    sandbox.write("in/b", "other");
    let tree = sandbox.comfrey(["write-tree", "in"]).success().line().to_owned();
    let segment = fs::read_dir(sandbox.join(".comfrey/segments"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|suffix| suffix == "seg"))
        .unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(9).position(|window| window == b"some text").unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, bytes).unwrap();
    sandbox.write("out/b", "before");
    let run = sandbox.comfrey(["checkout-tree", &tree, "out"]).fails_with(5);
    assert!(run.stderr.contains("`a`: object"), "{}", run.stderr);
    assert_eq!(sandbox.read("out/b"), b"before");
    assert!(!sandbox.join("out/a").exists());
    assert_eq!(
        fs::read_dir(sandbox.path())
            .unwrap()
            .filter(|e| { e.as_ref().unwrap().file_name().to_string_lossy().starts_with(".comfrey-staging") })
            .count(),
        0
    );
}

// Not on Windows: a folder that is read-only may be written to there.
// Instead: `a_failure_while_placing_is_taken_back`, and files that are open.
#[test]
#[cfg(unix)]
fn a_folder_that_may_not_be_written_is_named_and_left() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = workspace();
    sandbox.write("in/a", "x");
    let tree = sandbox.comfrey(["write-tree", "in"]).success().line().to_owned();
    sandbox.write("closed/sub/a", "before");
    for folder in ["closed/sub", "closed"] {
        fs::set_permissions(sandbox.join(folder), PermissionsExt::from_mode(0o555)).unwrap();
    }
    if fs::write(sandbox.join("closed/probe"), "").is_ok() {
        return; // the system refuses this user nothing
    }
    sandbox.comfrey(["checkout-tree", &tree, "closed/sub"]).fails_with(3);
    assert_eq!(sandbox.read("closed/sub/a"), b"before");
    for folder in ["closed", "closed/sub"] {
        fs::set_permissions(sandbox.join(folder), PermissionsExt::from_mode(0o755)).unwrap();
    }
}

#[test]
fn unknown_revisions_and_wrong_usage_have_their_codes() {
    let sandbox = workspace();
    sandbox.comfrey(["checkout-tree", "v9", "out"]).fails_with(3);
    sandbox.comfrey(["ls-tree", "abcdef"]).fails_with(3);
    sandbox.comfrey(["write-tree"]).fails_with(2);
    assert!(!sandbox.join("out").exists());
    let homeless = Sandbox::new();
    homeless.write("in/a", "x");
    homeless.comfrey(["write-tree", "in"]).fails_with(3);
}

/// A tree, and a folder that differs from it in every way: to be replaced, added, taken away, left alone.
fn between_two() -> (Sandbox, String, [String; 2]) {
    let sandbox = workspace();
    for (path, text) in [("a", "new a"), ("b/c", "new c"), ("b/d", "d"), ("e/f/g", "new g"), ("h", "h"), ("i/j", "j")] {
        sandbox.write(format!("in/{path}"), text);
    }
    let tree = sandbox.comfrey(["write-tree", "in"]).success().line().to_owned();
    sandbox.write("other/x", "x");
    let other = sandbox.comfrey(["write-tree", "other"]).success().line().to_owned();
    fill_target(&sandbox);
    let before = sandbox.comfrey(["write-tree", "out"]).success().line().to_owned();
    let wanted = tree.clone();
    (sandbox, other, [before, wanted])
}

fn fill_target(sandbox: &Sandbox) {
    drop(fs::remove_dir_all(sandbox.join("out")));
    for (path, text) in
        [("a", "old a"), ("b/c", "old c"), ("b/d", "d"), ("e/extra", "x"), ("extra/y", "y"), ("h", "old")]
    {
        sandbox.write(format!("out/{path}"), text);
    }
}

fn staged(sandbox: &Sandbox) -> usize {
    let names = fs::read_dir(sandbox.path()).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with(".comfrey-staging")).count()
}

#[test]
fn a_check_out_that_dies_at_any_step_is_ended_by_the_next_one_there() {
    let (sandbox, other, [before, wanted]) = between_two();
    for exact in [false, true] {
        fill_target(&sandbox);
        let more: &[&str] = if exact { &["--exact"] } else { &[] };
        let check_out = |tree: &str| sandbox.comfrey_command([&["checkout-tree", tree, "out"], more].concat());
        Run::of(check_out(&wanted)).success();
        let after = sandbox.comfrey(["write-tree", "out"]).success().line().to_owned();
        assert_eq!(exact, after == wanted);
        let mut ends = [0, 0];
        for k in 1.. {
            fill_target(&sandbox);
            let mut command = check_out(&wanted);
            command.env("COMFREY_FAULT_AT", format!("{k}!"));
            let run = Run::of(command);
            // One to another folder beside it.
            let next = sandbox.comfrey(["checkout-tree", &other, "elsewhere"]).success();
            fs::remove_dir_all(sandbox.join("elsewhere")).unwrap();
            let now = sandbox.comfrey(["write-tree", "out"]).success().line().to_owned();
            assert!(now == before || now == after, "step {k}: {}", next.stderr);
            assert_eq!(staged(&sandbox), 0, "step {k}: {}", next.stderr);
            if run.code == 0 {
                break;
            }
            assert!(
                next.stderr.contains("which an interrupted check-out left") || now == before,
                "step {k}: {}",
                next.stderr
            );
            ends[usize::from(now == after)] += 1;
        }
        assert!(ends[0] > 0 && ends[1] > 3, "{ends:?}");
    }
}

#[test]
fn what_was_changed_after_a_check_out_died_is_not_lost_to_the_next() {
    let (sandbox, other, [_, wanted]) = between_two();
    let mut kept = 0;
    for k in 1.. {
        fill_target(&sandbox);
        let mut command = sandbox.comfrey_command(["checkout-tree", &wanted, "out", "--exact"]);
        command.env("COMFREY_FAULT_AT", format!("{k}!"));
        let run = Run::of(command);
        for path in ["a", "b/c", "h"] {
            sandbox.write(format!("out/{path}"), format!("edited after the crash: {path}"));
        }
        let next = sandbox.comfrey(["checkout-tree", &other, "elsewhere"]).success();
        for path in ["a", "b/c", "h"] {
            let text = String::from_utf8(sandbox.read(format!("out/{path}"))).unwrap();
            assert!(text.starts_with("edited after"), "step {k}: {path} says {text}\n{}", next.stderr);
        }
        kept += staged(&sandbox);
        for entry in fs::read_dir(sandbox.path()).unwrap().map(|entry| entry.unwrap()) {
            if entry.file_name().to_string_lossy().starts_with(".comfrey-staging") {
                assert!(next.stderr.contains("was changed meanwhile"), "{}", next.stderr);
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
        if run.code == 0 {
            break;
        }
    }
    assert!(kept > 0);
}

#[test]
fn what_gave_way_to_a_check_out_that_died_is_moved_aside_if_that_was_asked_for() {
    let (sandbox, other, [_, wanted]) = between_two();
    for k in 1.. {
        fill_target(&sandbox);
        drop(fs::remove_dir_all(sandbox.join("aside")));
        let arguments = ["checkout-tree", &wanted, "out", "--exact", "--move-aside", "aside"];
        let mut command = sandbox.comfrey_command(arguments);
        command.env("COMFREY_FAULT_AT", format!("{k}!"));
        let run = Run::of(command);
        sandbox.comfrey(["checkout-tree", &other, "elsewhere"]).success();
        let there = |path: &str| fs::read_to_string(sandbox.join(path)).unwrap_or_default();
        for (path, text) in [("a", "old a"), ("b/c", "old c"), ("extra/y", "y"), ("e/extra", "x"), ("h", "old")] {
            let found = [there(&format!("out/{path}")), there(&format!("aside/{path}"))];
            assert!(found.iter().any(|found| found == text), "step {k}: {path} is {found:?}");
        }
        if run.code == 0 {
            break;
        }
    }
}

#[test]
fn a_check_out_killed_at_random_moments_is_ended_by_the_next_one() {
    let rounds: u64 = std::env::var("COMFREY_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let sandbox = workspace();
    for n in 0..400 {
        sandbox.write(format!("in/{}/{n}", n % 20), format!("new {n}"));
    }
    let wanted = sandbox.comfrey(["write-tree", "in"]).success().line().to_owned();
    let fill = || {
        drop(fs::remove_dir_all(sandbox.join("out")));
        for n in 0..500 {
            sandbox.write(format!("out/{}/{n}", n % 20), format!("old {n}"));
        }
    };
    fill();
    let before = sandbox.comfrey(["write-tree", "out"]).success().line().to_owned();
    let begun = std::time::Instant::now();
    sandbox.comfrey(["checkout-tree", &wanted, "out", "--exact"]).success();
    let whole = begun.elapsed();
    sandbox.write("other/x", "x");
    let other = sandbox.comfrey(["write-tree", "other"]).success().line().to_owned();
    let mut seen = [0, 0];
    for round in 0..rounds {
        fill();
        let mut command = sandbox.comfrey_command(["checkout-tree", &wanted, "out", "--exact"]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(whole.mul_f64((round as f64 * 0.618) % 1.0));
        // The process may have ended by itself.
        drop(child.kill());
        child.wait().unwrap();
        let next = sandbox.comfrey(["checkout-tree", &other, "other"]).success();
        let now = sandbox.comfrey(["write-tree", "out"]).success().line().to_owned();
        assert!(now == before || now == wanted, "round {round}: {}", next.stderr);
        assert_eq!(staged(&sandbox), 0, "round {round}: {}", next.stderr);
        seen[usize::from(now == wanted)] += 1;
    }
    eprintln!("{rounds} rounds: {} as before, {} as wanted", seen[0], seen[1]);
}
