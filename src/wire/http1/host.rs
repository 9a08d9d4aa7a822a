//! The host that a request names: in its Host field or in an absolute-form target.

/// Takes a host apart into name and port. `None` when it is not a valid one.
///
/// nginx's rules (no `/`, no blank, no `..`, port of digits up to 65535, `[v6]` as written), and in
/// addition no delimiter of a URI and no quote: such a host reaches logs, redirects and
/// applications.
pub fn split(host: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let (name, port) = match host.first()? {
        b'[' => {
            let close = host.iter().position(|&byte| byte == b']')?;
            let literal = &host[1..close];
            if literal.is_empty() || !literal.iter().all(|&byte| is_literal(byte)) {
                return None;
            }
            (&host[..=close], &host[close + 1..])
        }
        _ => {
            let colon = host.iter().position(|&byte| byte == b':').unwrap_or(host.len());
            (&host[..colon], &host[colon..])
        }
    };
    let port = match port {
        [] | b":" => None,
        [b':', digits @ ..] => Some(number(digits)?),
        _ => return None,
    };
    let bracketed = name.starts_with(b"[");
    if !bracketed && !name.iter().all(|&byte| is_name(byte)) {
        return None;
    }
    if name.windows(2).any(|pair| pair == b"..") {
        return None;
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    if name.is_empty() { None } else { Some((name, port)) }
}

fn number(digits: &[u8]) -> Option<u16> {
    if digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    u16::try_from(value).ok()
}

fn is_literal(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b':' || byte == b'.'
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"-._~%!$&'()*+;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_and_a_trailing_dot_are_cut() {
        assert_eq!(split(b"Example.org.:8080"), Some((&b"Example.org"[..], Some(8080))));
        assert_eq!(split(b"[::1]:80"), Some((&b"[::1]"[..], Some(80))));
        assert_eq!(split(b"a:"), Some((&b"a"[..], None)));
    }

    #[test]
    fn invalid_hosts_are_refused() {
        let hosts: [&[u8]; 14] = [
            b"", b".", b"a/b", b"a b", b"a..b", b"a:65536", b"a:+1", b"a:1:2", b"[::1", b"[]",
            b"user@a", b"a?b", b"a,b", b"[::1]x",
        ];
        for host in hosts {
            assert_eq!(split(host), None, "{host:?}");
        }
    }
}
