//! `start_response` and `write`, and what of an answer has been sent (PEP 3333).
//!
//! The head waits for the first byte of the body, or for the end: until then `start_response` with
//! `exc_info` may replace it. Nothing reaches the wire that could be taken for another header or
//! another answer.

use std::sync::{Arc, Mutex};

use pyo3::exceptions::{PyConnectionError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};
use wire::http1::{field, response};

use crate::exchange::{Exchange, Gone, lock};
use crate::file_wrapper::Region;

/// The answer to one request: called, it is `start_response`.
#[pyclass(frozen, module = "_liege", name = "start_response")]
pub struct Response {
    exchange: Arc<Exchange>,
    is_head: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stage: Stage,
    /// The status line and the headers, each with its CRLF, without the empty line.
    head: Vec<u8>,
    /// No body belongs to this status.
    bodiless: bool,
    /// The application's Content-Length.
    length: Option<u64>,
    /// Bytes of the body sent so far.
    sent: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Stage {
    #[default]
    NotStarted,
    Started,
    HeadSent,
}

/// How an answer ended.
#[derive(Debug, PartialEq)]
pub enum Ending {
    /// All of it was sent.
    Whole,
    /// The application sent fewer bytes than its Content-Length promised.
    Short {
        /// What it sent.
        sent: u64,
        /// What it promised.
        promised: u64,
    },
}

#[pymethods]
impl Response {
    #[pyo3(signature = (status, headers, /, exc_info=None))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        status: &Bound<'py, PyAny>,
        headers: &Bound<'py, PyAny>,
        exc_info: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        let stage = lock(&this.state).stage;
        match (stage, exc_info.filter(|info| !info.is_none())) {
            (Stage::HeadSent, Some(info)) => return Err(raised(info)?),
            (Stage::Started | Stage::HeadSent, None) => {
                let text = "start_response was called a second time without exc_info";
                return Err(PyRuntimeError::new_err(text));
            }
            _ => {}
        }
        let head = Head::read(status, headers)?;
        let mut state = lock(&this.state);
        state.head = head.bytes;
        state.bodiless = response::is_bodiless(head.status);
        state.length = head.length;
        state.stage = Stage::Started;
        drop(state);
        slf.getattr(intern!(slf.py(), "write"))
    }

    /// Sends a piece of the body at once; for applications older than iterables.
    #[pyo3(signature = (data, /))]
    fn write(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        if self.exchange.is_gone() {
            return Err(client_left());
        }
        self.send(py, data.as_bytes(), false).map_err(|problem| match problem {
            Problem::NotStarted => not_started(),
            Problem::Gone => client_left(),
        })
    }
}

/// Why a piece was not sent.
#[derive(Debug, PartialEq)]
pub enum Problem {
    /// The application has not called `start_response`.
    NotStarted,
    /// There is nobody to send it to.
    Gone,
}

impl From<Gone> for Problem {
    fn from(_: Gone) -> Problem {
        Problem::Gone
    }
}

impl Response {
    /// The answer to a request.
    pub fn new(exchange: Arc<Exchange>) -> Response {
        let is_head = exchange.variable(b"REQUEST_METHOD") == Some(b"HEAD");
        Response { exchange, is_head, state: Mutex::default() }
    }

    /// Whether the rest of the body would go nowhere: HEAD, 204, 304 and the like, and once the
    /// head is out.
    pub fn wants_no_body(&self) -> bool {
        let state = lock(&self.state);
        state.stage == Stage::HeadSent && (self.is_head || state.bodiless)
    }

    /// Sends a piece of the body, the head before the first one. `only` says that it is the whole
    /// body.
    pub fn send(&self, py: Python<'_>, data: &[u8], only: bool) -> Result<(), Problem> {
        if data.is_empty() && !only {
            return Ok(());
        }
        let whole = only.then_some(data.len() as u64);
        let head = self.head(whole)?;
        let data = self.admitted(data);
        if head.is_empty() && data.is_empty() {
            return Ok(());
        }
        Ok(self.exchange.send(py, &head, data)?)
    }

