//! One request and everything that is known of it, from its first byte to its line in the access
//! log. Every phase is a function of it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::value::{CaptureId, ServerTokens};
use config::{Location, Server, Settings};
use wire::http1::{Head, Known};

use crate::client::Client;
use crate::client::body::{RequestBody, Rules};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::upstream;
use crate::worker::{Stage, Worker};

/// A request on its way through the phases.
pub struct Exchange {
    /// What all requests of this process share.
    pub worker: Rc<Worker>,
    /// The connection it came by.
    pub client: Rc<Client>,
    /// The request as it came.
    pub request: Request,
    /// The method as the phases see it (error_page and X-Accel-Redirect make it GET).
    pub method: Method,
    /// The path: decoded, normalised, without arguments. Internal redirects change it.
    pub uri: Vec<u8>,
    /// The arguments, as they came or as an internal redirect set them, without `?`.
    pub args: Vec<u8>,
    /// The host that the request names: of an absolute target, else of the Host field; lower case,
    /// without port and trailing dot. Empty when it names none.
    pub host: Vec<u8>,
    /// The server that answers.
    pub server: Arc<Server>,
    /// The location that was found, once it was.
    pub location: Option<Arc<Location>>,
    /// What the last regular expression that matched has captured.
    pub captures: Captures,
    /// Whether its first bytes came together with those of the request before.
    pub pipelined: bool,
    /// Whether an internal redirect led here.
    pub internal: bool,
    /// Whether an error page is being looked for already (recursive_error_pages).
    pub error_page: bool,
    /// The request's body.
    pub body: RequestBody,
    /// When its first byte was read.
    pub started: Instant,
    /// What was sent of the answer.
    pub sent: Sent,
    /// What UP's tries came to.
    pub upstream: upstream::Record,
    /// The status that the answer gets instead of its own: an error page's.
    pub forced_status: Option<u16>,
    /// The connection ends after the answer.
    pub(crate) close: bool,
    pub(crate) id: OnceCell<[u8; 16]>,
    /// Memory for the head of the answer.
    pub(crate) out: Vec<u8>,
    /// Memory for the path of a file.
    pub(crate) filename: Vec<u8>,
}

/// The bytes of a head and the places in it. Its memory is used again for the next request of the
/// connection.
#[derive(Debug, Default)]
pub struct Request {
    /// Everything that was read, the head at its beginning; the rest of the vector is room.
    pub(crate) bytes: Vec<u8>,
    /// How much of `bytes` was read.
    pub(crate) filled: usize,
    /// The places.
    pub head: Head,
    /// The length of the head, blank lines before it included.
    pub(crate) head_length: usize,
}

/// A request method, as far as the server tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Head,
    Post,
    Other,
}

/// What regular expressions captured.
#[derive(Debug, Default)]
pub struct Captures {
    /// The groups of the last one that matched.
    pub last: Option<config::Captures>,
    /// Named groups, of all that matched: they stay.
    pub named: Vec<(CaptureId, Vec<u8>)>,
}

/// What was sent to the client, for variables and logs.
#[derive(Debug, Default)]
pub struct Sent {
    /// The status on the wire; for the log also 444, 499 and 408. 0 before there is one.
    pub status: u16,
    /// Bytes of head and body.
    pub bytes: u64,
    /// Bytes of the body (with chunk framing, as nginx counts).
    pub body: u64,
    /// The answer, without its body.
    pub reply: Option<Reply>,
    /// Content-Length, where one was sent.
    pub length: Option<u64>,
    /// Whether the body was chunked.
    pub chunked: bool,
    /// Whether the connection is kept.
    pub keep: bool,
    /// Whether the whole answer went out.
    pub complete: bool,
}

impl Sent {
    /// The value of a field as it was sent; the name in any case of letters.
    pub fn field(&self, name: &[u8]) -> Option<Cow<'_, [u8]>> {
        let reply = self.reply.as_ref()?;
        let lower = name.to_ascii_lowercase();
        let own = match &lower[..] {
            b"content-type" => &reply.content_type,
            b"last-modified" => &reply.last_modified,
            b"etag" => &reply.etag,
            b"location" => &reply.location,
            b"server" => &reply.server,
            b"date" => &reply.date,
            b"content-length" => {
                return self.length.map(|length| length.to_string().into_bytes().into());
            }
            b"accept-ranges" if reply.accepts_ranges => return Some(b"bytes"[..].into()),
            b"transfer-encoding" => return self.chunked.then(|| b"chunked"[..].into()),
            b"connection" => {
                return Some(if self.keep {
                    b"keep-alive"[..].into()
                } else {
                    b"close"[..].into()
                });
            }
            _ => return reply.fields.find(name).map(|value| Cow::Borrowed(&value[..])),
        };
        own.as_ref().map(|value| Cow::Borrowed(&value[..]))
    }
}

impl Request {
    /// The request line, without its line end.
    pub fn line(&self) -> &[u8] {
        self.head.first_line(self.read())
    }

    /// The method as it came.
    pub fn method(&self) -> &[u8] {
        self.head.method.of(&self.bytes)
    }

    /// The target as it came.
    pub fn target(&self) -> &[u8] {
        self.head.target.of(&self.bytes)
    }

    /// A field that the server knows.
    pub fn known(&self, known: Known) -> Option<&[u8]> {
        self.head.known(&self.bytes, known)
    }

    /// The values of all fields with this name, in any case of letters.
    pub fn all<'a, 'n>(&'a self, name: &'n [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.head.all(&self.bytes, name)
    }

    /// All fields that were not dropped, in order: name and value.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let bytes = &self.bytes;
        self.head.fields.iter().map(move |field| (field.name.of(bytes), field.value.of(bytes)))
    }

