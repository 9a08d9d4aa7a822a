//! The head of a request, read as it arrives.
//!
//! [`Head::advance`] is given everything that has arrived so far and goes on where it stopped. It
//! keeps places instead of bytes, and its vector is reused, so a connection that is kept reads its
//! requests without allocating.

use memchr::memchr;

use super::field::{self, Known, Name};
use super::{Bad, host, target};

/// A place in the bytes of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The place from `start` to `end`. A head is far shorter than 4 GiB.
    pub fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    /// The bytes there.
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }
}

/// The protocol version, as far as it changes what we do. 1.2 and on are taken as 1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Version {
    /// `GET /x` and a line end.
    Http09,
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
}

/// How the body that follows is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// There is none.
    #[default]
    Empty,
    /// So many bytes.
    Length(u64),
    /// Chunked.
    Chunked,
}

/// How much a head may hold (`client_header_buffer_size`, `large_client_header_buffers`,
/// `max_headers`).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest line, with its line end.
    pub line: usize,
    /// All lines together.
    pub total: usize,
    /// The number of fields.
    pub fields: usize,
    /// Names that are taken; fields with others are dropped.
    pub names: Name,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { line: 8192, total: 4 * 8192, fields: 1000, names: Name::Plain }
    }
}

/// One field: its name as it came, its value without blanks around it.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Where the name is.
    pub name: Span,
    /// Where the value is.
    pub value: Span,
}

/// What is known of a head; complete once [`Head::advance`] said so.
#[derive(Debug, Default)]
pub struct Head {
    /// The request line without its line end.
    pub line: Span,
    /// The method.
    pub method: Span,
    /// The target as it came.
    pub target: Span,
    /// Its form.
    pub form: target::Form,
    /// The version.
    pub version: Version,
    /// The fields that were not dropped, in order.
    pub fields: Vec<Field>,
    /// What follows the head.
    pub framing: Framing,
    /// Whether the client wants to keep the connection.
    pub keep_alive: bool,
    /// Whether the client waits for 100 before it sends its body.
    pub expects_continue: bool,
    known: [u16; Known::COUNT],
    ending: Option<Ending>,
    stage: Stage,
    line_start: usize,
    seen: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Stage {
    #[default]
    Blank,
    Method,
    Line,
    Fields,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    CrLf,
    Lf,
}

impl Head {
    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = Head { fields, ..Head::default() };
    }

    /// Whether a byte of a request was seen (blank lines before one are none).
    pub fn has_begun(&self) -> bool {
        self.stage != Stage::Blank
    }

