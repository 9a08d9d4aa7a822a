//! The head of an app's answer: an HTTP status line, or CGI style with a `Status` field.
//!
//! nginx-compatible in what it takes (underscores in names, bare LF throughout); strict on what
//! only an attack or a bug sends: control bytes, a lone CR, folded lines, line ends of both kinds
//! in one head. An app is as untrusted as the network: a value with a line end in it would
//! otherwise become a field of its own.

use std::fmt;

use memchr::memchr;

/// How far the reading came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress<'a> {
    /// The head is not complete.
    NeedMore,
    /// The head, and how many bytes it took; the body begins behind them.
    Done(Head<'a>, usize),
    /// It is no head.
    Invalid(Fault),
}

/// What an app answered, before its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head<'a> {
    /// 200 to 999.
    pub status: u16,
    /// The reason phrase, as the app wrote it; may be empty.
    pub reason: &'a [u8],
    /// All fields, in order, `Status` included.
    pub fields: Vec<(&'a [u8], &'a [u8])>,
    /// `Content-Length`, where there is one.
    pub length: Option<u64>,
}

/// Why something is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A line that is neither a status line nor a field.
    Line,
    /// A control byte, a lone CR, or line ends of two kinds.
    ControlByte,
    /// A status that is not three digits, or below 200.
    Status,
    /// A length that is not digits, or a second length.
    Length,
    /// `Content-Length` together with `Transfer-Encoding`.
    TwoLengths,
    /// More fields than any app sends.
    TooManyFields,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Line => "sent a line that is no field",
            Fault::ControlByte => "sent a control byte or mixed line ends",
            Fault::Status => "sent an invalid status",
            Fault::Length => "sent an invalid or repeated \"Content-Length\"",
            Fault::TwoLengths => {
                "sent \"Content-Length\" and \"Transfer-Encoding\" at the same time"
            }
            Fault::TooManyFields => "sent too many fields",
        })
    }
}

/// More fields than this are no answer but an attack on memory.
pub const MOST_FIELDS: usize = 1000;

/// Reads the head of an answer. `seen` bytes were there at the last call (0 at first), so that a
/// head that arrives byte by byte is not searched from its beginning each time.
pub fn parse(bytes: &[u8], seen: usize) -> Progress<'_> {
    let Some(end) = end_of_head(bytes, seen) else {
        return Progress::NeedMore;
    };
    match head(&bytes[..end]) {
        Ok(head) => Progress::Done(head, end),
        Err(fault) => Progress::Invalid(fault),
    }
}

/// The place behind the empty line.
fn end_of_head(bytes: &[u8], seen: usize) -> Option<usize> {
    // An answer that begins with the empty line is one without fields: it takes its two bytes to
    // know.
    match bytes {
        [b'\n', ..] => return Some(1),
        [b'\r', b'\n', ..] => return Some(2),
        _ => {}
    }
    let mut at = seen.min(bytes.len()).saturating_sub(2);
    while let Some(found) = memchr(b'\n', &bytes[at..]) {
        at += found + 1;
        match bytes[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// Reads a complete head, the empty line included.
fn head(bytes: &[u8]) -> Result<Head<'_>, Fault> {
    let mut lines = Lines { rest: bytes, crlf: None };
    let mut head = Head { status: 0, reason: b"", fields: Vec::with_capacity(12), length: None };
    if bytes.starts_with(b"HTTP/") {
        (head.status, head.reason) = status_line(lines.line()?)?;
    }
    loop {
        let line = lines.line()?;
        if line.is_empty() {
            break;
        }
        if head.fields.len() == MOST_FIELDS {
            return Err(Fault::TooManyFields);
        }
        head.fields.push(field(line)?);
    }
    lengths(&mut head)?;
    if head.status == 0 {
        (head.status, head.reason) = cgi_status(&head.fields)?;
    }
    Ok(head)
}

/// The lines of a head, whose ends must all be of one kind.
struct Lines<'a> {
    rest: &'a [u8],
    crlf: Option<bool>,
}

impl<'a> Lines<'a> {
    fn line(&mut self) -> Result<&'a [u8], Fault> {
        let end = memchr(b'\n', self.rest).ok_or(Fault::Line)?;
        let (line, rest) = (&self.rest[..end], &self.rest[end + 1..]);
        self.rest = rest;
        let (line, crlf) = match line.strip_suffix(b"\r") {
            Some(line) => (line, true),
            None => (line, false),
        };
        if *self.crlf.get_or_insert(crlf) != crlf || line.iter().any(|byte| is_control(*byte)) {
            return Err(Fault::ControlByte);
        }
        Ok(line)
    }
}

