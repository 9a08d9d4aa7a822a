//! What systemd is told, and what it told us.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sd_notify::NotifyState;

use crate::channel::{Channel, Received};

/// Whether a service manager listens.
pub fn is_listened_to() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// The service has started, or a reload has ended.
pub fn ready() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Ready])
}

/// A reload begins; systemd wants the time of it (sd_notify(3)).
pub fn reloading() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])
}

/// The service begins to stop.
pub fn stopping() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Stopping])
}

/// One line for `systemctl status`.
pub fn status(text: &str) -> io::Result<()> {
    let line = text.lines().next().unwrap_or("");
    sd_notify::notify(&[NotifyState::Status(line)])
}

/// The service is alive.
pub fn watchdog() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Watchdog])
}

/// How often the service must say so, when the unit asks for it; say it at half of this.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// Whether standard error is the journal's stream (systemd.exec(5), JOURNAL_STREAM).
pub fn journal_stream() -> bool {
    let Ok(value) = std::env::var("JOURNAL_STREAM") else { return false };
    let Some((device, inode)) = value.split_once(':') else { return false };
    rustix::fs::fstat(io::stderr())
        .is_ok_and(|stat| device.parse() == Ok(stat.st_dev) && inode.parse() == Ok(stat.st_ino))
}

/// The NOTIFY_SOCKET of a program that we start: the other end of sd_notify(3). Its file goes with
/// it.
#[derive(Debug)]
pub struct Inbox {
    channel: Channel,
    path: PathBuf,
}

impl Inbox {
    /// Opens it for this owner alone, in a directory where nobody but the caller may write.
    pub fn open(path: &Path, owner: Option<(u32, u32)>) -> io::Result<Inbox> {
        crate::socket::unlink(path)?;
        let socket = UnixDatagram::bind(path)?;
        let inbox = Inbox { channel: Channel::from(OwnedFd::from(socket)), path: path.to_owned() };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        if let Some((uid, gid)) = owner {
            lchown(path, Some(uid), Some(gid))?;
        }
        inbox.channel.attest()?;
        Ok(inbox)
    }

    /// The next message, with the pid that the kernel attests; `WouldBlock` when there is none.
    /// Descriptors that came along are closed.
    pub fn receive(&self) -> io::Result<Received> {
        self.channel.recv()
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // One that is gone already is as good.
        let _ = crate::socket::unlink(&self.path);
    }
}

/// Whether a message says that its sender is ready.
pub fn says_ready(message: &[u8]) -> bool {
    message.split(|byte| *byte == b'\n').any(|line| line == b"READY=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_a_line_of_its_own() {
        for (message, ready) in [
            (&b"READY=1"[..], true),
            (b"STATUS=up\nREADY=1\n", true),
            (b"STATUS=READY=1", false),
            (b"READY=10", false),
            (b"", false),
        ] {
            assert_eq!(says_ready(message), ready);
        }
    }

    #[test]
    fn a_message_arrives_with_its_sender_and_the_file_goes_with_the_inbox() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.1.notify");
        let inbox = Inbox::open(&path, None).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to(b"READY=1", &path).unwrap();
        let Received::Message { bytes, pid, .. } = inbox.receive().unwrap() else { panic!() };
        assert_eq!((bytes.as_slice(), pid), (&b"READY=1"[..], Some(std::process::id())));
        assert_eq!(inbox.receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(inbox);
        assert!(!path.exists());
    }
}
