//! What apps write to their standard output and error: one pipe for each generation, cut into lines
//! for the error log.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::Failed;

/// A line longer than this is written in pieces.
const LONGEST: usize = 16 * 1024;
/// How much is taken from one pipe in one turn of the loop, so that a chatterer holds nobody up.
const TURN: usize = 64 * 1024;

/// The reading end of one app's pipe.
pub struct AppLog {
    /// The app.
    pub name: String,
    pipe: File,
    rest: Vec<u8>,
}

impl AppLog {
    /// A new pipe: our end, and the end that the app writes to.
    pub fn open(name: &str) -> Result<(AppLog, OwnedFd), Failed> {
        let failed = |e| Failed::new("open", format!("the log pipe of app {name}"), e);
        let (ours, theirs) = sys::pipe::pipe().map_err(failed)?;
        // Only our end: an app that met EAGAIN would lose what it writes.
        sys::pipe::set_nonblocking(ours.as_fd(), true).map_err(failed)?;
        Ok((AppLog { name: name.to_owned(), pipe: File::from(ours), rest: Vec::new() }, theirs))
    }

    /// Readable when the app wrote something.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// The lines that came; the second value is false when no process holds the other end any more.
    pub fn lines(&mut self) -> (Vec<String>, bool) {
        let mut buffer = [0; 8192];
        let mut taken = 0;
        let mut open = true;
        while taken < TURN {
            match self.pipe.read(&mut buffer) {
                Ok(0) => {
                    open = false;
                    break;
                }
                Ok(count) => {
                    taken += count;
                    self.rest.extend_from_slice(&buffer[..count]);
                }
                Err(_) => break,
            }
        }
        (cut(&mut self.rest, !open), open)
    }
}

/// Takes whole lines from the front; at the end also what no newline ends.
fn cut(rest: &mut Vec<u8>, end: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut from = 0;
    while from < rest.len() {
        let window = &rest[from..rest.len().min(from + LONGEST)];
        let (line, used) = match window.iter().position(|&byte| byte == b'\n') {
            Some(at) => (&window[..at], at + 1),
            None if window.len() == LONGEST || end => (window, window.len()),
            None => break,
        };
        lines.push(printable(line));
        from += used;
    }
    rest.drain(..from);
    lines
}

/// Control bytes are written as `\xHH`, so that an app cannot forge lines or steer a terminal.
fn printable(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for part in String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).chars() {
        if part.is_control() && part != '\t' {
            text.push_str(&format!("\\x{:02X}", u32::from(part)));
        } else {
            text.push(part);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_where_they_end_and_a_rest_waits_for_more() {
        let mut rest = b"one\r\ntwo\nthr".to_vec();
        assert_eq!(cut(&mut rest, false), ["one", "two"]);
        assert_eq!(rest, b"thr");
        assert_eq!(cut(&mut rest, true), ["thr"]);
    }

    #[test]
    fn an_endless_line_comes_in_pieces() {
        let mut rest = vec![b'x'; LONGEST + 1];
        assert_eq!(cut(&mut rest, false).len(), 1);
        assert_eq!(rest.len(), 1);
    }

    #[test]
    fn an_app_cannot_steer_the_terminal() {
        assert_eq!(printable(b"\x1b[31mred\ttab"), "\\x1B[31mred\ttab");
    }
}
