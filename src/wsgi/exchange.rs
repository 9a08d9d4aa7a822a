//! One request on the plain door: its packet, its connection, and who may answer it.
//!
//! The thread that runs the application and the control thread share it: whoever claims the head
//! first answers. The last byte that the front sent stays unread until the answer is complete,
//! because a Unix socket that is closed over unread bytes resets its peer: so an answer that was
//! cut can never be taken for a whole one, with a Content-Length or without.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::Python;
use sys::stream::{self, Arrival};
use wire::uwsgi;

use crate::body::Body;

/// One request and its connection.
#[derive(Debug)]
pub struct Exchange {
    block: Vec<u8>,
    connection: Mutex<Option<Arc<OwnedFd>>>,
    body: Mutex<Body>,
    claimed: AtomicBool,
    gone: AtomicBool,
    condemned: AtomicBool,
    /// When its packet had arrived.
    pub begun: Instant,
}

/// The front has left, or somebody else ended the connection: there is nobody to write to.
#[derive(Debug)]
pub struct Gone;

/// What came in on a connection instead of a request.
#[derive(Debug)]
pub enum NoRequest {
    /// Nobody waits for an answer; nothing is to be said.
    Abandoned,
    /// What came is no request to a WSGI application; the text is for the log.
    Refused(String),
}

impl Exchange {
    /// Reads a request's packet from a new connection. `space` has room for the largest packet.
    pub fn receive(connection: OwnedFd, space: &mut [u8]) -> Result<Exchange, NoRequest> {
        match stream::arrival(connection.as_fd(), HEAD_LIMIT) {
            Ok(Arrival::Request) => {}
            Ok(Arrival::Abandoned | Arrival::Late) | Err(_) => return Err(NoRequest::Abandoned),
        }
        let (whole, unread) = packet(&connection, space)?;
        let block = space[uwsgi::Head::LENGTH..whole].to_vec();
        let exchange = Exchange {
            block,
            connection: Mutex::new(Some(Arc::new(connection))),
            body: Mutex::new(Body::none()),
            claimed: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            condemned: AtomicBool::new(false),
            begun: Instant::now(),
        };
        match exchange.frame(unread) {
            Ok(body) => *lock(&exchange.body) = body,
            Err(why) => {
                exchange.answer(400, "Bad Request", &why);
                return Err(NoRequest::Refused(why));
            }
        }
        Ok(exchange)
    }

    /// Finds how long the body is; checks all pairs on the way.
    fn frame(&self, unread: usize) -> Result<Body, String> {
        let (mut length, mut chunked) = (None, false);
        for pair in uwsgi::pairs(&self.block) {
            let (name, value) = pair.map_err(|bad| format!("malformed uwsgi packet: {bad}"))?;
            match name {
                b"CONTENT_LENGTH" if !value.is_empty() => {
                    let text = std::str::from_utf8(value).ok();
                    let number = text.filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
                    let number = number.and_then(|text| text.parse::<u64>().ok());
                    length = Some(number.ok_or("malformed CONTENT_LENGTH")?);
                }
                b"HTTP_TRANSFER_ENCODING" => chunked = value.eq_ignore_ascii_case(b"chunked"),
                _ => {}
            }
        }
        // A front that has buffered a chunked body knows its length and says so: the length wins.
        Ok(match length {
            Some(length) => Body::of_length(unread, length),
            None if chunked => Body::chunked(unread),
            None => Body::of_length(unread, 0),
        })
    }

