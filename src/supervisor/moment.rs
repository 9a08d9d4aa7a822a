//! Time as the supervisor sees it: given from outside with each event, never read here.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time, counted from a start that its giver chose once and keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(Duration);

impl Moment {
    /// The moment this long after the start.
    pub const fn after_start(time: Duration) -> Self {
        Self(time)
    }

    /// How long after the start this moment is.
    pub const fn since_start(self) -> Duration {
        self.0
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// A time too far away for the clock is the last moment: a limit of "for ever" stays one.
    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }
}

impl Sub for Moment {
    type Output = Duration;

    /// The time from `earlier` to this moment; none if it is not earlier.
    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0.as_secs_f64())
    }
}
