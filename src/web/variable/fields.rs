//! Values that are found in fields and arguments: `$http_…`, `$sent_http_…`, `$cookie_…`, `$arg_…`,
//! `$remote_user`.

use wire::http1::Known;

use crate::exchange::Exchange;

/// A field of the request by its variable's name. Repetitions are joined (nginx-semantics 5.6).
pub fn request(exchange: &Exchange, name: &str, to: &mut Vec<u8>) -> bool {
    // The ones in every log line were found while the head was read.
    let known = match name {
        "host" => Some(Known::Host),
        "user_agent" => Some(Known::UserAgent),
        "referer" => Some(Known::Referer),
        _ => None,
    };
    if let Some(known) = known {
        return exchange.request.known(known).map(|value| to.extend_from_slice(value)).is_some();
    }
    let fields = exchange.request.fields().filter(|(field, _)| is_called(field, name));
    let between: &[u8] = if name == "cookie" { b"; " } else { b", " };
    joined(fields.map(|(_, value)| value), between, to)
}

/// A field of the response by its variable's name.
pub fn sent(exchange: &Exchange, name: &str, to: &mut Vec<u8>) -> bool {
    let Some(reply) = &exchange.sent.reply else {
        return false;
    };
    let others = reply.fields.0.iter().filter(|(field, _)| is_called(field, name));
    if joined(others.map(|(_, value)| &value[..]), b", ", to) {
        return true;
    }
    let field = name.replace('_', "-");
    match exchange.sent.field(field.as_bytes()) {
        Some(value) => {
            to.extend_from_slice(&value);
            true
        }
        None => false,
    }
}

/// Writes values with something between them. False when there is none.
pub fn joined<'a>(
    values: impl Iterator<Item = &'a [u8]>,
    between: &[u8],
    to: &mut Vec<u8>,
) -> bool {
    let mut any = false;
    for value in values {
        if any {
            to.extend_from_slice(between);
        }
        to.extend_from_slice(value);
        any = true;
    }
    any
}

/// Whether a field has a variable's name: any case of letters, `-` as `_`.
pub fn is_called(field: &[u8], name: &str) -> bool {
    let same = |(own, wanted): (&u8, &u8)| match own {
        b'-' => *wanted == b'_',
        own => own.to_ascii_lowercase() == *wanted,
    };
    field.len() == name.len() && field.iter().zip(name.as_bytes()).all(same)
}

/// The first argument of a name, as it was sent.
pub fn argument(args: &[u8], name: &str, to: &mut Vec<u8>) -> bool {
    let found = args.split(|byte| *byte == b'&').find_map(|argument| {
        let equals = memchr::memchr(b'=', argument)?;
        let (own, value) = (&argument[..equals], &argument[equals + 1..]);
        own.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
    });
    found.map(|value| to.extend_from_slice(value)).is_some()
}

/// The first cookie of a name.
pub fn cookie<'a>(values: impl Iterator<Item = &'a [u8]>, name: &[u8]) -> Option<&'a [u8]> {
    for value in values {
        for pair in value.split(|byte| *byte == b';') {
            let pair = pair.trim_ascii();
            let Some(equals) = memchr::memchr(b'=', pair) else {
                continue;
            };
            if pair[..equals].eq_ignore_ascii_case(name) {
                return Some(&pair[equals + 1..]);
            }
        }
    }
    None
}

/// The user's name in Basic authentication, which nobody has checked.
pub fn user(exchange: &Exchange, to: &mut Vec<u8>) -> bool {
    let value = exchange.request.known(Known::Authorization).and_then(basic_user);
    value.map(|user| to.extend_from_slice(&user)).is_some()
}

fn basic_user(value: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = base64(rest.trim_ascii())?;
    let colon = memchr::memchr(b':', &decoded)?;
    (colon > 0).then(|| decoded[..colon].to_vec())
}

/// RFC 4648 4, with or without `=` at the end.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let (mut bits, mut held) = (0u32, 0);
    let mut decoded = Vec::with_capacity(end * 3 / 4);
    for byte in &text[..end] {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            decoded.push((bits >> held) as u8);
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_what_stands_before_the_colon() {
        let cases: [(&[u8], Option<&[u8]>); 6] = [
            (b"Basic dXNlcjpwYXNz", Some(b"user")),
            (b"basic dTo=", Some(b"u")),
            (b"Basic OnBhc3M=", None),
            (b"Basic dXNlcg==", None),
            (b"Basic !!!", None),
            (b"Bearer dXNlcjpwYXNz", None),
        ];
        for (value, user) in cases {
            assert_eq!(basic_user(value).as_deref(), user, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_name_without_case() {
        let values = [&b"a=1; Session=x=y;b"[..], b"session=second"];
        assert_eq!(cookie(values.into_iter(), b"session"), Some(&b"x=y"[..]));
        assert_eq!(cookie(values.into_iter(), b"b"), None);
    }

    #[test]
    fn an_argument_is_raw_and_the_first_of_its_name() {
        let mut to = vec![];
        assert!(argument(b"x&a%20=2&A=%20&a=3", "a", &mut to));
        assert_eq!(to, b"%20");
        assert!(!argument(b"x&y=1", "x", &mut to));
    }

    #[test]
    fn a_field_is_called_by_its_name_with_underscores() {
        assert!(is_called(b"X-Forwarded-For", "x_forwarded_for"));
        assert!(is_called(b"x_y", "x_y"));
        assert!(!is_called(b"X-Forwarded-Fo", "x_forwarded_for"));
    }
}
