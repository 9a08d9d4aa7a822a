//! The request's body: read when somebody needs it, never before. The client is told to go on (100)
//! at that moment.

use std::io::Write;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wire::http1::chunked::Decoder;
use wire::http1::{Framing, Head};

use super::{Client, Lost};
use crate::refusal::Refusal;

/// The body of one request, as far as it was read.
#[derive(Debug)]
pub struct RequestBody {
    client: Rc<Client>,
    framing: Framing,
    decoder: Decoder,
    /// Bytes of a body with a length that are still to come.
    left: u64,
    owes_continue: bool,
    ended: bool,
    broken: bool,
    received: u64,
    decoded: u64,
    whole: Option<Whole>,
    rules: Rules,
}

/// What the location says about bodies.
#[derive(Debug, Clone)]
pub struct Rules {
    /// `client_max_body_size`; `None` for no limit.
    pub limit: Option<u64>,
    /// `client_body_buffer_size`
    pub buffer: usize,
    /// `client_body_timeout`
    pub timeout: Duration,
    /// `client_body_temp_path`
    pub place: PathBuf,
}

/// A body that was read to its end.
#[derive(Debug, Clone)]
pub enum Whole {
    /// There was none.
    Empty,
    /// It is in memory.
    Memory(Bytes),
    /// It is in a file without a name.
    File {
        /// The file.
        file: Rc<std::fs::File>,
        /// How long it is.
        length: u64,
    },
}

impl Whole {
    /// How long the body is.
    pub fn length(&self) -> u64 {
        match self {
            Whole::Empty => 0,
            Whole::Memory(bytes) => bytes.len() as u64,
            Whole::File { length, .. } => *length,
        }
    }
}

impl RequestBody {
    /// No body.
    pub(crate) fn none(client: Rc<Client>) -> RequestBody {
        RequestBody {
            client,
            framing: Framing::Empty,
            decoder: Decoder::default(),
            left: 0,
            owes_continue: false,
            ended: true,
            broken: false,
            received: 0,
            decoded: 0,
            whole: None,
            rules: Rules {
                limit: None,
                buffer: 0,
                timeout: Duration::from_secs(60),
                place: PathBuf::new(),
            },
        }
    }

    /// The body that a head announces.
    pub(crate) fn begin(&mut self, head: &Head) {
        self.framing = head.framing;
        self.decoder = Decoder::default();
        self.left = match head.framing {
            Framing::Length(length) => length,
            _ => 0,
        };
        self.ended = matches!(head.framing, Framing::Empty | Framing::Length(0));
        self.owes_continue = head.expects_continue && !self.ended;
        self.broken = false;
        self.received = 0;
        self.decoded = 0;
        self.whole = None;
    }

    /// Obeys a location. Refuses a body that is too long by its own account.
    pub(crate) fn obey(&mut self, rules: Rules) -> Result<(), Refusal> {
        if self.whole.is_some() {
            return Ok(());
        }
        self.rules = rules;
        match self.framing {
            Framing::Length(length) => self.bound(length),
            _ => Ok(()),
        }
    }

    /// Whether the request has no body at all.
    pub fn is_empty(&self) -> bool {
        matches!(self.framing, Framing::Empty | Framing::Length(0))
    }

    /// Whether its length is not known beforehand.
    pub fn is_chunked(&self) -> bool {
        self.framing == Framing::Chunked
    }

