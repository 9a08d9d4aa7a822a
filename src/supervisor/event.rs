//! What happened: facts that the master saw, as values.

use std::fmt;

use crate::plan::Plan;
use crate::slot::{Name, Seat, Slot};

/// A fact.
///
/// Each `Spawn` that was ordered is answered by exactly one `Exited` or `NotSpawned`, whenever the
/// slot is empty again. Facts about slots that hold no process are ignored: apps say what they
/// like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A configuration was read and found right.
    Planned {
        /// The number of the reading; the generations that it begins name it.
        reading: u32,
        /// What it wants.
        plan: Plan,
        /// Why it was read.
        cause: Cause,
    },
    /// The files of an app's code, or what its `touch_reload` names, changed.
    CodeChanged(Name),
    /// The process takes requests (an app master: workers can be forked).
    Ready(Slot),
    /// The process answered its first request with anything but a failure of its own start-up.
    Answered(Slot),
    /// The process cannot do its work, says why, and exits next.
    Failed {
        /// Which process.
        slot: Slot,
        /// One line.
        cause: String,
    },
    /// The process is gone.
    Exited {
        /// Which process.
        slot: Slot,
        /// How it ended.
        end: End,
    },
    /// The process could not be started.
    NotSpawned {
        /// Which process.
        slot: Slot,
        /// One line.
        cause: String,
    },
    /// An app worker asks to be replaced (`max_requests`); it serves until it is told to stop.
    Tired(Slot),
    /// Everything is to end.
    Stop {
        /// Whether requests in flight are finished first.
        graceful: bool,
    },
    /// The operator has mended something: waits end now (SIGURG).
    ClearWaits,
    /// The deadline has come.
    Tick,
}

/// Why a configuration was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// liege starts.
    Start,
    /// An operator asked: new generations of the web and of each app named, or of all if none is.
    Asked(Option<Vec<Name>>),
    /// A file changed: parts that are equal are left alone.
    FileChanged,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It exited with this status.
    Status(i32),
    /// A signal ended it.
    Signal(i32),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "exited with status {status}"),
            Self::Signal(signal) => write!(f, "was killed by signal {signal}"),
        }
    }
}

/// Why a slot is empty again.
pub(crate) enum Ended {
    /// Its process is gone.
    By(End),
    /// It never had one, for this reason.
    NeverBegan(String),
}

impl Ended {
    /// In one line, as a cause: `worker 1 was killed by signal 9`.
    pub fn cause(self, seat: Seat) -> String {
        match self {
            Self::By(end) => format!("{seat} {end}"),
            Self::NeverBegan(cause) => cause,
        }
    }

    /// The same for one that was wanted ready first.
    pub fn cause_before_ready(self, seat: Seat) -> String {
        match self {
            Self::By(end) => format!("{seat} {end} before it was ready"),
            Self::NeverBegan(cause) => cause,
        }
    }
}
