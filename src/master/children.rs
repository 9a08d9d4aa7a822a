//! Starting a child: /proc/self/exe with the control channel as its standard input, and nothing
//! else of the master's.
//!
//! std spawns without fork (posix_spawn), so that the child has an address-space layout of its own
//! and the watching thread can do no harm.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use sys::channel::Channel;
use sys::child::{Pidfd, Signal};
use wire::message::{Order, encode};

use crate::Failed;
use crate::child::WORD;

/// A started child.
pub struct Child {
    /// Its process, pinned: the number cannot come to mean another.
    pub process: Pidfd,
    /// The master's end of its control channel.
    pub channel: Channel,
}

impl Child {
    /// Ends it and waits for that: a child that was killed is gone at once.
    pub fn end(self) {
        let _ = self.process.signal(Signal::SIGKILL);
        let _ = sys::poll::readable(self.process.fd(), Some(GRACE));
        let _ = self.process.reap();
    }
}

/// How long the kernel may take to end a killed process.
const GRACE: Duration = Duration::from_secs(1);

/// How many files a program may expect to open: the limit before the master raised its own.
static OPEN_FILES: OnceLock<u64> = OnceLock::new();

/// How a child learns of it.
pub(crate) const USUAL_FILES: &str = "LIEGE_USUAL_OPEN_FILES";

/// Raises the limit of open files for the master and its web workers: each app costs the master
/// several. Apps get back what liege was started with, because select(2) fails past 1,024.
pub fn raise_open_files() {
    // Whoever may not raise it has what there is.
    if let Ok(before) = sys::limits::most_open_files() {
        OPEN_FILES.get_or_init(|| before);
    }
}

/// Starts a child and gives it its order. `what` names it in errors.
pub fn spawn(what: &str, order: &Order, fds: &[BorrowedFd<'_>]) -> Result<Child, Failed> {
    let failed = |e| Failed::new("start", what, e);
    let (ours, theirs) = Channel::pair().map_err(failed)?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0("liege").arg(WORD).env_clear().stdin(Stdio::from(OwnedFd::from(theirs)));
    for name in ["PATH", "TZ", "LANG", "LC_ALL"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if let Some(files) = OPEN_FILES.get() {
        command.env(USUAL_FILES, files.to_string());
    }
    // A group of its own: an app ends as a whole, and a terminal's Ctrl-C reaches the master alone.
    command.process_group(0);
    let child = command.spawn().map_err(failed)?;
    // Nobody but us reaps it, so the number is still its own.
    let process = Pidfd::open(child.id()).map_err(failed)?;
    ours.send_order(&encode(order), fds).map_err(failed)?;
    Ok(Child { process, channel: ours })
}