    /// The pairs of the packet, which were all checked.
    pub fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        uwsgi::pairs(&self.block).map_while(Result::ok)
    }

    /// The last value that the packet gives a name.
    pub fn variable(&self, name: &[u8]) -> Option<&[u8]> {
        self.pairs().filter(|(other, _)| *other == name).last().map(|(_, value)| value)
    }

    /// `GET /path`, bounded and printable, for the log.
    pub fn line(&self) -> String {
        let word = |name: &[u8]| {
            let value = self.variable(name).unwrap_or(b"-");
            value[..value.len().min(LONGEST_WORD)].escape_ascii().to_string()
        };
        format!("{} {}", word(b"REQUEST_METHOD"), word(b"REQUEST_URI"))
    }

    /// The request's id, where the front gave it one.
    pub fn id(&self) -> Option<String> {
        let id = self.variable(b"REQUEST_ID").or_else(|| self.variable(b"HTTP_X_REQUEST_ID"));
        let id = id.filter(|id| !id.is_empty())?;
        Some(id[..id.len().min(LONGEST_ID)].escape_ascii().to_string())
    }

    /// Whether the caller is the one who sends the head. Answers yes once.
    pub fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::AcqRel)
    }

    /// Whether a head was sent, or is being sent.
    pub fn is_claimed(&self) -> bool {
        self.claimed.load(Ordering::Acquire)
    }

    /// Whether a write found nobody there.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Ends the request for having taken too long. Answers yes once.
    pub fn condemn(&self) -> bool {
        !self.condemned.swap(true, Ordering::AcqRel)
    }

    /// Sends two parts as one. Small ones go without letting go of the interpreter, which costs
    /// more than the write.
    pub fn send(&self, py: Python<'_>, first: &[u8], second: &[u8]) -> Result<(), Gone> {
        let connection = self.connection()?;
        let small = first.len() + second.len() <= SMALL;
        let sent = if small { stream::try_write(&*connection, first, second) } else { Ok(0) };
        let done = sent.and_then(|sent| {
            if sent == first.len() + second.len() {
                return Ok(());
            }
            let of_first = sent.min(first.len());
            let (first, second) = (&first[of_first..], &second[sent - of_first..]);
            py.detach(|| {
                stream::write_all(&*connection, first, WRITE_LIMIT)?;
                stream::write_all(&*connection, second, WRITE_LIMIT)
            })
        });
        done.map_err(|_| self.lost())
    }

    /// Sends a part of a file; answers how many bytes it had.
    pub fn send_file(
        &self,
        py: Python<'_>,
        file: &OwnedFd,
        offset: u64,
        count: u64,
    ) -> Result<u64, Gone> {
        let connection = self.connection()?;
        py.detach(|| stream::send_file(&*connection, file, offset, count, WRITE_LIMIT))
            .map_err(|_| self.lost())
    }

    /// Reads from the request's body; the caller has let go of the interpreter.
    pub fn read<T>(
        &self,
        reading: impl FnOnce(&mut Body, &OwnedFd) -> io::Result<T>,
    ) -> io::Result<T> {
        let connection = self.connection().map_err(|Gone| io::ErrorKind::NotConnected)?;
        reading(&mut lock(&self.body), &connection)
    }

    /// Answers with a short text of ours, if nobody has answered yet, and ends the connection.
    pub fn answer(&self, status: u16, reason: &str, text: &str) {
        if !self.claim() {
            return self.cut();
        }
        let id = self.id().map(|id| format!("\nrequest id: {id}")).unwrap_or_default();
        let body = format!("{status} {reason}\n\n{text}{id}\n");
        let body = if self.variable(b"REQUEST_METHOD") == Some(b"HEAD") { "" } else { &body };
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        if let Ok(connection) = self.connection() {
            // The front that does not take a few bytes now will not have them.
            let _ = stream::try_write(&*connection, head.as_bytes(), body.as_bytes());
        }
        self.complete();
    }

    /// The answer is whole: the connection ends properly.
    pub fn complete(&self) {
        if let Some(connection) = lock(&self.connection).take() {
            lock(&self.body).discard(&connection);
        }
    }

    /// The answer is not whole: the connection ends so that the front notices.
    pub fn cut(&self) {
        if let Some(connection) = lock(&self.connection).take() {
            // A thread in the middle of a read or a write keeps it open until it is through, or
            // until the process is killed.
            stream::reset_on_close(&*connection);
        }
    }

    fn connection(&self) -> Result<Arc<OwnedFd>, Gone> {
        lock(&self.connection).clone().ok_or(Gone)
    }

    fn lost(&self) -> Gone {
        self.gone.store(true, Ordering::Release);
        Gone
    }
}

/// Only requests for WSGI applications are served; whoever speaks something else hears it.
fn refuse(connection: &OwnedFd, head: &uwsgi::Head) -> Result<(), NoRequest> {
    if let Some(other) = head.mistaken_for() {
        let text = format!("this socket speaks the uwsgi protocol, not {other}");
        if other == "HTTP" {
            let body = format!("400 Bad Request\n\n{text}\n");
            let head = format!(
                "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n",
                body.len()
            );
            let _ = stream::try_write(connection, head.as_bytes(), body.as_bytes());
            stream::finish(connection);
            // What it sent is read away, or the answer would be lost in a reset.
            let _ = stream::read(connection, &mut [0; 4096], Duration::ZERO);
        }
        return Err(NoRequest::Refused(text));
    }
    if head.modifier1 != 0 {
        let text = format!("uwsgi modifier {} is not served, only 0 (WSGI)", head.modifier1);
        return Err(NoRequest::Refused(text));
    }
    if head.size == 0 {
        return Err(NoRequest::Refused("uwsgi packet without variables".into()));
    }
    Ok(())
}

/// Finds a packet's end in what has come, or reads it as it comes: its length, and how many bytes
/// of it stay on the socket.
fn packet(connection: &OwnedFd, space: &mut [u8]) -> Result<(usize, usize), NoRequest> {
    let abandoned = |_: io::Error| NoRequest::Abandoned;
    let seen = stream::peek(connection, space).map_err(abandoned)?;
    let mut taken = 0;
    if seen < uwsgi::Head::LENGTH {
        gather(connection, &mut space[..uwsgi::Head::LENGTH]).map_err(abandoned)?;
        taken = uwsgi::Head::LENGTH;
    }
    let head = uwsgi::Head::parse(space).ok_or(NoRequest::Abandoned)?;
    refuse(connection, &head)?;
    let whole = uwsgi::Head::LENGTH + usize::from(head.size);
    if seen >= whole {
        return Ok((whole, whole));
    }
    gather(connection, &mut space[taken..whole - 1]).map_err(abandoned)?;
    look(connection, &mut space[whole - 1..whole]).map_err(abandoned)?;
    Ok((whole, 1))
}

/// Reads bytes that arrive in pieces.
fn gather(connection: &OwnedFd, mut into: &mut [u8]) -> io::Result<()> {
    let end = Instant::now() + HEAD_LIMIT;
    while !into.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        match stream::read(connection, into, left)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            got => into = &mut into[got..],
        }
    }
    Ok(())
}

/// Waits for the last byte of a packet and looks at it.
fn look(connection: &OwnedFd, into: &mut [u8]) -> io::Result<()> {
    match stream::arrival(connection.as_fd(), HEAD_LIMIT)? {
        Arrival::Request if stream::peek(connection, into)? == 1 => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// A thread that panicked while it held one of these locks has left nothing half done.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a front may take to send its packet; uWSGI's socket-timeout is the same.
const HEAD_LIMIT: Duration = Duration::from_secs(4);

/// How long a front may take nothing of an answer (nginx's send_timeout). uWSGI's 4 s cut slow
/// clients of unbuffered answers.
const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// Writes up to this size are tried while the interpreter is held.
const SMALL: usize = 32 * 1024;

const LONGEST_WORD: usize = 300;
const LONGEST_ID: usize = 100;
