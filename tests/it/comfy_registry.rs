//! The client of the registry of custom nodes against a host on this machine that answers as the registry does, and as it should not.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use comfrey::net::client::{Options, Proxies};
use comfrey::net::comfy_registry::client::same_id;
use comfrey::net::comfy_registry::shelf::Shelf;
use comfrey::net::comfy_registry::{Heard, Registry, RegistryError, Settings, Standing};
use comfrey::net::pace::Rate;
use comfrey::net::retry::{Patience, Wait};
use comfrey::net::{Cause, Client, Expected, Fetch, FetchError, IntoFile, Offline, Request};
use comfrey::observer::{Observer, Silent};

use crate::loopback::{Loopback, Reply};
use crate::support::Sandbox;

/// Notes the pauses instead of making them.
#[derive(Clone, Default)]
struct Noted(Rc<RefCell<Vec<u64>>>);

impl Wait for Noted {
    fn wait(&self, pause: Duration, _observer: &dyn Observer) -> bool {
        self.0.borrow_mut().push(pause.as_millis() as u64);
        true
    }
    fn chance(&self) -> f64 {
        1.0
    }
    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

const HOUR: i64 = 60 * 60 * 1000;

fn client() -> (Client, Noted) {
    let noted = Noted::default();
    let patience = Patience { attempts: 3, ..Patience::default() };
    let options = Options { patience, proxies: Proxies::None, ..Options::default() };
    (Client::new(options).unwrap().waiting_by(Box::new(noted.clone())), noted)
}

/// Asks a registry at `base` that has its copies in `folder`.
fn ask<T>(fetch: &dyn Fetch, base: &str, folder: &Path, now: i64, ask: impl FnOnce(&Registry<'_>) -> T) -> T {
    let rate = Rate { burst: 1000, every: Duration::from_millis(1) };
    let settings = Settings { base: base.to_owned(), rate, token: Some("hush".into()), ..Settings::default() };
    let registry = Registry::new(settings, fetch, Shelf::new(folder), now, &Silent);
    ask(&registry.waiting_by(Box::new(Noted::default())))
}

fn json(text: impl Into<Vec<u8>>) -> Reply {
    Reply::Whole("200 OK\r\nContent-Type: application/json; charset=utf-8", text.into())
}

fn not_found() -> Reply {
    let head = "404 Not Found\r\nContent-Type: application/json";
    Reply::Whole(head, br#"{"message":"Node not found","error":"not found"}"#.to_vec())
}

const NODE: &str = r#"{"id":"comfyui-impact-pack","name":"ComfyUI Impact Pack","author":"Dr.Lt.Data","downloads":2300000,"github_stars":2700,
  "license":"{\"file\": \"LICENSE.txt\"}","publisher":{"id":"drltdata","name":"Dr.Lt.Data"},"repository":"https://github.com/ltdrdata/ComfyUI-Impact-Pack",
  "status":"NodeStatusActive","supported_os":null,"tags":["detailer"]}"#;

fn version(number: &str, status: &str) -> String {
    format!(
        r#"{{"version":"{number}","node_id":"comfyui-impact-pack","status":"NodeVersionStatus{status}","status_reason":"seen",
        "dependencies":["numpy<2"],"deprecated":false,"downloadUrl":"http://127.0.0.1/{number}/node.zip","supported_os":null}}"#
    )
}

fn versions(all: &[(&str, &str)]) -> Reply {
    json(format!("[{}]", all.iter().map(|(number, status)| version(number, status)).collect::<Vec<_>>().join(",")))
}

#[test]
fn a_package_is_found_whatever_the_case_and_the_dashes() {
    let sandbox = Sandbox::new();
    let host = Loopback::start(vec![not_found(), json(NODE)]);
    let (client, _) = client();
    let heard =
        ask(&client, &host.url(""), sandbox.path(), 0, |registry| registry.node("ComfyUI_Impact-Pack")).unwrap();
    assert!(same_id(&heard.value.id, "ComfyUI_Impact-Pack") && heard.instead.is_none());
    assert_eq!((heard.value.github_stars, heard.value.publisher.unwrap().id.as_str()), (2700, "drltdata"));
    let asked = host.requests();
    assert!(asked[0].starts_with("get /nodes/comfyui_impact-pack "), "{asked:?}");
    assert!(asked[1].starts_with("get /nodes/comfyui-impact-pack "), "{asked:?}");
}

