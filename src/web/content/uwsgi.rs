//! Passes a request to an app or another uwsgi server, and makes its answer ours.
//!
//! What is sent is in [`packet`]; how the other side is asked, whichever door leads to it, is
//! [`crate::upstream`]'s.

mod packet;

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use config::section::Uwsgi;
use config::value::UwsgiPass;
use sys::socket::Address;
use tokio::sync::Notify;

use crate::client::body::{RequestBody, Whole};
use crate::exchange::Exchange;
use crate::exit::{Exit, Reroute, To};
use crate::phase::error_page;
use crate::refusal::Refusal;
use crate::reply::{Body, Reply};
use crate::upstream::{
    self, Answer, Buffering, Group, Head, Limits, Loan, Outgoing, Policy, Request,
};
use crate::variable;

/// Answers with what the app of the location says.
pub async fn pass(exchange: &mut Exchange) -> Result<Reply, Exit> {
    let answered = ask(exchange).await;
    exchange.upstream.give_back(&mut exchange.body);
    answered
}

async fn ask(exchange: &mut Exchange) -> Result<Reply, Exit> {
    let settings = Arc::clone(&exchange.settings().uwsgi);
    let group = group(exchange, &settings)?;
    let policy = policy(&settings);
    // A body in chunks has no length that the app could be told: it is always read first
    // (nginx-semantics 15.3).
    let streamed = !settings.uwsgi_request_buffering
        && settings.uwsgi_pass_request_body
        && exchange.body.kept().is_none()
        && !exchange.body.is_chunked()
        && !exchange.body.is_empty();
    let whole = match settings.uwsgi_pass_request_body && !streamed {
        true => exchange.body.whole().await?,
        false => Whole::Empty,
    };
    let packet = packet::of(exchange, &settings, group.app.is_some())?;
    let sent = Rc::new(Notify::new());
    let repeatable = !matches!(exchange.method_name(), b"POST" | b"LOCK" | b"PATCH");
    let body = match streamed {
        true => Outgoing::Streamed(lend_body(exchange), Rc::clone(&sent)),
        false => {
            sent.notify_one();
            Outgoing::Whole(whole)
        }
    };
    let request = Request { packet, body, policy: policy.clone(), repeatable };
    let client = Rc::clone(&exchange.client);
    let asking = upstream::exchange(&group, request, &mut exchange.upstream);
    let gone = async {
        // As long as the client sends, whoever reads its body sees it leave.
        sent.notified().await;
        client.gone().await;
    };
    let answer = if settings.uwsgi_ignore_client_abort {
        asking.await
    } else {
        tokio::select! {
            biased;
            answer = asking => answer,
            () = gone => return Err(Refusal::ClientGone.into()),
        }
    };
    reply(exchange, &settings, &policy, answer.map_err(Refusal::from)?).await
}

/// The request's body, for one who reads it while the exchange goes on without it.
fn lend_body(exchange: &mut Exchange) -> Loan {
    let none = RequestBody::none(Rc::clone(&exchange.client));
    let loan = Loan::of(std::mem::replace(&mut exchange.body, none));
    exchange.upstream.lent = Some(loan.clone());
    loan
}

/// Whom the location names.
fn group(exchange: &Exchange, settings: &Uwsgi) -> Result<Rc<Group>, Refusal> {
    let upstreams = &exchange.worker.upstreams;
    let text = match &settings.uwsgi_pass {
        Some(UwsgiPass::To(upstream)) => {
            return upstreams.group(upstream.index).cloned().ok_or_else(|| unknown(b""));
        }
        Some(UwsgiPass::Text(text)) => text,
        None => return Err(unknown(b"")),
    };
    let mut name = vec![];
    variable::write(exchange, text, &mut name);
    let name = name.strip_prefix(b"uwsgi://").unwrap_or(&name);
    let known = exchange.worker.http.upstream(name);
    if let Some(group) = known.and_then(|known| upstreams.group(known.index)) {
        return Ok(Rc::clone(group));
    }
    match address(name) {
        Some(address) => Ok(upstreams.at(address)),
        None => Err(unknown(name)),
    }
}

/// `unix:/path`, or an address with its port.
fn address(name: &[u8]) -> Option<Address> {
    if let Some(path) = name.strip_prefix(b"unix:") {
        let path = path.strip_suffix(b":").unwrap_or(path);
        let good = path.starts_with(b"/") && !path.contains(&0);
        return good.then(|| Address::Unix(super::path::of(path).to_path_buf()));
    }
    std::str::from_utf8(name).ok()?.parse().ok().map(Address::Inet)
}

