//! The real client.

use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::{self, HeaderMap, HeaderName};

use crate::observer::{Observer, Unit};

use super::fetch::{Answer, Cause, Expected, Fetch, FetchError, Request, Validators, emptied};
use super::retry::{Patience, RealTime, Wait, patiently};

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
    inner: reqwest::blocking::Client,
    patience: Patience,
    wait: Box<dyn Wait>,
}

/// A client that could not be made, such as for want of the system's certificates.
#[derive(Debug, thiserror::Error)]
#[error("the network cannot be used: {0}")]
pub struct ClientError(String);

impl Client {
    pub fn new(options: Options) -> Result<Self, ClientError> {
        // Another part of the program may have chosen before; either choice will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = match options.proxies {
            Proxies::FromEnvironment => reqwest::blocking::Client::builder(),
            Proxies::None => reqwest::blocking::Client::builder().no_proxy(),
        };
        let inner = builder
            .user_agent(concat!("comfrey/", env!("CARGO_PKG_VERSION")))
            .timeout(options.timeout)
            .connect_timeout(options.timeout)
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
            .map_err(|error| ClientError(told(error)))?;
        Ok(Client { inner, patience: options.patience, wait: Box::new(RealTime) })
    }

    /// With another clock, for tests.
    pub fn waiting_by(self, wait: Box<dyn Wait>) -> Self {
        Client { wait, ..self }
    }

    /// Sends a request once; nothing where the host says that the copy is the newest.
    fn send(&self, request: &Request) -> Result<Option<Response>, Cause> {
        let mut builder = self.inner.get(&request.url);
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
        let response = builder.send().map_err(cause)?;
        let headers = response.headers();
        match response.status() {
            StatusCode::NOT_MODIFIED => return Ok(None),
            StatusCode::OK => {}
            StatusCode::TOO_MANY_REQUESTS => return Err(Cause::TooMany { after: retry_after(headers) }),
            StatusCode::SERVICE_UNAVAILABLE if retry_after(headers).is_some() => {
                return Err(Cause::TooMany { after: retry_after(headers) });
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Cause::NotFound(response.status().as_u16())),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(Cause::Refused(response.status().as_u16()));
            }
            status => return Err(Cause::Status(status.as_u16())),
        }
        let web_page = text(headers, header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"));
        if let Some(wrong) = request.expected.page().filter(|_| web_page) {
            return Err(wrong);
        }
        Ok(Some(response))
    }

    fn attempt(&self, request: &Request, observer: &dyn Observer) -> Result<Answer, Cause> {
        let Some(response) = self.send(request)? else { return Ok(Answer::Unchanged) };
        let headers = response.headers();
        let validators =
            Validators { etag: text(headers, header::ETAG), last_modified: text(headers, header::LAST_MODIFIED) };
        let mut bytes = Vec::new();
        body(response, request.limit, observer, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        if request.expected == Expected::Json && bytes.trim_ascii_start().starts_with(b"<") {
            return Err(Cause::WebPage);
        }
        Ok(Answer::New { bytes, validators })
    }

    fn attempt_download(&self, request: &Request, to: &mut File, observer: &dyn Observer) -> Result<u64, Cause> {
        // Without a question there is no such answer.
        let response = self.send(request)?.ok_or(Cause::Status(304))?;
        let unwritten = |error: std::io::Error| Cause::Unwritten(error.to_string());
        emptied(to).map_err(unwritten)?;
        body(response, request.limit, observer, &mut |piece| to.write_all(piece).map_err(unwritten))
    }
}

impl Fetch for Client {
    fn fetch(&self, request: &Request, observer: &dyn Observer) -> Result<Answer, FetchError> {
        let answer = patiently(&request.url, self.patience, &*self.wait, observer, || self.attempt(request, observer));
        answer.map_err(|cause| FetchError { url: request.url.clone(), cause })
    }

    /// A download that is cut off begins anew.
    fn download(&self, request: &Request, to: &mut File, observer: &dyn Observer) -> Result<u64, FetchError> {
        let request = Request { known: Validators::default(), ..request.clone() };
        let attempt = || self.attempt_download(&request, to, observer);
        let done = patiently(&request.url, self.patience, &*self.wait, observer, attempt);
        done.map_err(|cause| FetchError { url: request.url.clone(), cause })
    }
}

/// Hands an answer to `take` piece by piece, but no more than `limit` bytes; how many they were.
fn body(
    mut response: Response,
    limit: u64,
    observer: &dyn Observer,
    take: &mut dyn FnMut(&[u8]) -> Result<(), Cause>,
) -> Result<u64, Cause> {
    let announced = response.content_length();
    if announced.is_some_and(|length| length > limit) {
        return Err(Cause::TooLarge(limit));
    }
    observer.started("fetching", Unit::Bytes, announced);
    let mut got = 0;
    let mut piece = vec![0; 1 << 16];
    let read = loop {
        if observer.interrupted() {
            break Err(Cause::Interrupted);
        }
        match response.read(&mut piece) {
            Ok(0) => break Ok(got),
            Ok(count) if got + count as u64 > limit => break Err(Cause::TooLarge(limit)),
            Ok(count) => {
                if let Err(cause) = take(&piece[..count]) {
                    break Err(cause);
                }
                got += count as u64;
                observer.advanced(count as u64);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => break Err(Cause::TimedOut),
            Err(error) => break Err(Cause::Cut(deepest(&error))),
        }
    };
    observer.finished();
    read
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// A number of seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, header::RETRY_AFTER)?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = jiff::fmt::rfc2822::parse(&text).ok()?.timestamp().as_second();
    Some(Duration::from_secs(u64::try_from(then - jiff::Timestamp::now().as_second()).unwrap_or_default()))
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
