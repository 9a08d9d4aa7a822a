//! Sends an answer: its head in nginx's order, its body from memory, from a file without a copy, or
//! as an app makes it.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wire::http1::Version;
use wire::http1::chunked;
use wire::http1::response::{self, field};

use super::socket::Stream;
use super::{Client, Lost};
use crate::exchange::{Exchange, Sent};
use crate::reply::{Body, Part, Reply};
use crate::upstream::{self, Chunk, Try, Upload};

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Framing {
    /// There is none, or the client did not ask for it.
    Empty,
    /// It has a length.
    Length,
    /// In chunks.
    Chunked,
    /// By the end of the connection.
    Close,
}

/// What is left to send of an answer whose head is written.
#[derive(Debug)]
pub struct Rest {
    body: Body,
    framing: Framing,
}

/// Writes the head of an answer to `exchange.out`. `None`: the connection is closed without a byte.
///
/// Apart from [`send`], so that the answer itself is nothing that a connection keeps while it
/// waits.
pub fn begin(exchange: &mut Exchange, mut reply: Reply) -> Option<Rest> {
    exchange.sent.status = reply.status;
    exchange.sent.keep = false;
    if matches!(reply.status, 444 | 499) {
        return None;
    }
    let framing = frame(exchange, &mut reply);
    exchange.sent.keep = framing != Framing::Close && exchange.may_keep(&reply);
    exchange.sent.chunked |= framing == Framing::Chunked;
    let mut out = std::mem::take(&mut exchange.out);
    out.clear();
    if exchange.request.head.version > Version::Http09 {
        write_head(exchange, &reply, &mut out);
    }
    exchange.out = out;
    let body = std::mem::replace(&mut reply.body, Body::Empty);
    exchange.sent.reply = Some(reply);
    Some(Rest { body, framing })
}

/// Sends what was begun. Afterwards `exchange.sent` says what went out, and whether the connection
/// can be kept.
pub async fn send(exchange: &mut Exchange, rest: Rest) {
    let out = std::mem::take(&mut exchange.out);
    let client = exchange.client.clone();
    let timeout = exchange.settings().connection.send_timeout;
    let mut sender = Sender { client: &client, timeout, sent: &mut exchange.sent, uploading: None };
    let complete = sender.send(&out, rest).await.is_ok();
    exchange.sent.complete = complete;
    exchange.sent.keep &= complete;
    exchange.out = out;
}

/// Decides how the body's end is told, and drops a body that is not to be sent.
fn frame(exchange: &mut Exchange, reply: &mut Reply) -> Framing {
    let length = reply.length();
    let bodiless = response::is_bodiless(reply.status);
    exchange.sent.length = if bodiless { None } else { length };
    let version = exchange.request.head.version;
    if bodiless || exchange.is_head() {
        exchange.sent.chunked = !bodiless && length.is_none() && version == Version::Http11;
        reply.body = Body::Empty;
        if bodiless {
            reply.content_type = None;
        }
        return Framing::Empty;
    }
    match (length, version) {
        (_, Version::Http09) => Framing::Close,
        (Some(_), _) => Framing::Length,
        (None, Version::Http11) if exchange.settings().headers.chunked_transfer_encoding => {
            Framing::Chunked
        }
        (None, _) => Framing::Close,
    }
}

