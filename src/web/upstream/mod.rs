//! What stands behind the web worker: groups of servers, and the one way to ask them, [`exchange`].
//!
//! Whichever door leads into an app, a caller sees the same: a request goes in, a head and a body
//! come out, or a [`Failure`] that says why not. The door today is [`plain`]; another one is a
//! module beside it and a branch in `knock`.

mod body;
mod failure;
mod gate;
mod group;
mod peers;
mod plain;
mod reader;
mod record;
mod sending;
mod spool;
mod timer;
mod upload;

#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use config::value::NextUpstream;
use tokio::sync::Notify;

pub use body::{Body, Buffering};
pub use failure::{Failure, Kind};
pub use group::{App, Group, Upstreams};
pub use record::{Record, Try};
pub use spool::{Chunk, Limits};
pub use upload::{Loan, Upload};

use group::{Peer, Seat};
use peers::Tried;
use reader::{HeadError, Reader};

use crate::client::body::Whole;
use crate::refusal::Refusal;

/// What is asked.
pub struct Request {
    /// The packet.
    pub packet: Bytes,
    /// The body.
    pub body: Outgoing,
    /// How it is asked.
    pub policy: Policy,
    /// Whether asking twice does no harm: not POST, LOCK, PATCH.
    pub repeatable: bool,
}

/// The body of a request on its way to an app.
pub enum Outgoing {
    /// It is with us.
    Whole(Whole),
    /// It comes while it is sent (`uwsgi_request_buffering off`). It is told when all of it is with
    /// us.
    Streamed(Loan, Rc<Notify>),
}

/// How an upstream is asked: the values of the location's directives.
#[derive(Debug, Clone)]
pub struct Policy {
    /// `uwsgi_connect_timeout`
    pub connect_timeout: Duration,
    /// `uwsgi_send_timeout`
    pub send_timeout: Duration,
    /// `uwsgi_read_timeout`
    pub read_timeout: Duration,
    /// `uwsgi_buffer_size`
    pub head_size: usize,
    /// `uwsgi_buffers` and what belongs to them.
    pub buffering: Buffering,
    /// `uwsgi_next_upstream`
    pub next: NextUpstream,
    /// `uwsgi_next_upstream_tries`; 0 for as many as there are servers.
    pub next_tries: usize,
    /// `uwsgi_next_upstream_timeout`; nothing for no limit.
    pub next_timeout: Duration,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The head.
    pub head: Head,
    /// What reads the body.
    pub reader: Reader,
    /// What is left of the request's body.
    pub upload: Option<Upload>,
}

/// The head of an answer.
#[derive(Debug)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// The reason; empty when the app gave none.
    pub reason: Bytes,
    /// All fields, in order.
    pub fields: Vec<(Bytes, Bytes)>,
    /// `Content-Length`
    pub length: Option<u64>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The servers' fault, or ours.
    Failure(Failure),
    /// The client's.
    Client(Refusal),
}

impl From<NoAnswer> for Refusal {
    fn from(none: NoAnswer) -> Refusal {
        match none {
            NoAnswer::Failure(failure) => failure.into(),
            NoAnswer::Client(refusal) => refusal,
        }
    }
}

/// Asks a group. What each try came to is noted in the record.
pub async fn exchange(
    group: &Rc<Group>,
    request: Request,
    record: &mut Record,
) -> Result<Answer, NoAnswer> {
    let begun = Instant::now();
    let mut tried = Tried::new();
    group.is_up().map_err(NoAnswer::Failure)?;
    loop {
        let Some((index, seat)) = group.seat(&tried) else {
            let none = Failure::none_left(&group.name);
            record.begin(group.name[..].into(), tried.is_empty()).status.set(none.status());
            return Err(NoAnswer::Failure(none));
        };
        let attempt = record.begin(Rc::clone(&group.peers[index].name), tried.is_empty());
        tried.push(index);
        let more = group.has_more(&tried, &request.policy, begun);
        let failure = match knock(group, index, &request, (Rc::clone(&attempt), seat)).await {
            Ok(answer) if request.asks_on_after(answer.head.status) => {
                group.answered_badly(index, answer.head.status);
                if more && request.may_repeat(true) {
                    continue;
                }
                record.fields.clone_from(&answer.head.fields);
                return Ok(answer);
            }
            Ok(answer) => {
                group.state.borrow_mut().succeeded(index);
                record.fields.clone_from(&answer.head.fields);
                return Ok(answer);
            }
            Err(NoAnswer::Client(refusal)) => return Err(NoAnswer::Client(refusal)),
            Err(NoAnswer::Failure(failure)) => failure,
        };
        attempt.status.set(failure.status());
        attempt.end();
        if !more || !request.asks_on(failure.kind, attempt.sent.get() > 0) {
            return Err(NoAnswer::Failure(failure));
        }
    }
}

/// One try, by the door that leads to the server. The lane for apps of ours will be another branch
/// here.
async fn knock(
    group: &Rc<Group>,
    index: usize,
    request: &Request,
    (attempt, seat): (Rc<Try>, Seat),
) -> Result<Answer, NoAnswer> {
    let peer = &group.peers[index];
    let asked = async {
        let socket = plain::connect(peer, request.policy.connect_timeout).await?;
        attempt.connect.set(Some(attempt.elapsed()));
        attempt.touch();
        plain::ask(socket, &request.packet, &request.body, &request.policy, (attempt, seat)).await
    };
    asked.await.map_err(|error| match error {
        HeadError::Client(refusal) => NoAnswer::Client(refusal),
        HeadError::Upstream(cause) => {
            group.state.borrow_mut().failed(index, Instant::now());
            NoAnswer::Failure(cause.about(group.whom(index)))
        }
    })
}

impl Request {
    /// Whether the next server is asked after this failure. What was sent of a request that changes
    /// something is not sent again (nginx-semantics 16.2), nor can a body be that came from the
    /// client while it was sent.
    fn asks_on(&self, kind: Kind, sent: bool) -> bool {
        let next = &self.policy.next;
        let wanted = match kind {
            Kind::Error => next.error,
            Kind::Timeout => next.timeout,
            Kind::InvalidHeader => next.invalid_header,
            // Another server may have room; nothing was sent to this one.
            Kind::Full => next.error || next.timeout,
            Kind::Down | Kind::NoneLeft => false,
        };
        wanted && self.may_repeat(sent)
    }

    fn asks_on_after(&self, status: u16) -> bool {
        let next = &self.policy.next;
        match status {
            500 => next.http_500,
            503 => next.http_503,
            403 => next.http_403,
            404 => next.http_404,
            429 => next.http_429,
            _ => false,
        }
    }

    fn may_repeat(&self, sent: bool) -> bool {
        let streamed = matches!(self.body, Outgoing::Streamed(..));
        !sent || ((self.repeatable || self.policy.next.non_idempotent) && !streamed)
    }
}