    /// Sends a file as the whole body.
    pub fn send_file(&self, py: Python<'_>, region: &Region) -> Result<(), Problem> {
        let head = self.head(Some(region.count))?;
        let count = {
            let mut state = lock(&self.state);
            let room = self.room(&state).min(region.count);
            state.sent += room;
            room
        };
        self.exchange.send(py, &head, b"")?;
        let sent = self.exchange.send_file(py, &region.file, region.offset, count)?;
        // A file that shrank meanwhile leaves its Content-Length unkept, which `end` tells.
        lock(&self.state).sent -= count - sent;
        Ok(())
    }

    /// The body has ended: a head that is still waiting goes out, and the promise is checked.
    pub fn end(&self, py: Python<'_>) -> Result<Ending, Problem> {
        self.send(py, b"", true)?;
        let state = lock(&self.state);
        Ok(match state.length {
            Some(promised) if state.sent < promised && !self.is_head && !state.bodiless => {
                Ending::Short { sent: state.sent, promised }
            }
            _ => Ending::Whole,
        })
    }

    /// The head to send now, nothing if it is out already. Adds the length where it is known and
    /// the application is silent.
    fn head(&self, whole: Option<u64>) -> Result<Vec<u8>, Problem> {
        let mut state = lock(&self.state);
        match state.stage {
            Stage::NotStarted => return Err(Problem::NotStarted),
            Stage::HeadSent => return Ok(Vec::new()),
            Stage::Started => {}
        }
        if !self.exchange.claim() {
            return Err(Problem::Gone);
        }
        state.stage = Stage::HeadSent;
        let mut head = std::mem::take(&mut state.head);
        // An empty body in answer to HEAD says nothing about the length that GET would have.
        let silent = state.length.is_none() && !state.bodiless;
        if let Some(length) = whole.filter(|length| silent && (!self.is_head || *length > 0)) {
            head.extend_from_slice(b"Content-Length: ");
            response::decimal(length, &mut head);
            head.extend_from_slice(b"\r\n");
            state.length = Some(length);
        }
        head.extend_from_slice(b"\r\n");
        Ok(head)
    }

    /// What of a piece may be sent: none where no body belongs, never more than was promised.
    fn admitted<'d>(&self, data: &'d [u8]) -> &'d [u8] {
        let mut state = lock(&self.state);
        let room = usize::try_from(self.room(&state)).unwrap_or(usize::MAX);
        let data = &data[..data.len().min(room)];
        state.sent += data.len() as u64;
        data
    }

    fn room(&self, state: &State) -> u64 {
        if self.is_head || state.bodiless {
            return 0;
        }
        state.length.map_or(u64::MAX, |length| length.saturating_sub(state.sent))
    }
}

/// What `start_response` was given, checked and written as it goes on the wire.
struct Head {
    bytes: Vec<u8>,
    status: u16,
    length: Option<u64>,
}

impl Head {
    fn read(status: &Bound<'_, PyAny>, headers: &Bound<'_, PyAny>) -> PyResult<Head> {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(b"HTTP/1.1 ");
        let start = bytes.len();
        let text = status
            .cast::<PyString>()
            .map_err(|_| PyTypeError::new_err(format!("status is {}, not str", kind(status))))?;
        write_latin1(text, &mut bytes)?;
        let status = status_code(&bytes[start..])?;
        bytes.extend_from_slice(b"\r\n");
        let mut head = Head { bytes, status, length: None };
        match headers.cast_exact::<PyList>() {
            Ok(list) => list.iter().try_for_each(|pair| head.add(&pair))?,
            Err(_) => headers.try_iter()?.try_for_each(|pair| head.add(&pair?))?,
        }
        Ok(head)
    }

