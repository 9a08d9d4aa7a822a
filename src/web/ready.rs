//! Descriptors whose readiness tokio watches. The one place where that is asked for.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches a descriptor for reading and writing.
///
/// Tokio calls this way of asking deprecated in favour of an unsafe one, whose promise is that the
/// descriptor stays open and the same while it is watched. What is given here owns its descriptor
/// and never changes it, and `unsafe` stays in `sys`.
#[allow(deprecated)]
pub fn watch<T: AsRawFd>(fd: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::new(fd)
}

/// Watches a descriptor for reading alone. See [`watch`].
#[allow(deprecated)]
pub fn watch_reading<T: AsRawFd>(fd: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// Watches a descriptor for writing alone. See [`watch`].
#[allow(deprecated)]
pub fn watch_writing<T: AsRawFd>(fd: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(fd, Interest::WRITABLE)
}
