//! The real client.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header;

use crate::observer::{Observer, Unit};

use super::exchange::{Exchange, Head, Trouble};
use super::fetch::{Answer, Cause, Expected, Fetch, FetchError, Request, Validators};
use super::retry::{Patience, RealTime, Setback, Wait, patiently};
use super::sink::Sink;

/// How a client behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// For reaching a host, and for each piece of its answer.
    pub timeout: Duration,
    pub patience: Patience,
    pub proxies: Proxies,
}

/// Which proxies are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxies {
    /// Those that `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` name.
    FromEnvironment,
    None,
}

impl Default for Options {
    fn default() -> Self {
        Options { timeout: Duration::from_secs(20), patience: Patience::default(), proxies: Proxies::FromEnvironment }
    }
}

/// An HTTP client: certificates as the system trusts them.
pub struct Client {
    options: Options,
    lists: reqwest::blocking::Client,
    /// Made when the first file is downloaded.
    files: OnceLock<reqwest::blocking::Client>,
    wait: Box<dyn Wait>,
}

/// How bytes may travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Travel {
    /// Packed by the host, unpacked here.
    Packed,
    /// As they lie there: a range counts them so, and a hash is of them.
    AsTheyLie,
}

/// A client that could not be made, such as for want of the system's certificates.
#[derive(Debug, thiserror::Error)]
#[error("the network cannot be used: {0}")]
pub struct ClientError(String);

impl Client {
    pub fn new(options: Options) -> Result<Self, ClientError> {
        let lists = made(options, Travel::Packed).map_err(|error| ClientError(told(error)))?;
        Ok(Client { options, lists, files: OnceLock::new(), wait: Box::new(RealTime) })
    }

    /// With another clock, for tests.
    pub fn waiting_by(self, wait: Box<dyn Wait>) -> Self {
        Client { wait, ..self }
    }

    fn inner(&self, travel: Travel) -> Result<&reqwest::blocking::Client, Cause> {
        if travel == Travel::Packed {
            return Ok(&self.lists);
        }
        if let Some(made) = self.files.get() {
            return Ok(made);
        }
        let made = made(self.options, Travel::AsTheyLie).map_err(cause)?;
        Ok(self.files.get_or_init(|| made))
    }

    /// Sends a request once; nothing where the host says that the copy is the newest. With `rest` the answer may also be a part, or
    /// that there is no such part.
    fn send(
        &self,
        travel: Travel,
        request: &Request,
        rest: Option<&Rest>,
        observer: &dyn Observer,
    ) -> Result<Option<(Head, Exchange)>, Cause> {
        let mut builder = self.inner(travel)?.get(&request.url);
        if travel == Travel::AsTheyLie {
            builder = builder.header(header::ACCEPT_ENCODING, "identity");
        }
        if let Some(token) = &request.token {
            builder = builder.bearer_auth(token);
        }
        let known =
            [(header::IF_NONE_MATCH, &request.known.etag), (header::IF_MODIFIED_SINCE, &request.known.last_modified)];
        for (name, value) in known {
            if let Some(value) = value {
                builder = builder.header(name, value);
            }
        }
        if let Some(Rest { from, of }) = rest {
            builder = builder.header(header::RANGE, format!("bytes={from}-")).header(header::IF_RANGE, of);
        }
        let (head, exchange) = Exchange::begin(builder, observer)?;
        match head.status {
            StatusCode::NOT_MODIFIED => return Ok(None),
            StatusCode::OK => {}
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if rest.is_some() => {}
            StatusCode::TOO_MANY_REQUESTS => return Err(Cause::TooMany { after: retry_after(&head) }),
            StatusCode::SERVICE_UNAVAILABLE if retry_after(&head).is_some() => {
                return Err(Cause::TooMany { after: retry_after(&head) });
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Cause::NotFound(head.status.as_u16())),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(Cause::Refused(head.status.as_u16()));
            }
            status => return Err(Cause::Status(status.as_u16())),
        }
        let web_page = head.text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"));
        if let Some(wrong) = request.expected.page().filter(|_| web_page) {
            return Err(wrong);
        }
        Ok(Some((head, exchange)))
    }

    fn attempt(&self, request: &Request, observer: &dyn Observer) -> Result<Answer, Cause> {
        let Some((head, exchange)) = self.send(Travel::Packed, request, None, observer)? else {
            return Ok(Answer::Unchanged);
        };
        let mut bytes = Vec::new();
        body(&head, exchange, request.limit, observer, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        if request.expected == Expected::Json && bytes.trim_ascii_start().starts_with(b"<") {
            return Err(Cause::WebPage);
        }
        Ok(Answer::New { bytes, validators: validators(&head) })
    }

    fn attempt_download(&self, request: &Request, to: &mut dyn Sink, observer: &dyn Observer) -> Result<u64, Cause> {
        let unwritten = |error: std::io::Error| Cause::Unwritten(error.to_string());
        let mut rest = Rest::of(to);
        loop {
            // Without a question there is no answer of that sort.
            let (head, exchange) =
                self.send(Travel::AsTheyLie, request, rest.as_ref(), observer)?.ok_or(Cause::Status(304))?;
            let part = Part::of(&head);
            match rest.take() {
                Some(Rest { from, .. }) if part.is_rest(from) && is_still(&head, &to.version()) => {
                    to.go_on(head.length).map_err(unwritten)?;
                    observer.noted(&format!("{}: going on after {from} bytes", super::address::shown(&request.url)));
                }
                // All of it was there.
                Some(Rest { from, .. }) if part.is_nothing_after(from) => return Ok(from),
                // Another part than was asked for, or of another file: from the beginning.
                Some(_) if part != Part::Whole => continue,
                _ => to.begin(&validators(&head), head.length).map_err(unwritten)?,
            }
            let left = request.limit.saturating_sub(to.length());
            let got = body(&head, exchange, left, observer, &mut |piece| to.take(piece).map_err(unwritten));
            got.map_err(|cause| if cause == Cause::TooLarge(left) { Cause::TooLarge(request.limit) } else { cause })?;
            return match part {
                Part::From { total: Some(total), .. } if total != to.length() => {
                    Err(Cause::Cut(format!("{} of {total} bytes have come", to.length())))
                }
                _ => Ok(to.length()),
            };
        }
    }
}

