//! Field lines: which bytes may stand where, and the names that the server itself must know.

use super::Bad;

/// Request fields that the engine, the conditions and the logs look up; found once, while the head
/// is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)] // each is the field of that name
pub enum Known {
    Host,
    Connection,
    ContentLength,
    TransferEncoding,
    Expect,
    Range,
    IfRange,
    IfMatch,
    IfNoneMatch,
    IfModifiedSince,
    IfUnmodifiedSince,
    Authorization,
    ProxyAuthorization,
    ContentRange,
    ContentType,
    UserAgent,
    Referer,
    AcceptEncoding,
}

impl Known {
    /// How many there are.
    pub const COUNT: usize = Known::AcceptEncoding as usize + 1;

    /// The one that has this name, in any case of letters.
    pub fn find(name: &[u8]) -> Option<Known> {
        let candidates: &[(Known, &str)] = match name.len() {
            4 => &[(Known::Host, "host")],
            5 => &[(Known::Range, "range")],
            6 => &[(Known::Expect, "expect")],
            7 => &[(Known::Referer, "referer")],
            8 => &[(Known::IfRange, "if-range"), (Known::IfMatch, "if-match")],
            10 => &[(Known::Connection, "connection"), (Known::UserAgent, "user-agent")],
            12 => &[(Known::ContentType, "content-type")],
            13 => &[
                (Known::IfNoneMatch, "if-none-match"),
                (Known::Authorization, "authorization"),
                (Known::ContentRange, "content-range"),
            ],
            14 => &[(Known::ContentLength, "content-length")],
            15 => &[(Known::AcceptEncoding, "accept-encoding")],
            17 => &[
                (Known::IfModifiedSince, "if-modified-since"),
                (Known::TransferEncoding, "transfer-encoding"),
            ],
            19 => &[
                (Known::IfUnmodifiedSince, "if-unmodified-since"),
                (Known::ProxyAuthorization, "proxy-authorization"),
            ],
            _ => &[],
        };
        candidates.iter().find(|(_, text)| name.eq_ignore_ascii_case(text.as_bytes())).map(|c| c.0)
    }

    /// Whether a second field of this name makes the request bad, as in nginx but for lists.
    pub fn is_unique(self) -> bool {
        use Known::*;
        match self {
            Host | ContentLength | TransferEncoding | Expect | IfModifiedSince
            | IfUnmodifiedSince | IfRange | Authorization | ProxyAuthorization | ContentRange => {
                true
            }
            // The first two are lists (RFC 9110, 13.1), which nginx does not take in several lines.
            IfMatch | IfNoneMatch | Connection | Range | ContentType | UserAgent | Referer
            | AcceptEncoding => false,
        }
    }
}

/// One field line without its line end, taken apart: where the name ends, and where the value lies.
#[derive(Debug, PartialEq, Eq)]
pub struct Parts {
    /// The length of the name.
    pub name: usize,
    /// Where the value begins, without the blanks around it.
    pub value: usize,
    /// Where it ends.
    pub end: usize,
    /// What the name is made of.
    pub name_is: Name,
}

/// What a field name is made of. nginx drops all but plain ones: `X_Y` and `X-Y` are the same
/// variable to an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// Letters, digits, `-`.
    Plain,
    /// These and `_` (`underscores_in_headers` takes it).
    Underscored,
    /// Other characters of a token (`ignore_invalid_headers off` takes it).
    Token,
}

/// Takes a field line apart.
///
/// Stricter than nginx: a name must be a token (RFC 9110, 5.6.2), a line must have a colon, and a
/// value may hold no control character but the tab.
pub fn split(line: &[u8]) -> Result<Parts, Bad> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Bad::Malformed("client sent a folded header line"));
    }
    let mut name_is = Name::Plain;
    let mut name = 0;
    loop {
        match line.get(name) {
            None => return Err(Bad::Malformed("client sent header line without colon")),
            Some(b':') => break,
            Some(&byte) => match CLASS[byte as usize] {
                PLAIN => {}
                TOKEN if byte == b'_' => name_is = name_is.max(Name::Underscored),
                TOKEN => name_is = Name::Token,
                _ => return Err(Bad::Malformed("client sent invalid header line")),
            },
        }
        name += 1;
    }
    if name == 0 {
        return Err(Bad::Malformed("client sent header line without a name"));
    }
    let mut value = name + 1;
    let mut end = line.len();
    while value < end && is_blank(line[value]) {
        value += 1;
    }
    while end > value && is_blank(line[end - 1]) {
        end -= 1;
    }
    if !is_value(&line[value..end]) {
        return Err(Bad::Malformed("client sent a control character in a header line"));
    }
    Ok(Parts { name, value, end, name_is })
}

/// Whether these bytes may be a field value: no control character but the tab.
pub fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| (byte >= 0x20 && byte != 0x7f) || byte == b'\t')
}

/// Whether these bytes are a token, as field names and methods must be.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| CLASS[byte as usize] != NONE)
}

/// The items of a comma-separated list, without blanks; empty ones are left out.
pub fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

const NONE: u8 = 0;
const PLAIN: u8 = 1;
const TOKEN: u8 = 2;

/// The classes of bytes in a field name.
const CLASS: [u8; 256] = {
    let mut class = [NONE; 256];
    let mut byte = 0;
    while byte < 256 {
        let here = byte as u8;
        if here.is_ascii_alphanumeric() || here == b'-' {
            class[byte] = PLAIN;
        }
        byte += 1;
    }
    let others = b"!#$%&'*+.^_`|~";
    let mut at = 0;
    while at < others.len() {
        class[others[at] as usize] = TOKEN;
        at += 1;
    }
    class
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_at_its_colon_and_blanks_around_the_value_go() {
        let parts = split(b"Host: \t example.org \t").unwrap();
        assert_eq!(parts, Parts { name: 4, value: 8, end: 19, name_is: Name::Plain });
    }

    #[test]
    fn lines_that_others_might_read_differently_are_refused() {
        let lines: [&[u8]; 9] = [
            b" Host: a",
            b"\tHost: a",
            b"Host : a",
            b"Host",
            b": a",
            b"Ho st: a",
            b"Host\x00: a",
            b"A: \x00",
            b"A: b\rc",
        ];
        for line in lines {
            assert!(split(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn names_that_are_not_plain_are_marked() {
        for (line, name_is) in [
            (&b"X_Y: 1"[..], Name::Underscored),
            (b"a.b: 1", Name::Token),
            (b"a.b_c: 1", Name::Token),
            (b"Content_Length: 1", Name::Underscored),
        ] {
            assert_eq!(split(line).unwrap().name_is, name_is);
        }
    }

    #[test]
    fn known_names_are_found_in_any_case() {
        assert_eq!(Known::find(b"TRANSFER-encoding"), Some(Known::TransferEncoding));
        assert_eq!(Known::find(b"transfer_encoding"), None);
    }
}
