//! Reads and writes on a connected stream socket, each wait bounded, and honest endings.
//!
//! The app worker's threads talk to the front with these. Every call tries first and waits only
//! when it must, so the common case costs one system call and no socket option. A write never
//! raises SIGPIPE.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, sockopt};

use crate::poll;

/// What a new connection turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// There is something to read.
    Request,
    /// The other side is gone for good, whatever it sent before.
    Abandoned,
    /// Nothing came in time.
    Late,
}

/// Waits for the first bytes of a new connection.
///
/// A side that has only finished sending is not gone: a Unix socket shows HUP when its peer closed,
/// after a shutdown of the peer's writing side alone it shows RDHUP.
pub fn arrival(fd: BorrowedFd<'_>, limit: Duration) -> io::Result<Arrival> {
    let end = Instant::now() + limit;
    loop {
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: nanos(left) };
        match rustix::event::poll(&mut fds, Some(&left)) {
            Ok(0) => return Ok(Arrival::Late),
            Ok(_) if fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR) => {
                return Ok(Arrival::Abandoned);
            }
            Ok(_) => return Ok(Arrival::Request),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

fn nanos(time: Duration) -> i64 {
    i64::from(time.subsec_nanos())
}

/// Looks at what can be read without taking it; 0 at the end, `WouldBlock` when there is nothing.
pub fn peek(fd: impl AsFd, into: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::net::recv(fd, into, RecvFlags::PEEK | RecvFlags::DONTWAIT)?.0)
}

