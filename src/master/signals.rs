//! The signals that the master obeys, as one table, and their way into its loop.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use signal_hook::consts::{
    SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGURG, SIGUSR1, SIGUSR2, SIGWINCH,
};

use crate::Failed;
use crate::post::{Token, Tokens};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// End now.
    StopFast,
    /// End when requests in flight are answered.
    StopGraceful,
    /// New generations of everything.
    Reload,
    /// Open the log files anew.
    Reopen,
    /// Start what waits at once.
    ClearWaits,
    /// Somebody's child ended.
    Reap,
    /// Replace the binary.
    Upgrade,
    /// nginx stops its workers here when it runs in the background; liege has nothing to do.
    Nothing,
}

/// TERM is graceful on purpose: containers and systemd send it.
const TABLE: [(i32, Asked); 9] = [
    (SIGINT, Asked::StopFast),
    (SIGTERM, Asked::StopGraceful),
    (SIGQUIT, Asked::StopGraceful),
    (SIGHUP, Asked::Reload),
    (SIGUSR1, Asked::Reopen),
    (SIGUSR2, Asked::Upgrade),
    (SIGURG, Asked::ClearWaits),
    (SIGCHLD, Asked::Reap),
    (SIGWINCH, Asked::Nothing),
];

/// One pipe for each signal; bytes in it mean that the signal came.
pub struct Signals {
    pipes: Vec<(i32, UnixStream)>,
}

impl Signals {
    /// Takes all signals of the table from now on.
    pub fn listen(tokens: &mut Tokens) -> Result<Signals, Failed> {
        let failed = |e| Failed::new("listen for", "signals", e);
        let mut pipes = Vec::new();
        for (signal, _) in TABLE {
            let (ours, handlers) = UnixStream::pair().map_err(failed)?;
            ours.set_nonblocking(true).map_err(failed)?;
            handlers.set_nonblocking(true).map_err(failed)?;
            signal_hook::low_level::pipe::register(signal, handlers).map_err(failed)?;
            tokens.add(ours.as_fd(), Token::Signal(signal))?;
            pipes.push((signal, ours));
        }
        sys::child::ignore_sigpipe().map_err(failed)?;
        Ok(Signals { pipes })
    }

    /// What a signal that arrived asks for. Several of one kind are one.
    pub fn take(&mut self, signal: i32) -> Asked {
        if let Some((_, pipe)) = self.pipes.iter_mut().find(|(number, _)| *number == signal) {
            let mut bytes = [0; 64];
            while matches!(pipe.read(&mut bytes), Ok(count) if count > 0) {}
        }
        let found = TABLE.iter().find(|(number, _)| *number == signal);
        found.map_or(Asked::Nothing, |(_, asked)| *asked)
    }
}
