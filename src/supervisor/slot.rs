//! The names of things: units, seats and slots. A process comes and goes, its slot stays; no pid is
//! known here.

use std::fmt;
use std::sync::Arc;

/// An app's name.
pub type Name = Arc<str>;

/// What is reloaded as one: the web configuration, or one app.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// All web workers.
    Web,
    /// One app.
    App(Name),
}

/// A place for one process in a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seat {
    /// A web worker, numbered from 0.
    Web(u32),
    /// The app master.
    Master,
    /// An app worker, numbered from 1.
    Worker(u32),
    /// An app that is a program of its own.
    Program,
}

/// One seat of one generation of one unit. At any time at most one process lives in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Whose it is.
    pub unit: Unit,
    /// Which generation of it, counted from 1.
    pub generation: u32,
    /// Which place in it.
    pub seat: Seat,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web => f.write_str("web"),
            Self::App(name) => write!(f, "app {name}"),
        }
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(number) | Self::Worker(number) => write!(f, "worker {number}"),
            Self::Master => f.write_str("master"),
            Self::Program => f.write_str("program"),
        }
    }
}

/// As operators read it in the log: `app blog worker 1 (generation 3)`.
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (generation {})", self.unit, self.seat, self.generation)
    }
}