/// Reads what is there, waiting at most `limit` for something; 0 at the end, `TimedOut` when
/// nothing came.
pub fn read(fd: impl AsFd, into: &mut [u8], limit: Duration) -> io::Result<usize> {
    let end = Deadline::new(limit);
    loop {
        match rustix::net::recv(&fd, &mut *into, RecvFlags::DONTWAIT) {
            Ok((got, _)) => return Ok(got),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                if !poll::readable(fd.as_fd(), Some(end.left()))? && end.has_passed() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// Writes as much of two parts as goes without waiting; 0 when nothing does.
pub fn try_write(fd: impl AsFd, first: &[u8], second: &[u8]) -> io::Result<usize> {
    let slices = [IoSlice::new(first), IoSlice::new(second)];
    let slices = if first.is_empty() { &slices[1..] } else { &slices[..] };
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    loop {
        match rustix::net::sendmsg(&fd, slices, &mut SendAncillaryBuffer::default(), flags) {
            Ok(sent) => return Ok(sent),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(0),
            Err(e) => return Err(e.into()),
        }
    }
}

/// Writes all of it; `TimedOut` when the other side takes nothing for as long as `limit`.
pub fn write_all(fd: impl AsFd, mut bytes: &[u8], limit: Duration) -> io::Result<()> {
    while !bytes.is_empty() {
        match try_write(&fd, &[], bytes)? {
            0 => await_room(&fd, limit)?,
            sent => bytes = &bytes[sent..],
        }
    }
    Ok(())
}

/// Sends `count` bytes of a file from `offset` on; answers how many went, fewer only where the file
/// ends.
pub fn send_file(
    fd: impl AsFd,
    file: impl AsFd,
    offset: u64,
    count: u64,
    limit: Duration,
) -> io::Result<u64> {
    let mut sent = 0;
    while sent < count {
        let window = usize::try_from(count - sent).unwrap_or(WINDOW).min(WINDOW);
        await_room(&fd, limit)?;
        match crate::file::sendfile(&fd, &file, offset + sent, window) {
            Ok(0) => break,
            Ok(some) => sent += some as u64,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(sent)
}

fn await_room(fd: &impl AsFd, limit: Duration) -> io::Result<()> {
    let end = Deadline::new(limit);
    while !poll::writable(fd.as_fd(), Some(end.left()))? {
        if end.has_passed() {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    Ok(())
}

/// Says that nothing more will be sent.
pub fn finish(fd: impl AsFd) {
    // A peer that is gone already need not be told.
    let _ = rustix::net::shutdown(fd, Shutdown::Write);
}

/// Has small pieces leave at once on TCP, on a listening socket for all that it accepts. Other
/// sockets do so anyway.
pub fn send_at_once(fd: impl AsFd) {
    let _ = sockopt::set_tcp_nodelay(fd, true);
}

/// Makes the close that follows a reset, so that a cut answer cannot be taken for a whole one.
///
/// This is for TCP. A Unix socket resets its peer when it is closed with bytes unread, and only
/// then.
pub fn reset_on_close(fd: impl AsFd) {
    let _ = sockopt::set_socket_linger(fd, Some(Duration::ZERO));
}

struct Deadline {
    end: Option<Instant>,
    limit: Duration,
}

impl Deadline {
    fn new(limit: Duration) -> Deadline {
        Deadline { end: Instant::now().checked_add(limit), limit }
    }

    fn left(&self) -> Duration {
        self.end.map_or(self.limit, |end| end.saturating_duration_since(Instant::now()))
    }

    fn has_passed(&self) -> bool {
        self.left().is_zero()
    }
}

/// How much one sendfile call is asked for, so that an interruption is noticed.
const WINDOW: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(5);

    fn drain(from: UnixStream) -> std::thread::JoinHandle<(u64, io::Result<usize>)> {
        std::thread::spawn(move || {
            let (mut total, mut buffer) = (0, [0; 65536]);
            loop {
                match read(&from, &mut buffer, LONG) {
                    Ok(got) if got > 0 => total += got as u64,
                    end => return (total, end),
                }
            }
        })
    }

    #[test]
    fn a_write_past_any_buffer_arrives_whole() {
        let (a, b) = UnixStream::pair().unwrap();
        let reader = drain(b);
        let body = vec![1; 800_000];
        let sent = try_write(&a, b"head", &body).unwrap();
        write_all(&a, &body[sent - 4..], LONG).unwrap();
        drop(a);
        let (total, end) = reader.join().unwrap();
        assert_eq!((total, end.unwrap()), (800_004, 0));
    }

    #[test]
    fn a_file_is_sent_from_its_offset_past_any_buffer() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; 3_000_000]).unwrap();
        let (a, b) = UnixStream::pair().unwrap();
        let reader = drain(b);
        assert_eq!(send_file(&a, &file, 1_000_000, 9_000_000, LONG).unwrap(), 2_000_000);
        drop(a);
        assert_eq!(reader.join().unwrap().0, 2_000_000);
    }

    #[test]
    fn a_peer_that_has_only_finished_sending_is_not_gone() {
        let (a, mut b) = UnixStream::pair().unwrap();
        assert_eq!(arrival(a.as_fd(), SHORT).unwrap(), Arrival::Late);
        b.write_all(b"x").unwrap();
        b.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(arrival(a.as_fd(), LONG).unwrap(), Arrival::Request);
        drop(b);
        assert_eq!(arrival(a.as_fd(), LONG).unwrap(), Arrival::Abandoned);
    }

    #[test]
    fn what_was_peeked_at_is_still_there_and_closing_over_it_resets_the_peer() {
        let (a, mut b) = UnixStream::pair().unwrap();
        b.write_all(b"request").unwrap();
        assert_eq!(peek(&a, &mut [0; 100]).unwrap(), 7);
        write_all(&a, b"half an ans", LONG).unwrap();
        drop(a);
        let (total, end) = drain(b).join().unwrap();
        assert_eq!((total, end.unwrap_err().kind()), (11, io::ErrorKind::ConnectionReset));
    }

    #[test]
    fn writing_to_a_peer_that_is_gone_is_an_error_and_no_signal() {
        let (a, b) = UnixStream::pair().unwrap();
        drop(b);
        let gone = write_all(&a, b"x", LONG).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn waits_end_at_their_limit() {
        let (a, _b) = UnixStream::pair().unwrap();
        let late = read(&a, &mut [0; 1], SHORT).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        let full = write_all(&a, &vec![0; 10_000_000], SHORT).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::TimedOut);
    }
}
