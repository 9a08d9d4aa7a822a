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
    mute: Vec<(Instant, Slot, u32)>,
}

/// How long a process that closed its channel may take to end: its interpreter tidies up.
const TIDYING: Duration = Duration::from_secs(2);

impl Timers {
    /// Reads from the environment whether systemd watches.
    pub fn new() -> Timers {
        // Half of it, as sd_watchdog_enabled(3) advises.
        let watchdog = sys::notify::watchdog_interval().map(|interval| interval / 2);
        Timers { watchdog, fed: Instant::now(), silent: Vec::new(), mute: Vec::new() }
    }

    /// How long until something is due.
    pub fn wait(&self) -> Option<Duration> {
        let feed = self.watchdog.map(|interval| self.fed + interval);
        let ready = self.silent.first().map(|(due, _)| *due);
        let mute = self.mute.first().map(|(due, ..)| *due);
        let due = [feed, ready, mute].into_iter().flatten().min()?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// A program was started.
    pub fn program_started(&mut self, slot: Slot) {
        self.silent.push((Instant::now() + SILENT, slot));
    }

    /// A process closed its channel: it can be neither told nor heard, and should end by itself.
    pub fn channel_closed(&mut self, slot: Slot, pid: u32) {
        self.mute.push((Instant::now() + TIDYING, slot, pid));
    }

    /// The processes that closed their channels and have had the time to end.
    pub fn overdue(&mut self) -> Vec<(Slot, u32)> {
        let now = Instant::now();
        let due = self.mute.partition_point(|(due, ..)| *due <= now);
        self.mute.drain(..due).map(|(_, slot, pid)| (slot, pid)).collect()
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