fn unknown(name: &[u8]) -> Refusal {
    let name = name.escape_ascii();
    let cause = format!(
        "no resolver defined to resolve {name}: uwsgi_pass with variables takes the name of an \
         app or upstream, ADDRESS:PORT, or unix:PATH"
    );
    Refusal::Upstream { status: 502, cause, retry_after: None }
}

fn policy(settings: &Uwsgi) -> Policy {
    let buffers = settings.uwsgi_buffers.count.saturating_mul(settings.uwsgi_buffers.size);
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Policy {
        connect_timeout: settings.uwsgi_connect_timeout,
        send_timeout: settings.uwsgi_send_timeout,
        read_timeout: settings.uwsgi_read_timeout,
        head_size: size(settings.uwsgi_buffer_size.0).max(1),
        buffering: Buffering {
            limits: Limits { memory: size(buffers), file: settings.uwsgi_max_temp_file_size.0 },
            place: settings.uwsgi_temp_path.path.as_path().into(),
            outlives_client: settings.uwsgi_ignore_client_abort,
        },
        next: settings.uwsgi_next_upstream,
        next_tries: size(settings.uwsgi_next_upstream_tries),
        next_timeout: settings.uwsgi_next_upstream_timeout,
    }
}

/// Makes an app's answer ours, or does what it asks for.
async fn reply(
    exchange: &mut Exchange,
    settings: &Uwsgi,
    policy: &Policy,
    mut answer: Answer,
) -> Result<Reply, Exit> {
    let head = &mut answer.head;
    let intercepted = settings.uwsgi_intercept_errors && head.status >= 300;
    if intercepted && error_page::applies(exchange, head.status) {
        // Whoever shows the page for a 401 shows the app's challenge with it.
        let challenge = find(head, b"www-authenticate").filter(|_| head.status == 401);
        let carried = challenge.map(|text| (Bytes::from_static(b"WWW-Authenticate"), text.clone()));
        exchange.upstream.carried = carried.into_iter().collect();
        return Err(Refusal::Intercepted(head.status).into());
    }
    if let Some(target) = find(head, b"x-accel-redirect") {
        let target = target.clone();
        exchange.upstream.carried = carried(head);
        return Err(redirect(&target));
    }
    let buffering = match find(head, b"x-accel-buffering") {
        Some(word) if word.eq_ignore_ascii_case(b"no") => false,
        Some(word) if word.eq_ignore_ascii_case(b"yes") => true,
        _ => settings.uwsgi_buffering,
    };
    let mut reply = of_head(head, settings);
    let bodiless = exchange.is_head() || matches!(head.status, 204 | 304);
    reply.body = match bodiless {
        // What an app says behind such a head is not read: its connection is closed.
        true => Body::Upstream(upstream::Body::none(head.length)),
        false => {
            let mut body = answer.body(policy, buffering).await;
            match body.take_whole() {
                Some(bytes) => Body::Bytes(bytes),
                None => Body::Upstream(body),
            }
        }
    };
    Ok(reply)
}

/// The fields of an app's answer, each in its place.
fn of_head(head: &mut Head, settings: &Uwsgi) -> Reply {
    let mut reply = Reply::new(head.status);
    reply.foreign = true;
    reply.reason = Some(std::mem::take(&mut head.reason)).filter(|reason| !reason.is_empty());
    for (name, value) in head.fields.drain(..) {
        if is_hidden(&name, settings) {
            continue;
        }
        let own = match place(&name) {
            Place::Ours => continue,
            // nginx leaves an empty one out.
            Place::ContentType if value.is_empty() => continue,
            // What the app says of a place on this host is passed on as it is; nginx leaves it
            // alone too.
            Place::Location if value.starts_with(b"/") => None,
            Place::Location => Some(&mut reply.location),
            Place::ContentType => Some(&mut reply.content_type),
            Place::LastModified => Some(&mut reply.last_modified),
            Place::Etag => Some(&mut reply.etag),
            Place::Server => Some(&mut reply.server),
            Place::Date => Some(&mut reply.date),
            Place::Other => None,
        };
        match own {
            Some(own) if own.is_none() => *own = Some(value),
            // A second one of these leaves no way to know which is meant: the first counts.
            Some(_) => {}
            None => reply.fields.0.push((name, value)),
        }
    }
    reply
}

/// Where a field of an app's answer goes.
enum Place {
    /// The connection makes its own.
    Ours,
    ContentType,
    LastModified,
    Etag,
    Location,
    Server,
    Date,
    Other,
}

