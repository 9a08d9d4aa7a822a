//! The socket of a connection in tokio's hands: every operation is tried at once, and readiness is
//! only waited for when the kernel said that it would block.

use std::cell::{Cell, OnceCell};
use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::task::coop;

use crate::ready;

/// A stream socket that does not block.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// Unix.
    Unix(UnixStream),
}

/// A stream with its readiness.
#[derive(Debug)]
pub struct Socket {
    fd: AsyncFd<Stream>,
    /// Where room to write is watched apart, once somebody had to wait for it.
    room: Option<OnceCell<AsyncFd<Stream>>>,
    /// The last read took all there was: the next one waits for the kernel's word first.
    drained: Cell<bool>,
}

impl Socket {
    /// Registers the stream with the runtime.
    pub fn new(stream: Stream) -> io::Result<Socket> {
        Ok(Socket { fd: ready::watch(stream)?, room: None, drained: Cell::new(false) })
    }

    /// Registers a new stream that is written to first and answers later: only reading is watched,
    /// because word of room to write would wake us for nothing, and the first read waits for word.
    pub fn asking(stream: Stream) -> io::Result<Socket> {
        let room = Some(OnceCell::new());
        Ok(Socket { fd: ready::watch_reading(stream)?, room, drained: Cell::new(true) })
    }

    /// The stream itself.
    pub fn stream(&self) -> &Stream {
        self.fd.get_ref()
    }

    /// Reads what is there; 0 at the end. A peer that never lets us wait lets others have their
    /// turn.
    pub fn poll_read(&self, cx: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
        let turn = ready!(coop::poll_proceed(cx));
        let polled = self.poll_read_now(cx, to);
        if polled.is_ready() {
            turn.made_progress();
        }
        polled
    }

    fn poll_read_now(&self, cx: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if !self.drained.get() {
                match self.stream().read(to) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Ok(count) if count > 0 && count < to.len() => {
                        self.note_drained(cx);
                        return Poll::Ready(Ok(count));
                    }
                    other => return Poll::Ready(other),
                }
                self.note_drained(cx);
            }
            ready!(self.poll_readable(cx))?;
        }
    }

    /// Ready when the kernel says that there is something to read.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.drained.get() {
            ready!(self.fd.poll_read_ready(cx))?.retain_ready();
            self.drained.set(false);
        }
        Poll::Ready(Ok(()))
    }

    /// A stream that gave fewer bytes than asked for is empty, and the kernel says when it no
    /// longer is (epoll(7), edge triggered). What is noted as ready was ready before that read: the
    /// note is old.
    fn note_drained(&self, cx: &mut Context<'_>) {
        self.drained.set(true);
        if let Poll::Ready(Ok(mut guard)) = self.fd.poll_read_ready(cx) {
            guard.clear_ready();
        }
    }

    /// Ready when the other end has closed its side.
    pub fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Ok(mut guard) = ready!(self.fd.poll_read_ready(cx)) else {
                return Poll::Ready(());
            };
            if guard.ready().is_read_closed() {
                return Poll::Ready(());
            }
            // Bytes of the next request: they are read later, without asking for readiness first.
            guard.clear_ready();
            self.drained.set(false);
        }
    }

    /// Ready when the socket may take bytes: call it only after a write that would have blocked.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.room()?.poll_write_ready(cx))?.retain_ready();
        Poll::Ready(Ok(()))
    }

    /// Writes as much as the socket takes now. A refusal to take any is noted, so that
    /// [`Socket::poll_writable`] waits.
    pub fn write(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        self.attempt(|stream| stream.write_vectored(bytes))
    }

    /// Forgets that the socket takes bytes: it is waited for until the kernel says so again.
    pub fn forget_writable(&self) {
        // A new watch waits for word anyway; of an old one the error is our own, and all that it
        // does is done.
        let Ok(room) = self.room() else { return };
        let _ = room.try_io(tokio::io::Interest::WRITABLE, |_| {
            Err::<(), _>(io::ErrorKind::WouldBlock.into())
        });
    }

    /// What says that there is room to write. Of an asking stream it is a descriptor of its own,
    /// made when a write had to wait: few have to.
    fn room(&self) -> io::Result<&AsyncFd<Stream>> {
        let Some(room) = &self.room else { return Ok(&self.fd) };
        if let Some(room) = room.get() {
            return Ok(room);
        }
        let watch = ready::watch_writing(self.stream().try_clone()?)?;
        Ok(room.get_or_init(|| watch))
    }

    /// Runs a write-like call (sendfile), with the same rules as [`Socket::write`].
    pub fn attempt<T>(&self, call: impl Fn(&Stream) -> io::Result<T>) -> io::Result<T> {
        loop {
            match call(self.stream()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.forget_writable();
                    return Err(error);
                }
                other => return other,
            }
        }
    }
}

impl Stream {
    /// Our end's address.
    pub fn local(&self) -> Option<SocketAddr> {
        match self {
            Stream::Tcp(stream) => stream.local_addr().ok(),
            Stream::Unix(_) => None,
        }
    }

    /// Sends small writes at once (`tcp_nodelay`).
    pub fn set_nodelay(&self) {
        if let Stream::Tcp(stream) = self {
            // A socket that cannot do it works without.
            let _ = stream.set_nodelay(true);
        }
    }

    /// Another descriptor of the same socket.
    pub fn try_clone(&self) -> io::Result<Stream> {
        match self {
            Stream::Tcp(stream) => stream.try_clone().map(Stream::Tcp),
            Stream::Unix(stream) => stream.try_clone().map(Stream::Unix),
        }
    }

    /// Ends our side.
    pub fn shut_writing(&self) {
        // The client may have closed the connection already.
        let _ = match self {
            Stream::Tcp(stream) => stream.shutdown(std::net::Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(std::net::Shutdown::Write),
        };
    }

    fn read(&self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&mut &*stream).read(to),
            Stream::Unix(stream) => (&mut &*stream).read(to),
        }
    }

    fn write_vectored(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&mut &*stream).write_vectored(bytes),
            Stream::Unix(stream) => (&mut &*stream).write_vectored(bytes),
        }
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}