/// `HTTP/1.1 201 Made`.
fn status_line(line: &[u8]) -> Result<(u16, &[u8]), Fault> {
    let rest = line.strip_prefix(b"HTTP/").ok_or(Fault::Line)?;
    let space = memchr(b' ', rest).ok_or(Fault::Line)?;
    let version = &rest[..space];
    let dotted = version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    if version.is_empty() || !dotted {
        return Err(Fault::Line);
    }
    status(&rest[space..])
}

/// The status of an answer without a status line: `Status`, else 302 where there is a `Location`,
/// else 200.
fn cgi_status<'a>(fields: &[(&'a [u8], &'a [u8])]) -> Result<(u16, &'a [u8]), Fault> {
    let named = |wanted: &[u8]| fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    match (named(b"status"), named(b"location")) {
        (Some((_, value)), _) => status(value),
        (None, Some(_)) => Ok((302, b"Moved Temporarily")),
        (None, None) => Ok((200, b"OK")),
    }
}

/// `201 Made`; the reason may be missing.
fn status(text: &[u8]) -> Result<(u16, &[u8]), Fault> {
    let text = text.trim_ascii();
    let (code, reason) = match memchr(b' ', text) {
        Some(space) => (&text[..space], text[space + 1..].trim_ascii()),
        None => (text, &b""[..]),
    };
    match digits(code) {
        Some(code @ 200..=999) => Ok((code as u16, reason)),
        _ => Err(Fault::Status),
    }
}

/// `Name: value`, the name an HTTP token (which has the underscore), no space before the colon.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let colon = memchr(b':', line).ok_or(Fault::Line)?;
    let name = &line[..colon];
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(Fault::Line);
    }
    Ok((name, line[colon + 1..].trim_ascii()))
}

/// Takes the length; a second one, or one beside `Transfer-Encoding`, leave no way to know where
/// the body ends.
fn lengths(head: &mut Head<'_>) -> Result<(), Fault> {
    let mut encoded = false;
    for (name, value) in &head.fields {
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = digits(value).ok_or(Fault::Length)?;
            if head.length.replace(length).is_some() {
                return Err(Fault::Length);
            }
        }
        encoded |= name.eq_ignore_ascii_case(b"transfer-encoding");
    }
    match head.length {
        Some(_) if encoded => Err(Fault::TwoLengths),
        _ => Ok(()),
    }
}

/// Plain digits as a number; no sign, no space, no overflow.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
}

