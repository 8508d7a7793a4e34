//! `fetch-blob` against hosts on this machine that do what hosts do.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use comfrey::digest::{ContentHash, Threads, Wanted, stream};
use comfrey::net::blob::{Blob, BlobError, Fetching};
use comfrey::net::client::{Options, Proxies};
use comfrey::net::retry::{Patience, Wait};
use comfrey::net::tokens::Tokens;
use comfrey::net::{Cause, Client};
use comfrey::object::ObjectId;
use comfrey::observer::{Observer, Silent};
use comfrey::store::Store;

use crate::documents::{documented, same_fields};
use crate::loopback::{Asked, End, Given, Site};
use crate::support::{Run, Sandbox};

fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

fn id(bytes: &[u8]) -> String {
    ObjectId::of_blob(bytes).to_hex()
}

fn sha256(mut bytes: &[u8]) -> String {
    let wanted = Wanted { sha256: true, ..Wanted::ID };
    stream(&mut bytes, wanted, Threads::One, &Silent).unwrap().sha256.unwrap().to_hex()
}

/// A sandbox with a store in it.
fn sandbox() -> (Sandbox, Store) {
    let sandbox = Sandbox::new();
    let store = Store::create(&sandbox.join(".comfrey")).unwrap();
    (sandbox, store)
}

/// What lies in the store's folder of downloads.
fn under_way(sandbox: &Sandbox) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(sandbox.join(".comfrey/downloads")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn fetched(sandbox: &Sandbox, words: &[&str]) -> Run {
    sandbox.comfrey([&["fetch-blob"], words].concat())
}

#[track_caller]
fn holds(sandbox: &Sandbox, bytes: &[u8]) {
    let store = Store::open(&sandbox.join(".comfrey"), &Default::default()).unwrap();
    let mut read = Vec::new();
    std::io::Read::read_to_end(&mut store.open_object(&ObjectId::of_blob(bytes)).unwrap(), &mut read).unwrap();
    assert!(read == bytes);
    assert_eq!(under_way(sandbox), Vec::<PathBuf>::new());
}

/// Notes the pauses instead of making them.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<Vec<u64>>>);

impl Wait for Noted {
    fn wait(&self, pause: Duration, _observer: &dyn Observer) -> bool {
        self.0.lock().unwrap().push(pause.as_millis() as u64);
        true
    }

    fn chance(&self) -> f64 {
        1.0
    }
}

/// Fetches within the library, so that no pause is really made: the answer, and the pauses.
fn fetch(store: &Store, url: &str, hash: Option<&ContentHash>) -> (Result<Blob, BlobError>, Vec<u64>) {
    let noted = Noted::default();
    let patience = Patience { attempts: 3, ..Patience::default() };
    let options = Options { patience, proxies: Proxies::None, ..Options::default() };
    let http = Client::new(options).unwrap().waiting_by(Box::new(noted.clone()));
    let tokens = Tokens::default();
    let fetching = Fetching { store, http: &http, tokens: &tokens, sha256: false, observer: &Silent };
    let done = fetching.fetch(url, hash);
    let pauses = noted.0.lock().unwrap().clone();
    (done, pauses)
}

#[test]
fn files_are_stored_and_their_ids_printed_in_the_order_of_the_urls() {
    let (sandbox, _store) = sandbox();
    let files = [Vec::new(), b"hello".to_vec(), noise(1, 3 << 20)];
    let served = files.clone();
    let site = Site::start(move |asked| {
        let number: usize = asked.path().trim_start_matches('/').parse().unwrap();
        Given::file(asked, &served[number])
    });
    let urls = ["/2", "/0", "/1", "/2"].map(|path| site.url(path));
    let run = fetched(&sandbox, &[&urls[0], &urls[1], &urls[2], &urls[3]]).success();
    let expected: Vec<String> = [2, 0, 1, 2].map(|number: usize| id(&files[number])).to_vec();
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), expected);
    files.iter().for_each(|bytes| holds(&sandbox, bytes));
    let run = fetched(&sandbox, &["--sha256", &urls[2]]).success();
    assert_eq!(run.line(), format!("{} {}", id(b"hello"), sha256(b"hello")));
}

