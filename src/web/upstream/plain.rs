//! The plain door: a connection for each request, the uwsgi protocol, to an app of ours or to any
//! uwsgi server.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sys::socket::Address;

use super::body::{Body, Pump, Spooled};
use super::failure::{Cause, Doing};
use super::gate::Refused;
use super::reader::{HeadError, Reader};
use super::record::Try;
use super::sending::{Sending, Way};
use super::spool::Spool;
use super::{Answer, Incoming, Outgoing, Peer, Policy, Seat};
use crate::client::body::Whole;
use crate::client::socket::{Socket, Stream};

/// Connects to a server.
pub async fn connect(peer: &Peer, limit: Duration) -> Result<Rc<Socket>, Cause> {
    let deadline = Instant::now() + limit;
    let stream = match &peer.address {
        Address::Unix(path) => match peer.gate.connect(path, deadline).await {
            Ok(stream) => Stream::Unix(stream),
            Err(Refused::Full) => return Err(Cause::Full(limit)),
            Err(Refused::Error(error)) => return Err(Cause::System(Doing::Connecting, error)),
        },
        Address::Inet(address) => Stream::Tcp(connect_inet(*address, limit).await?),
    };
    Socket::new(stream).map(Rc::new).map_err(|error| Cause::System(Doing::Connecting, error))
}

async fn connect_inet(address: SocketAddr, limit: Duration) -> Result<std::net::TcpStream, Cause> {
    let connecting = tokio::net::TcpStream::connect(address);
    let failed = |error: io::Error| Cause::System(Doing::Connecting, error);
    match tokio::time::timeout(limit, connecting).await {
        Ok(Ok(stream)) => {
            // Packet and body go in as few writes as they can: nothing is gained by waiting for
            // more.
            let _ = stream.set_nodelay(true);
            stream.into_std().map_err(failed)
        }
        Ok(Err(error)) => Err(failed(error)),
        Err(_) => Err(Cause::Timeout(Doing::Connecting, limit)),
    }
}

/// Asks by a connection: sends the request and reads the head of the answer.
pub async fn ask(
    socket: Rc<Socket>,
    packet: &Bytes,
    body: &mut Outgoing<'_>,
    policy: &Policy,
    (attempt, seat): (Rc<Try>, Seat),
) -> Result<Answer, HeadError> {
    let way = Way {
        socket: Rc::clone(&socket),
        attempt: Rc::clone(&attempt),
        limit: policy.send_timeout,
    };
    let mut reader = Reader::new(socket, attempt, policy.read_timeout, seat);
    if !matches!(body, Outgoing::Whole(Whole::Empty)) {
        reader.forgive();
    }
    match body {
        Outgoing::Whole(whole) => {
            ask_whole(reader, way.send_whole(packet.clone(), whole.clone()), policy).await
        }
        Outgoing::Streamed(body, sent) => {
            let sending = way.send_streamed(packet.clone(), body, Rc::clone(sent));
            ask_streamed(reader, sending, policy).await
        }
    }
}

/// The body is with us: what is left of it when the app answers is sent while its answer is read.
async fn ask_whole(
    mut reader: Reader,
    mut sending: Option<Sending<'static>>,
    policy: &Policy,
) -> Result<Answer, HeadError> {
    let mut pending: Option<Sending<'_>> = None;
    std::mem::swap(&mut pending, &mut sending);
    let head = reader.head(policy.head_size, &mut pending).await?;
    reader.keep_sending(pending);
    Ok(Answer { head, incoming: Incoming::Fresh(reader) })
}

/// The body comes from the client while the app takes it. An app that answers earlier is read into
/// the spool until the client has sent everything or the app takes no more; the answer goes out
/// then.
async fn ask_streamed(
    mut reader: Reader,
    sending: Sending<'_>,
    policy: &Policy,
) -> Result<Answer, HeadError> {
    let mut sending = Some(sending);
    let head = reader.head(policy.head_size, &mut sending).await?;
    let Some(sending) = sending else {
        return Ok(Answer { head, incoming: Incoming::Fresh(reader) });
    };
    let spooled = Spooled::new(Spool::new(policy.buffering.limits), &policy.buffering);
    let pump = spooled.pump(reader, &policy.buffering);
    let pump = both(sending, pump, &spooled).await?;
    let incoming = Incoming::Started { spooled, pump };
    Ok(Answer { head, incoming })
}

/// Sends and reads until one of them is over. The pump, when it is not.
async fn both(
    mut sending: Sending<'_>,
    mut pump: Pump,
    spooled: &Spooled,
) -> Result<Option<Pump>, HeadError> {
    poll_fn(|cx| {
        let read = pump.as_mut().poll(cx);
        if read.is_ready() {
            return Poll::Ready(Ok(()));
        }
        match sending.as_mut().poll(cx) {
            Poll::Ready(Err(super::sending::Stopped::Client(refusal))) => {
                Poll::Ready(Err(HeadError::Client(refusal)))
            }
            // An app that does not take the rest has answered without it.
            Poll::Ready(_) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    })
    .await?;
    Ok((!spooled.is_over()).then_some(pump))
}

impl Incoming {
    /// The body, read as the policy says.
    pub async fn body(self, length: Option<u64>, policy: &Policy, buffering: bool) -> Body {
        match self {
            Incoming::Started { spooled, pump } => Body::spooled(spooled, pump, length),
            Incoming::Fresh(reader) if buffering => {
                Body::buffered(reader, length, &policy.buffering).await
            }
            Incoming::Fresh(reader) => Body::direct(reader, length, policy.head_size),
        }
    }
}
