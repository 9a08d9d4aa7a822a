//! Location fields: redirects to a directory, and the absolute form that browsers of old want.

use std::net::SocketAddr;

use bytes::Bytes;
use wire::http1::field;

use crate::exchange::Exchange;
use crate::page;
use crate::reply::Reply;

/// 301 to the same path with a slash at its end, and the arguments.
pub fn to_directory(exchange: &Exchange) -> Reply {
    let mut location = Vec::with_capacity(exchange.uri.len() + exchange.args.len() + 2);
    wire::path::escape(&exchange.uri, &mut location);
    location.push(b'/');
    if !exchange.args.is_empty() {
        location.push(b'?');
        location.extend_from_slice(&exchange.args);
    }
    let mut reply = page::redirect(exchange, 301);
    reply.location = Some(location.into());
    reply
}

/// Makes a Location that begins with a slash absolute, if `absolute_redirect` says so. Whatever it
/// holds, it stays one line.
pub fn complete(exchange: &Exchange, reply: &mut Reply) {
    let Some(location) = &reply.location else { return };
    let mut whole = Vec::new();
    let errors = &exchange.settings().errors;
    if location.first() == Some(&b'/') && errors.absolute_redirect && !reply.foreign {
        reply.location_completed = true;
        whole.extend_from_slice(b"http://");
        host(exchange, &mut whole);
    } else if field::is_value(location) {
        return;
    }
    whole.extend(location.iter().filter(|byte| field::is_value(&[**byte])));
    reply.location = Some(Bytes::from(whole));
}

/// The host as clients know it, and the port of the socket unless it is the scheme's own.
fn host(exchange: &Exchange, to: &mut Vec<u8>) {
    let errors = &exchange.settings().errors;
    let local = exchange.client.local();
    let name = match errors.server_name_in_redirect {
        true => &exchange.server.names[0].text,
        false => &exchange.host,
    };
    match (name.is_empty(), local) {
        (false, _) => to.extend_from_slice(name),
        (true, Some(SocketAddr::V4(local))) => {
            to.extend_from_slice(local.ip().to_string().as_bytes())
        }
        (true, Some(SocketAddr::V6(local))) => {
            to.extend_from_slice(format!("[{}]", local.ip()).as_bytes())
        }
        (true, None) => to.extend_from_slice(b"localhost"),
    }
    if let Some(port) = local.map(|local| local.port()).filter(|port| *port != 80)
        && errors.port_in_redirect
    {
        to.extend_from_slice(format!(":{port}").as_bytes());
    }
}
