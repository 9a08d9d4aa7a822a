//! The four forms of a request target (RFC 9112, 3.2).

use super::{Bad, Span, host};

/// Which form a target has, and the places of its parts, counted from the target's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// `/path?args`
    #[default]
    Origin,
    /// `http://host/path?args`. The path may be empty.
    Absolute {
        /// The host with its port.
        host: Span,
        /// Path and arguments.
        path: Span,
    },
    /// `host:port`, with CONNECT only.
    Authority,
    /// `*`, with OPTIONS only.
    Asterisk,
}

/// The form of a target that has no blank and no control character in it.
pub fn form(method: &[u8], target: &[u8]) -> Result<Form, Bad> {
    let bad = Bad::Malformed("client sent invalid request line");
    match (method, target) {
        (b"CONNECT", authority) => match host::split(authority) {
            Some((_, Some(_))) => Ok(Form::Authority),
            _ => Err(bad),
        },
        (b"OPTIONS", b"*") => Ok(Form::Asterisk),
        (_, [b'/', ..]) => Ok(Form::Origin),
        (_, absolute) => self::absolute(absolute).ok_or(bad),
    }
}

fn absolute(target: &[u8]) -> Option<Form> {
    let colon = target.iter().position(|&byte| byte == b':')?;
    let scheme = &target[..colon];
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return None;
    }
    let start = colon + 3;
    if !target[colon..].starts_with(b"://") {
        return None;
    }
    let rest = &target[start..];
    let length =
        rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    host::split(&rest[..length])?;
    let host = Span::new(start, start + length);
    Some(Form::Absolute { host, path: Span::new(start + length, target.len()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_target_has_a_host_and_perhaps_a_path() {
        let target = b"http://a.b:80/x?y";
        let Ok(Form::Absolute { host, path }) = form(b"GET", target) else { panic!() };
        assert_eq!((host.of(target), path.of(target)), (&b"a.b:80"[..], &b"/x?y"[..]));
        let Ok(Form::Absolute { path, .. }) = form(b"GET", b"HTTPS://a") else { panic!() };
        assert_eq!(path.of(b"HTTPS://a"), b"");
    }

    #[test]
    fn forms_belong_to_their_methods() {
        assert_eq!(form(b"OPTIONS", b"*"), Ok(Form::Asterisk));
        assert_eq!(form(b"CONNECT", b"a:443"), Ok(Form::Authority));
        for (method, target) in [
            (&b"GET"[..], &b"*"[..]),
            (b"GET", b"a:443"),
            (b"CONNECT", b"/x"),
            (b"CONNECT", b"a"),
            (b"GET", b"ftp://a/"),
            (b"GET", b"http:/a/"),
            (b"GET", b"http:///a"),
            (b"GET", b"http://u@a/"),
            (b"GET", b"x"),
        ] {
            assert!(form(method, target).is_err(), "{target:?}");
        }
    }
}
