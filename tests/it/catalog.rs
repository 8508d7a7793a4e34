//! `catalog update`, `catalog show`, `catalog search`.

use comfrey::store::Store;
use serde_json::Value;

use crate::documents::{documented, documented_lines, same_fields};
use crate::loopback::{Loopback, Reply};
use crate::support::{Run, Sandbox};

const NODES: &str = r#"{"https://github.com/ann/Comfy-Ann":[["Ann Resize","Shared"],{"title_aux":"Ann's Nodes"}],
  "https://github.com/bob/nodes":[["Shared"],{"title_aux":"Bob","nodename_pattern":" \\(bob\\)$"}],"broken":1}"#;
const NEWER: &str = r#"{"https://github.com/ann/Comfy-Ann":[["Ann Resize","Ann Crop"],{"title_aux":"Ann's Nodes"}]}"#;
const STARS: &str = r#"{"https://github.com/ann/comfy-ann":{"stars":5},"https://github.com/bob/nodes":{"stars":1700}}"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    Store::create(&sandbox.join(".comfrey")).unwrap();
    sandbox.write("nodes.json", NODES);
    sandbox.write("stars.json", STARS);
    sandbox
}

/// Runs `comfrey catalog …` without the proxies of the machine, at an hour of one day.
fn catalog(sandbox: &Sandbox, hour: u32, arguments: &[&str]) -> Run {
    let mut command = sandbox.comfrey_command([&["catalog"], arguments].concat());
    for proxy in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(proxy);
    }
    command.env("COMFREY_TIME", format!("2026-11-20T{hour:02}:00:00+00:00"));
    Run::of(command)
}

fn json(run: &Run) -> Value {
    serde_json::from_str(run.stdout.lines().next().unwrap()).unwrap()
}

#[test]
fn files_are_put_together_and_asked() {
    let sandbox = sandbox();
    let before = catalog(&sandbox, 1, &["show", "Shared"]);
    assert_eq!((before.code, before.stdout.as_str()), (1, "Shared  unknown\n"));
    assert!(before.stderr.contains("comfrey catalog update"), "{}", before.stderr);

    let update = catalog(&sandbox, 10, &["update", "--from", "nodes.json", "--from", "stars.json", "--json"]).success();
    assert!(update.stderr.contains("nodes.json: 1 entry could not be used"), "{}", update.stderr);
    same_fields("update", &documented("catalog update"), &json(&update));
    assert_eq!((&json(&update)["classes"], &json(&update)["packages"]), (&Value::from(2), &Value::from(2)));

    let shared = catalog(&sandbox, 10, &["show", "Shared", "--json"]).success();
    let answer = json(&shared);
    let owners: Vec<&Value> = answer["by_class"].as_array().unwrap().iter().map(|owner| &owner["package"]).collect();
    assert_eq!(owners, ["bob/nodes", "ann/Comfy-Ann"], "the one with more stars first");
    same_fields("show", &documented_lines("catalog show")[1], &answer);
    let pattern = catalog(&sandbox, 10, &["show", "Crop (bob)"]).success();
    assert!(pattern.stdout.contains("names its classes like this"), "{}", pattern.stdout);
    assert!(catalog(&sandbox, 10, &["show", "KSampler"]).success().stdout.contains("part of ComfyUI (core, nodes.py)"));
    assert_eq!(catalog(&sandbox, 10, &["show", "Nobody's"]).code, 1);

    let all = catalog(&sandbox, 12, &["show", "--json"]).success();
    same_fields("show", &documented_lines("catalog show")[0], &json(&all));
    let all = catalog(&sandbox, 12, &["show"]).success();
    assert!(all.stdout.contains("2 hours ago") && all.stdout.contains("github-stats"), "{}", all.stdout);

    let found = catalog(&sandbox, 10, &["search", "comfy", "ann", "--json"]).success();
    assert_eq!(json(&found)["package"], "ann/Comfy-Ann");
    same_fields("search", &documented("catalog search"), &json(&found));
    assert!(catalog(&sandbox, 10, &["search", "ann resize"]).success().stdout.contains("class Ann Resize"));
    assert_eq!(catalog(&sandbox, 10, &["search", "nothing like it"]).code, 1);
}

