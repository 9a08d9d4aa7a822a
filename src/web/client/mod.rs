//! A client's connection: its socket, its facts, its deadlines. What is asked and answered on it is
//! in [`turn`] (one request after the other), [`body`] (request bodies) and [`send`] (answers).

pub mod body;
pub mod send;
pub mod socket;
pub mod turn;

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::Sleep;
use wire::http1::{Limits, Name};

use crate::listen::Listener;
use crate::worker::{Patience, Worker};
use socket::Stream;
use turn::HeadRules;

/// One connection.
pub struct Client {
    /// The worker that has it.
    pub worker: Rc<Worker>,
    /// The listener that accepted it.
    pub listener: Rc<Listener>,
    /// Its number, unique in this process.
    pub serial: u64,
    /// Who is at the other end.
    pub peer: Peer,
    /// How many requests came by it, the present one included.
    pub requests: Cell<u64>,
    /// When it was accepted.
    pub since: Instant,
    socket: socket::Socket,
    local: OnceCell<Option<SocketAddr>>,
    unread: RefCell<Vec<u8>>,
    patience: Rc<Patience>,
    timer: RefCell<Pin<Box<Sleep>>>,
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// An address and port.
    Inet(SocketAddr),
    /// A Unix socket.
    Unix,
}

/// Why waiting for a client ended without it.
#[derive(Debug)]
pub enum Lost {
    /// The deadline passed.
    Late,
    /// The connection broke, or the client closed it.
    Closed,
}

impl Client {
    /// A connection that was just accepted.
    pub fn new(
        worker: Rc<Worker>,
        listener: Rc<Listener>,
        stream: Stream,
        peer: Peer,
    ) -> io::Result<Client> {
        let since = Instant::now();
        let socket = socket::Socket::new(stream)?;
        let serial = worker.next_serial();
        let patience = worker.opened(serial);
        Ok(Client {
            serial,
            patience,
            worker,
            listener,
            peer,
            requests: Cell::new(0),
            since,
            socket,
            local: OnceCell::new(),
            unread: RefCell::default(),
            timer: RefCell::new(Box::pin(tokio::time::sleep_until((since + FAR).into()))),
        })
    }

    /// Our end's address: of this very connection, not of the listener. `None` for a Unix socket.
    pub fn local(&self) -> Option<SocketAddr> {
        *self.local.get_or_init(|| self.socket.stream().local())
    }

    /// The listener in the configuration.
    fn configured(&self) -> &config::Listener {
        &self.worker.http.listeners[self.listener.index]
    }

    /// The server that holds until the host is known.
    pub fn default_server(&self) -> &Arc<config::Server> {
        let listener = self.configured();
        let local = match listener.specific.is_empty() {
            true => None,
            false => self.local().map(|address| address.ip()),
        };
        &listener.hosts(local).default
    }

    /// What holds for heads on this connection.
    pub(crate) fn head_rules(&self) -> HeadRules {
        let settings = &self.default_server().settings;
        let head = &settings.request_head;
        let size = |size: u64| usize::try_from(size).unwrap_or(usize::MAX / 1024);
        let buffers = &head.large_client_header_buffers;
        let line = size(buffers.size).max(size(head.client_header_buffer_size.0));
        HeadRules {
            limits: Limits {
                line,
                total: line.saturating_mul(size(buffers.count).max(1)),
                fields: size(head.max_headers.0),
                names: match (head.ignore_invalid_headers, head.underscores_in_headers) {
                    (false, _) => Name::Token,
                    (true, true) => Name::Underscored,
                    (true, false) => Name::Plain,
                },
            },
            buffer: size(head.client_header_buffer_size.0).max(LEAST_BUFFER),
            timeout: head.client_header_timeout,
            lingering_time: settings.connection.lingering_time,
            lingering_timeout: settings.connection.lingering_timeout,
        }
    }

    /// Whether the life of the process leaves no time for another request.
    pub(crate) fn is_over(&self) -> bool {
        self.patience.is_ended()
            || self.worker.idle_limit().is_some_and(|limit| Instant::now() >= limit)
    }

    /// The socket, for sending.
    pub(crate) fn socket(&self) -> &socket::Socket {
        &self.socket
    }

    /// Reads what is there: first what was read too far, then from the socket. Waits until
    /// `deadline`. 0 is never returned: a closed connection is `Lost::Closed`.
    pub async fn read(&self, to: &mut [u8], deadline: Instant) -> Result<usize, Lost> {
        poll_fn(|cx| self.poll_read(cx, to, deadline)).await
    }

