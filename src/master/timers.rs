//! The few times that the master keeps itself: systemd's watchdog, programs that say nothing when
//! they are ready, and processes that closed their channel and should end.

use std::time::{Duration, Instant};

use supervisor::Slot;

/// What is due when. The caller says what time it is.
pub struct Timers {
    watchdog: Option<Duration>,
    fed: Instant,
    silent: Vec<(Instant, Slot)>,
    mute: Vec<(Instant, Slot, u32)>,
}

impl Timers {
    /// Reads from the environment whether systemd watches.
    pub fn new() -> Timers {
        // Half of it, as sd_watchdog_enabled(3) advises.
        let watchdog = sys::notify::watchdog_interval().map(|interval| interval / 2);
        Timers { watchdog, fed: Instant::now(), silent: Vec::new(), mute: Vec::new() }
    }

    /// How long until something is due.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let feed = self.watchdog.map(|interval| self.fed + interval);
        let ready = self.silent.first().map(|(due, _)| *due);
        let mute = self.mute.first().map(|(due, ..)| *due);
        let due = [feed, ready, mute].into_iter().flatten().min()?;
        Some(due.saturating_duration_since(now))
    }

    /// A program was started.
    pub fn program_started(&mut self, now: Instant, slot: Slot) {
        self.silent.push((now + SILENT, slot));
    }

    /// A process closed its channel: it can be neither told nor heard, and should end by itself.
    pub fn channel_closed(&mut self, now: Instant, slot: Slot, pid: u32) {
        self.mute.push((now + TIDYING, slot, pid));
    }

    /// The processes that closed their channels and have had the time to end.
    pub fn overdue(&mut self, now: Instant) -> Vec<(Slot, u32)> {
        let due = self.mute.partition_point(|(due, ..)| *due <= now);
        self.mute.drain(..due).map(|(_, slot, pid)| (slot, pid)).collect()
    }

    /// Feeds the watchdog, and returns the programs that have lived long enough to count as ready.
    pub fn tick(&mut self, now: Instant) -> Vec<Slot> {
        if self.watchdog.is_some_and(|interval| now >= self.fed + interval) {
            self.fed = now;
            let _ = sys::notify::watchdog();
        }
        let due = self.silent.partition_point(|(due, _)| *due <= now);
        self.silent.drain(..due).map(|(_, slot)| slot).collect()
    }
}

/// A program without a word of its own counts as ready after it lived so long.
const SILENT: Duration = Duration::from_secs(1);

/// How long a process that closed its channel may take to end: its interpreter tidies up.
const TIDYING: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use supervisor::{Seat, Unit};

    use super::*;

    #[test]
    fn the_loop_wakes_for_what_is_due_first_and_each_thing_is_due_once() {
        let slot = |name: &str, seat| Slot { unit: Unit::App(name.into()), generation: 1, seat };
        let (program, master) = (slot("old", Seat::Program), slot("blog", Seat::Master));
        let now = Instant::now();
        let mut timers = Timers { watchdog: None, fed: now, silent: vec![], mute: vec![] };
        assert_eq!(timers.wait(now), None);
        timers.channel_closed(now, master.clone(), 7);
        timers.program_started(now, program.clone());
        assert_eq!(timers.wait(now), Some(SILENT));
        assert_eq!(timers.tick(now), []);
        assert_eq!(timers.tick(now + SILENT), [program]);
        assert_eq!(timers.tick(now + SILENT), []);
        assert_eq!(timers.wait(now + SILENT), Some(TIDYING - SILENT));
        assert_eq!(timers.overdue(now + TIDYING), [(master, 7)]);
        assert_eq!(timers.wait(now + TIDYING), None);
    }
}
