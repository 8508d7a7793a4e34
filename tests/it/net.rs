//! The HTTP client against a host on this machine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use comfrey::net::client::{Options, Proxies};
use comfrey::net::retry::{Patience, Wait};
use comfrey::net::{Answer, Cause, Client, Expected, Fetch, FetchError, Request, Validators};
use comfrey::observer::{Observer, Silent};

use crate::loopback::{Loopback, Reply};

/// Notes the pauses instead of making them.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<Vec<Duration>>>);

impl Wait for Noted {
    fn wait(&self, pause: Duration, _observer: &dyn Observer) -> bool {
        self.0.lock().unwrap().push(pause);
        true
    }

    fn chance(&self) -> f64 {
        0.0
    }
}

fn options(attempts: u32) -> Options {
    let patience = Patience { attempts, ..Patience::default() };
    Options { patience, proxies: Proxies::None, ..Options::default() }
}

fn client() -> Client {
    Client::new(options(3)).unwrap().waiting_by(Box::new(Noted::default()))
}

fn request(url: String) -> Request {
    Request::new(url, Expected::Json, 1000)
}

fn fetch(host: &Loopback) -> Result<Answer, FetchError> {
    client().fetch(&request(host.url("/list.json")), &Silent)
}

fn cause(result: Result<Answer, FetchError>) -> Cause {
    result.unwrap_err().cause
}

#[test]
fn a_list_comes_with_what_the_host_says_of_it() {
    let head = "200 OK\r\nETag: \"one\"\r\nLast-Modified: Fri, 20 Nov 2026 10:00:00 GMT\r\nContent-Type: text/plain";
    let host = Loopback::start(vec![Reply::Whole(head, b"{}".to_vec())]);
    let last_modified = Some("Fri, 20 Nov 2026 10:00:00 GMT".into());
    let validators = Validators { etag: Some("\"one\"".into()), last_modified };
    assert_eq!(fetch(&host), Ok(Answer::New { bytes: b"{}".to_vec(), validators }));
    let asked = host.requests();
    assert!(asked[0].starts_with("get /list.json ") && asked[0].contains("user-agent: comfrey/"), "{asked:?}");
    assert!(!asked[0].contains("authorization"));
}

#[test]
fn a_host_is_asked_whether_the_copy_is_still_the_newest() {
    let host = Loopback::start(vec![Reply::Whole("304 Not Modified", Vec::new())]);
    let mut request = request(host.url("/"));
    request.known = Validators { etag: Some("\"one\"".into()), last_modified: Some("a date".into()) };
    assert_eq!(client().fetch(&request, &Silent), Ok(Answer::Unchanged));
    let asked = host.requests();
    assert!(asked[0].contains("if-none-match: \"one\"") && asked[0].contains("if-modified-since: a date"));
}

#[test]
fn what_is_not_there_is_asked_for_once() {
    for (head, expected) in [
        ("404 Not Found", Cause::NotFound(404)),
        ("403 Forbidden", Cause::Refused(403)),
        ("400 Bad Request", Cause::Status(400)),
    ] {
        let host = Loopback::start(vec![Reply::Whole(head, b"no".to_vec())]);
        assert_eq!(cause(fetch(&host)), expected);
        assert_eq!(host.requests().len(), 1);
    }
}

#[test]
fn a_host_that_wants_fewer_requests_gets_its_pause() {
    let busy = Reply::Whole("429 Too Many Requests\r\nRetry-After: 7", Vec::new());
    let host = Loopback::start(vec![busy.clone(), busy, Reply::Whole("200 OK", b"{}".to_vec())]);
    let noted = Noted::default();
    let client = Client::new(options(3)).unwrap().waiting_by(Box::new(noted.clone()));
    assert!(client.fetch(&request(host.url("/")), &Silent).is_ok());
    assert_eq!(*noted.0.lock().unwrap(), [Duration::from_secs(7); 2]);
    assert_eq!(host.requests().len(), 3);
}

#[test]
fn a_connection_that_is_cut_is_tried_again() {
    let host = Loopback::start(vec![Reply::Cut(b"{".to_vec()), Reply::Whole("200 OK", b"{}".to_vec())]);
    assert!(matches!(fetch(&host), Ok(Answer::New { bytes, .. }) if bytes == b"{}"));
    let host = Loopback::start(vec![Reply::Cut(b"{".to_vec()); 3]);
    assert!(matches!(cause(fetch(&host)), Cause::Cut(_)));
    assert_eq!(host.requests().len(), 3);
}

#[test]
fn a_web_page_is_no_list() {
    let said = Reply::Whole("200 OK\r\nContent-Type: text/html; charset=utf-8", b"Log in".to_vec());
    let unsaid = Reply::Whole("200 OK", b"\n<!DOCTYPE html>".to_vec());
    for reply in [said, unsaid] {
        assert_eq!(cause(fetch(&Loopback::start(vec![reply]))), Cause::WebPage);
    }
}

#[test]
fn more_than_was_agreed_to_is_refused() {
    let host = Loopback::start(vec![Reply::Whole("200 OK", vec![b' '; 1001])]);
    assert_eq!(cause(fetch(&host)), Cause::TooLarge(1000));
}

#[test]
fn a_token_stays_with_the_host_it_is_for() {
    let other = Loopback::start(vec![Reply::Whole("200 OK", b"{}".to_vec())]);
    let head: &'static str = format!("302 Found\r\nLocation: {}", other.url("/there")).leak();
    let host = Loopback::start(vec![Reply::Whole(head, Vec::new())]);
    let mut request = request(host.url("/"));
    request.token = Some("hush".into());
    assert!(client().fetch(&request, &Silent).is_ok());
    assert!(host.requests()[0].contains("authorization: bearer hush"));
    let followed = other.requests();
    assert!(followed[0].starts_with("get /there") && !followed[0].contains("hush"), "{followed:?}");
}

#[test]
fn a_host_that_is_silent_is_not_waited_for_for_ever() {
    let host = Loopback::start(vec![Reply::Silence]);
    let options = Options { timeout: Duration::from_millis(200), ..options(1) };
    let client = Client::new(options).unwrap();
    assert_eq!(cause(client.fetch(&request(host.url("/")), &Silent)), Cause::TimedOut);
}

#[test]
fn a_host_that_is_not_there_is_named_without_secrets() {
    let client = Client::new(options(1)).unwrap();
    let error = client.fetch(&request("http://me:hush@127.0.0.1:9/a?token=hush".into()), &Silent).unwrap_err();
    assert!(matches!(error.cause, Cause::Unreachable(_)), "{error:?}");
    let text = error.to_string();
    assert!(
        text.starts_with("http://127.0.0.1:9/a?token=…: no host could be reached") && !text.contains("hush"),
        "{text}"
    );
}
