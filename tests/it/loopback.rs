//! A host on this machine that answers as it is told.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
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