#[test]
fn an_answer_is_asked_for_once_an_hour_and_serves_without_a_network() {
    let sandbox = Sandbox::new();
    let (client, _) = client();
    let head = "200 OK\r\nETag: \"one\"\r\nContent-Type: application/json";
    let host = Loopback::start(vec![
        Reply::Whole(head, NODE.into()),
        Reply::Whole("304 Not Modified", Vec::new()),
        Reply::Whole("500 Oops", Vec::new()),
        Reply::Whole("500 Oops", Vec::new()),
        Reply::Whole("500 Oops", Vec::new()),
    ]);
    let base = host.url("");
    let node = |fetch: &dyn Fetch, now| -> Result<Heard<_>, _> {
        ask(fetch, &base, sandbox.path(), now, |registry| registry.node("comfyui-impact-pack"))
    };
    assert_eq!(node(&client, 5).unwrap().fetched, 5);
    assert_eq!(node(&client, 4 + HOUR).unwrap().fetched, 5);
    assert_eq!(node(&client, 5 + HOUR).unwrap().fetched, 5 + HOUR);
    let stale = node(&client, 9 * HOUR).unwrap();
    assert_eq!(stale.fetched, 5 + HOUR);
    assert!(matches!(stale.instead, Some(RegistryError::Fetch(FetchError { cause: Cause::Status(500), .. }))));
    let asked = host.requests();
    assert!(asked[1].contains("if-none-match: \"one\""));
    let offline = node(&Offline, 99 * HOUR).unwrap();
    assert!(matches!(offline.instead, Some(RegistryError::Fetch(FetchError { cause: Cause::Offline, .. }))));
    let none = ask(&Offline, &base, sandbox.path(), 0, |registry| registry.node("other")).unwrap_err();
    assert!(matches!(none, RegistryError::Fetch(FetchError { cause: Cause::Offline, .. })), "{none}");
}

#[test]
fn the_newest_version_that_may_be_had_is_picked() {
    let sandbox = Sandbox::new();
    let (client, _) = client();
    let all = [
        ("8.9.0", "Active"),
        ("8.10.0", "Active"),
        ("9.0.0-rc1", "Active"),
        ("8.11.0", "Flagged"),
        ("8.12.0", "Banned"),
    ];
    let host = Loopback::start(vec![json(NODE), versions(&all)]);
    ask(&client, &host.url(""), sandbox.path(), 0, |registry| {
        let node = registry.node("comfyui-impact-pack").unwrap().value;
        let pick = |wanted| registry.pick(&node, wanted).map(|heard| heard.value);
        assert_eq!(pick(None).unwrap().version, "8.10.0");
        assert_eq!(pick(Some("v8.9")).unwrap().version, "8.9.0");
        assert_eq!(pick(Some("8.11.0")).unwrap().status, Standing::Flagged);
        let banned = pick(Some("8.12.0")).unwrap_err().to_string();
        assert_eq!(banned, "the registry has taken version 8.12.0 of `comfyui-impact-pack` back: it is banned (seen)");
        match pick(Some("7")).unwrap_err() {
            RegistryError::NoVersion { known, .. } => {
                assert_eq!(known, ["9.0.0-rc1", "8.11.0", "8.10.0", "8.9.0"]);
            }
            other => panic!("{other}"),
        }
    });
    assert_eq!(host.requests().len(), 2, "the versions are asked for once");
}

#[test]
fn a_banned_package_is_refused() {
    let sandbox = Sandbox::new();
    let (client, _) = client();
    let host = Loopback::start(vec![json(NODE.replace("NodeStatusActive", "NodeStatusBanned"))]);
    ask(&client, &host.url(""), sandbox.path(), 0, |registry| {
        let node = registry.node("comfyui-impact-pack").unwrap().value;
        assert!(matches!(registry.pick(&node, None), Err(RegistryError::Withdrawn { .. })));
    });
}

