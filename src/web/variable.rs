//! What variables are worth: for texts of the configuration, for parameters of apps, for logs.
//!
//! A value is written where it is needed, at the moment when it is needed; nothing is copied on the
//! way, and what costs something (the request's id) is kept by the exchange. Names and meanings are
//! the configuration's table.

mod fields;
mod upstream;

use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::time::SystemTime;

use config::value::{Address, Part, Text, Variable};
use wire::http1::target::Form;
use wire::http1::{Known, Version, host};

use crate::client::Peer;
use crate::client::body::Whole;
use crate::content::path;
use crate::exchange::Exchange;
use crate::log::clock::{decimal, seconds, since_epoch};

/// Writes a text with the values of its variables to the end of `to`. A variable without a value is
/// nothing.
pub fn write(exchange: &Exchange, text: &Text, to: &mut Vec<u8>) {
    for part in text.parts() {
        match part {
            Part::Literal(bytes) => to.extend_from_slice(bytes),
            Part::Variable(variable) => {
                value(exchange, variable, to);
            }
            Part::Capture(number) => {
                to.extend_from_slice(exchange.captures.group(usize::from(*number)));
            }
        }
    }
}

/// Whether a condition (`if=`) holds: its text is neither empty nor "0".
pub fn holds(exchange: &Exchange, text: &Text, scratch: &mut Vec<u8>) -> bool {
    scratch.clear();
    write(exchange, text, scratch);
    !matches!(&scratch[..], b"" | b"0")
}

/// Writes the value of a variable to the end of `to`. False when it has none, which is not the same
/// as an empty one.
pub fn value(exchange: &Exchange, variable: &Variable, to: &mut Vec<u8>) -> bool {
    match variable {
        Variable::Args => some(to, &exchange.args),
        Variable::IsArgs => all(to, if exchange.args.is_empty() { b"" } else { b"?" }),
        Variable::Uri => all(to, &exchange.uri),
        Variable::RequestUri => some(to, exchange.request.target()),
        Variable::Request => some(to, exchange.request.line()),
        Variable::RequestMethod => some(to, exchange.method_name()),
        Variable::RequestFilename => in_place(to, |to| path::filename(exchange, to).is_ok()),
        Variable::DocumentRoot => document_root(exchange, to),
        Variable::RealpathRoot => realpath_root(exchange, to),
        Variable::RequestLength => number(to, exchange.request_length()),
        Variable::RequestTime => time(to, exchange.elapsed()),
        Variable::RequestId => request_id(exchange, to),
        Variable::RequestBody => match exchange.body.kept() {
            Some(Whole::Memory(bytes)) => all(to, bytes),
            _ => false,
        },
        Variable::RequestCompletion => all(to, if exchange.sent.complete { b"OK" } else { b"" }),
        Variable::RequestPort => match request_port(exchange) {
            Some(port) => number(to, port.into()),
            None => all(to, b""),
        },
        Variable::IsRequestPort => {
            all(to, if request_port(exchange).is_some() { b":" } else { b"" })
        }
        Variable::Scheme => all(to, b"http"),
        Variable::Https => all(to, b""),
        Variable::Host => match &exchange.host[..] {
            b"" => all(to, &exchange.server.names[0].text),
            host => all(to, host),
        },
        Variable::Hostname => all(to, hostname().as_bytes()),
        Variable::ServerName => all(to, &exchange.server.names[0].text),
        Variable::ServerAddr => server_address(exchange, to),
        Variable::ServerPort => match exchange.client.local() {
            Some(local) => number(to, local.port().into()),
            None => all(to, b""),
        },
        Variable::ServerProtocol => all(to, protocol(exchange.request.head.version)),
        Variable::RemoteAddr => remote_address(&exchange.client.peer, to),
        Variable::BinaryRemoteAddr => binary_address(&exchange.client.peer, to),
        Variable::RemotePort => match exchange.client.peer {
            Peer::Inet(peer) => number(to, peer.port().into()),
            Peer::Unix => all(to, b""),
        },
        Variable::RemoteUser => fields::user(exchange, to),
        Variable::ContentLength => content_length(exchange, to),
        Variable::ContentType => maybe(to, exchange.request.known(Known::ContentType)),
        Variable::BytesSent => number(to, exchange.sent.bytes),
        Variable::BodyBytesSent => number(to, exchange.sent.body),
        Variable::Status => status(exchange, to),
        Variable::Connection => number(to, exchange.client.serial),
        Variable::ConnectionRequests => number(to, exchange.client.requests.get()),
        Variable::ConnectionTime => time(to, exchange.client.since.elapsed()),
        Variable::Pipe => all(to, if exchange.pipelined { b"p" } else { b"." }),
        Variable::Msec => time(to, since_epoch(SystemTime::now())),
        Variable::TimeIso8601 => {
            exchange.worker.logs.time(|clock| all(to, clock.iso8601().as_bytes()))
        }
        Variable::TimeLocal => exchange.worker.logs.time(|clock| all(to, clock.local().as_bytes())),
        Variable::NginxVersion => all(to, FOLLOWED.as_bytes()),
        Variable::Pid => number(to, std::process::id().into()),
        Variable::ForwardedFor => {
            if fields::joined(exchange.request.all(b"X-Forwarded-For"), b", ", to) {
                to.extend_from_slice(b", ");
            }
            remote_address(&exchange.client.peer, to)
        }
        Variable::Argument(name) => fields::argument(&exchange.args, name, to),
        Variable::Cookie(name) => {
            let cookies = exchange.request.all(b"Cookie");
            maybe(to, fields::cookie(cookies, name.as_bytes()))
        }
        Variable::RequestField(name) => fields::request(exchange, name, to),
        Variable::SentField(name) => fields::sent(exchange, name, to),
        Variable::UpstreamAddr
        | Variable::UpstreamStatus
        | Variable::UpstreamConnectTime
        | Variable::UpstreamHeaderTime
        | Variable::UpstreamResponseTime
        | Variable::UpstreamResponseLength
        | Variable::UpstreamBytesReceived
        | Variable::UpstreamBytesSent => upstream::list(&exchange.upstream, variable, to),
        Variable::UpstreamField(name) => upstream::field(&exchange.upstream, name, to),
        Variable::UpstreamCookie(name) => upstream::cookie(&exchange.upstream, name, to),
        Variable::Captured(id) => maybe(to, exchange.captures.named(*id)),
        // Such files have no names, there are no trailers, no PROXY protocol, no TLS yet.
        Variable::RequestBodyFile
        | Variable::SentTrailer(_)
        | Variable::UpstreamTrailer(_)
        | Variable::ProxyProtocolTlv(_)
        | Variable::Unset => false,
    }
}

