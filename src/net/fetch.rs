//! What is asked of a host, and what comes of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::observer::Observer;

use super::address;
use super::sink::Sink;

/// Gets what lies at an address. The real one is [`Client`](super::Client); tests and `--offline` have their own.
pub trait Fetch {
    /// Fetches a request's bytes whole, telling the observer how far it is.
    fn fetch(&self, request: &Request, observer: &dyn Observer) -> Result<Answer, FetchError>;

    /// Fetches a request's bytes into what is to take them, from where that stopped before if the host still has the same; how many it
    /// holds then. What was known of a copy is not told to the host.
    fn download(&self, request: &Request, to: &mut dyn Sink, observer: &dyn Observer) -> Result<u64, FetchError> {
        let request = Request { known: Validators::default(), ..request.clone() };
        let cause = |cause| FetchError { url: request.url.clone(), cause };
        let (bytes, validators) = match self.fetch(&request, observer)? {
            Answer::New { bytes, validators } => (bytes, validators),
            Answer::Unchanged => return Err(cause(Cause::Status(304))),
        };
        let written = to.begin(&validators, Some(bytes.len() as u64)).and_then(|()| to.take(&bytes));
        written.map_err(|error| cause(Cause::Unwritten(error.to_string())))?;
        Ok(bytes.len() as u64)
    }
}

/// What is to be fetched.
#[derive(Debug, Clone)]
pub struct Request {
    pub url: String,
    /// What the host said of the copy that is at hand.
    pub known: Validators,
    pub expected: Expected,
    /// Bytes past which the answer is refused.
    pub limit: u64,
    /// Sent to the host of `url` only, never to one that it refers to.
    pub token: Option<String>,
}

impl Request {
    pub fn new(url: impl Into<String>, expected: Expected, limit: u64) -> Self {
        Request { url: url.into(), known: Validators::default(), expected, limit, token: None }
    }
}

/// What a host says of a version of its content, to be asked later whether it is still that one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

/// What the answer must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// JSON: a page for people in its place is a login page, or that of a network's portal.
    Json,
    /// A file, such as an archive: a page for people in its place is none.
    File,
    Anything,
}

impl Expected {
    /// What is wrong with a page for people as an answer.
    pub fn page(self) -> Option<Cause> {
        match self {
            Expected::Json => Some(Cause::WebPage),
            Expected::File => Some(Cause::PageForFile),
            Expected::Anything => None,
        }
    }
}

/// What a host answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The copy at hand is the newest.
    Unchanged,
    New {
        bytes: Vec<u8>,
        validators: Validators,
    },
}

/// A request without an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {cause}", address::shown(url))]
pub struct FetchError {
    pub url: String,
    pub cause: Cause,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    #[error("no host could be reached: {0}")]
    Unreachable(String),
    #[error("the host's certificate is not trusted: {0}")]
    Untrusted(String),
    #[error("the host did not answer in time")]
    TimedOut,
    #[error("the connection was cut: {0}")]
    Cut(String),
    #[error("there is nothing there (status {0})")]
    NotFound(u16),
    #[error("the host refuses (status {0})")]
    Refused(u16),
    #[error("the host wants fewer requests{}", later(*after))]
    TooMany { after: Option<Duration> },
    #[error("the host answered with status {0}")]
    Status(u16),
    #[error("a web page came where JSON was expected")]
    WebPage,
    #[error("a web page came where a file was expected")]
    PageForFile,
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
    #[error("this is no address that can be fetched: {0}")]
    Address(String),
    #[error("it is not fetched, as this is to work offline")]
    Offline,
    /// It came, and could not be kept.
    #[error("it cannot be written to the disk: {0}")]
    Unwritten(String),
    #[error("interrupted")]
    Interrupted,
}

impl Cause {
    /// True where the network is in the way, rather than what was asked for.
    pub fn is_no_network(&self) -> bool {
        matches!(
            self,
            Cause::Unreachable(_)
                | Cause::TimedOut
                | Cause::Cut(_)
                | Cause::TooMany { .. }
                | Cause::Status(_)
                | Cause::WebPage
                | Cause::PageForFile
                | Cause::Offline
        )
    }
}

fn later(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| format!(", and none for {} s", after.as_secs()))
}

/// Fetches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offline;

impl Fetch for Offline {
    fn fetch(&self, request: &Request, _observer: &dyn Observer) -> Result<Answer, FetchError> {
        Err(FetchError { url: request.url.clone(), cause: Cause::Offline })
    }
}