    fn add(&mut self, pair: &Bound<'_, PyAny>) -> PyResult<()> {
        let wrong = || PyTypeError::new_err(format!("header {pair:?} is no tuple of two str"));
        let pair = pair.cast::<PyTuple>().map_err(|_| wrong())?;
        if pair.len() != 2 {
            return Err(wrong());
        }
        let (name, value) = (pair.get_item(0)?, pair.get_item(1)?);
        let name = name.cast::<PyString>().map_err(|_| wrong())?;
        let value = value.cast::<PyString>().map_err(|_| wrong())?;
        let start = self.bytes.len();
        write_latin1(name, &mut self.bytes)?;
        let colon = self.bytes.len();
        self.bytes.extend_from_slice(b": ");
        write_latin1(value, &mut self.bytes)?;
        if self.check(start, colon)? {
            self.bytes.extend_from_slice(b"\r\n");
        } else {
            self.bytes.truncate(start);
        }
        Ok(())
    }

    /// Looks at the header just written from `start` on; false where the server speaks for itself.
    fn check(&mut self, start: usize, colon: usize) -> PyResult<bool> {
        let (name, value) = (&self.bytes[start..colon], &self.bytes[colon + 2..]);
        if !field::is_token(name) {
            let text = format!("header name {:?} is malformed", name.escape_ascii().to_string());
            return Err(PyValueError::new_err(text));
        }
        if value.iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)) {
            let name = name.escape_ascii().to_string();
            let text = format!("the value of header {name} has a control character");
            return Err(PyValueError::new_err(text));
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let text = std::str::from_utf8(value).ok().map(str::trim);
            let number = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let number = number.and_then(|text| text.parse().ok());
            let number = number.ok_or_else(|| {
                PyValueError::new_err(format!("Content-Length is {:?}", text.unwrap_or("no text")))
            })?;
            if self.length.is_some_and(|length| length != number) {
                return Err(PyValueError::new_err("two headers Content-Length differ"));
            }
            // The same length twice is said once.
            return Ok(self.length.replace(number).is_none());
        }
        // They belong to a connection, and the connections are the servers' own (PEP 3333 forbids
        // them here).
        Ok(!HOP_BY_HOP.iter().any(|hop| name.eq_ignore_ascii_case(hop)))
    }
}

/// `404 Not Found`, or the three digits alone.
fn status_code(line: &[u8]) -> PyResult<u16> {
    let wrong = || {
        let text = line.escape_ascii().to_string();
        PyValueError::new_err(format!("status {text:?} is not three digits, a space and a reason"))
    };
    let (digits, rest) = line.split_at_checked(3).ok_or_else(wrong)?;
    let clean = line.iter().all(|byte| !byte.is_ascii_control());
    if !digits.iter().all(u8::is_ascii_digit) || !clean || !(rest.is_empty() || rest[0] == b' ') {
        return Err(wrong());
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
    if (200..600).contains(&number) { Ok(number) } else { Err(wrong()) }
}

/// Writes a string whose characters are the bytes.
fn write_latin1(text: &Bound<'_, PyString>, to: &mut Vec<u8>) -> PyResult<()> {
    let encoded = text.encode_utf8()?;
    let bytes = encoded.as_bytes();
    if bytes.is_ascii() {
        to.extend_from_slice(bytes);
        return Ok(());
    }
    for character in text.to_cow()?.chars() {
        to.push(u8::try_from(character).map_err(|_| {
            PyValueError::new_err(format!("{text:?} has characters outside latin-1"))
        })?);
    }
    Ok(())
}

/// The exception of an `exc_info` triple, with its traceback.
fn raised(info: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let value = info.get_item(1)?;
    let traceback = info.get_item(2)?;
    let py = info.py();
    let value = value.call_method1(intern!(py, "with_traceback"), (traceback,))?;
    Ok(PyErr::from_value(value))
}

/// The name of an object's type.
pub fn kind(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "?".into(), |name| name.to_string())
}

/// What the application hears that answers without `start_response`.
pub fn not_started() -> PyErr {
    PyRuntimeError::new_err("the application sent a body before it called start_response")
}

fn client_left() -> PyErr {
    PyConnectionError::new_err("the client has left")
}

const HOP_BY_HOP: [&[u8]; 6] =
    [b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"];
