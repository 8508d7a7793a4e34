//! A host on this machine that answers as it is told.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What the host does with a connection.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Status line and headers, such as `200 OK\r\nETag: "a"`, and a body with its length.
    Whole(&'static str, Vec<u8>),
    /// As much of the body as there is, though it says that there is more.
    Cut(Vec<u8>),
    /// Nothing until the other side goes away.
    Silence,
}

/// The host. It ends with the last of its replies.
pub struct Loopback {
    address: std::net::SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    thread: JoinHandle<()>,
}

impl Loopback {
    /// Gives these replies, one a connection.
    pub fn start(replies: Vec<Reply>) -> Self {
        Self::listening("127.0.0.1:0", replies)
    }

    /// The same at the address of one that has ended.
    pub fn start_at(url: &str, replies: Vec<Reply>) -> Self {
        let address = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap();
        Self::listening(address, replies)
    }

    fn listening(address: &str, replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&requests);
        let thread = std::thread::spawn(move || {
            for reply in replies {
                let (stream, _) = listener.accept().unwrap();
                let request = read_request(&stream);
                noted.lock().unwrap().push(request);
                answer(stream, &reply);
            }
        });
        Loopback { address, requests, thread }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until all replies are given, and says what was asked: line and headers, in lower case.
    pub fn requests(self) -> Vec<String> {
        self.thread.join().unwrap();
        let requests = self.requests.lock().unwrap();
        requests.clone()
    }
}

/// What a site is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Requests before this one.
    pub number: usize,
    /// Line and headers, in lower case.
    pub text: String,
}

impl Asked {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.text.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(given, _)| *given == name).map(|(_, value)| value.trim()).next()
    }

    /// The first byte of the range that is asked for.
    pub fn from(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }

    /// The path and query.
    pub fn path(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }
}

/// What a site answers.
#[derive(Debug, Clone)]
pub struct Given {
    /// Status line and headers, without the empty line at their end.
    pub head: String,
    pub body: Vec<u8>,
    pub end: End,
}

/// What becomes of the connection after the body.
#[derive(Debug, Clone, Copy)]
pub enum End {
    Closed,
    /// Open, and nothing more comes.
    Silent,
}

impl Given {
    /// A body with its length.
    pub fn whole(head: &str, body: impl Into<Vec<u8>>) -> Given {
        let body = body.into();
        Given { head: format!("{head}\r\nContent-Length: {}", body.len()), body, end: End::Closed }
    }

    /// A file that is never another, or the rest of it where that is asked for.
    pub fn file(asked: &Asked, bytes: &[u8]) -> Given {
        let etag = format!("ETag: \"{}\"", blake3::hash(bytes).to_hex());
        let is_this = asked.header("if-range").is_none_or(|version| etag.to_lowercase().ends_with(version));
        match asked.from().filter(|_| is_this) {
            Some(from) if from < bytes.len() => {
                let range = format!("Content-Range: bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
                Given::whole(&format!("206 Partial Content\r\n{etag}\r\n{range}"), &bytes[from..])
            }
            Some(_) => {
                let range = format!("Content-Range: bytes */{}", bytes.len());
                Given::whole(&format!("416 Range Not Satisfiable\r\n{range}"), "")
            }
            None => Given::whole(&format!("200 OK\r\n{etag}"), bytes),
        }
    }

    /// The same answer, of which only so many bytes come.
    pub fn cut(mut self, after: usize, end: End) -> Given {
        self.body.truncate(after);
        self.end = end;
        self
    }
}

/// A host that answers whatever is asked until it is dropped.
pub struct Site {
    address: std::net::SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Site {
    pub fn start(mut answer: impl FnMut(&Asked) -> Given + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (noted, ended) = (Arc::clone(&asked), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            // Those that stay open, until the site is gone.
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let mut stream = stream.unwrap();
                let asked = Asked { number: noted.lock().unwrap().len(), text: read_request(&stream) };
                noted.lock().unwrap().push(asked.clone());
                let Given { head, body, end } = answer(&asked);
                let head = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
                // The other side may have enough before the end.
                let written = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
                drop(written.and_then(|()| stream.flush()));
                if matches!(end, End::Silent) {
                    silent.push(stream);
                }
            }
        });
        Site { address, asked, over, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn read_request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 || line.trim().is_empty() {
            return request;
        }
        request.push_str(&line.to_lowercase());
    }
}

fn answer(mut stream: TcpStream, reply: &Reply) {
    match reply {
        Reply::Whole(head, body) => {
            let end = format!("\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(format!("HTTP/1.1 {head}{end}").as_bytes()).unwrap();
            stream.write_all(body).unwrap();
        }
        Reply::Cut(body) => {
            let length = body.len() + 100;
            stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes()).unwrap();
            stream.write_all(body).unwrap();
        }
        Reply::Silence => {
            let mut end = String::new();
            // The other side hangs up, or resets the connection.
            drop(BufReader::new(stream).read_line(&mut end));
        }
    }
}