/// A client that is to ask for lists or for files.
fn made(options: Options, travel: Travel) -> reqwest::Result<reqwest::blocking::Client> {
    // Another part of the program may have chosen before; either choice will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = match options.proxies {
        Proxies::FromEnvironment => reqwest::blocking::Client::builder(),
        Proxies::None => reqwest::blocking::Client::builder().no_proxy(),
    };
    builder
        .user_agent(concat!("comfrey/", env!("CARGO_PKG_VERSION")))
        .timeout(options.timeout)
        .connect_timeout(options.timeout)
        .gzip(travel == Travel::Packed)
        // It would tell the host that is referred to the whole address, and with it what may be a token.
        .referer(false)
        // Follows ten; takes tokens away when the host changes.
        .redirect(reqwest::redirect::Policy::custom(|attempt| {
            let from_safe = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
            match attempt.url().scheme() {
                "http" if from_safe => attempt.error("the host refers to an address without encryption"),
                _ if attempt.previous().len() > 10 => attempt.error("the host refers on and on"),
                _ => attempt.follow(),
            }
        }))
        .build()
}

/// The rest of a file that was had before.
struct Rest {
    from: u64,
    /// The version whose rest it is to be; of another the host gives the whole.
    of: String,
}

impl Rest {
    /// Nothing where there is no telling that the rest would fit to what is there.
    fn of(to: &dyn Sink) -> Option<Rest> {
        let Validators { etag, last_modified } = to.version();
        // A weak one says that the content is about the same, which is not enough for bytes.
        let of = etag.filter(|etag| !etag.starts_with("W/")).or(last_modified)?;
        (to.length() > 0).then(|| Rest { from: to.length(), of })
    }
}

/// Which part of a file an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    From {
        first: u64,
        total: Option<u64>,
    },
    /// None: what was asked for lies behind its end.
    Nothing {
        total: Option<u64>,
    },
    Unclear,
}

impl Part {
    /// As `Content-Range` says (RFC 9110, 14.4).
    fn of(head: &Head) -> Part {
        let said = head.text(header::CONTENT_RANGE).unwrap_or_default();
        let range = said.trim().strip_prefix("bytes").unwrap_or_default().trim_start().split_once('/');
        match (head.status, range) {
            (StatusCode::PARTIAL_CONTENT, Some((range, total))) => {
                let first = range.split_once('-').and_then(|(first, _)| first.trim().parse().ok());
                first.map_or(Part::Unclear, |first| Part::From { first, total: total.trim().parse().ok() })
            }
            (StatusCode::PARTIAL_CONTENT, None) => Part::Unclear,
            (StatusCode::RANGE_NOT_SATISFIABLE, range) => {
                Part::Nothing { total: range.and_then(|(_, total)| total.trim().parse().ok()) }
            }
            _ => Part::Whole,
        }
    }

    fn is_rest(self, from: u64) -> bool {
        matches!(self, Part::From { first, .. } if first == from)
    }

