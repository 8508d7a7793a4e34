//! A file of a host into the store: verified, resumed where an earlier attempt stopped, and not fetched if the store has it.

use std::io;

use crate::digest::{self, ContentHash, Sha256, Threads, Wanted};
use crate::object::{Kind, ObjectId};
use crate::observer::Observer;
use crate::store::{self, How, ObjectReader, Partial, Store};

use super::address::without_secrets;
use super::tokens::{Hub, Tokens, Use};
use super::{Cause, Expected, Fetch, FetchError, Request, Sink, Validators};

/// A blob that is in the store now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    pub id: ObjectId,
    /// Bytes.
    pub size: u64,
    /// Where it was asked for.
    pub sha256: Option<Sha256>,
    /// The store had it before.
    pub was_there: bool,
    /// Bytes that came over the network, this time.
    pub fetched: u64,
}

/// Why a file of a host is not in the store.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("{fetch}")]
    Fetch {
        fetch: FetchError,
        token: Token,
        /// Bytes that have come and count the next time.
        kept: u64,
    },
    #[error("{url}: these are not the bytes that were wanted: {wanted} was asked for, {found} came")]
    WrongHash { url: String, wanted: ContentHash, found: ContentHash },
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What was done about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// The host is not known to want one.
    None,
    Sent(Hub),
    Absent(Hub),
    Withheld(Hub),
}

/// Fetches files into a store.
pub struct Fetching<'a> {
    pub store: &'a Store,
    pub http: &'a dyn Fetch,
    pub tokens: &'a Tokens,
    /// Whether the SHA-256 is wanted beside the id.
    pub sha256: bool,
    pub observer: &'a dyn Observer,
}

impl Fetching<'_> {
    /// The blob with this hash, if the store has it whole. It counts as stored now.
    pub fn had(&self, hash: &ContentHash) -> Result<Option<Blob>, BlobError> {
        let id = match hash {
            ContentHash::Blake3(id) => Some(*id),
            ContentHash::Sha256(sha256) => self.store.id_of_sha256(sha256)?,
        };
        let Some(id) = id else { return Ok(None) };
        // Keeps the garbage collector out between looking and saying so.
        let writer = self.store.writer()?;
        let mut object = match self.store.open_observed(&id, self.observer) {
            Ok(object) if object.kind() == Kind::Blob => object,
            Err(store::Error::Interrupted) => return Err(store::Error::Interrupted.into()),
            // What is damaged or was changed is fetched again, which heals it.
            _ => return Ok(None),
        };
        let sha256 = match (hash, self.sha256) {
            (ContentHash::Sha256(sha256), _) => Some(*sha256),
            (_, false) => None,
            (_, true) => self.sha256_of(&mut object)?,
        };
        writer.retain(&[id])?;
        writer.publish()?;
        Ok(Some(Blob { id, size: object.size(), sha256, was_there: true, fetched: 0 }))
    }

    fn sha256_of(&self, object: &mut ObjectReader) -> Result<Option<Sha256>, store::Error> {
        let wanted = Wanted { id: false, sha256: true, quick: false };
        let read = digest::stream(object, wanted, Threads::default(), self.observer);
        let digests = read.map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => store::Error::Interrupted,
            _ => store::Error::Io { path: self.store.dir().to_owned(), source: error },
        })?;
        Ok(digests.sha256)
    }

    /// The file at `url`, which must have this hash if one is given. What came of it before and did not get to its end is gone on
    /// with.
    ///
    /// # Errors
    /// Nothing is in the store then. What has come stays for the next attempt, unless its hash is wrong.
    pub fn fetch(&self, url: &str, hash: Option<&ContentHash>) -> Result<Blob, BlobError> {
        let plain = without_secrets(url);
        let sha256 = self.sha256 || matches!(hash, Some(ContentHash::Sha256(_)));
        let name = blake3::hash(plain.as_bytes()).to_hex();
        let mut partial = self.store.partial(&name[..32], Wanted { sha256, ..Wanted::ID }, self.observer)?;
        let token = self.tokens.for_url(url);
        let mut request = Request::new(url, expected(&plain), u64::MAX);
        request.token = token.token().map(str::to_owned);
        let mut arriving = Arriving { partial: &mut partial, about: &plain, fetched: 0, failure: None };
        let done = self.http.download(&request, &mut arriving, self.observer);
        let Arriving { fetched, failure, .. } = arriving;
        if let Err(fetch) = done {
            return Err(match failure {
                Some(failure) => failure.into(),
                None => BlobError::Fetch { fetch, token: Token::of(&token), kept: partial.length() },
            });
        }
        let digests = partial.digests();
        if let Some((wanted, found)) = hash.and_then(|wanted| Some((wanted, wanted.same_kind(&digests)?)))
            && *wanted != found
        {
            partial.discard()?;
            return Err(BlobError::WrongHash { url: plain, wanted: *wanted, found });
        }
        let stored = partial.finish()?;
        if let Some(sha256) = &digests.sha256 {
            self.store.remember_sha256(sha256, &stored.id)?;
        }
        let was_there = stored.how == How::AlreadyThere;
        Ok(Blob { id: stored.id, size: stored.size, sha256: digests.sha256, was_there, fetched })
    }
}

impl Token {
    fn of(token: &Use<'_>) -> Token {
        match token {
            Use::NoHub => Token::None,
            Use::Send(hub, _) | Use::InAddress(hub) => Token::Sent(*hub),
            Use::Absent(hub) => Token::Absent(*hub),
            Use::Withheld(hub) => Token::Withheld(*hub),
        }
    }
}

/// A page for people is what it is only where one was asked for.
fn expected(url: &str) -> Expected {
    let place = url.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    if place.ends_with(".html") || place.ends_with(".htm") { Expected::Anything } else { Expected::File }
}

/// A download on its way into the store.
struct Arriving<'a> {
    partial: &'a mut Partial,
    about: &'a str,
    fetched: u64,
    /// What the store said, where it was the store that ended the download.
    failure: Option<store::Error>,
}

impl Arriving<'_> {
    fn noting(&mut self, done: store::Result<()>) -> io::Result<()> {
        done.map_err(|error| {
            let told = io::Error::other(error.to_string());
            self.failure = Some(error);
            told
        })
    }
}

impl Sink for Arriving<'_> {
    fn length(&self) -> u64 {
        self.partial.length()
    }

    fn version(&self) -> Validators {
        serde_json::from_str(self.partial.version()).unwrap_or_default()
    }

    fn begin(&mut self, version: &Validators, total: Option<u64>) -> io::Result<()> {
        let version = serde_json::to_string(version)?;
        let begun = self.partial.begin(self.about, &version);
        let room = begun.and_then(|()| self.partial.ask_for_room(total.unwrap_or_default()));
        self.noting(room)
    }

    fn go_on(&mut self, rest: Option<u64>) -> io::Result<()> {
        let room = self.partial.ask_for_room(rest.unwrap_or_default());
        self.noting(room)
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.fetched += bytes.len() as u64;
        let done = self.partial.append(bytes);
        self.noting(done)
    }
}

impl BlobError {
    /// True where another address may do better.
    pub fn is_of_this_address(&self) -> bool {
        match self {
            BlobError::Fetch { fetch, .. } => !matches!(fetch.cause, Cause::Interrupted | Cause::Unwritten(_)),
            BlobError::WrongHash { .. } => true,
            BlobError::Store(_) => false,
        }
    }
}
