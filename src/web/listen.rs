//! Listening sockets: adopted from the master, accepted from, closed when the worker drains. The
//! master keeps them open, so that a connection that nobody here accepts waits for the next worker.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;

use crate::client::socket::Stream;
use crate::client::{Client, Peer, turn};
use crate::log;
use crate::ready;
use crate::worker::{Stage, Worker};

/// A listener of the configuration.
#[derive(Debug)]
pub struct Listener {
    /// Its place in the configuration's list.
    pub index: usize,
}

/// The socket of a listener.
#[derive(Debug)]
pub struct Door {
    socket: OwnedFd,
    is_unix: bool,
}

impl Door {
    /// Takes a socket over from the master. Non-blocking belongs to the socket, which all workers
    /// share and all want so.
    pub fn adopt(socket: OwnedFd, is_unix: bool) -> io::Result<Door> {
        sys::socket::set_nonblocking(&socket, true)?;
        Ok(Door { socket, is_unix })
    }

    fn accept(&self) -> io::Result<(Stream, Peer)> {
        let (socket, peer) = sys::socket::accept_nonblocking(self.socket.as_fd())?;
        match (self.is_unix, peer) {
            (true, _) => Ok((Stream::Unix(socket.into()), Peer::Unix)),
            (false, Some(peer)) => Ok((Stream::Tcp(socket.into()), Peer::Inet(peer))),
            // A client that was gone before it was accepted has no address any more.
            (false, None) => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

impl AsRawFd for Door {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Accepts connections until the task is ended: that closes the socket here.
pub async fn accept(worker: Rc<Worker>, listener: Rc<Listener>, door: Door) {
    let door = match ready::watch(door) {
        Ok(door) => door,
        Err(error) => {
            log::event(&worker, log::Level::Emerg, &format!("epoll_ctl() failed: {error}"));
            return;
        }
    };
    while worker.stage() == Stage::Serving {
        if worker.is_full() {
            make_room(&worker).await;
            continue;
        }
        match door.get_ref().accept() {
            Ok((stream, peer)) => {
                admit(&worker, &listener, stream, peer);
                // One connection at a time: other workers shall have theirs.
                tokio::task::yield_now().await;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // What comes after that refusal makes the door ready again, or is found by the next
                // try.
                let Ok(mut guard) = door.readable().await else { return };
                guard.clear_ready();
            }
            Err(error) => pause(&worker, &error).await,
        }
    }
}

fn admit(worker: &Rc<Worker>, listener: &Rc<Listener>, stream: Stream, peer: Peer) {
    match Client::new(worker.clone(), listener.clone(), stream, peer) {
        Ok(client) => {
            spawn_local(turn::live(Rc::new(client)));
        }
        Err(error) => {
            log::event(worker, log::Level::Alert, &format!("epoll_ctl() failed: {error}"));
        }
    }
}

/// As many connections as may be: idle ones go, as in nginx. When all are busy, the queue waits (or
/// another worker takes them); nobody is turned away.
async fn make_room(worker: &Worker) {
    if worker.make_room() {
        tokio::task::yield_now().await;
        return;
    }
    log::event(worker, log::Level::Alert, "worker_connections are not enough");
    tokio::time::sleep(PAUSE).await;
}

/// Out of descriptors (or worse): the queue waits, the processor does not spin.
async fn pause(worker: &Worker, error: &io::Error) {
    let gone = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionReset
    );
    if gone {
        return;
    }
    let text = format!(
        "accept4() failed ({}); worker_rlimit_nofile sets how many descriptors a worker may have",
        crate::refusal::Errno(error)
    );
    log::event(worker, log::Level::Alert, &text);
    tokio::time::sleep(PAUSE).await;
}

const PAUSE: Duration = Duration::from_millis(100);
