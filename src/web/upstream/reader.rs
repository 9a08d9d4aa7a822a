//! The way back from the app: its head, then its body piece by piece.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use wire::uwsgi::reply::{self, Progress};

use super::failure::{Cause, Doing};
use super::record::Try;
use super::sending::{Sending, Stopped};
use super::timer::Timer;
use super::{Head, Seat};
use crate::client::socket::Socket;
use crate::log::Level;

/// What reads an app's answer.
pub struct Reader {
    // In this order they are dropped: the seat is free when the connection is closed.
    sending: Option<Sending>,
    socket: Rc<Socket>,
    attempt: Rc<Try>,
    limit: Duration,
    timer: Timer,
    /// What came behind the head.
    rest: Bytes,
    left: Left,
    /// Whether a reset is the end of the body.
    forgiving: bool,
    /// An error that came behind bytes.
    told: Option<io::Error>,
    seat: Seat,
}

/// How much of the body is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// So many bytes of so many, as the app said.
    Bytes { left: u64, of: u64 },
    /// All until the connection ends.
    UntilEnd,
    /// Nothing.
    Nothing,
}

impl Reader {
    /// A reader of the answer that will come by a connection.
    pub fn new(socket: Rc<Socket>, attempt: Rc<Try>, limit: Duration, seat: Seat) -> Reader {
        Reader {
            sending: None,
            socket,
            attempt,
            limit,
            timer: Timer::default(),
            rest: Bytes::new(),
            left: Left::UntilEnd,
            forgiving: false,
            told: None,
            seat,
        }
    }

    /// Takes a reset for an end. A server that closes a Unix socket without having read the whole
    /// body of the request resets it, after an answer that may be whole. Our own workers read
    /// everything before they end an answer properly: from them a reset says that the answer is
    /// cut.
    pub fn forgive(&mut self) {
        self.forgiving = !self.seat.is_ours();
    }

    /// Reads the head, which must fit into `size` bytes, while `sending` goes on. What is left of
    /// `sending` stays there.
    pub async fn head(
        &mut self,
        size: usize,
        sending: &mut Option<Sending>,
    ) -> Result<Head, HeadError> {
        let mut buffer = BytesMut::zeroed(size);
        let (mut filled, mut seen) = (0, 0);
        loop {
            let count = poll_fn(|cx| self.poll_more(cx, &mut buffer[filled..], sending)).await?;
            filled += count;
            match reply::parse(&buffer[..filled], seen) {
                Progress::NeedMore if filled == size => {
                    return Err(Cause::BigHead(size as u64).into());
                }
                Progress::NeedMore => seen = filled,
                Progress::Invalid(fault) => return Err(Cause::BadHead(fault).into()),
                Progress::Done(head, length) => {
                    let places = Places::of(&head, &buffer);
                    buffer.truncate(filled);
                    return Ok(self.begin_body(places, buffer.freeze(), length));
                }
            }
        }
    }

    fn begin_body(&mut self, places: Places, bytes: Bytes, head_length: usize) -> Head {
        self.attempt.header.set(Some(self.attempt.elapsed()));
        self.attempt.status.set(places.status);
        self.rest = bytes.slice(head_length..);
        self.left = match places.length {
            Some(0) => Left::Nothing,
            Some(length) => Left::Bytes { left: length, of: length },
            None => Left::UntilEnd,
        };
        places.head(&bytes)
    }

    /// Leaves it to the reading of the body to send what is left.
    pub fn keep_sending(&mut self, sending: Option<Sending>) {
        self.sending = sending;
    }

