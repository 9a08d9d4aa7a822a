//! What is changed in an answer before it is sent: conditions and ranges first (they may still
//! refuse), then its status and its fields.

use std::borrow::Cow;

use bytes::Bytes;
use config::value::IfModifiedSince;
use wire::conditional::{self, Comparison, Conditions, Verdict};
use wire::http1::{Known, Version};
use wire::range::{self, Ranges};

use crate::content::uwsgi;
use crate::exchange::{Exchange, Request};
use crate::page;
use crate::redirect;
use crate::refusal::Refusal;
use crate::reply::{Body, Part, Parts, Reply};
use crate::variable;

/// Answers 304 or 412 where a condition of the request says so. Only for 200, only for what has a
/// time and a tag.
pub fn conditions(exchange: &Exchange, reply: &mut Reply) -> Result<(), Refusal> {
    let status = exchange.forced_status.unwrap_or(reply.status);
    if !reply.conditions || status != 200 {
        return Ok(());
    }
    let request = &exchange.request;
    let if_match = list(request, Known::IfMatch, b"if-match");
    let if_none_match = list(request, Known::IfNoneMatch, b"if-none-match");
    let conditions = Conditions {
        if_match: if_match.as_deref(),
        if_none_match: if_none_match.as_deref(),
        if_modified_since: request.known(Known::IfModifiedSince),
        if_unmodified_since: request.known(Known::IfUnmodifiedSince),
    };
    if conditions.is_empty() {
        return Ok(());
    }
    let comparison = match exchange.settings().static_files.if_modified_since {
        IfModifiedSince::Off => Comparison::Off,
        IfModifiedSince::Exact => Comparison::Exact,
        IfModifiedSince::Before => Comparison::Before,
    };
    match conditions.judge(reply.etag.as_deref(), reply.modified, comparison) {
        Verdict::Proceed => Ok(()),
        Verdict::Failed => Err(Refusal::Precondition),
        Verdict::NotModified => {
            reply.status = 304;
            reply.content_type = None;
            reply.body = Body::Empty;
            Ok(())
        }
    }
}

/// A list that may come in several lines.
fn list<'a>(request: &'a Request, known: Known, name: &[u8]) -> Option<Cow<'a, [u8]>> {
    let first = request.known(known)?;
    let mut lines = request.all(name).skip(1).peekable();
    if lines.peek().is_none() {
        return Some(Cow::Borrowed(first));
    }
    let mut whole = first.to_vec();
    for line in lines {
        whole.extend_from_slice(b", ");
        whole.extend_from_slice(line);
    }
    Some(Cow::Owned(whole))
}

/// Cuts a file to the ranges that were asked for.
pub fn ranges(exchange: &Exchange, reply: &mut Reply) -> Result<(), Refusal> {
    if !reply.ranges || reply.status != 200 {
        return Ok(());
    }
    let most = exchange.settings().static_files.max_ranges;
    if most == Some(0) || exchange.request.head.version == Version::Http09 {
        return Ok(());
    }
    let most = most.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
    if let (Some(list), Body::File(whole)) = (wanted(exchange, reply), &reply.body) {
        let whole = whole.clone();
        match range::parse(list, whole.length, most) {
            Ranges::Whole => {}
            Ranges::None => return Err(Refusal::Range { length: whole.length }),
            Ranges::Parts(parts) => {
                cut(exchange, reply, whole, &parts);
                return Ok(());
            }
        }
    }
    reply.accepts_ranges = true;
    Ok(())
}

/// The Range field, unless If-Range says that it is for another version of the file.
fn wanted<'a>(exchange: &'a Exchange, reply: &Reply) -> Option<&'a [u8]> {
    let list = exchange.request.known(Known::Range)?;
    match exchange.request.known(Known::IfRange) {
        Some(condition) => {
            conditional::if_range(condition, reply.etag.as_deref(), reply.modified).then_some(list)
        }
        None => Some(list),
    }
}

fn cut(exchange: &Exchange, reply: &mut Reply, whole: Part, parts: &[(u64, u64)]) {
    reply.status = 206;
    let size = whole.length;
    let part = |&(start, end): &(u64, u64)| Part {
        file: whole.file.clone(),
        offset: start,
        length: end - start,
    };
    if let [(start, end)] = parts {
        reply.fields.add(&b"Content-Range"[..], format!("bytes {start}-{}/{size}", end - 1));
        reply.body = Body::File(part(&parts[0]));
        return;
    }
    let boundary = boundary(exchange);
    let mut head = Vec::new();
    head.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
    if let Some(content_type) = reply.content_type.take() {
        field_line(b"Content-Type", &content_type, &mut head);
    }
    let parts = parts
        .iter()
        .map(|range| {
            let mut head = head.clone();
            let (start, end) = range;
            let text = format!("bytes {start}-{}/{size}", end - 1);
            field_line(b"Content-Range", text.as_bytes(), &mut head);
            head.extend_from_slice(b"\r\n");
            (Bytes::from(head), part(range))
        })
        .collect();
    reply.content_type = Some(format!("multipart/byteranges; boundary={boundary}").into());
    reply.body = Body::Parts(Parts { parts, end: format!("\r\n--{boundary}--\r\n").into() });
}

/// Twenty digits that no file is likely to hold.
fn boundary(exchange: &Exchange) -> String {
    let id = u128::from_be_bytes(exchange.worker.chance.id());
    format!("{:020}", id % 100_000_000_000_000_000_000)
}

fn field_line(name: &[u8], value: &[u8], to: &mut Vec<u8>) {
    wire::http1::response::field(name, value, to);
}

/// Gives the answer its final status and the fields that the location adds. Nothing is refused here
/// any more, and it is done once: before a file is cut to ranges, as in nginx, since If-Range
/// compares with what is sent.
pub fn apply(exchange: &mut Exchange, reply: &mut Reply) {
    if std::mem::replace(&mut reply.dressed, true) {
        return;
    }
    // What a condition made of the answer comes after what the error page made of it.
    let conditional = reply.conditions && reply.status == 304;
    if let Some(status) = exchange.forced_status
        && !conditional
    {
        reply.status = status;
        reply.reason = None;
    }
    reply.status = page::shown(reply.status);
    if !reply.foreign {
        uwsgi::carry(exchange, reply);
    }
    redirect::complete(exchange, reply);
    add_headers(exchange, reply);
}

/// `add_header`: for good answers, or `always`. Last-Modified and ETag replace what is there,
/// others add.
fn add_headers(exchange: &Exchange, reply: &mut Reply) {
    let settings = &exchange.settings().headers;
    for header in &settings.add_header {
        if !header.always && !is_good(reply.status) {
            continue;
        }
        let mut value = Vec::new();
        variable::write(exchange, &header.value, &mut value);
        // A variable may bring a line end: what follows it would be a field of the client's choice.
        value.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
        let value = Bytes::from(value);
        match &header.name[..] {
            name if name.eq_ignore_ascii_case(b"last-modified") => {
                reply.modified = wire::date::parse(&value);
                reply.last_modified = Some(value).filter(|value| !value.is_empty());
            }
            name if name.eq_ignore_ascii_case(b"etag") => {
                reply.etag = Some(value).filter(|value| !value.is_empty());
            }
            _ if value.is_empty() => {}
            name => reply.fields.add(Bytes::copy_from_slice(name), value),
        }
    }
}

fn is_good(status: u16) -> bool {
    matches!(status, 200 | 201 | 204 | 206 | 301 | 302 | 303 | 304 | 307 | 308)
}