    /// The length of the head.
    pub fn head_length(&self) -> usize {
        self.head_length
    }

    pub(crate) fn read(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Method {
    /// The one with this name.
    pub fn of(name: &[u8]) -> Method {
        match name {
            b"GET" => Method::Get,
            b"HEAD" => Method::Head,
            b"POST" => Method::Post,
            _ => Method::Other,
        }
    }
}

impl Exchange {
    /// An exchange for the next request of a connection.
    pub(crate) fn new(client: Rc<Client>) -> Exchange {
        let server = client.default_server().clone();
        let room = client.head_rules().buffer;
        Exchange {
            worker: client.worker.clone(),
            request: Request { bytes: vec![0; room], ..Request::default() },
            method: Method::Other,
            uri: Vec::new(),
            args: Vec::new(),
            host: Vec::new(),
            server,
            location: None,
            captures: Captures::default(),
            pipelined: false,
            internal: false,
            error_page: false,
            body: RequestBody::none(client.clone()),
            started: Instant::now(),
            sent: Sent::default(),
            upstream: upstream::Record::default(),
            forced_status: None,
            close: false,
            id: OnceCell::new(),
            out: Vec::new(),
            filename: Vec::new(),
            client,
        }
    }

    /// Forgets the request before, keeps its memory. Bytes that came behind it are the next one's.
    pub(crate) fn begin(&mut self) {
        self.request.head.clear();
        self.request.head_length = 0;
        self.request.filled = 0;
        self.method = Method::Other;
        self.uri.clear();
        self.args.clear();
        self.host.clear();
        if !Arc::ptr_eq(&self.server, self.client.default_server()) {
            self.server = self.client.default_server().clone();
        }
        self.location = None;
        self.captures.clear();
        self.pipelined = self.client.has_unread();
        self.internal = false;
        self.error_page = false;
        self.forced_status = None;
        self.close = false;
        self.id = OnceCell::new();
        self.sent = Sent::default();
        self.upstream = upstream::Record::default();
    }

    /// Whether the client asked for a head alone.
    pub fn is_head(&self) -> bool {
        self.method == Method::Head
    }

    /// Whether the location passes requests on.
    pub fn has_upstream(&self) -> bool {
        self.location.is_some() && self.settings().uwsgi.uwsgi_pass.is_some()
    }

    /// The method becomes GET, unless it is HEAD.
    pub(crate) fn become_get(&mut self) {
        if self.method != Method::Head {
            self.method = Method::Get;
        }
    }

    /// What the Server field and pages say.
    pub fn server_token(&self) -> &'static [u8] {
        match self.settings().headers.server_tokens {
            ServerTokens::On => concat!("liege/", env!("CARGO_PKG_VERSION")).as_bytes(),
            ServerTokens::Off => b"liege",
        }
    }

    /// Whether another request may follow this answer on the connection.
    pub(crate) fn may_keep(&self, reply: &Reply) -> bool {
        let connection = &self.settings().connection;
        self.request.head.keep_alive
            && !self.close
            && !reply.close
            && self.worker.stage() == Stage::Serving
            && !self.body.is_withheld()
            && !connection.keepalive_timeout.idle.is_zero()
            && self.client.requests.get() < connection.keepalive_requests
            && self.client.since.elapsed() < connection.keepalive_time
    }

    /// Tells the body what the location says about bodies.
    pub(crate) fn obey_body_rules(&mut self) -> Result<(), Refusal> {
        if self.body.is_empty() {
            return Ok(());
        }
        let body = &self.settings().body;
        let limit = body.client_max_body_size.0;
        let rules = Rules {
            limit: (limit > 0).then_some(limit),
            buffer: usize::try_from(body.client_body_buffer_size.0).unwrap_or(usize::MAX / 4),
            timeout: body.client_body_timeout,
            place: body.client_body_temp_path.path.clone(),
        };
        self.body.obey(rules)
    }

    /// The settings in force: the location's, or the server's before one was found.
    pub fn settings(&self) -> &Settings {
        match &self.location {
            Some(location) => &location.settings,
            None => &self.server.settings,
        }
    }

    /// The method's name as the phases see it.
    pub fn method_name(&self) -> &[u8] {
        match self.method {
            Method::Get => b"GET",
            Method::Head => b"HEAD",
            Method::Post => b"POST",
            Method::Other => self.request.method(),
        }
    }

    /// The request's id: sixteen random bytes, chosen when first asked for.
    pub fn id(&self) -> [u8; 16] {
        *self.id.get_or_init(|| self.worker.chance.id())
    }

    /// The id as it is written in logs, pages and `$request_id`.
    pub fn id_text(&self) -> String {
        self.id().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// How long the request has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// `$request_length`: head and body as read so far.
    pub fn request_length(&self) -> u64 {
        self.request.head_length as u64 + self.body.received()
    }
}

impl Captures {
    fn clear(&mut self) {
        self.last = None;
        self.named.clear();
    }

    /// Notes what an expression captured: its groups until the next one runs, its names for good.
    pub fn note(&mut self, captures: config::Captures) {
        for (group, name) in captures.names.iter() {
            self.named.retain(|(known, _)| known != name);
            self.named.push((*name, captures.group(*group).to_vec()));
        }
        self.last = Some(captures);
    }

    /// The text of a group; empty when it took no part.
    pub fn group(&self, number: usize) -> &[u8] {
        self.last.as_ref().map(|captures| captures.group(number)).unwrap_or_default()
    }

    /// The text of a named group.
    pub fn named(&self, name: CaptureId) -> Option<&[u8]> {
        self.named.iter().find(|(known, _)| *known == name).map(|(_, value)| &value[..])
    }
}