    /// Bytes of the head, while something is sent.
    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut [u8],
        sending: &mut Option<Sending>,
    ) -> Poll<Result<usize, HeadError>> {
        if let Some(Poll::Ready(sent)) = sending.as_mut().map(|sending| sending.as_mut().poll(cx)) {
            *sending = None;
            self.attempt.touch();
            match sent {
                // What the app does not take it may have answered.
                Ok(()) | Err(Stopped::Broken) => {}
                Err(Stopped::Client(refusal)) => {
                    return Poll::Ready(Err(HeadError::Client(refusal)));
                }
                Err(Stopped::Late(limit)) => {
                    return Poll::Ready(Err(Cause::Timeout(Doing::Sending, limit).into()));
                }
            }
        }
        match self.socket.poll_read(cx, to) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(Cause::Closed.into())),
            Poll::Ready(Ok(count)) => {
                self.attempt.received(count);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) if is_reset(&error) => Poll::Ready(Err(Cause::Closed.into())),
            Poll::Ready(Err(error)) => {
                Poll::Ready(Err(Cause::System(Doing::ReadingHead, error).into()))
            }
            // While something is sent, that has its own limit.
            Poll::Pending if sending.is_some() => Poll::Pending,
            Poll::Pending => {
                let late = self.timer.poll(cx, self.attempt.moved() + self.limit);
                late.map(|()| Err(Cause::Timeout(Doing::ReadingHead, self.limit).into()))
            }
        }
    }

    /// The next piece of the body, at most `room` bytes; `None` at its end. An error says why it is
    /// cut.
    pub async fn next(&mut self, room: usize) -> Result<Option<Bytes>, String> {
        poll_fn(|cx| self.poll_next(cx, room)).await
    }

    /// See [`Reader::next`].
    pub fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
    ) -> Poll<Result<Option<Bytes>, String>> {
        if let Poll::Ready(Err(cause)) = self.poll_sending(cx) {
            return Poll::Ready(self.cut(cause));
        }
        if !self.rest.is_empty() && self.left != Left::Nothing {
            let count = self.rest.len().min(room);
            let bytes = self.rest.split_to(count);
            return Poll::Ready(Ok(self.take(bytes)));
        }
        let room = match self.left {
            Left::Nothing => {
                self.attempt.end();
                return Poll::Ready(Ok(None));
            }
            Left::Bytes { left, .. } => room.min(usize::try_from(left).unwrap_or(room)),
            Left::UntilEnd => room,
        };
        match self.poll_fill(cx, room) {
            Poll::Ready(Ok(bytes)) if bytes.is_empty() => Poll::Ready(self.closed()),
            Poll::Ready(Ok(bytes)) => Poll::Ready(Ok(self.take(bytes))),
            Poll::Ready(Err(cause)) => Poll::Ready(self.cut(cause)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Goes on sending what is left, for as long as nothing is read.
    pub fn poll_sending(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        let Some(sending) = &mut self.sending else {
            return Poll::Pending;
        };
        let Poll::Ready(sent) = sending.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        self.sending = None;
        self.attempt.touch();
        match sent {
            Err(Stopped::Late(limit)) => Poll::Ready(Err(late(Doing::Sending, limit))),
            // An app may answer without reading everything.
            Ok(()) | Err(Stopped::Broken | Stopped::Client(_)) => Poll::Ready(Ok(())),
        }
    }

    /// The reader was not asked for a while, for want of room: that is not the app's fault.
    pub fn resume(&self) {
        self.attempt.touch();
    }

    /// Reads as much as is there and fits; waits for the first bytes only. Empty at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<Result<Bytes, String>> {
        let mut buffer = BytesMut::zeroed(room);
        let mut filled = 0;
        while filled < room {
            match self.poll_some(cx, &mut buffer[filled..]) {
                Poll::Ready(Ok(0)) => break,
                Poll::Ready(Ok(count)) => filled += count,
                Poll::Ready(Err(error)) if filled > 0 => {
                    // The kernel tells it once, and an end of file afterwards.
                    self.told = Some(error);
                    break;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.broken(&error))),
                Poll::Pending if filled > 0 => break,
                Poll::Pending => return self.poll_late(cx).map(Err),
            }
        }
        self.attempt.received(filled);
        buffer.truncate(filled);
        Poll::Ready(Ok(buffer.freeze()))
    }

    /// One read; 0 at the end.
    fn poll_some(&mut self, cx: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = match self.told.take() {
            Some(error) => Err(error),
            None => ready!(self.socket.poll_read(cx, to)),
        };
        Poll::Ready(match read {
            Err(error) if self.forgiving && is_reset(&error) => Ok(0),
            other => other,
        })
    }

    /// Ready when the app has said nothing for too long. While something is sent, that has its own
    /// limit.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<String> {
        if self.sending.is_some() {
            return Poll::Pending;
        }
        loop {
            ready!(self.timer.poll(cx, self.attempt.moved() + self.limit));
            if !self.attempt.uploading.get() {
                return Poll::Ready(late(Doing::ReadingBody, self.limit));
            }
            self.attempt.touch();
        }
    }

    fn broken(&self, error: &io::Error) -> String {
        let advice = match self.seat.is_ours() && is_reset(error) {
            true => ": the app's worker ended, or cut its answer; its lines in the log say why",
            false => "",
        };
        let error = crate::refusal::Errno(error);
        format!("recv() failed ({error}) while {}{advice}", Doing::ReadingBody.words())
    }

    /// Counts a piece. Bytes past the length that the app told are dropped.
    fn take(&mut self, mut bytes: Bytes) -> Option<Bytes> {
        if let Left::Bytes { left, .. } = &mut self.left {
            bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= bytes.len() as u64;
            if *left == 0 {
                self.left = Left::Nothing;
                self.attempt.end();
            }
        }
        self.attempt.length.set(self.attempt.length.get() + bytes.len() as u64);
        Some(bytes)
    }

    /// The app closed the connection: the end, unless it had promised more.
    fn closed(&mut self) -> Result<Option<Bytes>, String> {
        match self.left {
            Left::Bytes { left, of } => self.cut(format!(
                "upstream prematurely closed connection while reading upstream: {} of the {of} \
                 bytes of its \"Content-Length\" came",
                of - left
            )),
            Left::UntilEnd | Left::Nothing => {
                self.left = Left::Nothing;
                self.attempt.end();
                Ok(None)
            }
        }
    }

    fn cut(&mut self, cause: String) -> Result<Option<Bytes>, String> {
        self.left = Left::Nothing;
        self.attempt.end();
        self.attempt.cut.replace(Some((Level::Error, cause.clone())));
        Err(cause)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.attempt.end();
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Reader").field("left", &self.left).finish_non_exhaustive()
    }
}