fn all(to: &mut Vec<u8>, bytes: &[u8]) -> bool {
    to.extend_from_slice(bytes);
    true
}

/// Bytes that are no value when there are none.
fn some(to: &mut Vec<u8>, bytes: &[u8]) -> bool {
    to.extend_from_slice(bytes);
    !bytes.is_empty()
}

fn maybe(to: &mut Vec<u8>, bytes: Option<&[u8]>) -> bool {
    bytes.is_some_and(|bytes| all(to, bytes))
}

fn number(to: &mut Vec<u8>, number: u64) -> bool {
    all(to, decimal(number).text())
}

fn time(to: &mut Vec<u8>, time: std::time::Duration) -> bool {
    seconds(to, time);
    true
}

/// For writers that begin a buffer anew.
fn in_place(to: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
    let mut own = Vec::new();
    write(&mut own) && all(to, &own)
}

fn document_root(exchange: &Exchange, to: &mut Vec<u8>) -> bool {
    match exchange.settings().static_files.root.path.literal() {
        Some(root) => all(to, root),
        None => in_place(to, |to| {
            path::document_root(exchange, to);
            true
        }),
    }
}

fn realpath_root(exchange: &Exchange, to: &mut Vec<u8>) -> bool {
    let mut root = Vec::new();
    path::document_root(exchange, &mut root);
    match std::fs::canonicalize(path::of(&root)) {
        Ok(real) => all(to, real.as_os_str().as_bytes()),
        Err(_) => false,
    }
}

/// The request's id, 32 hexadecimal digits.
pub fn request_id(exchange: &Exchange, to: &mut Vec<u8>) -> bool {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in exchange.id() {
        to.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    true
}

/// The port that the request names, in an absolute target or in Host.
fn request_port(exchange: &Exchange) -> Option<u16> {
    let authority = match exchange.request.head.form {
        Form::Absolute { host, .. } => host.of(exchange.request.target()),
        _ => exchange.request.known(Known::Host)?,
    };
    host::split(authority)?.1
}

/// The address on which the connection came in; a Unix socket has its path.
fn server_address(exchange: &Exchange, to: &mut Vec<u8>) -> bool {
    match exchange.client.local() {
        Some(local) => address(local.ip(), to),
        None => match &exchange.worker.http.listeners[exchange.client.listener.index].address {
            Address::Unix(path) => all(to, b"unix:") && all(to, path.as_os_str().as_bytes()),
            Address::Inet(inet) => address(inet.ip(), to),
        },
    }
}

/// The client's address, as `$remote_addr` has it.
pub fn remote_address(peer: &Peer, to: &mut Vec<u8>) -> bool {
    match peer {
        Peer::Inet(peer) => address(peer.ip(), to),
        Peer::Unix => all(to, b"unix:"),
    }
}

fn address(ip: IpAddr, to: &mut Vec<u8>) -> bool {
    use std::io::Write as _;
    // Writing to a vector cannot fail.
    let _ = match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            for (index, octet) in [a, b, c, d].into_iter().enumerate() {
                if index > 0 {
                    to.push(b'.');
                }
                to.extend_from_slice(decimal(octet.into()).text());
            }
            Ok(())
        }
        IpAddr::V6(ip) => write!(to, "{ip}"),
    };
    true
}

fn binary_address(peer: &Peer, to: &mut Vec<u8>) -> bool {
    match peer {
        Peer::Inet(SocketAddr::V4(peer)) => all(to, &peer.ip().octets()),
        Peer::Inet(SocketAddr::V6(peer)) => all(to, &peer.ip().octets()),
        Peer::Unix => all(to, b"unix:"),
    }
}

/// The length that the client told; of a body in chunks, once it is read.
fn content_length(exchange: &Exchange, to: &mut Vec<u8>) -> bool {
    match (exchange.request.known(Known::ContentLength), exchange.body.kept()) {
        (Some(length), _) => all(to, length),
        (None, Some(whole)) if exchange.body.is_chunked() => number(to, whole.length()),
        (None, _) => false,
    }
}

fn status(exchange: &Exchange, to: &mut Vec<u8>) -> bool {
    let status = match exchange.request.head.version {
        Version::Http09 if exchange.sent.status != 0 => 9,
        _ => exchange.sent.status,
    };
    all(to, &decimal(1000 + u64::from(status % 1000)).text()[1..])
}

fn protocol(version: Version) -> &'static [u8] {
    match version {
        Version::Http09 => b"",
        Version::Http10 => b"HTTP/1.0",
        Version::Http11 => b"HTTP/1.1",
    }
}

/// The machine's name, as it was when first asked for.
fn hostname() -> &'static str {
    static NAME: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    NAME.get_or_init(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        name.trim().to_ascii_lowercase()
    })
}

/// The version of nginx whose behaviour is followed.
const FOLLOWED: &str = "1.30.6";