    /// Where the request line begins so far, for the log of a head that ended early.
    pub fn first_line<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        if self.line != Span::default() {
            return self.line.of(bytes);
        }
        let rest = &bytes[self.line_start.min(bytes.len())..];
        let end = memchr(b'\n', rest).unwrap_or(rest.len());
        rest[..end].trim_ascii_end()
    }

    /// Goes on reading `bytes`, which begin with what was given before. `Some(length)` when the
    /// head is complete.
    pub fn advance(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Bad> {
        loop {
            if self.stage == Stage::Blank && !self.skip_blank(bytes, limits)? {
                return Ok(None);
            }
            if self.stage == Stage::Method {
                self.scan_method(bytes)?;
            }
            let found = memchr(b'\n', &bytes[self.seen..]).map(|at| self.seen + at);
            self.bound(found.map_or(bytes.len() + 1, |end| end + 1), limits)?;
            let Some(end) = found else {
                self.seen = bytes.len();
                return Ok(None);
            };
            let start = std::mem::replace(&mut self.line_start, end + 1);
            self.seen = end + 1;
            let end = self.line_end(bytes, start, end)?;
            if self.judge(bytes, start, end, limits)? {
                self.finish(bytes)?;
                return Ok(Some(self.seen));
            }
        }
    }

    /// The value of a field that the server knows; the first one where several are allowed.
    pub fn known<'a>(&self, bytes: &'a [u8], known: Known) -> Option<&'a [u8]> {
        match self.known[known as usize] {
            0 => None,
            place => Some(self.fields[usize::from(place) - 1].value.of(bytes)),
        }
    }

    /// The values of all fields with this name, in any case of letters.
    pub fn all<'a, 'n>(
        &'a self,
        bytes: &'a [u8],
        name: &'n [u8],
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let same = move |field: &&Field| field.name.of(bytes).eq_ignore_ascii_case(name);
        self.fields.iter().filter(same).map(|field| field.value.of(bytes))
    }

    /// Blank lines before a request are skipped, as nginx and RFC 9112 (2.2) do. False: nothing
    /// else is there yet.
    fn skip_blank(&mut self, bytes: &[u8], limits: &Limits) -> Result<bool, Bad> {
        loop {
            if self.line_start >= limits.total {
                return Err(Bad::Malformed("client sent too many blank lines"));
            }
            match bytes.get(self.line_start..).unwrap_or_default() {
                [] | [b'\r'] => return Ok(false),
                [b'\n', ..] => self.line_start += 1,
                [b'\r', b'\n', ..] => self.line_start += 2,
                _ => break,
            }
        }
        self.seen = self.line_start;
        self.stage = Stage::Method;
        Ok(true)
    }

    /// A method is judged byte by byte: what speaks TLS to a plain port shall hear of it at once.
    fn scan_method(&mut self, bytes: &[u8]) -> Result<(), Bad> {
        while let Some(&byte) = bytes.get(self.seen) {
            match byte {
                b'A'..=b'Z' | b'_' | b'-' => self.seen += 1,
                b' ' if self.seen > self.line_start => {
                    self.method = Span::new(self.line_start, self.seen);
                    self.stage = Stage::Line;
                    return Ok(());
                }
                _ => return Err(Bad::Malformed("client sent invalid method")),
            }
            if self.seen - self.line_start > LONGEST_METHOD {
                return Err(Bad::Malformed("client sent invalid method"));
            }
        }
        Ok(())
    }

    fn bound(&self, end: usize, limits: &Limits) -> Result<(), Bad> {
        if end - self.line_start > limits.line {
            return Err(match self.stage {
                Stage::Fields => Bad::FieldsTooLarge("client sent too long header line"),
                _ => Bad::LineTooLong,
            });
        }
        if end > limits.total {
            return Err(Bad::FieldsTooLarge("client sent too large request"));
        }
        Ok(())
    }

    /// Where the line's text ends. One head uses one kind of line end: bare LF throughout is read,
    /// as nginx does.
    fn line_end(&mut self, bytes: &[u8], start: usize, end: usize) -> Result<usize, Bad> {
        let (ending, end) = match bytes[start..end].last() {
            Some(b'\r') => (Ending::CrLf, end - 1),
            _ => (Ending::Lf, end),
        };
        match self.ending.replace(ending) {
            Some(before) if before != ending => {
                Err(Bad::Malformed("client sent line ends of both kinds"))
            }
            _ => Ok(end),
        }
    }

    /// Judges one line. True when it was the head's last.
    fn judge(
        &mut self,
        bytes: &[u8],
        start: usize,
        end: usize,
        limits: &Limits,
    ) -> Result<bool, Bad> {
        if self.stage != Stage::Fields {
            self.stage = Stage::Fields;
            self.line = Span::new(start, end);
            return self.read_line(bytes, end);
        }
        if start == end {
            return Ok(true);
        }
        let parts = field::split(&bytes[start..end])?;
        if parts.name_is > limits.names {
            return Ok(false);
        }
        if self.fields.len() >= limits.fields {
            return Err(Bad::FieldsTooLarge("client sent too many header lines"));
        }
        let name = Span::new(start, start + parts.name);
        self.fields.push(Field { name, value: Span::new(start + parts.value, start + parts.end) });
        if let Some(known) = Known::find(name.of(bytes)) {
            self.note(known)?;
        }
        Ok(false)
    }

    /// Remembers where a known field is. A second one of those that must be unique makes the
    /// request bad.
    fn note(&mut self, known: Known) -> Result<(), Bad> {
        let place = &mut self.known[known as usize];
        if *place == 0 {
            *place = self.fields.len() as u16;
        } else if known.is_unique() {
            return Err(Bad::Malformed("client sent duplicate header line"));
        }
        Ok(())
    }

    /// Reads the request line. True when the head ends with it (HTTP/0.9).
    fn read_line(&mut self, bytes: &[u8], end: usize) -> Result<bool, Bad> {
        let from = self.method.end as usize + 1;
        if self.method == Span::default() || from > end {
            return Err(Bad::Malformed("client sent invalid request line"));
        }
        let rest = &bytes[from..end];
        let space = memchr(b' ', rest);
        let target = &rest[..space.unwrap_or(rest.len())];
        if target.is_empty() || target.iter().any(|&byte| byte <= 0x20 || byte == 0x7f) {
            return Err(Bad::Malformed("client sent invalid request line"));
        }
        self.target = Span::new(from, from + target.len());
        let method = self.method.of(bytes);
        self.form = target::form(method, target)?;
        let Some(space) = space else {
            // With a bare LF it is more likely the half of something else.
            if method != b"GET" || self.ending != Some(Ending::CrLf) {
                return Err(Bad::Malformed("client sent invalid request line"));
            }
            self.version = Version::Http09;
            return Ok(true);
        };
        self.version = version(&rest[space + 1..])?;
        Ok(false)
    }

    /// What can only be said of a whole head.
    fn finish(&mut self, bytes: &[u8]) -> Result<(), Bad> {
        if self.version == Version::Http09 {
            return Ok(());
        }
        match self.known(bytes, Known::Host) {
            Some(value) if host::split(value).is_none() => {
                return Err(Bad::Malformed("client sent invalid host header"));
            }
            None if self.version == Version::Http11 => {
                return Err(Bad::Malformed("client sent HTTP/1.1 request without \"Host\" header"));
            }
            _ => {}
        }
        self.framing = self.frame(bytes)?;
        self.keep_alive = self.wants_to_stay(bytes);
        self.expects_continue = self.version == Version::Http11
            && self
                .known(bytes, Known::Expect)
                .is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"));
        Ok(())
    }

    /// RFC 9112, 6.3, without its leniency: two ways of saying a length are one too many.
    fn frame(&self, bytes: &[u8]) -> Result<Framing, Bad> {
        let length = self.known(bytes, Known::ContentLength);
        if let Some(coding) = self.known(bytes, Known::TransferEncoding) {
            if self.version < Version::Http11 {
                return Err(Bad::Malformed("client sent \"Transfer-Encoding\" in HTTP/1.0"));
            }
            if length.is_some() {
                return Err(Bad::Malformed(
                    "client sent \"Content-Length\" and \"Transfer-Encoding\" at the same time",
                ));
            }
            return match coding.eq_ignore_ascii_case(b"chunked") {
                true => Ok(Framing::Chunked),
                false => Err(Bad::Coding),
            };
        }
        match length {
            None => Ok(Framing::Empty),
            Some(digits) => number(digits)
                .map(Framing::Length)
                .ok_or(Bad::Malformed("client sent invalid \"Content-Length\" header")),
        }
    }

    fn wants_to_stay(&self, bytes: &[u8]) -> bool {
        if self.known[Known::Connection as usize] == 0 {
            return self.version == Version::Http11;
        }
        let mut keep = self.version == Version::Http11;
        for value in self.all(bytes, b"connection") {
            for item in field::items(value) {
                if item.eq_ignore_ascii_case(b"close") {
                    return false;
                }
                keep = keep || item.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        keep
    }
}

/// Decimal digits and nothing else, within what a file can hold.
pub fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

fn version(text: &[u8]) -> Result<Version, Bad> {
    match text {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            match (major, minor) {
                (b'0', _) => Err(Bad::Malformed("client sent invalid version")),
                (b'1', b'0') => Ok(Version::Http10),
                (b'1', _) => Ok(Version::Http11),
                _ => Err(Bad::Version),
            }
        }
        _ => Err(Bad::Malformed("client sent invalid version")),
    }
}

/// No registered method has more than 17 letters.
const LONGEST_METHOD: usize = 64;

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