#[test]
fn json_says_what_the_documents_say() {
    let (sandbox, _store) = sandbox();
    let bytes = noise(1, 100);
    let site = Site::start(move |asked| Given::file(asked, &bytes));
    let run = fetched(&sandbox, &["--json", "--sha256", &site.url("/a?type=Model&token=hush")]).success();
    let line: serde_json::Value = serde_json::from_str(run.line()).unwrap();
    same_fields("fetch-blob", &documented("fetch-blob"), &line);
    assert_eq!(line["url"], site.url("/a?type=Model"));
    assert_eq!((&line["already_there"], &line["fetched"]), (&false.into(), &100.into()));
    let again = fetched(&sandbox, &["--json", &site.url("/b")]).success();
    assert!(again.stdout.contains(r#""already_there":true,"fetched":100"#), "{}", again.stdout);
}

#[test]
fn what_the_store_has_is_not_fetched() {
    let (sandbox, _store) = sandbox();
    let bytes = noise(1, 2 << 20);
    let served = bytes.clone();
    let site = Site::start(move |asked| Given::file(asked, &served));
    let pinned = format!("sha256:{}", sha256(&bytes));
    let url = site.url("/a");
    assert_eq!(fetched(&sandbox, &["--hash", &pinned, &url]).success().line(), id(&bytes));
    for hash in [pinned, id(&bytes), format!("blake3:{}", id(&bytes))] {
        let run = fetched(&sandbox, &["--json", "--hash", &hash, &url]).success();
        let line: serde_json::Value = serde_json::from_str(run.line()).unwrap();
        assert_eq!((&line["already_there"], &line["fetched"], line.get("url")), (&true.into(), &0.into(), None));
    }
    let run = fetched(&sandbox, &["--sha256", "--hash", &id(&bytes), &url]).success();
    assert_eq!(run.line(), format!("{} {}", id(&bytes), sha256(&bytes)));
    assert_eq!(site.asked().len(), 1);
    holds(&sandbox, &bytes);
}

#[test]
fn bytes_with_another_hash_are_not_stored() {
    let (sandbox, store) = sandbox();
    let bytes = noise(1, 2 << 20);
    let served = bytes.clone();
    let site = Site::start(move |asked| Given::file(asked, &served));
    let other = "ab".repeat(32);
    for (hash, found) in [(other.clone(), id(&bytes)), (format!("sha256:{other}"), sha256(&bytes))] {
        let run = fetched(&sandbox, &["--hash", &hash, &site.url("/a")]).fails_with(5);
        assert!(run.stderr.contains(&other) && run.stderr.contains(&found), "{}", run.stderr);
        assert_eq!(run.stdout, "");
        assert!(!store.contains(&[ObjectId::of_blob(&bytes)]).unwrap()[0]);
        assert_eq!(under_way(&sandbox), Vec::<PathBuf>::new());
    }
}

#[test]
fn with_a_hash_the_urls_are_places_of_one_file() {
    let (sandbox, _store) = sandbox();
    let bytes = noise(1, 5000);
    let served = bytes.clone();
    let site = Site::start(move |asked| match asked.path() {
        "/gone" => Given::whole("404 Not Found", "no"),
        "/other" => Given::whole("200 OK", "other bytes"),
        _ => Given::file(asked, &served),
    });
    let [gone, other, right] = ["/gone", "/other", "/right"].map(|path| site.url(path));
    let run = fetched(&sandbox, &["--hash", &id(&bytes), &gone, &other, &right, &gone]).success();
    assert_eq!(run.line(), id(&bytes));
    assert!(run.stderr.contains("status 404") && run.stderr.contains("not the bytes"), "{}", run.stderr);
    assert_eq!(site.asked().len(), 3);
    let absent = "cd".repeat(32);
    fetched(&sandbox, &["--hash", &absent, &other, &gone]).fails_with(6);
}

#[test]
fn a_url_that_gives_nothing_is_named_and_the_others_go_on() {
    let (sandbox, _store) = sandbox();
    let site = Site::start(|asked| match asked.path() {
        "/gone" => Given::whole("404 Not Found", "no"),
        _ => Given::file(asked, b"hello"),
    });
    let run = fetched(&sandbox, &[&site.url("/gone"), &site.url("/here")]).fails_with(6);
    assert_eq!(run.stdout, format!("{}\n", id(b"hello")));
    assert!(run.stderr.starts_with(&format!("error: {}: there is nothing there", site.url("/gone"))), "{}", run.stderr);
    assert_eq!(under_way(&sandbox), Vec::<PathBuf>::new());
}

#[test]
fn wrong_usage_is_told_before_anything_is_fetched() {
    let (sandbox, _store) = sandbox();
    fetched(&sandbox, &[]).fails_with(2);
    let run = fetched(&sandbox, &["--hash", "1234", "https://example.org/a"]).fails_with(2);
    assert!(run.stderr.contains("sha256:"), "{}", run.stderr);
    let run = fetched(&sandbox, &["example.org/a?token=hush"]).fails_with(2);
    assert!(run.stderr.starts_with("error: `example.org/a?token=…` is no URL"), "{}", run.stderr);
}

/// Starts the program and waits until so many bytes of its download are noted.
fn until_noted(sandbox: &Sandbox, url: &str, length: u64) -> Child {
    let mut command = sandbox.comfrey_command(["fetch-blob", url]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    let noted = |path: &Path| -> Option<u64> {
        let text = std::fs::read(path).ok()?;
        serde_json::from_slice::<serde_json::Value>(&text).ok()?["length"].as_u64()
    };
    let is_note = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "note");
    while under_way(sandbox).iter().filter(|path| is_note(path)).filter_map(|path| noted(path)).max() < Some(length) {
        assert!(Instant::now() < end, "it does not get so far");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

#[test]
fn a_killed_download_goes_on_where_it_was() {
    let (sandbox, _store) = sandbox();
    let bytes = noise(1, 24 << 20);
    let served = bytes.clone();
    let site = Site::start(move |asked| match asked.number {
        0 => Given::file(asked, &served).cut(20 << 20, End::Silent),
        _ => Given::file(asked, &served),
    });
    let mut child = until_noted(&sandbox, &site.url("/model.safetensors"), 16 << 20);
    child.kill().unwrap();
    child.wait().unwrap();
    let run = fetched(&sandbox, &["--json", &site.url("/model.safetensors")]).success();
    let asked = site.asked();
    let from = asked[1].from().unwrap();
    assert!(from >= 16 << 20, "{asked:?}");
    assert!(asked[1].header("if-range").is_some());
    let line: serde_json::Value = serde_json::from_str(run.line()).unwrap();
    assert_eq!((&line["id"], &line["fetched"]), (&id(&bytes).into(), &(bytes.len() - from).into()));
    holds(&sandbox, &bytes);
}

// Not on Windows: Ctrl-C comes from a console, and a test under Wine has none.
// Instead: `a_killed_download_goes_on_where_it_was`.
#[cfg(unix)]
#[test]
fn a_wish_to_stop_is_heard_while_the_host_is_silent() {
    let (sandbox, _store) = sandbox();
    let bytes = noise(1, 9 << 20);
    let site = Site::start(move |asked| match asked.number {
        0 => Given::file(asked, &bytes).cut((8 << 20) + 5, End::Silent),
        _ => Given::file(asked, &bytes),
    });
    let child = until_noted(&sandbox, &site.url("/a"), 8 << 20);
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", String::from_utf8_lossy(&ended.stderr));
    fetched(&sandbox, &[&site.url("/a")]).success();
    assert!(site.asked()[1].from().unwrap() >= 8 << 20, "{:?}", site.asked());
}

#[test]
fn a_connection_that_is_cut_goes_on_as_long_as_it_gets_further() {
    let (sandbox, store) = sandbox();
    let bytes = noise(1, 2 << 20);
    let served = bytes.clone();
    let site = Site::start(move |asked| match asked.number {
        0..7 => Given::file(asked, &served).cut(200_000, End::Closed),
        _ => Given::file(asked, &served),
    });
    let (done, pauses) = fetch(&store, &site.url("/a"), None);
    assert_eq!(done.unwrap().fetched, bytes.len() as u64);
    // None of them is longer than the first: each attempt got further.
    assert_eq!(pauses, [500; 7]);
    assert_eq!(site.asked()[7].from(), Some(1_400_000));
    holds(&sandbox, &bytes);
}

#[test]
fn a_host_without_ranges_gives_all_of_it_again() {
    let (sandbox, store) = sandbox();
    let bytes = noise(1, 2 << 20);
    let served = bytes.clone();
    let site = Site::start(move |asked| {
        let given = Given::whole("200 OK\r\nETag: \"one\"", served.clone());
        if asked.number == 0 { given.cut(500_000, End::Closed) } else { given }
    });
    let (done, _) = fetch(&store, &site.url("/a"), None);
    assert_eq!(done.unwrap().id, ObjectId::of_blob(&bytes));
    assert_eq!(site.asked()[1].from(), Some(500_000));
    holds(&sandbox, &bytes);
}

#[test]
fn a_host_that_names_no_version_is_not_asked_for_the_rest() {
    let (sandbox, store) = sandbox();
    let site = Site::start(|asked| match asked.number {
        0 => Given::whole("200 OK", "all of it").cut(5, End::Closed),
        1 => Given::whole("200 OK\r\nETag: W/\"weak\"", "all of it").cut(5, End::Closed),
        _ => Given::whole("200 OK", "all of it"),
    });
    let (done, _) = fetch(&store, &site.url("/a"), None);
    assert_eq!(done.unwrap().id, ObjectId::of_blob(b"all of it"));
    assert!(site.asked().iter().all(|asked| asked.from().is_none()));
    holds(&sandbox, b"all of it");
}

#[test]
fn a_file_that_changed_meanwhile_begins_anew() {
    let changed = noise(2, 1_500_000);
    type Answer = fn(&Asked, &[u8]) -> Given;
    // One that heeds If-Range; one that does not, and says what it has; one where the file is shorter now than what came.
    let kinds: [Answer; 3] = [
        |asked, bytes| Given::file(asked, bytes),
        |asked, bytes| match asked.from() {
            Some(from) => {
                let range = format!("Content-Range: bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
                Given::whole(&format!("206 Partial Content\r\nETag: \"new\"\r\n{range}"), &bytes[from..])
            }
            None => Given::whole("200 OK\r\nETag: \"new\"", bytes),
        },
        |asked, _| match asked.from() {
            Some(_) => Given::whole("416 Range Not Satisfiable\r\nContent-Range: bytes */5", ""),
            None => Given::whole("200 OK", "short"),
        },
    ];
    for (number, kind) in kinds.into_iter().enumerate() {
        let (sandbox, store) = sandbox();
        let (first, second) = (noise(1, 2 << 20), changed.clone());
        let site = Site::start(move |asked| match asked.number {
            0 => Given::file(asked, &first).cut(1_000_000, End::Closed),
            _ => kind(asked, &second),
        });
        let (done, _) = fetch(&store, &site.url("/a"), None);
        let expected = if number == 2 { b"short".as_slice() } else { &changed };
        assert_eq!(done.unwrap().id, ObjectId::of_blob(expected), "{number}");
        holds(&sandbox, expected);
    }
}

#[test]
fn a_part_that_ends_too_early_is_gone_on_with_and_a_whole_one_is_whole() {
    let (sandbox, store) = sandbox();
    let bytes = noise(1, 1 << 20);
    let served = bytes.clone();
    let site = Site::start(move |asked| match asked.number {
        0 => Given::file(asked, &served).cut(300_000, End::Closed),
        1 => {
            let range = "Content-Range: bytes 300000-599999/1048576";
            Given::whole(&format!("206 Partial Content\r\n{range}"), &served[300_000..600_000])
        }
        // All that is left, and then the connection breaks before its end is told.
        2 => {
            let mut given = Given::file(asked, &served);
            given.head = given.head.replace("Content-Length: 448576", "Transfer-Encoding: chunked");
            given.body = [format!("{:x}\r\n", given.body.len()).as_bytes(), &given.body, b"\r\n"].concat();
            given
        }
        _ => Given::file(asked, &served),
    });
    let (done, _) = fetch(&store, &site.url("/a"), None);
    assert_eq!(done.unwrap().id, ObjectId::of_blob(&bytes));
    let from: Vec<_> = site.asked().iter().map(Asked::from).collect();
    assert_eq!(from, [None, Some(300_000), Some(600_000), Some(1 << 20)]);
    holds(&sandbox, &bytes);
}

#[test]
fn a_host_that_wants_fewer_requests_gets_its_pause() {
    let (sandbox, store) = sandbox();
    let site = Site::start(|asked| match asked.number {
        0 => Given::whole("429 Too Many Requests\r\nRetry-After: 7", ""),
        1 => Given::whole("503 Service Unavailable\r\nRetry-After: 3", ""),
        2 => Given::file(asked, b"hello").cut(2, End::Closed),
        3 => Given::whole("502 Bad Gateway", ""),
        _ => Given::file(asked, b"hello"),
    });
    let (done, pauses) = fetch(&store, &site.url("/a"), None);
    assert_eq!(done.unwrap().id, ObjectId::of_blob(b"hello"));
    assert_eq!(pauses, [7000, 3000, 500, 1000]);
    holds(&sandbox, b"hello");
}

#[test]
fn patience_has_an_end_and_what_has_come_is_kept() {
    let (sandbox, store) = sandbox();
    let bytes = noise(1, 2 << 20);
    let served = bytes.clone();
    let site = Site::start(move |asked| match asked.number {
        0 => Given::file(asked, &served).cut(1 << 20, End::Closed),
        1..3 => Given::whole("500 Internal Server Error", ""),
        _ => Given::file(asked, &served),
    });
    let (done, _) = fetch(&store, &site.url("/a"), None);
    match done {
        Err(BlobError::Fetch { fetch, kept, .. }) => {
            assert_eq!((fetch.cause, kept), (Cause::Status(500), 1 << 20));
        }
        other => panic!("{other:?}"),
    }
    let (done, _) = fetch(&store, &site.url("/a"), None);
    assert_eq!(done.unwrap().fetched, 1 << 20);
    holds(&sandbox, &bytes);
}

/// A beginning of two bytes, and then nothing for who wants the rest.
fn cut_and_refused(asked: &Asked) -> Given {
    match asked.number {
        0 => Given::file(asked, b"hello").cut(2, End::Closed),
        _ => Given::whole("400 Bad Request", ""),
    }
}

#[test]
fn a_token_goes_to_its_host_alone_and_no_secret_is_shown() {
    let (sandbox, _store) = sandbox();
    let other = Site::start(|asked| Given::file(asked, b"hello"));
    let there = other.url("/there");
    let site = Site::start(move |_| Given::whole(&format!("302 Found\r\nLocation: {there}"), ""));
    let run = |endpoint: &str, words: &[&str]| {
        let mut command = sandbox.comfrey_command([&["fetch-blob", "-vv", "--json"], words].concat());
        command.env("HF_TOKEN", "hush-1").env("CIVITAI_API_KEY", "hush-2").env("HF_ENDPOINT", endpoint);
        Run::of(command)
    };
    let done = run(&site.url(""), &[&site.url("/a?sig=hush-3")]).success();
    assert_eq!(site.asked()[0].header("authorization"), Some("bearer hush-1"));
    let followed = other.asked()[0].text.clone();
    assert!(!followed.contains("hush") && !followed.contains("referer"), "{followed}");
    // Another host is not told of it, and one that refuses is shown without what was sent.
    let refusing = Site::start(|_| Given::whole("403 Forbidden", "hush"));
    let url = refusing.url("/a?token=hush-4").replace("http://", "http://me:hush-5@");
    let refused = run(&site.url(""), &[&url]).fails_with(6);
    assert!(!refusing.asked()[0].text.contains("hush-1"), "{:?}", refusing.asked());
    let cut = Site::start(cut_and_refused);
    let cut_off = run(&cut.url(""), &[&cut.url("/a?key=hush-6")]).fails_with(6);
    let kept: Vec<u8> = under_way(&sandbox).iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
    for shown in [done, refused, cut_off].iter().flat_map(|run| [&run.stdout, &run.stderr]) {
        assert!(!shown.contains("hush"), "{shown}");
    }
    assert!(!kept.is_empty() && !String::from_utf8_lossy(&kept).contains("hush"));
}

#[test]
fn who_is_refused_is_told_which_token_would_open_it() {
    let (sandbox, _store) = sandbox();
    let site = Site::start(|asked| match asked.path() {
        "/login" => Given::whole("200 OK\r\nContent-Type: text/html; charset=utf-8", "<html>Log in"),
        _ => Given::whole("401 Unauthorized", ""),
    });
    let run = |token: &str, path: &str| {
        let mut command = sandbox.comfrey_command(["fetch-blob", &site.url(path)]);
        command.env("HF_ENDPOINT", site.url("")).env("HF_TOKEN", token);
        Run::of(command).fails_with(6).stderr
    };
    for path in ["/a.safetensors", "/login"] {
        let without = run("", path);
        assert!(without.contains("set HF_TOKEN"), "{without}");
        let with = run("hush", path);
        assert!(with.contains("HF_TOKEN was sent") && !with.contains("hush"), "{with}");
    }
    assert!(run("", "/login").contains("a web page came where a file was expected"));
    assert_eq!(under_way(&sandbox), Vec::<PathBuf>::new());
}

#[test]
fn a_web_page_is_a_file_only_where_one_was_asked_for() {
    let (sandbox, _store) = sandbox();
    let site = Site::start(|_| Given::whole("200 OK\r\nContent-Type: text/html", "<html>"));
    let run = fetched(&sandbox, &[&site.url("/blob/main/a.safetensors")]).fails_with(6);
    assert!(run.stderr.contains("/resolve/"), "{}", run.stderr);
    assert_eq!(fetched(&sandbox, &[&site.url("/page.html")]).success().line(), id(b"<html>"));
}

#[test]
fn bytes_come_as_they_lie_there_also_without_a_length() {
    let (sandbox, _store) = sandbox();
    let bytes = noise(1, 70_000);
    let chunks: Vec<u8> = bytes
        .chunks(9_999)
        .flat_map(|piece| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())
        .chain(*b"0\r\n\r\n")
        .collect();
    let packed = noise(3, 500);
    let served = packed.clone();
    let site = Site::start(move |asked| match asked.path() {
        "/chunked" => {
            let head = "200 OK\r\nTransfer-Encoding: chunked".to_owned();
            Given { head, body: chunks.clone(), end: End::Closed }
        }
        "/to-the-end" => Given { head: "200 OK".into(), body: b"until it ends".to_vec(), end: End::Closed },
        // A host that packs without being asked: the bytes are what it gives.
        _ => Given::whole("200 OK\r\nContent-Encoding: gzip", served.clone()),
    });
    for (path, expected) in [("/chunked", &bytes[..]), ("/to-the-end", b"until it ends"), ("/packed", &packed)] {
        assert_eq!(fetched(&sandbox, &[&site.url(path)]).success().line(), id(expected), "{path}");
        holds(&sandbox, expected);
    }
    assert!(site.asked().iter().all(|asked| asked.header("accept-encoding") == Some("identity")));
}

#[test]
fn a_file_for_which_the_disk_has_no_room_is_not_begun() {
    let (sandbox, _store) = sandbox();
    let site = Site::start(|_| {
        let head = format!("200 OK\r\nContent-Length: {}", 1_u64 << 60);
        Given { head, body: vec![0; 100], end: End::Closed }
    });
    let run = fetched(&sandbox, &[&site.url("/a")]).fails_with(3);
    assert!(run.stderr.contains("are to come, and") && run.stderr.contains("free some space"), "{}", run.stderr);
    assert_eq!(under_way(&sandbox), Vec::<PathBuf>::new());
    assert_eq!(site.asked().len(), 1);
}

#[test]
fn a_fault_at_every_step_leaves_the_store_sound_and_the_next_run_whole() {
    let (sandbox, _store) = sandbox();
    let bytes = |step: usize| noise(step as u8, (1 << 20) + step);
    let site = Site::start(move |asked| {
        let step: usize = asked.path().trim_start_matches('/').parse().unwrap();
        Given::file(asked, &bytes(step))
    });
    for step in 1..200 {
        let url = site.url(&format!("/{step}"));
        let mut command = sandbox.comfrey_command(["fetch-blob", &url]);
        command.env("COMFREY_FAULT_AT", format!("{step}{}", ["", "+", "!"][step % 3]));
        let first = Run::of(command);
        if first.code == 0 {
            assert_eq!(first.line(), id(&bytes(step)), "step {step}");
        }
        sandbox.comfrey(["fsck"]).success();
        assert_eq!(fetched(&sandbox, &[&url]).success().line(), id(&bytes(step)), "step {step}");
        holds(&sandbox, &bytes(step));
        if first.code == 0 {
            assert!(step > 10, "only {step} steps");
            return;
        }
    }
    panic!("it never passes");
}

#[test]
fn a_download_that_nobody_goes_on_with_is_swept() {
    let (sandbox, _store) = sandbox();
    let site = Site::start(cut_and_refused);
    fetched(&sandbox, &[&site.url("/a?token=hush")]).fails_with(6);
    let told = |run: Run| run.success().stdout;
    // It is young; the sandbox's clock stands before it.
    assert!(!told(sandbox.comfrey(["gc", "--dry-run"])).contains("download"));
    let plan = told(sandbox.comfrey(["gc", "--dry-run", "--now"]));
    assert!(
        plan.contains(&format!("would delete 2 B of a download that was broken off: {}", site.url("/a"))),
        "{plan}"
    );
    assert!(!under_way(&sandbox).is_empty());
    let mut later = sandbox.comfrey_command(["gc", "--json"]);
    later.env("COMFREY_TIME", "2050-01-01T00:00:00+00:00");
    let done: serde_json::Value = serde_json::from_str(&told(Run::of(later))).unwrap();
    same_fields("gc.downloads[]", &documented("gc")["downloads"][0], &done["downloads"][0]);
    assert_eq!(under_way(&sandbox), Vec::<PathBuf>::new());
}
