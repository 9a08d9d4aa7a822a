//! Dates of HTTP (RFC 9110, 5.6.7), as seconds since 1970.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads any of the three forms. `None` when it is none of them, or before 1970.
pub fn parse(text: &[u8]) -> Option<i64> {
    let time = httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// Writes the preferred form. Times before 1970 are written as 1970, those past 9999 as its end:
/// the form has no others.
pub fn format(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0).min(LAST);
    let time: SystemTime = UNIX_EPOCH + Duration::from_secs(seconds);
    let mut text = String::with_capacity(29);
    // Writing to a string cannot fail, and the time is within what the form can say.
    let _ = write!(text, "{}", httpdate::HttpDate::from(time));
    text
}

/// 9999-12-31 23:59:59
const LAST: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_forms_are_read() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text.as_bytes()), Some(784_111_777), "{text}");
        }
        assert_eq!(parse(b"yesterday"), None);
        assert_eq!(parse(b"\xff"), None);
    }

    #[test]
    fn any_number_is_written_without_panic() {
        assert_eq!(format(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(format(i64::MIN), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(format(i64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
