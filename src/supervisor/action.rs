//! What to do: orders to the master, as values, to be carried out in the order given.

use std::fmt;
use std::time::Duration;

use crate::slot::{Name, Slot, Unit};

/// An order.
///
/// A generation's life reads `Begin`, then `Accepted` or `Rejected`, then `Gone`; no order names it
/// afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A generation begins: prepare what its processes need. They are spawned by orders of their
    /// own.
    Begin {
        /// Of what.
        unit: Unit,
        /// Its number, from 1.
        generation: u32,
        /// What it is made from.
        from: Basis,
    },
    /// Start a process in this slot; a worker of an app is forked by its app master.
    Spawn(Slot),
    /// Ask the process to end: finish what is in flight, accept nothing more.
    Stop(Slot),
    /// End the process now. For an app master or a program: its whole process group, no worker of
    /// that generation is wanted then.
    Kill(Slot),
    /// No more workers will be asked for: the app master exits when its last one is gone. Its
    /// workers serve on until they are stopped one by one.
    Retire(Slot),
    /// The generation serves; the one before it is being stopped from now on.
    Accepted {
        /// Of what.
        unit: Unit,
        /// Its number.
        generation: u32,
    },
    /// The generation will not serve; its processes are being stopped.
    Rejected {
        /// Of what.
        unit: Unit,
        /// Its number.
        generation: u32,
        /// Why, in one line.
        cause: String,
    },
    /// All its processes are gone and nothing will be made from it: its descriptors may be closed.
    Gone {
        /// Of what.
        unit: Unit,
        /// Its number.
        generation: u32,
    },
    /// What an app's users see has changed.
    State {
        /// Which app.
        app: Name,
        /// How it is now.
        state: AppState,
    },
    /// The web serves, and every app serves or has failed once. Said once.
    Booted,
    /// Something for the log, at most once a minute for each unit.
    Told(Summary),
    /// Everything is gone: exit. The last order of all.
    Exit {
        /// The exit status.
        status: u8,
    },
}

impl Action {
    /// Whether this is a rejection that nobody is to blame for: a newer reading came, or an end.
    pub fn is_withdrawal(&self) -> bool {
        match self {
            Self::Rejected { cause, .. } => WITHDRAWALS.contains(&cause.as_str()),
            _ => false,
        }
    }
}

/// A newer reading came before the candidate had proved itself.
pub(crate) const REPLACED: &str = "a newer reading replaced it";

/// The end came before.
pub(crate) const STOPS: &str = "everything is being stopped";

/// The newest plan does not name the app.
pub(crate) const UNPLANNED: &str = "the app left the configuration";

const WITHDRAWALS: [&str; 3] = [REPLACED, STOPS, UNPLANNED];

/// What a generation is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// A reading: everything is looked up anew. It is always the newest reading that was planned.
    Reading(u32),
    /// An earlier generation, which is not `Gone`: the same resolved directory and interpreter.
    Generation(u32),
}

/// An app as its users see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppState {
    /// It boots: requests wait.
    Starting,
    /// A process of it takes requests.
    Up,
    /// It failed and nothing of it serves.
    Down {
        /// Why, in one line.
        cause: String,
        /// How long until it is tried again.
        retry: Duration,
    },
}

/// Processes of a unit die faster than they should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Of what.
    pub unit: Unit,
    /// How many deaths since the last summary.
    pub deaths: u32,
    /// How the last one ended.
    pub cause: String,
    /// How long its successor has to wait.
    pub wait: Duration,
}

/// As operators read it in the log.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unit, deaths, cause, wait } = self;
        let wait = wait.as_secs();
        match deaths {
            1 => write!(f, "{unit}: {cause}; the next start is in {wait} s"),
            _ => write!(
                f,
                "{unit}: {deaths} processes died young, last: {cause}; the next start is in {wait} s"
            ),
        }
    }
}
