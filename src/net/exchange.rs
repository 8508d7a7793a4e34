//! One request and its answer, carried by a thread of its own: whoever waits can be asked to stop at any moment, and the next
//! piece comes in while the last one is worked on.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::blocking::{RequestBuilder, Response};
use reqwest::header::{HeaderMap, HeaderName};

use crate::observer::Observer;

/// Bytes of a piece, and how many may wait: together well within a core's second-level cache.
const PIECE: usize = 128 << 10;
const WAITING: usize = 4;

/// How often whoever waits is asked whether to go on.
const PATIENCE: Duration = Duration::from_millis(50);

/// What an answer begins with.
#[derive(Debug)]
pub(super) struct Head {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Bytes that are to follow, where the host says so and they are not packed.
    pub length: Option<u64>,
}

impl Head {
    pub fn text(&self, name: HeaderName) -> Option<String> {
        self.headers.get(name)?.to_str().ok().map(str::to_owned)
    }
}

/// Why there is no more.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Of the request, before there was an answer.
    Request(reqwest::Error),
    /// Of the answer's body.
    Body(io::Error),
    Interrupted,
}

enum Event {
    Head(Head),
    /// A buffer and how many of its bytes count.
    Piece(Vec<u8>, usize),
    End,
    Failed(Trouble),
}

/// A request on its way. Dropped, the rest of the answer is not asked for.
pub(super) struct Exchange {
    events: Receiver<Event>,
    free: Sender<Vec<u8>>,
}

impl Exchange {
    /// Sends a request, and waits for what the answer begins with.
    pub fn begin(request: RequestBuilder, observer: &dyn Observer) -> Result<(Head, Exchange), Trouble> {
        let (to, events) = sync_channel(WAITING);
        let (free, used) = channel();
        std::thread::spawn(move || carry(request, &to, &used));
        let exchange = Exchange { events, free };
        match exchange.next(observer)? {
            Event::Head(head) => Ok((head, exchange)),
            _ => Err(broken()),
        }
    }

    /// Hands the body to `take`, piece by piece.
    pub fn body<E: From<Trouble>>(
        self,
        observer: &dyn Observer,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            match self.next(observer)? {
                Event::Piece(buffer, count) => {
                    take(&buffer[..count])?;
                    // Nobody takes it back once all has been read.
                    drop(self.free.send(buffer));
                }
                Event::End => return Ok(()),
                Event::Head(_) | Event::Failed(_) => return Err(broken().into()),
            }
        }
    }

    fn next(&self, observer: &dyn Observer) -> Result<Event, Trouble> {
        loop {
            if observer.interrupted() {
                return Err(Trouble::Interrupted);
            }
            match self.events.recv_timeout(PATIENCE) {
                Ok(Event::Failed(trouble)) => return Err(trouble),
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(broken()),
            }
        }
    }
}

/// The thread's work. It ends at the next piece, or when the client's patience with the host does, once nobody listens any more.
fn carry(request: RequestBuilder, to: &SyncSender<Event>, used: &Receiver<Vec<u8>>) {
    let mut response = match request.send() {
        Ok(response) => response,
        Err(error) => return drop(to.send(Event::Failed(Trouble::Request(error)))),
    };
    let head =
        Head { status: response.status(), headers: response.headers().clone(), length: response.content_length() };
    if to.send(Event::Head(head)).is_err() {
        return;
    }
    loop {
        let mut buffer = used.try_recv().unwrap_or_else(|_| vec![0; PIECE]);
        let event = match read(&mut response, &mut buffer) {
            Ok(0) => Event::End,
            Ok(count) => Event::Piece(buffer, count),
            Err(error) => Event::Failed(Trouble::Body(error)),
        };
        let is_last = !matches!(event, Event::Piece(..));
        if to.send(event).is_err() || is_last {
            return;
        }
    }
}

fn read(response: &mut Response, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match response.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// The thread ended without a word.
fn broken() -> Trouble {
    Trouble::Body(io::ErrorKind::BrokenPipe.into())
}
