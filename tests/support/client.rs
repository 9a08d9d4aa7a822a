//! A client that sends exactly the bytes it is given and shows exactly what came back.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// One connection to a server.
pub struct Connection {
    stream: TcpStream,
    pending: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// 200.
    pub status: u16,
    /// `HTTP/1.1 200 OK`.
    pub line: String,
    /// Fields in their order, names as they were sent.
    pub fields: Vec<(String, String)>,
    /// The body, its framing taken off.
    pub body: Vec<u8>,
    /// Whether the body came to its end as its framing says.
    pub complete: bool,
}

impl Response {
    /// A field's value; the name in any case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// All values of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        fields.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Connection {
    /// Connects.
    #[track_caller]
    pub fn open(port: u16) -> Self {
        Self::try_open(port).unwrap_or_else(|error| panic!("connect to port {port}: {error}"))
    }

    /// Connects, if somebody listens.
    pub fn try_open(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, pending: vec![] })
    }

    /// Sends bytes; a server that closed early is no failure of the client.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.stream.write_all(bytes.as_ref());
        self
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) -> &mut Self {
        let _ = self.stream.shutdown(Shutdown::Write);
        self
    }

    /// The next answer to a request that was no HEAD.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.try_response(true).expect("an answer")
    }

    /// The next answer to a HEAD.
    #[track_caller]
    pub fn head(&mut self) -> Response {
        self.try_response(false).expect("an answer")
    }

    /// The next answer, if there is one.
    pub fn try_response(&mut self, body: bool) -> Option<Response> {
        let end = loop {
            if let Some(at) = find(&self.pending, b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more() {
                return None;
            }
        };
        let head: Vec<u8> = self.pending.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.trim_end().split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        let fields = lines.filter_map(|line| line.split_once(':'));
        let fields =
            fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        let mut response = Response { status, line, fields, body: vec![], complete: true };
        if body && status >= 200 && status != 204 && status != 304 {
            self.read_body(&mut response);
        }
        Some(response)
    }

    fn read_body(&mut self, response: &mut Response) {
        if response
            .field("transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
        {
            response.complete = self.read_chunks(&mut response.body);
        } else if let Some(length) =
            response.field("content-length").and_then(|value| value.parse().ok())
        {
            response.complete = self.fill(length);
            let length = length.min(self.pending.len());
            response.body = self.pending.drain(..length).collect();
        } else {
            while self.more() {}
            response.body = std::mem::take(&mut self.pending);
        }
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let Some(line) = self.line() else { return false };
            let size = line.split(';').next().unwrap_or_default().trim();
            let Ok(size) = usize::from_str_radix(size, 16) else { return false };
            if size == 0 {
                while self.line().is_some_and(|line| !line.is_empty()) {}
                return true;
            }
            if !self.fill(size + 2) {
                body.append(&mut self.pending);
                return false;
            }
            body.extend(self.pending.drain(..size));
            self.pending.drain(..2);
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = find(&self.pending, b"\r\n") {
                let line: Vec<u8> = self.pending.drain(..at + 2).collect();
                return Some(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if !self.more() {
                return None;
            }
        }
    }

    fn fill(&mut self, size: usize) -> bool {
        while self.pending.len() < size {
            if !self.more() {
                return false;
            }
        }
        true
    }

    fn more(&mut self) -> bool {
        let mut buffer = [0; 65536];
        match self.stream.read(&mut buffer) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.pending.extend_from_slice(&buffer[..count]);
                true
            }
        }
    }

    /// Reads until these bytes have come, and returns them alone.
    #[track_caller]
    pub fn until(&mut self, bytes: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = find(&self.pending, bytes) {
                self.pending.drain(..at);
                return self.pending.drain(..bytes.len()).collect();
            }
            assert!(self.more(), "{:?} does not come", String::from_utf8_lossy(bytes));
        }
    }

    /// Everything until the server closes.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.pending)
    }

    /// Whether the server has closed, waiting for it.
    pub fn is_closed(&mut self) -> bool {
        self.pending.is_empty() && matches!(self.stream.read(&mut [0; 1]), Ok(0)) || self.is_reset()
    }

    fn is_reset(&mut self) -> bool {
        self.stream
            .read(&mut [0; 1])
            .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

const LIMIT: Duration = Duration::from_secs(30);
