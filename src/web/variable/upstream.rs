//! `$upstream_…`: what the tries came to, and the fields of the last answer.

use std::time::Duration;

use config::value::Variable;

use super::fields::{cookie as cookie_of, is_called, joined};
use crate::log::clock::{decimal, seconds};
use crate::upstream::{Record, Try};

/// A value of each try: `, ` between tries, ` : ` between groups (nginx-semantics 18.4).
pub fn list(record: &Record, variable: &Variable, to: &mut Vec<u8>) -> bool {
    record.list(to, |to, each| one(each, variable, to))
}

fn one(each: &Try, variable: &Variable, to: &mut Vec<u8>) {
    let number = |to: &mut Vec<u8>, number: u64| to.extend_from_slice(decimal(number).text());
    match variable {
        Variable::UpstreamStatus => match each.status.get() {
            0 => to.push(b'-'),
            status => number(to, status.into()),
        },
        Variable::UpstreamConnectTime => time(each.connect.get(), to),
        Variable::UpstreamHeaderTime => time(each.header.get(), to),
        Variable::UpstreamResponseTime => time(each.response.get(), to),
        Variable::UpstreamResponseLength => number(to, each.length.get()),
        Variable::UpstreamBytesReceived => number(to, each.received.get()),
        Variable::UpstreamBytesSent => number(to, each.sent.get()),
        _ => to.extend_from_slice(each.peer.as_bytes()),
    }
}

fn time(time: Option<Duration>, to: &mut Vec<u8>) {
    match time {
        Some(time) => seconds(to, time),
        None => to.push(b'-'),
    }
}

/// A field of the last answer, as the app sent it.
pub fn field(record: &Record, name: &str, to: &mut Vec<u8>) -> bool {
    let fields = record.fields.iter().filter(|(field, _)| is_called(field, name));
    joined(fields.map(|(_, value)| &value[..]), b", ", to)
}

/// A cookie that the last answer sets.
pub fn cookie(record: &Record, name: &str, to: &mut Vec<u8>) -> bool {
    let fields =
        record.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(b"set-cookie"));
    let found = cookie_of(fields.map(|(_, value)| &value[..]), name.as_bytes());
    found.map(|value| to.extend_from_slice(value)).is_some()
}