/// RFC 9110 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn done(bytes: &[u8]) -> (Head<'_>, usize) {
        match parse(bytes, 0) {
            Progress::Done(head, length) => (head, length),
            other => panic!("{} is {other:?}", bytes.escape_ascii()),
        }
    }

    #[test]
    fn the_status_is_told_by_the_line_the_field_or_the_location() {
        let cases: [(&[u8], u16, &[u8]); 9] = [
            (b"HTTP/1.1 201 Made up\r\nA: b\r\n\r\n", 201, b"Made up"),
            (b"HTTP/1.0 404\r\n\r\n", 404, b""),
            (b"HTTP/1.1 204 \n\n", 204, b""),
            (b"HTTP/1.1 200 OK\r\nStatus: 500 No\r\n\r\n", 200, b"OK"),
            (b"Status: 201 Made\r\nLocation: /x\r\n\r\n", 201, b"Made"),
            (b"status: 403\nContent-Type: text/plain\n\n", 403, b""),
            (b"Location: /x\r\n\r\n", 302, b"Moved Temporarily"),
            (b"X_Y: z\r\n\r\n", 200, b"OK"),
            (b"\r\nbody", 200, b"OK"),
        ];
        for (bytes, status, reason) in cases {
            let (head, _) = done(bytes);
            assert_eq!((head.status, head.reason), (status, reason), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn fields_keep_their_order_and_the_body_begins_behind_them() {
        let bytes = b"HTTP/1.1 200 OK\r\nA: 1\r\nx_y:\tz \r\nA:\r\nContent-Length: 3\r\n\r\nabc";
        let (head, length) = done(bytes);
        assert_eq!(&bytes[length..], b"abc");
        let wanted: [(&[u8], &[u8]); 4] =
            [(b"A", b"1"), (b"x_y", b"z"), (b"A", b""), (b"Content-Length", b"3")];
        assert_eq!(head.fields, wanted);
        assert_eq!(head.length, Some(3));
    }

    #[test]
    fn what_no_app_should_send_is_refused() {
        let cases: [(&[u8], Fault); 16] = [
            (b"hello world\r\n\r\n", Fault::Line),
            (b"A : b\r\n\r\n", Fault::Line),
            (b": b\r\n\r\n", Fault::Line),
            (b"A: b\r\n folded\r\n\r\n", Fault::Line),
            (b"HTTP/1.1 OK\r\n\r\n", Fault::Status),
            (b"HTTP/1.1 99 Low\r\n\r\n", Fault::Status),
            (b"HTTP/1.1 100 Continue\r\n\r\n", Fault::Status),
            (b"Status: 1000\r\n\r\n", Fault::Status),
            (b"HTTP/x 200 OK\r\n\r\n", Fault::Line),
            (b"A: b\nInjected: c\r\n\r\n", Fault::ControlByte),
            (b"A: b\rc\r\n\r\n", Fault::ControlByte),
            (b"A: b\0c\r\n\r\n", Fault::ControlByte),
            (b"Content-Length: +5\r\n\r\n", Fault::Length),
            (b"Content-Length: 99999999999999999999\r\n\r\n", Fault::Length),
            (b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", Fault::Length),
            (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", Fault::TwoLengths),
        ];
        for (bytes, fault) in cases {
            assert_eq!(parse(bytes, 0), Progress::Invalid(fault), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn too_many_fields_are_refused() {
        let mut bytes = b"A: b\r\n".repeat(MOST_FIELDS + 1);
        bytes.extend_from_slice(b"\r\n");
        assert_eq!(parse(&bytes, 0), Progress::Invalid(Fault::TooManyFields));
    }

    #[test]
    fn a_head_that_arrives_byte_by_byte_is_read_once_it_is_whole() {
        let bytes = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end], end.saturating_sub(1)), Progress::NeedMore, "{end}");
        }
        assert!(matches!(parse(bytes, bytes.len() - 1), Progress::Done(_, 25)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(
            bytes in "(HTTP/1.1 |Status: |[A-Za-z_: \t\r\n\u{0}0-9-])*", seen in 0usize..300,
        ) {
            let _ = parse(bytes.as_bytes(), seen);
        }

        #[test]
        fn where_the_bytes_were_split_changes_nothing(
            fields in prop::collection::vec("[A-Za-z_-]{1,9}: [ -~]{0,20}", 0..6),
            split in any::<prop::sample::Index>(),
        ) {
            let mut text = fields.join("\r\n");
            text.insert_str(0, "HTTP/1.1 200 OK\r\n");
            text.push_str(if fields.is_empty() { "\r\n" } else { "\r\n\r\n" });
            let split = split.index(text.len());
            prop_assert_eq!(parse(&text.as_bytes()[..split], 0), Progress::NeedMore);
            prop_assert_eq!(parse(text.as_bytes(), split), parse(text.as_bytes(), 0));
        }
    }
}
