//! The plain door: a connection for each request, the uwsgi protocol, to an app of ours or to any
//! uwsgi server.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sys::socket::Address;

use super::body::Body;
use super::failure::{Cause, Doing};
use super::gate::Refused;
use super::reader::{HeadError, Reader};
use super::record::Try;
use super::sending::{Sending, Way};
use super::upload::Upload;
use super::{Answer, Outgoing, Peer, Policy, Seat};
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
    Socket::asking(stream).map(Rc::new).map_err(|error| Cause::System(Doing::Connecting, error))
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
    body: &Outgoing,
    policy: &Policy,
    (attempt, seat): (Rc<Try>, Seat),
) -> Result<Answer, HeadError> {
    let way = Way {
        socket: Rc::clone(&socket),
        attempt: Rc::clone(&attempt),
        limit: policy.send_timeout,
    };
    let mut reader = Reader::new(socket, Rc::clone(&attempt), policy.read_timeout, seat);
    if !matches!(body, Outgoing::Whole(Whole::Empty)) {
        reader.forgive();
    }
    match body {
        Outgoing::Whole(whole) => {
            ask_whole(reader, way.send_whole(packet.clone(), whole.clone()), policy).await
        }
        Outgoing::Streamed(body, sent) => {
            let sending = way.send_streamed(packet.clone(), body.borrow(), Rc::clone(sent));
            ask_streamed(reader, sending, attempt, policy).await
        }
    }
}

/// The body is with us: what is left of it when the app answers is sent while its answer is read.
async fn ask_whole(
    mut reader: Reader,
    mut sending: Option<Sending>,
    policy: &Policy,
) -> Result<Answer, HeadError> {
    let head = reader.head(policy.head_size, &mut sending).await?;
    reader.keep_sending(sending);
    Ok(Answer { head, reader, upload: None })
}

/// The body comes from the client while the app takes it. What is left of it when the app answers
/// is passed on beside the answer.
async fn ask_streamed(
    mut reader: Reader,
    sending: Sending,
    attempt: Rc<Try>,
    policy: &Policy,
) -> Result<Answer, HeadError> {
    let mut sending = Some(sending);
    let head = reader.head(policy.head_size, &mut sending).await?;
    let upload = sending.map(|sending| Upload::new(sending, attempt));
    Ok(Answer { head, reader, upload })
}

impl Answer {
    /// The body, read as the policy says.
    pub async fn body(self, policy: &Policy, buffering: bool) -> Body {
        let length = self.head.length;
        let body = match buffering {
            true => Body::buffered(self.reader, length, &policy.buffering).await,
            false => Body::direct(self.reader, length, policy.head_size),
        };
        body.with(self.upload)
    }
}
