//! Request paths: decoded once, dot segments resolved, slashes merged, so that no spelling of a
//! path leads above the root.
//!
//! nginx's rules: `%XX` is decoded exactly once; a decoded slash is a slash, a decoded dot a dot;
//! going above the root is refused; `#` and what follows is cut. Everything behind works on the
//! result alone.

use std::fmt;

/// A path that cannot be taken: a bad escape, a NUL, or a way above the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bad;

impl fmt::Display for Bad {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("path has a bad escape or leads above the root")
    }
}

/// Splits a target (path and arguments) and writes the normalised path to `path`. Returns the
/// arguments, as they came. An empty path is `/`.
pub fn normalise<'a>(
    target: &'a [u8],
    merge_slashes: bool,
    path: &mut Vec<u8>,
) -> Result<&'a [u8], Bad> {
    let whole = match memchr::memchr(b'#', target) {
        Some(end) => &target[..end],
        None => target,
    };
    let (raw, args) = match memchr::memchr(b'?', whole) {
        Some(at) => (&whole[..at], &whole[at + 1..]),
        None => (whole, &whole[whole.len()..]),
    };
    path.clear();
    if raw.is_empty() {
        path.push(b'/');
    } else if is_plain(raw) {
        path.extend_from_slice(raw);
    } else {
        decode(raw, path)?;
        resolve(path, merge_slashes)?;
    }
    Ok(args)
}

/// Whether a path is its own normal form: no escape, no `//`, no segment that begins with a dot.
fn is_plain(raw: &[u8]) -> bool {
    let mut before = 0;
    for &byte in raw {
        if byte == b'%' || byte == 0 || (before == b'/' && (byte == b'/' || byte == b'.')) {
            return false;
        }
        before = byte;
    }
    raw.first() == Some(&b'/')
}

/// Decodes `%XX` once. `%00` and bad digits are refused.
fn decode(raw: &[u8], to: &mut Vec<u8>) -> Result<(), Bad> {
    let mut rest = raw;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let byte = match byte {
            b'%' => {
                let (Some(high), Some(low)) =
                    (rest.first().and_then(digit), rest.get(1).and_then(digit))
                else {
                    return Err(Bad);
                };
                rest = &rest[2..];
                high << 4 | low
            }
            plain => plain,
        };
        if byte == 0 {
            return Err(Bad);
        }
        to.push(byte);
    }
    Ok(())
}

/// Resolves `.` and `..`, and merges slashes if asked to, in place. The result begins with a slash
/// and keeps one at its end where the path had one or ended with a dot segment.
fn resolve(path: &mut Vec<u8>, merge_slashes: bool) -> Result<(), Bad> {
    if path.first() != Some(&b'/') {
        return Err(Bad);
    }
    let mut from = 1;
    let mut to = 1;
    while from < path.len() {
        let end = memchr::memchr(b'/', &path[from..]).map_or(path.len(), |at| from + at);
        let has_slash = end < path.len();
        match &path[from..end] {
            b"." => {}
            b".." => {
                if to == 1 {
                    return Err(Bad);
                }
                to = memchr::memrchr(b'/', &path[..to - 1]).map_or(1, |at| at + 1);
            }
            b"" if merge_slashes => {}
            _ => {
                path.copy_within(from..end, to);
                to += end - from;
                if has_slash {
                    path[to] = b'/';
                    to += 1;
                }
            }
        }
        from = end + 1;
    }
    path.truncate(to);
    Ok(())
}

fn digit(byte: &u8) -> Option<u8> {
    char::from(*byte).to_digit(16).map(|value| value as u8)
}

/// Writes a path as it stands in a Location field: blanks, control characters, `%`, `?`, `#`,
/// quotes and bytes from 0x7f on are escaped.
pub fn escape(path: &[u8], to: &mut Vec<u8>) {
    for &byte in path {
        if byte <= b' ' || byte >= 0x7f || b"\"#%<>?\\^`{|}".contains(&byte) {
            to.push(b'%');
            to.push(b"0123456789ABCDEF"[usize::from(byte >> 4)]);
            to.push(b"0123456789ABCDEF"[usize::from(byte & 15)]);
        } else {
            to.push(byte);
        }
    }
}

/// Whether a uri that an app or a file names may be followed: no segment of it is `..`, and it
/// holds no NUL.
pub fn is_safe(uri: &[u8]) -> bool {
    uri.first() == Some(&b'/')
        && !uri.contains(&0)
        && !uri.split(|&byte| byte == b'/').any(|segment| segment == b"..")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(target: &str) -> Option<String> {
        let mut path = Vec::new();
        normalise(target.as_bytes(), true, &mut path).ok()?;
        Some(String::from_utf8_lossy(&path).into_owned())
    }

    #[test]
    fn paths_are_normalised_as_nginx_does() {
        for (target, path) in [
            ("/", "/"),
            ("", "/"),
            ("/a/b", "/a/b"),
            ("/a//b///c", "/a/b/c"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/a%2Fb", "/a/b"),
            ("/a%2f%2e%2e%2fb", "/b"),
            ("/%2e/a", "/a"),
            ("/a%20b+c", "/a b+c"),
            ("/a%3Fb%23c%25d", "/a?b#c%d"),
            ("/a#b?c", "/a"),
            ("/...", "/..."),
            ("/..a", "/..a"),
            ("/.a", "/.a"),
            ("/a?../..", "/a"),
            ("/%252e%252e/a", "/%2e%2e/a"),
        ] {
            assert_eq!(read(target).as_deref(), Some(path), "{target}");
        }
    }

    #[test]
    fn no_spelling_leads_above_the_root() {
        for target in [
            "/..",
            "/../",
            "/../a",
            "/a/../..",
            "/%2e%2e",
            "/.%2e/",
            "/%2E./x",
            "/a/..%2f..%2fb",
            "//..",
            "/./..",
            "/%2f..",
            "/..%2f",
            "/a/%2e%2e/%2e%2e/b",
            "/%",
            "/%4",
            "/%zz",
            "/%00",
            "/a%00b",
        ] {
            assert_eq!(read(target), None, "{target}");
        }
    }

    #[test]
    fn slashes_stay_where_the_server_says_so() {
        let mut path = Vec::new();
        assert_eq!(normalise(b"/a//b/../c?d", false, &mut path), Ok(&b"d"[..]));
        assert_eq!(path, b"/a//c");
    }

    #[test]
    fn a_path_in_a_location_field_is_one_word() {
        let mut out = Vec::new();
        escape("/a b%\r\né?".as_bytes(), &mut out);
        assert_eq!(out, b"/a%20b%25%0D%0A%C3%A9%3F");
    }

    proptest! {
        #[test]
        fn the_result_has_no_dot_segments_and_is_its_own_normal_form(
            target in "/([a/.]|%2e|%2F|%2f|%2E|//|\\.\\./){0,20}",
        ) {
            let Some(path) = read(&target) else { return Ok(()) };
            prop_assert!(path.starts_with('/'));
            prop_assert!(!path.split('/').any(|segment| segment == "." || segment == ".."));
            prop_assert_eq!(read(&path), Some(path.clone()));
        }
    }
}
