//! `node`: custom nodes come, change and go as one step each, from a registry, repositories, archives and folders; and nothing is touched where
//! that goes wrong.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::documents::{documented, same_fields};
use crate::installation::{Installation, difference};
use crate::loopback::{Loopback, Reply};
use crate::support::Run;
use crate::trial::links_can_be_made;

/// An address at which nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";

/// Runs a command with the registry at `base`, and without the machine's proxies.
fn at(demo: &Installation, base: &str, arguments: &[&str]) -> Run {
    let mut command = demo.command(arguments.iter().copied());
    command.env("COMFREY_REGISTRY", base).env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    command.env("GIT_CONFIG_GLOBAL", demo.sandbox.join("none")).env("GIT_CONFIG_NOSYSTEM", "1");
    Run::of(command)
}

/// Runs a command that asks nobody.
fn alone(demo: &Installation, arguments: &[&str]) -> Run {
    at(demo, NOBODY, arguments)
}

fn json(run: &Run) -> Value {
    serde_json::from_str(run.line()).unwrap()
}

fn zipped(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tarred(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn reply(text: impl Into<Vec<u8>>) -> Reply {
    Reply::Whole("200 OK\r\nContent-Type: application/json", text.into())
}

fn archive(bytes: Vec<u8>) -> Reply {
    Reply::Whole("200 OK\r\nContent-Type: application/zip", bytes)
}

const NODE: &str = r#"{"id":"my-pack","name":"My Pack","author":"Ann","description":"Does things.","repository":"https://github.com/ann/my-pack",
  "downloads":12,"github_stars":3,"status":"NodeStatusActive","latest_version":{"version":"1.1.0","status":"NodeVersionStatusActive"}}"#;

fn version(number: &str, status: &str) -> String {
    // The address is the host's own, which is known once it is there; the client asks `install` for it.
    format!(r#"{{"version":"{number}","node_id":"my-pack","status":"NodeVersionStatus{status}","downloadUrl":""}}"#)
}

fn pack(number: &str) -> Vec<(&'static str, String)> {
    vec![
        ("__init__.py", format!("NODE_CLASS_MAPPINGS = {{}}\nVERSION = \"{number}\"\n")),
        ("pyproject.toml", format!("[project]\nname = \"my-pack\"\nversion = \"{number}\"\n")),
        ("lib/same.py", "same = 1\n".to_owned()),
    ]
}

fn zip_of(number: &str) -> Vec<u8> {
    let files = pack(number);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    zipped(&files)
}

/// A registry whose second host has the archives: the address stands in the first one's answers.
struct Registry {
    host: Loopback,
    files: Loopback,
}

impl Registry {
    /// Answers for adding one version, of those that there are.
    fn serving(number: &str, versions: &[(&str, &str)], archive_reply: Reply) -> Registry {
        let files = Loopback::start(vec![archive_reply]);
        let versions: Vec<String> = versions.iter().map(|(number, status)| version(number, status)).collect();
        let install = version(number, "Active")
            .replace("\"downloadUrl\":\"\"", &format!("\"downloadUrl\":\"{}\"", files.url("/node.zip")));
        let host = Loopback::start(vec![reply(NODE), reply(format!("[{}]", versions.join(","))), reply(install)]);
        Registry { host, files }
    }

    fn url(&self) -> String {
        self.host.url("")
    }

    fn end(self) {
        self.host.requests();
        self.files.requests();
    }
}

/// Adds version 1.0.0 of `my-pack`.
fn with_pack() -> Installation {
    let demo = Installation::new();
    let registry = Registry::serving("1.0.0", &[("1.0.0", "Active")], archive(zip_of("1.0.0")));
    at(&demo, &registry.url(), &["node", "add", "my-pack"]).success();
    registry.end();
    demo
}

fn manifest(demo: &Installation) -> String {
    std::fs::read_to_string(demo.cec().join("pyproject.toml")).unwrap()
}

/// What must not change where a command fails.
fn unchanged(demo: &Installation, before: &BTreeMap<String, Vec<u8>>, run: &Run) {
    let what = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(difference(&demo.files(), before), Vec::<String>::new(), "{what}");
    assert!(!demo.sandbox.join("work/environments/demo/journal.json").exists(), "{what}");
    let staged = std::fs::read_dir(demo.sandbox.join("work/.comfrey/staging")).unwrap().count();
    assert_eq!(staged, 0, "{what}");
}

#[test]
fn a_package_of_the_registry_comes_as_one_step_that_undo_takes_back() {
    let demo = Installation::new();
    demo.commit("before");
    let before = demo.files();
    let versions = [("1.0.0", "Active"), ("1.1.0", "Active"), ("1.2.0", "Banned")];
    let registry = Registry::serving("1.1.0", &versions, archive(zip_of("1.1.0")));
    let run = at(&demo, &registry.url(), &["node", "add", "My_Pack", "--json"]).success();
    registry.end();
    let answer = json(&run);
    same_fields(
        "add",
        &documented("node add, node update, node remove, node enable, node disable, node repair"),
        &answer,
    );
    assert_eq!(
        (&answer["result"], &answer["version"], &answer["done"]),
        (&"added".into(), &"1.1.0".into(), &true.into())
    );
    assert!(demo.exists("custom_nodes/my-pack/lib/same.py"));
    let tracking = std::fs::read_to_string(demo.comfyui().join("custom_nodes/my-pack/.tracking")).unwrap();
    assert_eq!(tracking, "__init__.py\nlib/same.py\npyproject.toml");
    let text = manifest(&demo);
    assert!(text.contains("[tool.comfrey.nodes.my-pack]\nsource = \"registry\"\nversion = \"1.1.0\"\n"), "{text}");
    let listed = alone(&demo, &["node", "list", "--json"]).success();
    let listed: Vec<Value> = listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let node = listed.iter().find(|node| node["name"] == "my-pack").unwrap();
    same_fields("list", &documented("node list"), node);
    assert_eq!((&node["files"], &node["enabled"]), (&"as-it-came".into(), &true.into()));
    let after = demo.files();
    demo.commit("with it");
    assert!(manifest(&demo).contains("[tool.comfrey.nodes.my-pack]\nsource = \"registry\"\nversion = \"1.1.0\"\n"));
    demo.comfrey(["undo"]).success();
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    demo.comfrey(["redo"]).success();
    assert_eq!(difference(&demo.files(), &after), Vec::<String>::new());
    // It is there: nobody is asked.
    let again = alone(&demo, &["node", "add", "my-pack"]).success();
    assert!(again.stderr.contains("my-pack is there already: 1.1.0"), "{}", again.stderr);
    let other = alone(&demo, &["node", "add", "my-pack@1.0.0"]).fails_with(4);
    assert!(other.stderr.contains("node update my-pack"), "{}", other.stderr);
}

#[test]
fn a_second_environment_gets_it_without_a_network() {
    let demo = with_pack();
    std::fs::create_dir_all(demo.sandbox.join("second/custom_nodes")).unwrap();
    std::fs::create_dir_all(demo.sandbox.join("second/user")).unwrap();
    demo.sandbox.write("second/main.py", "");
    demo.sandbox.write("second/comfyui_version.py", "__version__ = \"0.3.64\"\n");
    demo.comfrey(["adopt", "second", "../second"]).success();
    for arguments in [
        &["-E", "second", "node", "add", "my-pack", "--offline"][..],
        &["-E", "second", "node", "add", "my-pack@1.0.0"],
    ] {
        let run = alone(&demo, arguments).success();
        assert!(run.stderr.contains("from the store"), "{}", run.stderr);
        assert!(demo.sandbox.join("second/custom_nodes/my-pack/lib/same.py").exists());
        demo.comfrey(["-E", "second", "undo"]).success();
        assert!(!demo.sandbox.join("second/custom_nodes/my-pack").exists());
    }
    let never = alone(&demo, &["-E", "second", "node", "add", "other", "--offline"]).fails_with(6);
    assert!(never.stderr.contains("offline"), "{}", never.stderr);
}

#[test]
fn a_dry_run_touches_nothing() {
    let demo = Installation::new();
    let before = demo.files();
    let registry = Registry::serving("1.0.0", &[("1.0.0", "Active")], archive(zip_of("1.0.0")));
    let run = at(&demo, &registry.url(), &["node", "add", "my-pack", "--dry-run"]).success();
    registry.end();
    assert!(run.stdout.contains("write      nodes/my-pack"), "{}", run.stdout);
    unchanged(&demo, &before, &run);
    assert_eq!(
        demo.comfrey(["operations"]).success().stdout.lines().filter(|line| line.contains("node add")).count(),
        0
    );
}

#[test]
fn a_registry_that_answers_nonsense_is_told_and_nothing_is_changed() {
    let demo = Installation::new();
    let before = demo.files();
    let page = Reply::Whole("200 OK\r\nContent-Type: text/html", b"<html>Log in</html>".to_vec());
    let none = Reply::Whole("404 Not Found", br#"{"message":"Node not found"}"#.to_vec());
    let busy = Reply::Whole("429 Too Many Requests\r\nRetry-After: 3600", Vec::new());
    for (replies, code, part) in [
        (vec![reply("{\"id\":")], 6, "makes no sense: not JSON"),
        (vec![reply("[]")], 6, "makes no sense: not what was asked for"),
        (vec![page.clone()], 6, "a web page came where JSON was expected"),
        (vec![none.clone(), none], 3, "the registry has no package `my-pack`"),
        (vec![busy], 6, "none for 3600 s"),
        (vec![reply(NODE.replace("NodeStatusActive", "NodeStatusBanned"))], 4, "taken `my-pack` back: it is banned"),
        (vec![reply(NODE), reply(format!("[{}]", version("1.0.0", "Deleted")))], 3, "no version that can be installed"),
        (vec![reply(NODE), reply("[]")], 3, "no version that can be installed"),
        (
            vec![reply(NODE), reply(format!("[{}]", version("1.0.0", "Active"))), reply(version("1.0.0", "Active"))],
            3,
            "of no file",
        ),
    ] {
        std::fs::remove_dir_all(demo.sandbox.join("work/.comfrey/catalog/registry")).ok();
        let host = Loopback::start(replies);
        let run = at(&demo, &host.url(""), &["node", "add", "my-pack"]).fails_with(code);
        host.requests();
        assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
        unchanged(&demo, &before, &run);
    }
}

#[test]
fn an_archive_that_is_not_one_or_leaves_its_folder_is_refused_and_nothing_is_changed() {
    let demo = Installation::new();
    let before = demo.files();
    let good = zip_of("1.0.0");
    let mut damaged = good.clone();
    let place = damaged.windows(9).position(|bytes| bytes == b"lib/same.").unwrap() + 11;
    damaged[place] ^= 0xff;
    let page = Reply::Whole("200 OK\r\nContent-Type: text/html", b"<html>Log in</html>".to_vec());
    for (reply, code, part) in [
        (archive(zipped(&[("__init__.py", ""), ("../../evil.py", "x")])), 5, "lead elsewhere"),
        (archive(zipped(&[("__init__.py", ""), ("/etc/evil", "x")])), 5, "the name is absolute"),
        (archive(zipped(&[("__init__.py", ""), ("nul.py", "x")])), 5, "a device on Windows"),
        (archive(b"not an archive at all".to_vec()), 5, "no archive"),
        (archive(good[..good.len() - 30].to_vec()), 5, "damaged"),
        (archive(damaged), 5, "damaged"),
        (archive(zipped(&[("README.md", "no node")])), 5, "no __init__.py"),
        (page, 6, "a web page came where a file was expected"),
        (Reply::Whole("404 Not Found", Vec::new()), 6, "there is nothing there"),
    ] {
        std::fs::remove_dir_all(demo.sandbox.join("work/.comfrey/catalog/registry")).ok();
        let registry = Registry::serving("1.0.0", &[("1.0.0", "Active")], reply);
        let run = at(&demo, &registry.url(), &["node", "add", "my-pack"]).fails_with(code);
        registry.end();
        assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
        unchanged(&demo, &before, &run);
    }
    assert!(!demo.sandbox.join("evil.py").exists() && !demo.sandbox.join("work/evil.py").exists());
}

#[test]
fn a_flagged_version_is_warned_of() {
    let demo = Installation::new();
    let registry = Registry::serving("1.0.0", &[("1.0.0", "Flagged")], archive(zip_of("1.0.0")));
    let run = at(&demo, &registry.url(), &["node", "add", "my-pack"]).success();
    registry.end();
    assert!(run.stderr.contains("warning: the registry has flagged my-pack 1.0.0"), "{}", run.stderr);
}

#[test]
fn an_archive_of_either_kind_and_a_single_file_come_from_a_disk_or_an_address() {
    let demo = Installation::new();
    let files = [("top-1.0/__init__.py", "x = 1\n"), ("top-1.0/sub/a.py", "a = 1\n")];
    demo.sandbox.write("work/disk.tar.gz", tarred(&files));
    demo.sandbox.write("work/disk.zip", zipped(&files));
    demo.sandbox.write("work/single.py", "NODE_CLASS_MAPPINGS = {}\n");
    alone(&demo, &["node", "add", "disk.tar.gz", "--name", "from-tar"]).success();
    alone(&demo, &["node", "add", "./disk.zip"]).success();
    alone(&demo, &["node", "add", "single.py"]).success();
    for path in ["custom_nodes/from-tar/sub/a.py", "custom_nodes/disk/__init__.py", "custom_nodes/single.py"] {
        assert!(demo.exists(path), "{path}");
    }
    let digest = "0".repeat(64);
    let host = Loopback::start(vec![archive(zipped(&files)), archive(zipped(&files))]);
    let url = host.url("/x/far.zip?token=hush");
    let wrong = alone(&demo, &["node", "add", &format!("{url}#sha256={digest}")]).fails_with(5);
    assert!(wrong.stderr.contains("its SHA-256 is") && !demo.exists("custom_nodes/far"), "{}", wrong.stderr);
    let run = alone(&demo, &["node", "add", &url]).success();
    assert!(demo.exists("custom_nodes/far/sub/a.py"));
    host.requests();
    assert!(!manifest(&demo).contains("hush") && !run.stderr.contains("hush") && !wrong.stderr.contains("hush"));
    assert!(manifest(&demo).contains("/x/far.zip\""), "{}", manifest(&demo));
    // What was fetched before serves where the host is gone.
    demo.comfrey(["undo"]).success();
    alone(&demo, &["node", "add", &url]).success();
    demo.comfrey(["commit", "-m", "with archives"]).success();
    assert!(manifest(&demo).contains("/x/far.zip\""), "{}", manifest(&demo));
}

/// A repository with the tag `v1` and another commit after it.
fn repository(demo: &Installation, name: &str) -> String {
    let place = demo.sandbox.join(name);
    std::fs::create_dir_all(&place).unwrap();
    let git = |words: &[&str]| {
        let mut command = demo.sandbox.command("git");
        for (name, value) in [("NAME", "Test"), ("EMAIL", "test@example.org"), ("DATE", "2026-01-01T00:00:00Z")] {
            command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
        }
        command.env("GIT_CONFIG_GLOBAL", demo.sandbox.join("none")).env("GIT_CONFIG_NOSYSTEM", "1");
        let done = command.arg("-C").arg(&place).args(words).output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q", "-b", "main"]);
    for (number, tag) in [("1", Some("v1")), ("2", None)] {
        demo.sandbox.write(Path::new(name).join("__init__.py"), format!("NUMBER = {number}\n"));
        demo.sandbox.write(Path::new(name).join("other.py"), "other = 1\n");
        git(&["add", "."]);
        git(&["commit", "-q", "-m", number]);
        if let Some(tag) = tag {
            git(&["tag", tag]);
        }
    }
    format!("file://{}", place.display())
}

#[test]
fn a_repository_comes_at_a_reference_and_the_manifest_knows_its_commit() {
    let demo = Installation::new();
    let url = repository(&demo, "origin/my-git-node");
    let before = demo.files();
    let run = alone(&demo, &["node", "add", &format!("{url}@nowhere")]).fails_with(3);
    assert!(run.stderr.contains("no branch, tag or commit `nowhere`"), "{}", run.stderr);
    unchanged(&demo, &before, &run);
    let run = alone(&demo, &["node", "add", &format!("{url}-absent")]).fails_with(7);
    unchanged(&demo, &before, &run);
    alone(&demo, &["node", "add", &format!("{url}@v1")]).success();
    let text = |demo: &Installation| {
        std::fs::read_to_string(demo.comfyui().join("custom_nodes/my-git-node/__init__.py")).unwrap()
    };
    assert_eq!(text(&demo), "NUMBER = 1\n");
    assert!(!demo.exists("custom_nodes/my-git-node/.git"));
    let shown = json(&alone(&demo, &["node", "show", "my-git-node", "--json"]).success());
    same_fields("show", &documented("node show"), &shown);
    assert_eq!(shown["source"], "git");
    let first = shown["commit"].as_str().unwrap().to_owned();
    demo.commit("with it");
    let again = json(&alone(&demo, &["node", "show", "my-git-node", "--json"]).success());
    assert_eq!(
        (&again["commit"], &again["source"]),
        (&first.as_str().into(), &"git".into()),
        "a commit forgets nothing"
    );
    let run = alone(&demo, &["node", "update", "my-git-node"]).success();
    assert!(run.stderr.contains(&first[..10]), "{}", run.stderr);
    assert_eq!(text(&demo), "NUMBER = 2\n");
    let same = alone(&demo, &["node", "update", "my-git-node"]).success();
    assert!(same.stderr.contains("is at that version"), "{}", same.stderr);
    // The store has the first one, so the repository may be gone.
    std::fs::rename(demo.sandbox.join("origin"), demo.sandbox.join("gone")).unwrap();
    alone(&demo, &["node", "update", &format!("my-git-node@{first}")]).success();
    assert_eq!(text(&demo), "NUMBER = 1\n");
    demo.comfrey(["undo"]).success();
    assert_eq!(text(&demo), "NUMBER = 2\n");
}

#[test]
fn a_git_program_that_is_missing_is_named() {
    let demo = Installation::new();
    let before = demo.files();
    let mut command = demo.command(["node", "add", "https://127.0.0.1:9/ann/x.git"]);
    command.env("COMFREY_GIT", demo.sandbox.join("no-git"));
    let run = Run::of(command).fails_with(7);
    assert!(run.stderr.contains("git"), "{}", run.stderr);
    unchanged(&demo, &before, &run);
}

#[test]
fn a_node_is_switched_off_and_on_and_deleted_and_each_can_be_taken_back() {
    let demo = Installation::new();
    demo.commit("before");
    let before = demo.files();
    let run = alone(&demo, &["node", "disable", "comfyui_impact_pack", "one.py"]).success();
    assert!(run.stderr.contains("Switched off: Impact, one.py"), "{}", run.stderr);
    assert!(demo.exists("custom_nodes/Impact.disabled/sub/deep.py") && demo.exists("custom_nodes/one.py.disabled"));
    assert!(alone(&demo, &["node", "disable", "Impact"]).success().stderr.contains("already"));
    alone(&demo, &["node", "add", "comfyui-impact-pack"]).success();
    assert!(demo.exists("custom_nodes/Impact/__pycache__/x.cpython-312.pyc"), "renamed, not made anew");
    for _ in 0..2 {
        demo.comfrey(["undo"]).success();
    }
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    alone(&demo, &["node", "remove", "Other"]).success();
    assert!(demo.exists("custom_nodes/Other.disabled"));
    alone(&demo, &["node", "enable", "Other"]).success();
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    alone(&demo, &["node", "remove", "Other", "one.py", "--delete"]).success();
    assert!(!demo.exists("custom_nodes/Other") && !demo.exists("custom_nodes/one.py"));
    assert!(!manifest(&demo).contains("nodes.Other"));
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    let run = alone(&demo, &["node", "remove", "Otter"]).fails_with(3);
    assert!(run.stderr.contains("did you mean `Other`?"), "{}", run.stderr);
}

#[test]
fn what_no_snapshot_holds_is_deleted_by_force_only() {
    let demo = Installation::new();
    demo.write("custom_nodes/Other/.git/HEAD", "a".repeat(40));
    let before = demo.files();
    let run = alone(&demo, &["node", "remove", "Other", "--delete"]).fails_with(4);
    assert!(run.stderr.contains("no snapshot can bring back: .git"), "{}", run.stderr);
    unchanged(&demo, &before, &run);
    alone(&demo, &["node", "remove", "Other", "--delete", "--force"]).success();
    assert!(!demo.exists("custom_nodes/Other"));
    demo.comfrey(["undo"]).success();
    assert!(demo.exists("custom_nodes/Other/__init__.py") && !demo.exists("custom_nodes/Other/.git"));
}

#[test]
fn edits_survive_an_update_only_by_choice() {
    let demo = with_pack();
    demo.commit("as it came");
    demo.write("custom_nodes/my-pack/lib/same.py", "same = 2 # mine\n");
    demo.write("custom_nodes/my-pack/mine.py", "mine = 1\n");
    assert_eq!(alone(&demo, &["node", "list", "--edited"]).success().stdout.lines().count(), 1);
    let shown = json(&alone(&demo, &["node", "show", "my-pack", "--json"]).success());
    assert_eq!(shown["edited"], serde_json::json!(["lib/same.py", "mine.py"]));
    // An edit is one after it was committed, too.
    demo.commit("edited");
    assert!(manifest(&demo).contains("fetched = \""), "{}", manifest(&demo));
    let before = demo.files();
    let run = alone(&demo, &["node", "update", "my-pack@1.1.0"]).fails_with(4);
    assert!(run.stderr.contains("was edited since it came: lib/same.py, mine.py"), "{}", run.stderr);
    unchanged(&demo, &before, &run);
    let versions = [("1.0.0", "Active"), ("1.1.0", "Active")];
    let registry = Registry::serving("1.1.0", &versions, archive(zip_of("1.1.0")));
    std::fs::remove_dir_all(demo.sandbox.join("work/.comfrey/catalog/registry")).unwrap();
    at(&demo, &registry.url(), &["node", "update", "my-pack", "--keep-edits"]).success();
    registry.end();
    let text = |name: &str| std::fs::read_to_string(demo.comfyui().join("custom_nodes/my-pack").join(name)).unwrap();
    assert!(text("__init__.py").contains("1.1.0") && text("lib/same.py").contains("mine"));
    assert!(demo.exists("custom_nodes/my-pack/mine.py"));
    let shown = json(&alone(&demo, &["node", "show", "my-pack", "--json"]).success());
    assert_eq!(
        (&shown["edited"], &shown["version"]),
        (&serde_json::json!(["lib/same.py", "mine.py"]), &"1.1.0".into())
    );
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    alone(&demo, &["node", "update", "my-pack@1.1.0", "--discard-edits", "--yes"]).success();
    assert!(text("lib/same.py") == "same = 1\n" && !demo.exists("custom_nodes/my-pack/mine.py"));
    assert!(!manifest(&demo).contains("fetched"));
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
}

#[test]
fn a_repair_makes_the_files_what_the_manifest_says() {
    let demo = with_pack();
    demo.commit("as it came");
    let before = demo.files();
    assert!(alone(&demo, &["node", "repair"]).success().stderr.contains("is what the manifest says"));
    demo.write("custom_nodes/my-pack/lib/same.py", "broken");
    std::fs::remove_file(demo.comfyui().join("custom_nodes/my-pack/__init__.py")).unwrap();
    std::fs::remove_dir_all(demo.comfyui().join("custom_nodes/Other")).unwrap();
    let run = alone(&demo, &["node", "repair", "--offline"]).success();
    assert!(run.stderr.contains("Repaired: Other, my-pack"), "{}", run.stderr);
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    demo.write("custom_nodes/my-pack/lib/same.py", "mine");
    demo.commit("mine");
    alone(&demo, &["node", "repair", "my-pack"]).success();
    assert_eq!(std::fs::read(demo.comfyui().join("custom_nodes/my-pack/lib/same.py")).unwrap(), b"mine");
    alone(&demo, &["node", "repair", "my-pack", "--original"]).success();
    assert_eq!(std::fs::read(demo.comfyui().join("custom_nodes/my-pack/lib/same.py")).unwrap(), b"same = 1\n");
}

#[test]
fn a_folder_to_work_in_is_linked_and_tracked_and_undo_takes_away_the_link_alone() {
    if !links_can_be_made("a_folder_to_work_in_is_linked_and_tracked") {
        return;
    }
    let demo = Installation::new();
    demo.sandbox.write("mine/__init__.py", "x = 1\n");
    demo.commit("before");
    let before = demo.files();
    let run = alone(&demo, &["node", "add", "../mine", "--dev"]).success();
    assert!(run.stderr.contains("mine was added"), "{}", run.stderr);
    assert!(demo.comfyui().join("custom_nodes/mine").is_symlink());
    demo.sandbox.write("mine/more.py", "y = 1\n");
    demo.commit("tracked in full");
    assert!(demo.comfrey(["ls-tree", "-r", "HEAD"]).success().stdout.contains("nodes/mine/more.py"));
    let run = alone(&demo, &["node", "update", "mine"]).fails_with(4);
    assert!(run.stderr.contains("a link"), "{}", run.stderr);
    demo.comfrey(["undo"]).success();
    demo.comfrey(["undo"]).success();
    assert_eq!(difference(&demo.files(), &before), Vec::<String>::new());
    assert_eq!(demo.sandbox.read("mine/more.py"), b"y = 1\n");
    alone(&demo, &["node", "add", "../mine", "--dev", "--copy"]).success();
    assert!(!demo.comfyui().join("custom_nodes/mine").is_symlink() && demo.exists("custom_nodes/mine/more.py"));
    assert!(manifest(&demo).contains("source = \"development\""));
    let run = alone(&demo, &["node", "add", "my-pack", "--dev"]).fails_with(2);
    assert!(run.stderr.contains("--dev wants a folder"), "{}", run.stderr);
}

#[test]
fn two_nodes_of_one_folder_name_are_told_apart() {
    let demo = Installation::new();
    demo.sandbox.write("work/IMPACT.zip", zipped(&[("__init__.py", "other")]));
    let before = demo.files();
    let run = alone(&demo, &["node", "add", "./IMPACT.zip"]).fails_with(4);
    assert!(
        run.stderr.contains("another node has the folder `IMPACT`: `Impact`, comfyui-impact-pack"),
        "{}",
        run.stderr
    );
    unchanged(&demo, &before, &run);
    demo.write("custom_nodes/notes/readme.txt", "not a node that could be loaded");
    alone(&demo, &["node", "add", "./IMPACT.zip", "--name", "impact-two"]).success();
    let run = alone(&demo, &["node", "add", "./IMPACT.zip", "--name", "../out"]).fails_with(2);
    assert!(!demo.sandbox.join("ComfyUI/out").exists(), "{}", run.stderr);
}

#[test]
fn nodes_that_came_by_other_hands_are_known_with_their_source() {
    let demo = Installation::new();
    let commit = "c".repeat(40);
    demo.write("custom_nodes/Clone/__init__.py", "");
    demo.write("custom_nodes/Clone/.git/HEAD", &commit);
    demo.write(
        "custom_nodes/Clone/.git/config",
        "[remote \"origin\"]\n\turl = https://me:pw@github.com/ann/Clone.git\n",
    );
    let rows = alone(&demo, &["node", "list", "--json"]).success();
    let rows: Vec<Value> = rows.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap().clone();
    assert_eq!((&row("Impact")["source"], &row("Impact")["id"]), (&"registry".into(), &"comfyui-impact-pack".into()));
    assert_eq!((&row("Clone")["source"], &row("Clone")["commit"]), (&"git".into(), &commit.as_str().into()));
    assert_eq!(row("Clone")["url"], "https://github.com/ann/Clone.git");
    assert_eq!(row("Other")["source"], "manual");
    // The same repository is there already, in all its spellings.
    let again = alone(&demo, &["node", "add", "git@github.com:ann/clone"]).success();
    assert!(again.stderr.contains("Clone is there already"), "{}", again.stderr);
    demo.commit("taken in");
    let run = alone(&demo, &["node", "update", "Clone"]).fails_with(4);
    assert!(run.stderr.contains("git pull"), "{}", run.stderr);
    let run = alone(&demo, &["node", "update", "Other"]).fails_with(4);
    assert!(run.stderr.contains("put there by hand"), "{}", run.stderr);
}

#[test]
fn a_manifest_that_is_no_toml_is_named_with_its_line_and_nothing_is_changed() {
    let demo = with_pack();
    std::fs::write(demo.cec().join("pyproject.toml"), "[project]\nname = \n").unwrap();
    let before = demo.files();
    for arguments in [
        &["node", "disable", "my-pack"][..],
        &["node", "add", "my-pack@1.0.0"],
        &["node", "remove", "my-pack", "--delete"],
    ] {
        let run = alone(&demo, arguments).fails_with(4);
        assert!(run.stderr.contains("pyproject.toml, line 2"), "{}", run.stderr);
        unchanged(&demo, &before, &run);
    }
}

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
    let before = demo.files();
    let run = alone(&demo, &["node", "add", "./bad.zip", "--allow-scripts"]).fails_with(7);
    assert!(run.stderr.contains("exit code 3") && run.stderr.contains("it broke"), "{}", run.stderr);
    unchanged(&demo, &before, &run);
}

#[test]
fn packages_are_searched_for_in_the_registry_and_without_it_in_the_catalog() {
    let demo = with_pack();
    let page = format!(r#"{{"nodes":[{NODE}],"total":1,"page":1,"limit":20,"totalPages":1}}"#);
    let host = Loopback::start(vec![reply(page)]);
    let run = at(&demo, &host.url(""), &["node", "search", "my", "pack", "--json"]).success();
    host.requests();
    let row = json(&run);
    same_fields("search", &documented("node search"), &row);
    assert_eq!(
        (&row["package"], &row["installed"], &row["from"]),
        (&"my-pack".into(), &true.into(), &"registry".into())
    );
    demo.sandbox.write(
        "work/nodes.json",
        r#"{"https://github.com/bob/Comfy-Bob":[["Bob Resize"],{"title_aux":"Bob's Nodes"}]}"#,
    );
    demo.comfrey(["catalog", "update", "--from", "nodes.json"]).success();
    let run = alone(&demo, &["node", "search", "bob", "--offline"]).success();
    assert!(run.stdout.contains("bob/Comfy-Bob"), "{}", run.stdout);
    assert_eq!(alone(&demo, &["node", "search", "nothing like it", "--offline"]).code, 1);
}

#[test]
fn a_text_that_names_nothing_is_refused() {
    let demo = Installation::new();
    for (text, code) in [("a b", 2), ("x@", 2), ("./absent", 3), ("absent.zip", 3), ("a/b/c/d", 2)] {
        alone(&demo, &["node", "add", text]).fails_with(code);
    }
}

#[cfg(windows)]
#[test]
fn a_node_whose_folder_is_open_in_another_program_stays_as_it_is() {
    use std::os::windows::fs::OpenOptionsExt;
    let demo = Installation::new();
    let before = demo.files();
    // Shared with nobody.
    let open = std::fs::OpenOptions::new()
        .read(true)
        .share_mode(0)
        .open(demo.comfyui().join("custom_nodes/Other/__init__.py"));
    let open = open.unwrap();
    let runs =
        [&["node", "disable", "Other"][..], &["node", "remove", "Other", "--delete"]].map(|words| alone(&demo, words));
    drop(open);
    for run in runs {
        assert_ne!(run.code, 0, "{}", run.stdout);
        unchanged(&demo, &before, &run);
    }
}

#[test]
fn a_fault_at_every_step_of_an_addition_leaves_all_before_or_all_after() {
    let demo = Installation::new();
    demo.sandbox.write("work/pack.zip", zip_of("1.0.0"));
    let before = demo.files();
    alone(&demo, &["node", "add", "./pack.zip"]).success();
    let after = demo.files();
    demo.comfrey(["undo"]).success();
    let command = |fault: String| -> Command {
        let mut command = demo.command(["node", "add", "./pack.zip"]);
        command.env("COMFREY_FAULT_AT", fault);
        command
    };
    for (manner, stride) in [("", 3), ("+", 5), ("!", 3)] {
        let (mut undone, mut passed) = (0, 0);
        for k in (1..).step_by(stride) {
            let run = Run::of(command(format!("{k}{manner}")));
            let next = demo.comfrey(["list"]).success();
            let what = format!("step {k}{manner}: {}\n{}", run.stderr, next.stderr);
            assert!(!run.stderr.contains("panicked"), "{what}");
            let files = demo.files();
            let is_done = difference(&files, &after).is_empty();
            assert!(is_done || difference(&files, &before).is_empty(), "{what}\n{:?}", difference(&files, &before));
            assert!(is_done || run.code != 0, "{what}");
            undone += u32::from(!is_done);
            if is_done {
                demo.comfrey(["undo"]).success();
                assert_eq!(difference(&demo.files(), &before), Vec::<String>::new(), "{what}");
            }
            // What is only remembered for another time may fail to be, and the command goes on.
            passed = if run.code == 0 { passed + 1 } else { 0 };
            if passed == 8 {
                break;
            }
        }
        assert!(undone > 3, "only {undone} steps of manner `{manner}` were undone");
    }
}
