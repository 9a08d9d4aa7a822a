//! What systemd is told, and what it told us.

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;

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