    /// Its Content-Length.
    pub fn declared(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(length) => Some(length),
            _ => None,
        }
    }

    /// Bytes read from the client for it so far, chunk framing included.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The body, if it was read whole before.
    pub fn kept(&self) -> Option<&Whole> {
        self.whole.as_ref()
    }

    /// Reads all of it: into memory up to `client_body_buffer_size`, past that into a file. Calling
    /// it again is free.
    pub async fn whole(&mut self) -> Result<Whole, Refusal> {
        if let Some(whole) = &self.whole {
            return Ok(whole.clone());
        }
        let whole = match self.ended && self.decoded == 0 {
            true => Whole::Empty,
            false => self.keep().await?,
        };
        self.whole = Some(whole.clone());
        Ok(whole)
    }

    /// The next piece of it; `None` at its end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        if self.ended || self.whole.is_some() {
            return Ok(None);
        }
        let mut buffer = vec![0; PIECE.min(self.rules.buffer.max(LEAST))];
        let count = self.read(&mut buffer).await?;
        buffer.truncate(count);
        Ok((count > 0).then(|| buffer.into()))
    }

    /// For whoever makes an error page the request has no body. The bytes are still on their way.
    pub(crate) fn give_up(&mut self) {
        self.whole = Some(Whole::Empty);
        self.rules.limit = None;
    }

    /// Whether the next request can begin where this one ended.
    pub(crate) fn is_over(&self) -> bool {
        self.ended && !self.broken
    }

    /// Whether the client still waits for leave to send it: it may never come then, and nobody can
    /// say where the next request begins.
    pub(crate) fn is_withheld(&self) -> bool {
        self.owes_continue
    }

    /// Reads and forgets the rest, until `limit`, if something comes every `timeout`. False when it
    /// did not end.
    pub(crate) async fn discard(&mut self, limit: Instant, timeout: Duration) -> bool {
        let mut buffer = vec![0; PIECE];
        self.rules.timeout = timeout;
        self.rules.limit = None;
        while !self.ended {
            if Instant::now() >= limit || self.read(&mut buffer).await.is_err() {
                return false;
            }
        }
        self.is_over()
    }

    fn bound(&self, length: u64) -> Result<(), Refusal> {
        match self.rules.limit {
            Some(limit) if length > limit => Err(Refusal::TooLarge { length, limit }),
            _ => Ok(()),
        }
    }

    async fn keep(&mut self) -> Result<Whole, Refusal> {
        let memory = self.rules.buffer.max(LEAST);
        // nginx takes a body that is little longer than the buffer into memory too.
        let most = memory + memory / 4;
        let expected = match self.framing {
            Framing::Length(_) => usize::try_from(self.left).unwrap_or(usize::MAX),
            _ => memory,
        };
        let mut bytes = vec![0; if expected <= most { expected } else { memory }];
        let mut filled = 0;
        let mut spool: Option<std::fs::File> = None;
        while !self.ended {
            if filled == bytes.len() {
                let file = match spool.as_mut() {
                    Some(file) => file,
                    None => spool.insert(self.spool()?),
                };
                file.write_all(&bytes).map_err(|error| self.no_room(error))?;
                filled = 0;
            }
            filled += self.read(&mut bytes[filled..]).await?;
        }
        match spool {
            None => {
                bytes.truncate(filled);
                Ok(Whole::Memory(bytes.into()))
            }
            Some(mut file) => {
                file.write_all(&bytes[..filled]).map_err(|error| self.no_room(error))?;
                Ok(Whole::File { file: Rc::new(file), length: self.decoded })
            }
        }
    }

    fn spool(&self) -> Result<std::fs::File, Refusal> {
        sys::file::tmpfile(&self.rules.place).map_err(|error| self.no_room(error))
    }

    fn no_room(&self, error: std::io::Error) -> Refusal {
        Refusal::Spool { place: self.rules.place.clone(), error }
    }

    /// Reads decoded bytes, at least one unless the body ends.
    async fn read(&mut self, to: &mut [u8]) -> Result<usize, Refusal> {
        self.go_on().await?;
        loop {
            let room = match self.framing {
                Framing::Length(_) => {
                    to.len().min(usize::try_from(self.left).unwrap_or(usize::MAX))
                }
                _ => to.len(),
            };
            let deadline = Instant::now() + self.rules.timeout;
            let count = self.client.read(&mut to[..room], deadline).await.map_err(|lost| {
                self.broken = true;
                match lost {
                    Lost::Late => Refusal::BodyTimeout,
                    Lost::Closed => Refusal::ClientGone,
                }
            })?;
            self.received += count as u64;
            let count = match self.framing {
                Framing::Chunked => self.decode(to, count)?,
                _ => self.take(count),
            };
            if count > 0 || self.ended {
                return Ok(count);
            }
        }
    }

    fn take(&mut self, count: usize) -> usize {
        self.left -= count as u64;
        self.decoded += count as u64;
        self.ended = self.left == 0;
        count
    }

    /// Decodes `count` bytes where they are. What is behind the body's end goes back to the
    /// connection.
    fn decode(&mut self, bytes: &mut [u8], count: usize) -> Result<usize, Refusal> {
        let (mut from, mut to) = (0, 0);
        while from < count && !self.ended {
            let step = self.decoder.decode(&bytes[from..count]).map_err(|bad| {
                self.broken = true;
                self.ended = true;
                Refusal::BadBody(bad.text())
            })?;
            let data = from + step.data.start..from + step.data.end;
            let length = data.len();
            bytes.copy_within(data, to);
            to += length;
            from += step.consumed;
            self.ended = step.done;
        }
        self.decoded += to as u64;
        self.bound(self.decoded)?;
        if self.ended {
            self.received -= (count - from) as u64;
            self.client.put_back(&bytes[from..count]);
        }
        Ok(to)
    }

    /// Tells the client to go on, if it waits for that.
    async fn go_on(&mut self) -> Result<(), Refusal> {
        while self.owes_continue {
            match self.client.socket().write(&[std::io::IoSlice::new(CONTINUE)]) {
                Ok(count) if count == CONTINUE.len() => self.owes_continue = false,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    let deadline = Instant::now() + self.rules.timeout;
                    let waited = self.client.writable(deadline).await;
                    waited.map_err(|_| Refusal::ClientGone)?;
                }
                // A socket that takes no 25 bytes at once has nobody who reads them.
                _ => return Err(Refusal::ClientGone),
            }
        }
        Ok(())
    }
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const PIECE: usize = 64 * 1024;
const LEAST: usize = 1024;