    /// See [`Client::read`].
    pub fn poll_read(
        &self,
        cx: &mut Context<'_>,
        to: &mut [u8],
        deadline: Instant,
    ) -> Poll<Result<usize, Lost>> {
        if self.has_unread() {
            // Requests that came together are served in turns with those of others.
            ready!(tokio::task::coop::poll_proceed(cx)).made_progress();
        }
        if let Some(count) = self.take_unread(to) {
            return Poll::Ready(Ok(count));
        }
        match self.socket.poll_read(cx, to) {
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(Err(Lost::Closed)),
            Poll::Ready(Ok(count)) => Poll::Ready(Ok(count)),
            Poll::Pending => {
                ready!(self.poll_deadline(cx, deadline));
                Poll::Ready(Err(Lost::Late))
            }
        }
    }

    /// Waits for the first bytes of the next request. `Late` also when the life of the process says
    /// that it is time.
    pub(crate) async fn read_idle(&self, to: &mut [u8], deadline: Instant) -> Result<usize, Lost> {
        let read = poll_fn(|cx| {
            let polled = self.poll_read(cx, to, self.idle_deadline(deadline));
            if polled.is_pending() {
                self.patience.wait(cx.waker());
            }
            polled
        })
        .await;
        self.patience.stop();
        read
    }

    /// Waits until there is something to read, without memory to read it to. Otherwise as
    /// [`Client::read_idle`].
    pub(crate) async fn readable_idle(&self, deadline: Instant) -> Result<(), Lost> {
        let readable = poll_fn(|cx| {
            if self.socket.poll_readable(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            self.patience.wait(cx.waker());
            ready!(self.poll_deadline(cx, self.idle_deadline(deadline)));
            Poll::Ready(Err(Lost::Late))
        })
        .await;
        self.patience.stop();
        readable
    }

    /// Until when this connection may wait for a request, whatever `keepalive_timeout` says.
    fn idle_deadline(&self, deadline: Instant) -> Instant {
        if self.patience.is_ended() {
            return Instant::now();
        }
        self.worker.idle_limit().map_or(deadline, |limit| limit.min(deadline))
    }

    /// Resolves when the client has closed its side of the connection, or it broke.
    pub async fn gone(&self) {
        poll_fn(|cx| self.socket.poll_gone(cx)).await;
    }

    /// Waits until the socket takes bytes again.
    pub async fn writable(&self, deadline: Instant) -> Result<(), Lost> {
        poll_fn(|cx| {
            if let Poll::Ready(result) = self.socket.poll_writable(cx) {
                return Poll::Ready(result.map_err(|_| Lost::Closed));
            }
            ready!(self.poll_deadline(cx, deadline));
            Poll::Ready(Err(Lost::Late))
        })
        .await
    }

    /// Keeps bytes that were read but belong to what comes next.
    pub(crate) fn put_back(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let mut unread = self.unread.borrow_mut();
            unread.splice(0..0, bytes.iter().copied());
        }
    }

    /// Whether bytes wait that were read too far.
    pub(crate) fn has_unread(&self) -> bool {
        !self.unread.borrow().is_empty()
    }

    fn take_unread(&self, to: &mut [u8]) -> Option<usize> {
        let mut unread = self.unread.borrow_mut();
        if unread.is_empty() {
            return None;
        }
        let count = unread.len().min(to.len());
        to[..count].copy_from_slice(&unread[..count]);
        unread.drain(..count);
        if unread.is_empty() {
            *unread = Vec::new();
        }
        Some(count)
    }

    /// Ready when `deadline` has passed. One timer serves all waits of the connection: it is moved
    /// only when it would fire too late, and looks again when it fired too early, so that requests
    /// in a row cost no timer at all.
    pub(crate) fn poll_deadline(&self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let mut timer = self.timer.borrow_mut();
        if timer.deadline().into_std() > deadline {
            timer.as_mut().reset(deadline.into());
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                // Far away again, so that the next wait does not find it fired.
                timer.as_mut().reset((deadline + FAR).into());
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline.into());
        }
        Poll::Pending
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.worker.closed(self.serial);
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Client {{ serial: {}, peer: {:?} }}", self.serial, self.peer)
    }
}

/// The head of a browser's request fits into this.
const LEAST_BUFFER: usize = 2048;
const FAR: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
