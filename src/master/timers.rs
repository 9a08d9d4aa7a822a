//! The few times that the master keeps itself: systemd's watchdog, and programs that say nothing when they are ready.

use std::time::{Duration, Instant};

use supervisor::Slot;

/// A program without a word of its own counts as ready after it lived so long.
const SILENT: Duration = Duration::from_secs(1);

/// What is due when.
pub struct Timers {
    watchdog: Option<Duration>,
    fed: Instant,
    silent: Vec<(Instant, Slot)>,
}

impl Timers {
    /// Reads from the environment whether systemd watches.
    pub fn new() -> Timers {
        // Half of it, as sd_watchdog_enabled(3) advises.
        let watchdog = sys::notify::watchdog_interval().map(|interval| interval / 2);
        Timers { watchdog, fed: Instant::now(), silent: Vec::new() }
    }

    /// How long until something is due.
    pub fn wait(&self) -> Option<Duration> {
        let feed = self.watchdog.map(|interval| self.fed + interval);
        let ready = self.silent.first().map(|(due, _)| *due);
        let due = [feed, ready].into_iter().flatten().min()?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// A program was started.
    pub fn program_started(&mut self, slot: Slot) {
        self.silent.push((Instant::now() + SILENT, slot));
    }

    /// Feeds the watchdog, and returns the programs that have lived long enough to count as ready.
    pub fn tick(&mut self) -> Vec<Slot> {
        let now = Instant::now();
        if self.watchdog.is_some_and(|interval| now >= self.fed + interval) {
            self.fed = now;
            let _ = sys::notify::watchdog();
        }
        let due = self.silent.partition_point(|(due, _)| *due <= now);
        self.silent.drain(..due).map(|(_, slot)| slot).collect()
    }
}
