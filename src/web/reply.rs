//! The answer to a request: status, fields, body. What the content phase makes, the filter phase
//! changes and the connection sends.

use std::rc::Rc;

use bytes::Bytes;

use crate::content::files::Entry;
use crate::upstream;

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status. 444 and 499 mean: close without a byte.
    pub status: u16,
    /// The reason phrase where an app gave one of its own.
    pub reason: Option<Bytes>,
    /// Content-Type; none is sent when absent.
    pub content_type: Option<Bytes>,
    /// Last-Modified as it is sent.
    pub last_modified: Option<Bytes>,
    /// The same in seconds since 1970, where conditions are compared with it (files).
    pub modified: Option<i64>,
    /// ETag with its quotes.
    pub etag: Option<Bytes>,
    /// Location. One that begins with `/` is made absolute when the head is written, if
    /// `absolute_redirect` says so.
    pub location: Option<Bytes>,
    /// Whether that was done: nginx then has the field in another place.
    pub location_completed: bool,
    /// Server and Date from an app, which replace ours. The names of all others that must not be
    /// doubled are those of the members above.
    pub server: Option<Bytes>,
    /// See `server`.
    pub date: Option<Bytes>,
    /// All other fields, in the order of their creation. Never Content-Length, Transfer-Encoding or
    /// Connection.
    pub fields: Fields,
    /// The body.
    pub body: Body,
    /// Whether ranges of it may be asked for (files).
    pub ranges: bool,
    /// Whether the client is told so.
    pub accepts_ranges: bool,
    /// Whether conditions (If-Modified-Since and the like) apply to it (files).
    pub conditions: bool,
    /// Whether it comes from an app: error_page then leaves it alone.
    pub foreign: bool,
    /// Close the connection after it.
    pub close: bool,
    /// Whether it has its final status and fields (see [`crate::phase::filter::apply`]).
    pub dressed: bool,
}

/// Fields in the order of their creation.
#[derive(Debug, Default, Clone)]
pub struct Fields(pub Vec<(Bytes, Bytes)>);

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// No bytes, and Content-Length 0.
    Empty,
    /// Bytes in memory.
    Bytes(Bytes),
    /// A file (or what a range left of it).
    File(Part),
    /// Several parts of a file, each with a head of its own (multipart/byteranges).
    Parts(Parts),
    /// What an app sends.
    Upstream(upstream::Body),
}

/// A part of a file.
#[derive(Debug, Clone)]
pub struct Part {
    /// The file.
    pub file: Rc<Entry>,
    /// Where the part begins.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
}

/// The parts of a multipart answer.
#[derive(Debug)]
pub struct Parts {
    /// Each part with the bytes that go before it.
    pub parts: Vec<(Bytes, Part)>,
    /// What goes behind the last one.
    pub end: Bytes,
}

impl Reply {
    /// An answer without a body and without fields.
    pub fn new(status: u16) -> Reply {
        Reply {
            status,
            reason: None,
            content_type: None,
            last_modified: None,
            modified: None,
            etag: None,
            location: None,
            location_completed: false,
            server: None,
            date: None,
            fields: Fields::default(),
            body: Body::Empty,
            ranges: false,
            accepts_ranges: false,
            conditions: false,
            foreign: false,
            close: false,
            dressed: false,
        }
    }

    /// The length of the body, where it is known before it is sent.
    pub fn length(&self) -> Option<u64> {
        match &self.body {
            Body::Empty => Some(0),
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::File(part) => Some(part.length),
            Body::Parts(parts) => Some(parts.length()),
            Body::Upstream(body) => body.length(),
        }
    }
}

impl Parts {
    /// Everything between the head and the next answer.
    pub fn length(&self) -> u64 {
        let parts: u64 =
            self.parts.iter().map(|(head, part)| head.len() as u64 + part.length).sum();
        parts + self.end.len() as u64
    }
}

impl Fields {
    /// Adds a field.
    pub fn add(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.0.push((name.into(), value.into()));
    }

    /// The first field of this name, in any case of letters.
    pub fn find(&self, name: &[u8]) -> Option<&Bytes> {
        self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Removes all fields of this name.
    pub fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
    }
}
