//! The life of a connection: one request after the other, until one of both sides has had enough.

use std::rc::Rc;
use std::time::{Duration, Instant};

use config::value::LingeringClose;
use wire::http1::{Bad, Limits};

use super::{Client, Lost};
use crate::exchange::Exchange;
use crate::phase;
use crate::refusal::Refusal;

/// How a connection goes on after a request.
enum Next {
    /// Another request may come.
    Request,
    /// It ends now.
    Close,
    /// It ends, but the client may still be sending: a reset would take our answer from it.
    Linger,
}

/// Serves a connection to its end.
pub async fn live(client: Rc<Client>) {
    let mut kept: Option<Box<Exchange>> = None;
    loop {
        let Some(mut exchange) = await_request(&client, kept.take()).await else { return };
        match serve(&client, &mut exchange).await {
            Next::Request => {
                if client.requests.get() == 1 && exchange.settings().connection.tcp_nodelay {
                    // As nginx: from the second request on, answers shall not wait for each other.
                    client.socket().stream().set_nodelay();
                }
                kept = Some(exchange);
            }
            Next::Close => return,
            Next::Linger => {
                drop(exchange);
                return linger(&client).await;
            }
        }
    }
}

/// Waits for the first bytes of a request. What was used for the one before is kept for a second,
/// in which a busy client's next one comes; then, and at once in a crowd, an idle connection holds
/// no memory but its own.
async fn await_request(client: &Rc<Client>, kept: Option<Box<Exchange>>) -> Option<Box<Exchange>> {
    let now = Instant::now();
    let (mut kept, idle) = match kept {
        Some(exchange) => {
            let idle = exchange.settings().connection.keepalive_timeout.idle;
            (Some(exchange), idle)
        }
        None => (None, client.head_rules().timeout),
    };
    let deadline = now + idle;
    if client.worker.open() > CROWD && !client.has_unread() {
        kept = None;
    }
    loop {
        if let Some(mut exchange) = kept.take() {
            exchange.begin();
            let soon = deadline.min(Instant::now() + BUSY);
            match client.read_idle(&mut exchange.request.bytes, soon).await {
                Ok(count) => {
                    exchange.request.filled = count;
                    exchange.started = Instant::now();
                    return Some(exchange);
                }
                Err(Lost::Closed) => return None,
                Err(Lost::Late) if Instant::now() >= deadline || client.is_over() => return None,
                Err(Lost::Late) => drop(exchange),
            }
        }
        client.readable_idle(deadline).await.ok()?;
        kept = Some(Box::new(Exchange::new(client.clone())));
    }
}

/// Reads one head, answers it.
async fn serve(client: &Rc<Client>, exchange: &mut Exchange) -> Next {
    let refusal = match read_head(client, exchange).await {
        Ok(()) => None,
        Err(Stop::Refused(bad)) => Some(Refusal::Bad(bad)),
        Err(Stop::Late) => return abandon(exchange, Refusal::HeadTimeout),
        Err(Stop::Closed) => return abandon(exchange, Refusal::ClientGone),
        Err(Stop::Nothing) => return Next::Close,
    };
    client.requests.set(client.requests.get() + 1);
    let refused = refusal.is_some();
    phase::serve(exchange, refusal).await;
    if exchange.sent.keep && !exchange.body.is_over() {
        exchange.sent.keep = drain(exchange).await;
    }
    if exchange.sent.keep {
        return Next::Request;
    }
    let unread = refused || !exchange.body.is_over() || client.has_unread();
    let lingers = match exchange.settings().connection.lingering_close {
        LingeringClose::Off => false,
        LingeringClose::On => unread,
        LingeringClose::Always => true,
    };
    if lingers && exchange.sent.complete { Next::Linger } else { Next::Close }
}

/// Reads away a body that nobody wanted. False when its end did not come.
async fn drain(exchange: &mut Exchange) -> bool {
    if exchange.body.is_withheld() {
        return false;
    }
    let connection = exchange.settings().connection.clone();
    let limit = Instant::now() + connection.lingering_time;
    Box::pin(exchange.body.discard(limit, connection.lingering_timeout)).await
}

/// A head that did not come to its end is logged and not answered, as in nginx.
fn abandon(exchange: &mut Exchange, refusal: Refusal) -> Next {
    phase::abandon(exchange, &refusal);
    Next::Close
}

/// Why no head was read.
enum Stop {
    Refused(Bad),
    Late,
    Closed,
    /// No byte of a request had come.
    Nothing,
}

/// Reads until the head is complete. What is behind it stays with the connection.
async fn read_head(client: &Rc<Client>, exchange: &mut Exchange) -> Result<(), Stop> {
    let rules = client.head_rules();
    let deadline = exchange.started + rules.timeout;
    let request = &mut exchange.request;
    loop {
        let read = &request.bytes[..request.filled];
        match request.head.advance(read, &rules.limits).map_err(Stop::Refused)? {
            Some(length) => {
                client.put_back(&request.bytes[length..request.filled]);
                request.filled = length;
                request.head_length = length;
                exchange.body.begin(&exchange.request.head);
                return Ok(());
            }
            None if request.filled == request.bytes.len() => {
                // Bounded by the limits, which were judged before.
                let room = request.bytes.len().saturating_mul(2).min(rules.limits.total + 1);
                request.bytes.resize(room.max(request.filled + 1), 0);
            }
            None => {}
        }
        let filled = request.filled;
        match client.read(&mut request.bytes[filled..], deadline).await {
            Ok(count) => request.filled += count,
            Err(_) if !request.head.has_begun() => return Err(Stop::Nothing),
            Err(Lost::Late) => return Err(Stop::Late),
            Err(Lost::Closed) => return Err(Stop::Closed),
        }
    }
}

/// Ends our side and reads until the client ends its own, for a while.
async fn linger(client: &Client) {
    let rules = client.head_rules();
    client.socket().stream().shut_writing();
    let limit = Instant::now() + rules.lingering_time;
    let mut buffer = vec![0; 16 * 1024];
    while Instant::now() < limit {
        let deadline = limit.min(Instant::now() + rules.lingering_timeout);
        if client.read(&mut buffer, deadline).await.is_err() {
            return;
        }
    }
}

/// What the default server of a listener says about heads, before anybody knows which server a
/// request is for.
#[derive(Debug, Clone, Copy)]
pub struct HeadRules {
    /// How large a head may be.
    pub limits: Limits,
    /// The size of the first buffer (`client_header_buffer_size`).
    pub buffer: usize,
    /// `client_header_timeout`
    pub timeout: Duration,
    /// `lingering_time`
    pub lingering_time: Duration,
    /// `lingering_timeout`
    pub lingering_timeout: Duration,
}

/// With more connections than this, allocating for each request is cheaper than the memory of those
/// that wait.
const CROWD: usize = 256;
/// How long a connection keeps the memory of its last request.
const BUSY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, F: Future>(_: impl Fn(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_connection_that_waits_costs_little_memory() {
        // What a task of its own, its socket and its timer add is tokio's.
        let task = size_of_future(live);
        assert!(task + size_of::<Client>() <= 1536, "{task} + {}", size_of::<Client>());
    }
}