/// Why there is no head.
#[derive(Debug)]
pub enum HeadError {
    /// The app's fault.
    Upstream(Cause),
    /// The client's.
    Client(crate::refusal::Refusal),
}

impl From<Cause> for HeadError {
    fn from(cause: Cause) -> HeadError {
        HeadError::Upstream(cause)
    }
}

/// The line about an end that did not move for too long.
pub fn late(doing: Doing, limit: Duration) -> String {
    format!(
        "upstream timed out (110: Connection timed out) while {}: nothing moved for {limit:?}, \
         the {}",
        doing.words(),
        doing.limit()
    )
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// Where the parts of a head are in the buffer that they were read into.
struct Places {
    status: u16,
    reason: Range<usize>,
    length: Option<u64>,
    fields: SmallVec<[(Range<usize>, Range<usize>); 16]>,
}

impl Places {
    fn of(head: &reply::Head<'_>, buffer: &[u8]) -> Places {
        let start = buffer.as_ptr().addr();
        let size = buffer.len();
        let place = |part: &[u8]| {
            let at = part.as_ptr().addr().wrapping_sub(start);
            // A part that is a constant (a reason that the app did not write) is none of the
            // buffer's.
            if at <= size && at + part.len() <= size { at..at + part.len() } else { 0..0 }
        };
        let fields = head.fields.iter().map(|(name, value)| (place(name), place(value)));
        Places {
            status: head.status,
            reason: place(head.reason),
            length: head.length,
            fields: fields.collect(),
        }
    }

    fn head(self, bytes: &Bytes) -> Head {
        let fields = self.fields.into_iter();
        Head {
            status: self.status,
            reason: bytes.slice(self.reason),
            length: self.length,
            fields: fields.map(|(name, value)| (bytes.slice(name), bytes.slice(value))).collect(),
        }
    }
}