    fn is_nothing_after(self, length: u64) -> bool {
        self == Part::Nothing { total: Some(length) }
    }
}

/// Whether an answer is of `version`. A host that knows nothing of `If-Range` may give the rest of another.
fn is_still(head: &Head, version: &Validators) -> bool {
    let now = validators(head);
    let same = |now: &Option<String>, then: &Option<String>| now.is_none() || then.is_none() || now == then;
    same(&now.etag, &version.etag) && same(&now.last_modified, &version.last_modified)
}

fn validators(head: &Head) -> Validators {
    Validators { etag: head.text(header::ETAG), last_modified: head.text(header::LAST_MODIFIED) }
}

impl Fetch for Client {
    fn fetch(&self, request: &Request, observer: &dyn Observer) -> Result<Answer, FetchError> {
        let attempt = || self.attempt(request, observer);
        let answer = patiently(&request.url, self.options.patience, &*self.wait, observer, attempt);
        answer.map_err(|cause| FetchError { url: request.url.clone(), cause })
    }

    /// A download that is cut off goes on where it was, if the host can do that. One that gets further each time is not given up.
    fn download(&self, request: &Request, to: &mut dyn Sink, observer: &dyn Observer) -> Result<u64, FetchError> {
        let request = Request { known: Validators::default(), ..request.clone() };
        let mut furthest = to.length();
        let attempt = || {
            self.attempt_download(&request, to, observer).map_err(|cause| {
                let got_further = to.length() > furthest;
                furthest = furthest.max(to.length());
                Setback { cause, got_further }
            })
        };
        let done = patiently(&request.url, self.options.patience, &*self.wait, observer, attempt);
        done.map_err(|cause| FetchError { url: request.url.clone(), cause })
    }
}

/// Hands an answer to `take` piece by piece, but no more than `limit` bytes; how many they were.
fn body(
    head: &Head,
    exchange: Exchange,
    limit: u64,
    observer: &dyn Observer,
    take: &mut dyn FnMut(&[u8]) -> Result<(), Cause>,
) -> Result<u64, Cause> {
    if head.length.is_some_and(|length| length > limit) {
        return Err(Cause::TooLarge(limit));
    }
    observer.started("fetching", Unit::Bytes, head.length);
    let mut got = 0;
    let read = exchange.body(observer, |piece| {
        got += piece.len() as u64;
        if got > limit {
            return Err(Cause::TooLarge(limit));
        }
        take(piece)?;
        observer.advanced(piece.len() as u64);
        Ok(())
    });
    observer.finished();
    read.map(|()| got)
}

/// A number of seconds, or a date.
fn retry_after(head: &Head) -> Option<Duration> {
    let text = head.text(header::RETRY_AFTER)?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = jiff::fmt::rfc2822::parse(&text).ok()?.timestamp().as_second();
    Some(Duration::from_secs(u64::try_from(then - jiff::Timestamp::now().as_second()).unwrap_or_default()))
}

impl From<Trouble> for Cause {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Request(error) => cause(error),
            Trouble::Body(error) if error.kind() == std::io::ErrorKind::TimedOut => Cause::TimedOut,
            Trouble::Body(error) => Cause::Cut(deepest(&error)),
            Trouble::Interrupted => Cause::Interrupted,
        }
    }
}

fn cause(error: reqwest::Error) -> Cause {
    if error.is_timeout() {
        Cause::TimedOut
    } else if error.is_builder() || error.is_redirect() {
        Cause::Address(told(error))
    } else if is_untrusted(&error) {
        Cause::Untrusted(told(error))
    } else if error.is_connect() {
        Cause::Unreachable(told(error))
    } else {
        Cause::Cut(told(error))
    }
}

/// Whether the host's certificate is what went wrong: that does not pass by waiting.
fn is_untrusted(error: &(dyn std::error::Error + 'static)) -> bool {
    let within = |error: &(dyn std::error::Error + 'static)| {
        // An error of input and output hides what it was made of from those who ask for its source.
        let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = held.and_then(|held| held.downcast_ref()).or_else(|| error.downcast_ref::<rustls::Error>());
        matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
    };
    std::iter::successors(Some(error), |error| error.source()).any(within)
}

/// What lies at the bottom of an error, without the address: that can hold a secret.
fn told(error: reqwest::Error) -> String {
    deepest(&error.without_url())
}

fn deepest(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_not_trusted_is_told_from_a_host_that_is_not_there() {
        let certificate = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        assert!(is_untrusted(&std::io::Error::other(certificate.clone())));
        assert!(is_untrusted(&certificate));
        assert!(!is_untrusted(&rustls::Error::DecryptError));
        assert!(!is_untrusted(&std::io::Error::other("refused")));
    }
}