fn write_head(exchange: &Exchange, reply: &Reply, out: &mut Vec<u8>) {
    let reason = match &reply.reason {
        Some(reason) => reason,
        None => response::reason(reply.status).as_bytes(),
    };
    response::status_line(reply.status, reason, out);
    match &reply.server {
        Some(server) => field(b"Server", server, out),
        None => field(b"Server", exchange.server_token(), out),
    }
    match &reply.date {
        Some(date) => field(b"Date", date, out),
        None => {
            out.extend_from_slice(b"Date: ");
            exchange.worker.clock.write_date(out);
            out.extend_from_slice(b"\r\n");
        }
    }
    optional(b"Content-Type", &reply.content_type, out);
    if let Some(length) = exchange.sent.length {
        out.extend_from_slice(b"Content-Length: ");
        response::decimal(length, out);
        out.extend_from_slice(b"\r\n");
    }
    // nginx: the time of an error page is not that of what was asked for. What an app says is its
    // own affair.
    if reply.foreign || matches!(reply.status, 200 | 206 | 304) {
        optional(b"Last-Modified", &reply.last_modified, out);
    }
    if reply.location_completed {
        optional(b"Location", &reply.location, out);
    }
    if exchange.sent.chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    if exchange.sent.keep {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
        if let Some(seconds) = exchange.settings().connection.keepalive_timeout.announced {
            out.extend_from_slice(b"Keep-Alive: timeout=");
            response::decimal(seconds.as_secs(), out);
            out.extend_from_slice(b"\r\n");
        }
    } else {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    if !reply.location_completed {
        optional(b"Location", &reply.location, out);
    }
    optional(b"ETag", &reply.etag, out);
    for (name, value) in &reply.fields.0 {
        field(name, value, out);
    }
    if reply.accepts_ranges {
        out.extend_from_slice(b"Accept-Ranges: bytes\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

fn optional(name: &[u8], value: &Option<Bytes>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        field(name, value, out);
    }
}

/// Writes to one client and counts.
struct Sender<'a> {
    client: &'a Client,
    timeout: Duration,
    sent: &'a mut Sent,
    /// Says whether the client is still sending its request's body.
    uploading: Option<Rc<Try>>,
}

impl Sender<'_> {
    async fn send(&mut self, head: &[u8], rest: Rest) -> Result<(), Lost> {
        match rest.body {
            Body::Empty => self.write(head, &[], 0).await,
            Body::Bytes(bytes) => self.write(head, &bytes, bytes.len()).await,
            Body::File(part) => match part.in_memory() {
                Some(bytes) => self.write(head, bytes, bytes.len()).await,
                None => Box::pin(self.file_after(head, &part)).await,
            },
            Body::Parts(parts) => {
                self.write(head, &[], 0).await?;
                for (before, part) in &parts.parts {
                    self.write(before, &[], before.len()).await?;
                    match part.in_memory() {
                        Some(bytes) => self.write(bytes, &[], bytes.len()).await?,
                        None => Box::pin(self.file_after(&[], part)).await?,
                    }
                }
                self.write(&[], &parts.end, parts.end.len()).await
            }
            Body::Upstream(mut body) => {
                let upload = body.take_upload();
                self.uploading = upload.as_ref().map(Upload::attempt);
                let answer = Box::pin(self.stream(head, body, rest.framing));
                match upload {
                    Some(upload) => upload.beside(answer).await,
                    None => answer.await,
                }
            }
        }
    }

    /// Writes two pieces of memory, of which the last `body` bytes belong to the body.
    async fn write(&mut self, first: &[u8], second: &[u8], body: usize) -> Result<(), Lost> {
        let total = first.len() + second.len();
        let mut done = 0;
        while done < total {
            let pieces = [
                IoSlice::new(&first[done.min(first.len())..]),
                IoSlice::new(&second[done.saturating_sub(first.len())..]),
            ];
            let pieces = match (pieces[0].is_empty(), pieces[1].is_empty()) {
                (true, _) => &pieces[1..],
                (_, true) => &pieces[..1],
                _ => &pieces[..],
            };
            match self.client.socket().write(pieces) {
                Ok(0) => return Err(Lost::Closed),
                Ok(count) => {
                    done += count;
                    self.sent.bytes += count as u64;
                    let head = total - body;
                    self.sent.body += (done.max(head) - (done - count).max(head)) as u64;
                }
                Err(error) => self.wait(error).await?,
            }
        }
        Ok(())
    }

    async fn wait(&self, error: io::Error) -> Result<(), Lost> {
        match error.kind() {
            io::ErrorKind::WouldBlock => self.client.writable(Instant::now() + self.timeout).await,
            _ => Err(Lost::Closed),
        }
    }

    /// Sends bytes and a part of a file behind them, in full packets: what `tcp_nopush` does in
    /// nginx costs nothing here (MSG_MORE; two calls for TCP_CORK cost a large file 12 % more of
    /// our time).
    async fn file_after(&mut self, head: &[u8], part: &Part) -> Result<(), Lost> {
        let mut done = 0;
        while done < head.len() {
            let send = |to: &Stream| sys::socket::send_more(to, &head[done..]);
            match self.client.socket().attempt(send) {
                Ok(count) => {
                    done += count;
                    self.sent.bytes += count as u64;
                }
                Err(error) => self.wait(error).await?,
            }
        }
        match part.file.descriptor() {
            Some(file) => self.descriptor(file, part.offset, part.length).await,
            // Its bytes are in memory, and the caller has taken them from there.
            None => Err(Lost::Closed),
        }
    }

    /// Sends a part of a file, a window at a time. A window whose end is not in memory goes through
    /// the blocking pool, so that the disk holds nobody else up.
    async fn descriptor(
        &mut self,
        file: &Arc<std::os::fd::OwnedFd>,
        offset: u64,
        length: u64,
    ) -> Result<(), Lost> {
        let end = offset + length;
        let mut at = offset;
        let mut probed = offset;
        let mut cached = true;
        while at < end {
            if at >= probed {
                probed = (at + WINDOW).min(end);
                cached = sys::file::pread_nowait(&**file, probed - 1).unwrap_or(true);
                if at > offset {
                    tokio::task::yield_now().await;
                }
            }
            let count = (probed - at) as usize;
            let result = match cached {
                true => {
                    self.client.socket().attempt(|to| sys::file::sendfile(to, &**file, at, count))
                }
                false => self.send_cold(file, at, count).await,
            };
            match result {
                // The file has become shorter than we said.
                Ok(0) => return Err(Lost::Closed),
                Ok(count) => {
                    at += count as u64;
                    self.sent.bytes += count as u64;
                    self.sent.body += count as u64;
                }
                Err(error) => self.wait(error).await?,
            }
        }
        Ok(())
    }

    async fn send_cold(
        &self,
        file: &Arc<std::os::fd::OwnedFd>,
        at: u64,
        count: usize,
    ) -> io::Result<usize> {
        // Old readiness is forgotten before the call, not after it: the socket may become ready
        // again while the pool still has its refusal in hand.
        self.client.socket().forget_writable();
        let to = self.client.socket().stream().try_clone()?;
        let file = file.clone();
        let sent = tokio::task::spawn_blocking(move || sys::file::sendfile(&to, &*file, at, count));
        sent.await.map_err(io::Error::other)?
    }

    /// Sends what an app sends, as it comes.
    async fn stream(
        &mut self,
        head: &[u8],
        mut body: upstream::Body,
        framing: Framing,
    ) -> Result<(), Lost> {
        let mut head = head;
        let mut line = Vec::new();
        loop {
            let chunk = {
                let mut next = pin!(body.next());
                let first = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
                match first {
                    Poll::Ready(chunk) => chunk,
                    Poll::Pending => {
                        self.write(std::mem::take(&mut head), &[], 0).await?;
                        self.next_or_gone(next).await?
                    }
                }
            };
            // The cause is in the log already; the client sees that the answer was cut.
            let Some(chunk) = chunk.map_err(|_| Lost::Closed)? else { break };
            let length = chunk.length();
            if length == 0 {
                continue;
            }
            line.clear();
            line.extend_from_slice(head);
            let head_length = std::mem::take(&mut head).len();
            if framing == Framing::Chunked {
                chunked::begin_chunk(length, &mut line);
            }
            let own = line.len() - head_length;
            match chunk {
                Chunk::Bytes(bytes) => self.write(&line, &bytes, own + bytes.len()).await?,
                Chunk::File { file, offset, length } => {
                    self.write(&line, &[], own).await?;
                    self.descriptor(&file, offset, length).await?;
                }
            }
            if framing == Framing::Chunked {
                self.write(b"\r\n", &[], 2).await?;
            }
        }
        let end = if framing == Framing::Chunked { chunked::END } else { &[] };
        self.write(head, end, end.len()).await
    }

    /// Waits for the app, and for the client to leave. As long as the client sends, whoever reads
    /// its body sees it leave.
    async fn next_or_gone<T>(&self, next: impl Future<Output = T>) -> Result<T, Lost> {
        let sends = || self.uploading.as_ref().is_some_and(|attempt| attempt.uploading.get());
        let mut gone = pin!(self.client.gone());
        let gone = poll_fn(|cx| if sends() { Poll::Pending } else { gone.as_mut().poll(cx) });
        tokio::select! {
            biased;
            chunk = next => Ok(chunk),
            () = gone => Err(Lost::Closed),
        }
    }
}

impl Part {
    /// The bytes, where the whole file is kept in memory.
    fn in_memory(&self) -> Option<&[u8]> {
        let bytes = self.file.bytes()?;
        let start = usize::try_from(self.offset).ok()?;
        bytes.get(start..start.checked_add(usize::try_from(self.length).ok()?)?)
    }
}

/// How much of a file goes out before others have their turn.
const WINDOW: u64 = 2 * 1024 * 1024;
