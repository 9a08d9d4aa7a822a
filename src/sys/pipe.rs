//! Pipes, and the non-blocking flag.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

/// Makes a pipe: the reading end and the writing end, closed on exec.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

/// Switches the non-blocking flag, which belongs to the open file and so to all who share it.
///
/// Never do this to a descriptor that was inherited: its other holders would lose output.
pub fn set_nonblocking(fd: impl AsFd, on: bool) -> io::Result<()> {
    let mut flags = fcntl_getfl(&fd)?;
    flags.set(OFlags::NONBLOCK, on);
    Ok(fcntl_setfl(&fd, flags)?)
}

/// Writes one byte to a non-blocking pipe that wakes a loop; one that is full wakes it anyway.
pub fn wake(fd: impl AsFd) {
    let _ = rustix::io::write(fd, &[1]);
}

/// Points standard error at /dev/null: a daemon lets go of the terminal that started it.
pub fn silence_stderr() -> io::Result<()> {
    let null =
        rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
    Ok(rustix::stdio::dup2_stderr(null)?)
}

/// Reads away what is in a non-blocking pipe that wakes a loop.
pub fn drain(fd: impl AsFd) {
    let mut bytes = [0; 256];
    while rustix::io::read(&fd, &mut bytes).is_ok_and(|got| got == bytes.len()) {}
}

/// Reads what is there into a buffer.
pub fn read(fd: impl AsFd, into: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(fd, into)?)
}

/// Writes bytes to a descriptor as far as they go; for the last words of a process.
pub fn write(fd: impl AsFd, mut bytes: &[u8]) {
    while let Ok(sent) = rustix::io::write(&fd, bytes) {
        if sent == bytes.len() || sent == 0 {
            return;
        }
        bytes = &bytes[sent..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_nonblocking_pipe_would_block() {
        let (reader, _writer) = pipe().unwrap();
        set_nonblocking(&reader, true).unwrap();
        assert_eq!(rustix::io::read(&reader, &mut [0; 1]), Err(rustix::io::Errno::AGAIN));
    }

    #[test]
    fn a_loop_is_woken_until_it_has_drained_its_pipe() {
        let (reader, writer) = pipe().unwrap();
        set_nonblocking(&reader, true).unwrap();
        set_nonblocking(&writer, true).unwrap();
        for _ in 0..100_000 {
            wake(&writer);
        }
        assert!(crate::poll::readable(reader.as_fd(), None).unwrap());
        drain(&reader);
        assert!(!crate::poll::readable(reader.as_fd(), Some(std::time::Duration::ZERO)).unwrap());
    }
}