fn place(name: &[u8]) -> Place {
    let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
    match name.len() {
        4 if is(b"date") => Place::Date,
        4 if is(b"etag") => Place::Etag,
        6 if is(b"server") => Place::Server,
        8 if is(b"location") => Place::Location,
        10 if is(b"connection") || is(b"keep-alive") => Place::Ours,
        12 if is(b"content-type") => Place::ContentType,
        13 if is(b"last-modified") => Place::LastModified,
        14 if is(b"content-length") => Place::Ours,
        17 if is(b"transfer-encoding") => Place::Ours,
        _ => Place::Other,
    }
}

fn is_hidden(name: &[u8], settings: &Uwsgi) -> bool {
    let named =
        |list: &[config::value::Bytes]| list.iter().any(|other| other.0.eq_ignore_ascii_case(name));
    let by_default = name.len() > 8
        && name[..8].eq_ignore_ascii_case(b"x-accel-")
        && HIDDEN.iter().any(|rest| name[8..].eq_ignore_ascii_case(rest));
    (by_default || named(&settings.uwsgi_hide_header)) && !named(&settings.uwsgi_pass_header)
}

fn find<'a>(head: &'a Head, name: &[u8]) -> Option<&'a Bytes> {
    head.fields.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// `X-Accel-Redirect`: a named location, or a uri with its arguments. The app escapes it as it
/// would in a link.
fn redirect(target: &[u8]) -> Exit {
    if target.starts_with(b"@") {
        let to = To::Named(target.to_vec());
        return Reroute { to, status: None, as_get: true }.into();
    }
    let mut uri = vec![];
    match wire::path::normalise(target, true, &mut uri) {
        Ok(args) if target.starts_with(b"/") => {
            let args = args.to_vec();
            Reroute { to: To::Uri { uri, args }, status: None, as_get: true }.into()
        }
        // nginx answers what it takes for an attack with 404.
        _ => Refusal::Asked(404).into(),
    }
}

/// The fields that outlive an `X-Accel-Redirect` (nginx-semantics 16.10).
fn carried(head: &Head) -> Vec<(Bytes, Bytes)> {
    let stays = |name: &[u8]| CARRIED.iter().any(|wanted| name.eq_ignore_ascii_case(wanted));
    head.fields.iter().filter(|(name, _)| stays(name)).cloned().collect()
}

/// Puts the fields of an app that sent the request on by `X-Accel-Redirect`, or whose answer was
/// intercepted, into the answer of where it went.
pub fn carry(exchange: &mut Exchange, reply: &mut Reply) {
    for (name, value) in std::mem::take(&mut exchange.upstream.carried) {
        if name.eq_ignore_ascii_case(b"content-type") {
            // An error on the way has a page of its own, with its own type.
            if reply.status < 300 {
                reply.content_type = Some(value);
            }
        } else {
            reply.fields.0.push((name, value));
        }
    }
}

/// What follows `X-Accel-` in the names of fields that clients do not get.
const HIDDEN: [&[u8]; 5] = [b"redirect", b"expires", b"limit-rate", b"buffering", b"charset"];
const CARRIED: [&[u8]; 5] =
    [b"content-type", b"set-cookie", b"content-disposition", b"cache-control", b"expires"];

#[cfg(test)]
mod tests;

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn an_address_is_a_path_or_has_a_port() {
        assert_eq!(address(b"unix:/run/a.sock:"), Some(Address::Unix("/run/a.sock".into())));
        assert_eq!(address(b"127.0.0.1:3031"), Some(Address::Inet(([127, 0, 0, 1], 3031).into())));
        for name in [&b"unix:relative"[..], b"host", b"host:80", b"127.0.0.1", b"unix:/a\0b"] {
            assert_eq!(address(name), None, "{}", name.escape_ascii());
        }
    }

    #[test]
    fn an_accel_redirect_leads_to_a_decoded_uri_or_a_named_location() {
        let Exit::Reroute(way) = redirect(b"/files/a%20b?x=1") else { panic!() };
        assert!(way.as_get);
        assert!(matches!(way.to, To::Uri { uri, args } if uri == b"/files/a b" && args == b"x=1"));
        let Exit::Reroute(way) = redirect(b"@other") else { panic!() };
        assert!(matches!(way.to, To::Named(name) if name == b"@other"));
        for bad in [&b"relative"[..], b"/../x", b"/%00", b""] {
            assert!(matches!(redirect(bad), Exit::Refuse(_)), "{}", bad.escape_ascii());
        }
    }
}
