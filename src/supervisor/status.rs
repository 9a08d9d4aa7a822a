//! What `liege status` shows, as values.

use crate::action::AppState;
use crate::slot::Name;

/// Everything that runs, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The newest reading that was planned, 0 before the first.
    pub reading: u32,
    /// Whether `Booted` was said.
    pub booted: bool,
    /// Whether everything is being stopped.
    pub stopping: bool,
    /// The web workers.
    pub web: UnitStatus,
    /// The apps, by name.
    pub apps: Vec<AppStatus>,
}

/// The generations of one unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitStatus {
    /// The generation that serves.
    pub serving: Option<u32>,
    /// The one that is being tried.
    pub candidate: Option<u32>,
    /// Those that finish what is in flight.
    pub draining: Vec<u32>,
    /// How many processes of the serving generation take requests.
    pub ready: u32,
    /// How many should.
    pub wanted: u32,
    /// The generation that was rejected last, and why, until a later one is accepted.
    pub rejected: Option<(u32, String)>,
}

/// One app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppStatus {
    /// Its name.
    pub name: Name,
    /// How its users see it.
    pub state: AppState,
    /// Its generations.
    pub unit: UnitStatus,
    /// Whether the serving generation is loyal: it answered a request, or lived 10 s after it was
    /// ready.
    pub loyal: bool,
    /// Failures in a row since the last loyal generation.
    pub failures: u32,
    /// Whether it failed so often that it counts as broken; it is still tried, at long intervals.
    pub parked: bool,
    /// Whether a generation of it was ever accepted.
    pub served: bool,
}
