//! From the registry: a package comes as one step, and what the registry should not answer changes nothing.

use serde_json::Value;

use crate::documents::{documented, same_fields};
use crate::installation::{Installation, difference};
use crate::loopback::{Loopback, Reply};

use super::sources::{
    NODE, Registry, alone, archive, at, everything, json, manifest, reply, unchanged, version, with_pack, zip_of,
};

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
    let before = everything(&demo);
    let registry = Registry::serving("1.0.0", &[("1.0.0", "Active")], archive(zip_of("1.0.0")));
    let run = at(&demo, &registry.url(), &["node", "add", "my-pack", "--dry-run"]).success();
    registry.end();
    assert!(run.stdout.contains("write      nodes/my-pack"), "{}", run.stdout);
    assert!(run.stderr.contains("my-pack 1.0.0; nothing was done"), "{}", run.stderr);
    unchanged(&demo, &before, &run);
    assert_eq!(
        demo.comfrey(["operations"]).success().stdout.lines().filter(|line| line.contains("node add")).count(),
        0
    );
}

#[test]
fn a_registry_that_answers_nonsense_is_told_and_nothing_is_changed() {
    let demo = Installation::new();
    let before = everything(&demo);
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
fn nonsense_at_any_of_the_registrys_answers_is_told_with_its_address_and_nothing_is_changed() {
    let demo = Installation::new();
    let before = everything(&demo);
    let active = version("1.0.0", "Active");
    let good = [reply(NODE), reply(format!("[{active}]")), reply(active.clone())];
    let paths = ["/nodes/my-pack:", "/nodes/my-pack/versions:", "/nodes/my-pack/install?version=…:"];
    let page = Reply::Whole("200 OK\r\nContent-Type: text/html", b"<html>Log in</html>".to_vec());
    let bad = |head: &'static str| vec![Reply::Whole(head, b"{\"message\":\"no\"}".to_vec())];
    for (replies, code, part) in [
        (vec![reply("{\"id\":")], 6, "makes no sense: not"),
        (vec![reply("7")], 6, "makes no sense: not what was asked for"),
        (vec![page], 6, "a web page came where JSON was expected"),
        (bad("403 Forbidden"), 6, "the host refuses (status 403)"),
        (bad("429 Too Many Requests\r\nRetry-After: 3600"), 6, "none for 3600 s"),
    ] {
        for (at_call, path) in paths.iter().enumerate() {
            std::fs::remove_dir_all(demo.sandbox.join("work/.comfrey/catalog/registry")).ok();
            let host = Loopback::start([&good[..at_call], &replies[..]].concat());
            let run = at(&demo, &host.url(""), &["node", "add", "my-pack"]).fails_with(code);
            host.requests();
            assert!(run.stderr.contains(part) && run.stderr.contains(path), "{path} {part} in {}", run.stderr);
            unchanged(&demo, &before, &run);
        }
    }
    let elsewhere = |url: &str| active.replace("\"downloadUrl\":\"\"", &format!("\"downloadUrl\":\"{url}\""));
    for (told, part) in [
        (elsewhere("file:///etc/passwd"), "the archive is said to lie at `file:///etc/passwd`"),
        (elsewhere("node.zip"), "the archive is said to lie at `node.zip`"),
        (version("2.0.0", "Active"), "asked for version 1.0.0 and tells of 2.0.0"),
    ] {
        std::fs::remove_dir_all(demo.sandbox.join("work/.comfrey/catalog/registry")).ok();
        let host = Loopback::start(vec![good[0].clone(), good[1].clone(), reply(told)]);
        let run = at(&demo, &host.url(""), &["node", "add", "my-pack"]).fails_with(6);
        host.requests();
        assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
        unchanged(&demo, &before, &run);
    }
}

#[test]
fn a_registry_whose_answers_are_cut_is_asked_again_and_then_told() {
    let demo = Installation::new();
    let before = everything(&demo);
    let cut = Reply::Cut(b"{\"id\":".to_vec());
    let host = Loopback::start([vec![reply(NODE)], vec![cut; 4]].concat());
    let run = at(&demo, &host.url(""), &["node", "add", "my-pack"]).fails_with(6);
    assert_eq!(host.requests().len(), 5);
    assert!(run.stderr.contains("/nodes/my-pack/versions: the connection was cut"), "{}", run.stderr);
    unchanged(&demo, &before, &run);
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
