//! The error log: nginx's line shape, and the request's id at its end.
//!
//! `2026/11/22 13:00:05 [error] 41#41: *7 message, client: A, server: S, request: "R",
//! upstream: "U", host: "H", id: I`

use std::io::Write as _;

use config::value::ErrorLog;
use wire::http1::Known;

use super::clock::decimal;
use super::{Level, escape};
use crate::exchange::Exchange;
use crate::variable;
use crate::worker::Worker;

/// A line about a request.
pub fn error(exchange: &Exchange, level: Level, text: &str) {
    let logs = &exchange.settings().logs.error_log;
    to_all(&exchange.worker, logs, level, |to| {
        to.push(b'*');
        to.extend_from_slice(decimal(exchange.client.serial).text());
        to.push(b' ');
        plain(to, text);
        context(exchange, to);
    });
}

/// A line about this process.
pub fn event(worker: &Worker, level: Level, text: &str) {
    to_all(worker, &worker.main.error_log, level, |to| plain(to, text));
}

/// An answer that its app has cut is told when the request is over: then everything is known.
pub fn cut(exchange: &Exchange) {
    if let Some((level, cause)) = exchange.upstream.last().and_then(|last| last.cut.take()) {
        error(exchange, level, &cause);
    }
}

fn to_all(worker: &Worker, logs: &[ErrorLog], level: Level, write: impl Fn(&mut Vec<u8>)) {
    // The graver a level, the smaller.
    for log in logs.iter().filter(|log| level <= log.level) {
        let Some(sink) = worker.logs.error_sink(&log.to) else {
            continue;
        };
        sink.line(None, |to| {
            begin(worker, level, to);
            write(to);
            to.push(b'\n');
        });
        // Errors are rare, and wanted even if this process dies at once: what the log takes now it
        // gets now.
        let _ = sink.flush();
    }
}

fn begin(worker: &Worker, level: Level, to: &mut Vec<u8>) {
    let pid = decimal(std::process::id().into());
    worker.logs.time(|clock| to.extend_from_slice(clock.stamp().as_bytes()));
    // Writing to a vector cannot fail.
    let _ = write!(to, " [{}] ", level.word());
    to.extend_from_slice(pid.text());
    to.push(b'#');
    to.extend_from_slice(pid.text());
    to.extend_from_slice(b": ");
}

/// Whom and what it was about.
fn context(exchange: &Exchange, to: &mut Vec<u8>) {
    to.extend_from_slice(b", client: ");
    variable::remote_address(&exchange.client.peer, to);
    to.extend_from_slice(b", server: ");
    escape::default(to, &exchange.server.names[0].text);
    quoted(to, "request", Some(exchange.request.line()).filter(|line| !line.is_empty()));
    if let Some(last) = exchange.upstream.last() {
        let end = if last.peer.starts_with("unix:") { ":" } else { "" };
        quoted(to, "upstream", Some(format!("uwsgi://{}{end}", last.peer).as_bytes()));
    }
    quoted(to, "host", exchange.request.known(Known::Host));
    quoted(to, "referrer", exchange.request.known(Known::Referer));
    to.extend_from_slice(b", id: ");
    variable::request_id(exchange, to);
}

fn quoted(to: &mut Vec<u8>, name: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        // Writing to a vector cannot fail.
        let _ = write!(to, ", {name}: \"");
        escape::default(to, &value[..value.len().min(LONGEST)]);
        to.extend_from_slice(if value.len() > LONGEST { b"...\"" } else { b"\"" });
    }
}

/// A message: one line whatever is in it, and otherwise as it is (quotes, UTF-8).
fn plain(to: &mut Vec<u8>, text: &str) {
    for letter in text.chars() {
        match letter {
            control if control.is_control() => {
                let mut bytes = [0; 4];
                escape::default(to, control.encode_utf8(&mut bytes).as_bytes());
            }
            letter => {
                let mut bytes = [0; 4];
                to.extend_from_slice(letter.encode_utf8(&mut bytes).as_bytes());
            }
        }
    }
}

/// What a client may write into a line: a request line has room for thousands of bytes, a log
/// should not.
const LONGEST: usize = 1000;
