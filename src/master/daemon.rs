//! Going to the background without fork: a second liege is spawned in a session of its own, and the
//! first one waits until the second one's sockets listen, so that the shell's prompt means what it
//! says.

use std::io::IsTerminal;
use std::os::fd::OwnedFd;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use sys::channel::{Channel, Received};

use crate::log::{Level, Log};
use crate::reading::Reading;
use crate::{Failed, Start};

/// Marks the second liege, whose standard input is the channel to the first.
const MARK: &str = "LIEGE_IN_BACKGROUND";

/// How long the second one may take until its sockets listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether this process is the second one.
pub fn in_background() -> bool {
    std::env::var_os(MARK).is_some()
}

/// `daemon on`: spawns the second liege and returns the exit status of this one. `None` when this
/// process is to serve.
pub fn background(start: &Start, first: &Reading) -> Result<Option<ExitCode>, Failed> {
    let wanted = first.deployment.as_ref().is_some_and(|deployment| deployment.daemon);
    if !wanted || in_background() {
        return Ok(None);
    }
    if let Some(why) = reason_to_stay(start) {
        Log::to_stderr(Level::Notice).notice(format_args!("daemon on is taken as off {why}"));
        return Ok(None);
    }
    let failed = |e| Failed::new("start", "in the background", e);
    let (ours, theirs) = Channel::pair().map_err(failed)?;
    let mut command = Command::new("/proc/self/exe");
    command.args(std::env::args_os().skip(1)).env(MARK, "1");
    command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null());
    command.spawn().map_err(failed)?;
    // It holds the other end, too: the second liege's end is only heard when we let go of it.
    drop(command);
    let code = match ours.recv_wait(Some(PATIENCE)).map_err(failed)? {
        Received::Message { bytes, .. } if bytes == b"listening" => ExitCode::SUCCESS,
        Received::Message { .. } | Received::Closed => ExitCode::FAILURE,
    };
    Ok(Some(code))
}

/// Where a supervisor of another kind wants the process that it started to stay.
fn reason_to_stay(start: &Start) -> Option<&'static str> {
    if start.text.is_some() {
        Some("by liege run")
    } else if std::env::var_os("NOTIFY_SOCKET").is_some() {
        Some("under systemd (NOTIFY_SOCKET is set)")
    } else if std::env::var_os("LISTEN_FDS").is_some() {
        Some("because its sockets are passed to this process (LISTEN_FDS is set)")
    } else if std::process::id() == 1 {
        Some("in a container (this is process 1)")
    } else {
        None
    }
}

/// The second liege's way to tell the first how it went.
pub struct Parent(Option<Channel>);

impl Parent {
    /// Leaves the terminal and the file system it was started in: a session of its own, standard
    /// input empty, / for its directory.
    pub fn leave() -> Result<Parent, Failed> {
        if !in_background() {
            return Ok(Parent(None));
        }
        let failed = |e| Failed::new("go", "to the background", e);
        let channel = Channel::from_stdin().map_err(failed)?;
        sys::child::new_session().map_err(failed)?;
        std::env::set_current_dir("/").map_err(failed)?;
        Ok(Parent(Some(channel)))
    }

    /// The sockets listen: the first liege may end, and standard error is no longer the terminal's.
    pub fn release(&mut self) {
        if let Some(channel) = self.0.take() {
            let _ = channel.send(b"listening", &[]);
            let _ = sys::pipe::silence_stderr();
        }
    }
}

/// Whether the operator started this by hand and watches (the default of `auto_reload`).
pub fn at_a_terminal() -> bool {
    !in_background() && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
