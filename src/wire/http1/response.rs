//! Response heads: reason phrases as nginx has them, and the pieces of a head written in nginx's
//! order.

/// The reason phrase of a status: nginx's where it differs from RFC 9110, empty for a status nobody
/// named.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Time-out",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        421 => "Misdirected Request",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}

/// Writes the status line. The version is always 1.1, also to clients of 1.0, as RFC 9110 (6.2) and
/// nginx have it.
pub fn status_line(status: u16, reason: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(b"HTTP/1.1 ");
    decimal(u64::from(status), to);
    to.push(b' ');
    to.extend_from_slice(reason);
    to.extend_from_slice(b"\r\n");
}

/// Writes a field line. The caller has checked that the value has no line end in it.
pub fn field(name: &[u8], value: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(name);
    to.extend_from_slice(b": ");
    to.extend_from_slice(value);
    to.extend_from_slice(b"\r\n");
}

/// Writes a number in decimal digits.
pub fn decimal(mut number: u64, to: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    to.extend_from_slice(&digits[at..]);
}

/// Whether an answer with this status never has a body (RFC 9110, 6.4.1).
pub fn is_bodiless(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_everyone_writes_them() {
        for number in [0, 9, 10, 65535, u64::MAX] {
            let mut out = Vec::new();
            decimal(number, &mut out);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }

    #[test]
    fn an_unknown_status_has_an_empty_reason_behind_its_blank() {
        let mut out = Vec::new();
        status_line(700, reason(700).as_bytes(), &mut out);
        assert_eq!(out, b"HTTP/1.1 700 \r\n");
    }
}
