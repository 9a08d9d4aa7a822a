//! A request's body as it comes from the front: bounded by its length or chunked, read by need.
//!
//! The last byte of what the front sent is looked at and left where it is until the answer is
//! complete; `exchange` says why.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use sys::stream::{self, Arrival};
use wire::http1::chunked::Decoder;

/// What is left of a request: bytes of the packet, bytes of the body, and what was read ahead of
/// its reader.
#[derive(Debug)]
pub struct Body {
    /// Bytes that were looked at and are still to be taken off the socket before anything else.
    unread: usize,
    framing: Framing,
    /// Decoded bytes that nobody has taken yet, from `at` on.
    ahead: Vec<u8>,
    at: usize,
}

#[derive(Debug)]
enum Framing {
    /// So many bytes are still on their way.
    Length(u64),
    /// Chunks; raw bytes that were read and not yet decoded, from the second on.
    Chunked(Box<Decoder>, Vec<u8>, usize),
}

impl Body {
    /// No body, and nothing left of the packet.
    pub fn none() -> Body {
        Body::of_length(0, 0)
    }

    /// A body of so many bytes behind `unread` bytes of the packet.
    pub fn of_length(unread: usize, length: u64) -> Body {
        Body { unread, framing: Framing::Length(length), ahead: Vec::new(), at: 0 }
    }

    /// A chunked body behind `unread` bytes of the packet.
    pub fn chunked(unread: usize) -> Body {
        let framing = Framing::Chunked(Box::default(), Vec::new(), 0);
        Body { unread, framing, ahead: Vec::new(), at: 0 }
    }

    /// Takes up to `limit` bytes, all there are without one. Fewer come only at the end.
    pub fn read(&mut self, connection: &OwnedFd, limit: Option<usize>) -> io::Result<Vec<u8>> {
        let mut taken = Vec::new();
        loop {
            let want = limit.map_or(usize::MAX, |limit| limit - taken.len());
            let ready = &self.ahead[self.at..];
            let count = ready.len().min(want);
            taken.extend_from_slice(&ready[..count]);
            self.at += count;
            if limit == Some(taken.len()) || !self.refill(connection, want - count)? {
                return Ok(taken);
            }
        }
    }

    /// Takes one line with its end, at most `limit` bytes of it; nothing at the end of the body.
    pub fn read_line(&mut self, connection: &OwnedFd, limit: Option<usize>) -> io::Result<Vec<u8>> {
        let limit = limit.unwrap_or(usize::MAX);
        let mut searched = 0;
        loop {
            let ready = &self.ahead[self.at..];
            let end = ready[searched..].iter().position(|byte| *byte == b'\n');
            let end = end.map_or(ready.len(), |at| searched + at + 1);
            let complete = ready[..end].ends_with(b"\n") || end >= limit;
            if complete || !self.read_on(connection)? {
                let count = end.min(limit);
                let line = self.ahead[self.at..self.at + count].to_vec();
                self.at += count;
                return Ok(line);
            }
            searched = end;
        }
    }

    /// Replaces what was taken by new bytes. False at the end of the body.
    fn refill(&mut self, connection: &OwnedFd, want: usize) -> io::Result<bool> {
        self.ahead.clear();
        self.at = 0;
        self.append(connection, want.clamp(SMALLEST_READ, LARGEST_READ))
    }

    /// Adds bytes behind those that nobody has taken. False at the end of the body.
    fn read_on(&mut self, connection: &OwnedFd) -> io::Result<bool> {
        self.ahead.drain(..self.at);
        self.at = 0;
        self.append(connection, SMALLEST_READ)
    }