#[test]
fn what_makes_no_sense_is_told_and_not_kept() {
    let (client, _) = client();
    for (reply, part) in [
        (json("{\"id\":"), "not JSON"),
        (json("[1,2,3]"), "not what was asked for"),
        (json("{\"name\":\"no id\"}"), "not what was asked for"),
        (json(NODE.replace("comfyui-impact-pack", "another")), "tells of `another`"),
    ] {
        let sandbox = Sandbox::new();
        let host = Loopback::start(vec![reply]);
        let error = ask(&client, &host.url(""), sandbox.path(), 0, |registry| registry.node("comfyui-impact-pack"));
        let error = error.unwrap_err();
        assert!(matches!(error, RegistryError::Nonsense { .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    for reply in [
        Reply::Whole("200 OK\r\nContent-Type: text/html", b"<html>Log in".to_vec()),
        Reply::Whole("200 OK", b"  <!DOCTYPE html>".to_vec()),
    ] {
        let sandbox = Sandbox::new();
        let host = Loopback::start(vec![reply]);
        let error = ask(&client, &host.url(""), sandbox.path(), 0, |registry| registry.node("x")).unwrap_err();
        assert!(matches!(error, RegistryError::Fetch(FetchError { cause: Cause::WebPage, .. })), "{error}");
        assert_eq!(std::fs::read_dir(sandbox.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_busy_registry_gets_its_pauses_and_a_cut_answer_is_asked_for_again() {
    let sandbox = Sandbox::new();
    let (client, noted) = client();
    let busy = Reply::Whole("429 Too Many Requests\r\nRetry-After: 7", br#"{"message":"rate limited"}"#.to_vec());
    let host = Loopback::start(vec![busy, Reply::Cut(b"{\"id\"".to_vec()), json(NODE)]);
    ask(&client, &host.url(""), sandbox.path(), 0, |registry| registry.node("comfyui-impact-pack")).unwrap();
    assert_eq!(*noted.0.borrow(), [7000, 1000]);
    host.requests();
    let busy = Reply::Whole("429 Too Many Requests\r\nRetry-After: 3600", Vec::new());
    let host = Loopback::start(vec![busy]);
    let error = ask(&client, &host.url(""), sandbox.path(), 0, |registry| registry.node("x")).unwrap_err();
    assert!(error.to_string().contains("none for 3600 s"), "{error}");
}

#[test]
fn the_token_goes_to_the_registry_alone_and_is_shown_nowhere() {
    let sandbox = Sandbox::new();
    let (client, _) = client();
    let host = Loopback::start(vec![json(NODE), Reply::Whole("403 Forbidden", Vec::new())]);
    ask(&client, &host.url("/api?key=hush"), sandbox.path(), 0, |registry| {
        registry.node("comfyui-impact-pack").unwrap();
        let error = registry.node("x").unwrap_err().to_string();
        assert!(!error.contains("hush"), "{error}");
    });
    let asked = host.requests();
    assert!(asked[0].contains("authorization: bearer hush") && asked[0].starts_with("get /api/nodes/"), "{asked:?}");
}

#[test]
fn an_archive_lies_where_the_registry_says_and_nowhere_without_encryption_if_it_has_that() {
    let sandbox = Sandbox::new();
    let (client, _) = client();
    let elsewhere = version("8.22.2", "Active").replace("http://127.0.0.1/8.22.2/node.zip", "file:///etc/passwd");
    let host = Loopback::start(vec![
        json(NODE),
        versions(&[("8.22.2", "Active")]),
        json(version("8.22.2", "Active")),
        not_found(),
        json(version("8.22.1", "Active")),
        json(elsewhere),
    ]);
    ask(&client, &host.url(""), sandbox.path(), 0, |registry| {
        let node = registry.node("comfyui-impact-pack").unwrap().value;
        let picked = registry.pick(&node, None).unwrap().value;
        let url = || registry.download_url("comfyui-impact-pack", &picked);
        assert_eq!(url().unwrap(), "http://127.0.0.1/8.22.2/node.zip");
        assert_eq!(url().unwrap(), "http://127.0.0.1/8.22.2/node.zip", "where an older registry does not answer");
        assert!(url().unwrap_err().to_string().contains("asked for version 8.22.2 and tells of 8.22.1"));
        assert!(matches!(url(), Err(RegistryError::Nonsense { .. })));
    });
    assert!(host.requests()[2].starts_with("get /nodes/comfyui-impact-pack/install?version=8.22.2 "));
}

#[test]
fn classes_and_texts_are_searched_for() {
    let sandbox = Sandbox::new();
    let (client, _) = client();
    let page = format!(r#"{{"limit":10,"page":1,"total":1,"totalPages":1,"nodes":[{NODE}]}}"#);
    let host = Loopback::start(vec![json(page), json(NODE), not_found()]);
    ask(&client, &host.url(""), sandbox.path(), 0, |registry| {
        let found = registry.search("impact pack", 10).unwrap().value;
        assert_eq!((found.nodes.len(), found.total), (1, 1));
        assert_eq!(registry.owner_of("SAM/Loader?").unwrap().unwrap().value.id, "comfyui-impact-pack");
        assert!(registry.owner_of("Nobody's").unwrap().is_none());
    });
    let asked = host.requests();
    assert!(asked[0].starts_with("get /nodes/search?search=impact+pack&page=1&limit=10 "), "{asked:?}");
    assert!(asked[1].starts_with("get /comfy-nodes/sam%2floader%3f/node "), "{asked:?}");
}

#[test]
fn a_download_goes_to_a_file_within_its_limit_and_begins_anew_when_it_is_cut() {
    let sandbox = Sandbox::new();
    let (client, _) = client();
    let mut file = std::fs::File::create(sandbox.join("archive")).unwrap();
    let mut get = |host: &Loopback, limit| {
        let request = Request::new(host.url("/node.zip"), Expected::File, limit);
        client.download(&request, &mut IntoFile::new(&mut file), &Silent)
    };
    let host = Loopback::start(vec![
        Reply::Cut(b"half of it and more".to_vec()),
        Reply::Whole("200 OK", b"PK whole".to_vec()),
    ]);
    assert_eq!(get(&host, 1000), Ok(8));
    assert_eq!(sandbox.read("archive"), b"PK whole");
    let host = Loopback::start(vec![Reply::Whole("200 OK", vec![b'x'; 1001])]);
    assert_eq!(get(&host, 1000).unwrap_err().cause, Cause::TooLarge(1000));
    let host = Loopback::start(vec![Reply::Whole("200 OK\r\nContent-Type: text/html", b"Log in".to_vec())]);
    assert_eq!(get(&host, 1000).unwrap_err().cause, Cause::PageForFile);
    let host = Loopback::start(vec![Reply::Cut(b"x".to_vec()); 3]);
    assert!(matches!(get(&host, 1000).unwrap_err().cause, Cause::Cut(_)));
}
