//! Waiting: for one descriptor, or for many with epoll.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, epoll};

/// A set of descriptors to wait for, each with a token of the caller's.
#[derive(Debug)]
pub struct Poll {
    fd: OwnedFd,
}

/// What happened to a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The caller's token.
    pub token: u64,
    /// There is something to read (or the end).
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// The other side is gone.
    pub closed: bool,
}

impl Poll {
    /// Makes an empty set.
    pub fn new() -> io::Result<Poll> {
        Ok(Poll { fd: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    /// Watches a descriptor for reading (level-triggered).
    pub fn add(&self, fd: impl AsFd, token: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        Ok(epoll::add(&self.fd, fd, data, epoll::EventFlags::IN)?)
    }

    /// Watches a descriptor for reading and, if `write`, for writing from now on.
    pub fn modify(&self, fd: impl AsFd, token: u64, write: bool) -> io::Result<()> {
        let mut flags = epoll::EventFlags::IN;
        flags.set(epoll::EventFlags::OUT, write);
        Ok(epoll::modify(&self.fd, fd, epoll::EventData::new_u64(token), flags)?)
    }

    /// Watches a descriptor no longer. A descriptor whose last copy is closed leaves the set by
    /// itself.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.fd, fd)?)
    }

    /// Waits until something happens or the time is over (no events). A signal ends the wait early.
    pub fn wait(&self, limit: Option<Duration>) -> io::Result<Vec<Ready>> {
        let mut space = Vec::with_capacity(64);
        let limit = limit.map(timespec);
        match epoll::wait(&self.fd, rustix::buffer::spare_capacity(&mut space), limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        Ok(space.iter().map(ready).collect())
    }
}

impl AsFd for Poll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn ready(event: &epoll::Event) -> Ready {
    // Copied out of a packed struct.
    let flags = event.flags;
    Ready {
        token: event.data.u64(),
        readable: flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP),
        writable: flags.contains(epoll::EventFlags::OUT),
        closed: flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR),
    }
}

/// Waits until a descriptor is readable (or its other side is gone); false when the time is over or
/// a signal came.
pub fn readable(fd: BorrowedFd<'_>, limit: Option<Duration>) -> io::Result<bool> {
    wait_one(fd, PollFlags::IN, limit)
}

/// Waits until a descriptor takes bytes (or its other side is gone); false when the time is over or
/// a signal came.
pub fn writable(fd: BorrowedFd<'_>, limit: Option<Duration>) -> io::Result<bool> {
    wait_one(fd, PollFlags::OUT, limit)
}

fn wait_one(fd: BorrowedFd<'_>, flags: PollFlags, limit: Option<Duration>) -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(fd, flags)];
    match rustix::event::poll(&mut fds, limit.map(timespec).as_ref()) {
        Ok(0) | Err(rustix::io::Errno::INTR) => Ok(false),
        Ok(_) => Ok(true),
        Err(e) => Err(e.into()),
    }
}

/// Whole milliseconds, rounded up (so that a wait never ends before its deadline), at most a day.
fn timespec(limit: Duration) -> Timespec {
    let limit = limit.min(LONGEST);
    let millis = limit.as_nanos().div_ceil(1_000_000);
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    Timespec { tv_sec: millis / 1000, tv_nsec: (millis % 1000) * 1_000_000 }
}

const LONGEST: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readable_descriptor_is_told_with_its_token_and_a_closed_one_as_hung_up() {
        let poll = Poll::new().unwrap();
        let (reader, writer) = crate::pipe::pipe().unwrap();
        poll.add(&reader, 42).unwrap();
        assert_eq!(poll.wait(Some(Duration::ZERO)).unwrap(), []);
        rustix::io::write(&writer, b"x").unwrap();
        let events = poll.wait(None).unwrap();
        assert!(events[0].readable && !events[0].closed && events[0].token == 42);
        drop(writer);
        assert!(poll.wait(None).unwrap()[0].closed);
        poll.remove(&reader).unwrap();
        assert_eq!(poll.wait(Some(Duration::ZERO)).unwrap(), []);
    }

    #[test]
    fn a_wait_of_a_fraction_of_a_millisecond_is_rounded_up() {
        assert_eq!(timespec(Duration::from_micros(1)).tv_nsec, 1_000_000);
    }
}