    fn append(&mut self, connection: &OwnedFd, want: usize) -> io::Result<bool> {
        match &mut self.framing {
            Framing::Length(0) => Ok(false),
            Framing::Length(left) => {
                take_packet(&mut self.unread, connection, LIMIT)?;
                let start = self.ahead.len();
                // All but the last byte is taken, the last is looked at.
                let count = (*left - 1).clamp(1, want as u64) as usize;
                self.ahead.resize(start + count, 0);
                let into = &mut self.ahead[start..];
                let got = if *left == 1 {
                    look(connection, into)?;
                    self.unread = 1;
                    1
                } else {
                    some(stream::read(connection, into, LIMIT)?)?
                };
                self.ahead.truncate(start + got);
                *left -= got as u64;
                Ok(true)
            }
            Framing::Chunked(decoder, raw, at) => {
                take_packet(&mut self.unread, connection, LIMIT)?;
                decode(decoder, raw, at, connection, &mut self.ahead)
            }
        }
    }

    /// Reads away what the front has sent, or is still sending, so that the close behind a whole
    /// answer is no reset.
    pub fn discard(&mut self, connection: &OwnedFd) {
        let mut space = [0; 16 * 1024];
        if take_packet(&mut self.unread, connection, Duration::ZERO).is_err() {
            return;
        }
        let mut left = match &self.framing {
            Framing::Length(left) => *left,
            Framing::Chunked(decoder, ..) if decoder.is_done() => 0,
            Framing::Chunked(..) => u64::MAX,
        };
        let end = Instant::now() + LINGER;
        let mut told = false;
        while left > 0 {
            let limit =
                if told { end.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
            match stream::read(connection, &mut space, limit) {
                Ok(0) | Err(_) if told => return,
                Ok(got) if got > 0 => left = left.saturating_sub(got as u64),
                // It is still sending: let it know that the answer is all there, and listen on for
                // a while.
                _ => {
                    stream::finish(connection);
                    told = true;
                }
            }
            if Instant::now() > end {
                return;
            }
        }
    }
}

/// Takes bytes off the socket that were looked at before.
fn take_packet(unread: &mut usize, connection: &OwnedFd, limit: Duration) -> io::Result<()> {
    let mut space = [0; 4096];
    while *unread > 0 {
        let count = (*unread).min(space.len());
        *unread -= some(stream::read(connection, &mut space[..count], limit)?)?;
    }
    Ok(())
}

/// Looks at the one byte that is left.
fn look(connection: &OwnedFd, into: &mut [u8]) -> io::Result<()> {
    loop {
        match stream::peek(connection, &mut into[..1]) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            got => return some(got?).map(|_| ()),
        }
        if stream::arrival(connection.as_fd(), LIMIT)? == Arrival::Late {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

/// Decodes until there is data; false at the body's end.
fn decode(
    decoder: &mut Decoder,
    raw: &mut Vec<u8>,
    at: &mut usize,
    connection: &OwnedFd,
    into: &mut Vec<u8>,
) -> io::Result<bool> {
    loop {
        let step = decoder.decode(&raw[*at..]).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "malformed chunked request body")
        })?;
        into.extend_from_slice(&raw[*at..][step.data.clone()]);
        *at += step.consumed;
        if !step.data.is_empty() || step.done {
            return Ok(!step.data.is_empty());
        }
        if *at == raw.len() {
            raw.resize(SMALLEST_READ, 0);
            let got = stream::read(connection, raw, LIMIT);
            raw.truncate(got.as_ref().copied().unwrap_or(0));
            *at = 0;
            some(got?)?;
        }
    }
}

/// A front that stops in the middle of a body has left.
fn some(got: usize) -> io::Result<usize> {
    if got > 0 {
        return Ok(got);
    }
    let text = "the client left before the whole request body had come";
    Err(io::Error::new(io::ErrorKind::ConnectionReset, text))
}

/// How long each read of the body waits (nginx's client_body_timeout).
const LIMIT: Duration = Duration::from_secs(60);

/// How long a front that still sends is listened to after the answer.
const LINGER: Duration = Duration::from_secs(2);

const SMALLEST_READ: usize = 16 * 1024;
const LARGEST_READ: usize = 1024 * 1024;