#[test]
fn an_address_is_asked_once_a_day_and_answered_from_its_copy_without_a_network() {
    let sandbox = sandbox();
    let head = "200 OK\r\nETag: \"one\"\r\nContent-Type: text/plain";
    let host = Loopback::start(vec![
        Reply::Whole(head, NODES.into()),
        Reply::Whole("304 Not Modified", Vec::new()),
        Reply::Whole(head, NEWER.into()),
        Reply::Whole("404 Not Found", Vec::new()),
    ]);
    let url = host.url("/nodes.json?token=hush");
    sandbox.comfrey(["config", "catalog.sources", &url]).success();
    let state = |hour, arguments: &[&str]| {
        let run = catalog(&sandbox, hour, &[&["update", "--json"], arguments].concat());
        let state = json(&run)["sources"][0]["state"].as_str().unwrap().to_owned();
        assert!(!run.stdout.contains("hush") && !run.stderr.contains("hush"));
        (state, run.code)
    };
    assert_eq!(state(1, &[]), ("fetched".into(), 0));
    assert_eq!(state(2, &[]), ("fresh".into(), 0));
    assert_eq!(state(3, &["--max-age", "1"]), ("unchanged".into(), 0));
    assert_eq!(state(4, &["--force"]), ("fetched".into(), 0));
    assert_eq!(state(5, &["--force"]), ("copy".into(), 6), "there is nothing any more");
    assert!(host.requests()[1].contains("if-none-match: \"one\""));
    assert_eq!(state(6, &["--offline"]), ("copy".into(), 0));
    let told = catalog(&sandbox, 6, &["update", "--offline"]).success();
    assert!(told.stdout.contains("copy fetched 2 hours ago"), "{}", told.stdout);
    catalog(&sandbox, 6, &["show", "Ann Crop"]).success();
}

#[test]
fn without_any_copy_nothing_is_made() {
    let sandbox = sandbox();
    let none = catalog(&sandbox, 1, &["update", "--offline", "--from", "http://127.0.0.1:9/a.json"]);
    assert_eq!(none.code, 6);
    assert!(none.stderr.contains("never fetched"), "{}", none.stderr);
    let page = Loopback::start(vec![Reply::Whole("200 OK\r\nContent-Type: text/html", b"Log in".to_vec())]);
    let none = catalog(&sandbox, 1, &["update", "--from", &page.url("/a.json")]);
    assert_eq!(none.code, 6);
    assert!(none.stderr.contains("a web page came where JSON was expected"), "{}", none.stderr);
    sandbox.write("half.json", "{\"a\":");
    let none = catalog(&sandbox, 1, &["update", "--from", "half.json"]);
    assert_eq!(none.code, 5);
    assert!(none.stderr.contains("half.json is not JSON"), "{}", none.stderr);
    assert_eq!(catalog(&sandbox, 1, &["update", "--from", "absent.json"]).code, 3);
    assert!(!sandbox.join(".comfrey/catalog/registry.map").exists());
}

#[test]
fn a_damaged_map_is_named_and_made_anew() {
    let sandbox = sandbox();
    catalog(&sandbox, 1, &["update", "--from", "nodes.json"]).success();
    let map = sandbox.join(".comfrey/catalog/registry.map");
    std::fs::write(&map, b"comfrey catalog\n").unwrap();
    let shown = catalog(&sandbox, 1, &["show", "KSampler"]).success();
    assert!(shown.stderr.contains("registry.map is damaged"), "{}", shown.stderr);
    catalog(&sandbox, 1, &["update", "--from", "nodes.json"]).success();
    assert_eq!(catalog(&sandbox, 1, &["show", "Shared"]).success().stderr, "");
}

#[test]
fn a_running_comfyui_tells_which_inputs_list_which_folder() {
    let installation = crate::installation::Installation::new();
    installation.comfrey(["models", "index"]).success();
    let answer = r#"{"Ann's Loader":{"input":{"required":{"seed":["INT",{"control_after_generate":true}],
        "which":[["None","sd15.safetensors","sub/xl.safetensors"]]}},"python_module":"custom_nodes.ann"}}"#;
    let host = Loopback::start(vec![Reply::Whole("200 OK\r\nContent-Type: application/json", answer.into())]);
    let mut command =
        installation.sandbox.comfrey_command(["--workspace", "work", "catalog", "learn", &host.url("/"), "--json"]);
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    let learned = Run::of(command).success();
    assert!(host.requests()[0].starts_with("get /object_info "));
    same_fields("learn", &documented("catalog learn"), &json(&learned));
    assert_eq!(json(&learned)["loaders"], 1);
    let shown = installation.comfrey(["catalog", "show", "Ann's Loader"]).success();
    assert!(shown.stdout.starts_with("Ann's Loader  custom"), "{}", shown.stdout);
    // Programs that need no workspace know it too.
    let flow =
        r#"{"nodes":[{"id":1,"type":"Ann's Loader","widgets_values":[7,"fixed","sub/xl.safetensors"]}],"links":[]}"#;
    let flow = installation.sandbox.write("ann.json", flow);
    let parsed = installation.comfrey(["parse-workflow", flow.to_str().unwrap()]).success();
    let model: serde_json::Value = serde_json::from_str(parsed.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&model["value"], &model["folders"]),
        (&serde_json::json!("sub/xl.safetensors"), &serde_json::json!(["checkpoints"]))
    );
    let change = ["rewrite-workflow", "--map", "sub/xl.safetensors=other.safetensors", flow.to_str().unwrap()];
    let rewritten = installation.comfrey(change).success();
    assert!(rewritten.stdout.contains(r#""widgets_values":[7,"fixed","other.safetensors"]"#), "{}", rewritten.stdout);
}
