//! The processes of one generation, by seat: who lives, who was told to stop, who has to be killed
//! when.
//!
//! Policy is not here: a crew is told whom to start and whom to stop, and keeps the promise that a
//! seat holds one process.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::Action;
use crate::backoff::Respite;
use crate::moment::Moment;
use crate::slot::{Seat, Slot, Unit};

/// The processes of one generation.
#[derive(Debug)]
pub(crate) struct Crew {
    /// Whose they are.
    pub unit: Unit,
    /// The generation's number.
    pub generation: u32,
    processes: BTreeMap<Seat, Process>,
    respites: BTreeMap<Seat, Respite>,
}

/// A process that was ordered and is not known to be gone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    life: Life,
}

#[derive(Debug, Clone, Copy)]
enum Life {
    /// Started; killed if it is not ready by then.
    Booting { until: Option<Moment> },
    /// It takes requests.
    Ready { since: Moment },
    /// An app master that forks no more: it ends with its last worker.
    Retired,
    /// Told to stop; killed if it is not gone by then.
    Stopping { since: Moment, until: Option<Moment> },
    /// Killed once; once is enough.
    Killed { dismissed: bool },
}

impl Process {
    /// Whether its end was asked for.
    pub fn was_dismissed(&self) -> bool {
        match self.life {
            Life::Stopping { .. } | Life::Retired => true,
            Life::Killed { dismissed } => dismissed,
            Life::Booting { .. } | Life::Ready { .. } => false,
        }
    }

    /// How long it took requests; not at all if it never was ready.
    pub fn lived(&self, now: Moment) -> Duration {
        match self.life {
            Life::Ready { since } => now - since,
            Life::Booting { .. } | Life::Retired | Life::Stopping { .. } | Life::Killed { .. } => {
                Duration::ZERO
            }
        }
    }

    /// When it has taken so long to stop that nobody waits for it any more.
    fn lingers_from(&self) -> Option<Moment> {
        match self.life {
            Life::Stopping { since, .. } => Some(since + LINGERS_AFTER),
            Life::Booting { .. } | Life::Ready { .. } | Life::Retired | Life::Killed { .. } => None,
        }
    }

    fn works(&self) -> bool {
        matches!(self.life, Life::Booting { .. } | Life::Ready { .. })
    }
}

impl Crew {
    /// A generation without processes yet.
    pub fn new(unit: Unit, generation: u32) -> Self {
        Self { unit, generation, processes: BTreeMap::new(), respites: BTreeMap::new() }
    }

    /// Whether all processes are gone.
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// Whether the seat holds a process, whatever becomes of it.
    pub fn lives(&self, seat: Seat) -> bool {
        self.processes.contains_key(&seat)
    }

    /// Whether the seat holds a process that takes requests.
    pub fn is_ready(&self, seat: Seat) -> bool {
        self.processes.get(&seat).is_some_and(|process| matches!(process.life, Life::Ready { .. }))
    }

    /// How many processes there are, app masters left out, and those that take long to stop: nobody
    /// waits for them.
    pub fn live(&self, now: Moment) -> usize {
        let counts = |process: &Process| process.lingers_from().is_none_or(|moment| moment > now);
        let seats = self.processes.iter().filter(|(seat, _)| **seat != Seat::Master);
        seats.filter(|(_, process)| counts(process)).count()
    }

    /// How many processes take requests, app masters left out.
    pub fn ready_ones(&self) -> usize {
        self.processes.keys().filter(|seat| **seat != Seat::Master && self.is_ready(**seat)).count()
    }

    /// Seats whose processes nobody told to stop, app masters left out.
    pub fn working(&self) -> impl Iterator<Item = Seat> {
        self.processes
            .iter()
            .filter(|(seat, process)| **seat != Seat::Master && process.works())
            .map(|(seat, _)| *seat)
    }

    /// Starts a process in an empty seat; a seat that is taken is left alone.
    pub fn spawn(&mut self, seat: Seat, until: Option<Moment>, out: &mut Vec<Action>) {
        if self.lives(seat) {
            return;
        }
        self.processes.insert(seat, Process { life: Life::Booting { until } });
        out.push(Action::Spawn(self.slot(seat)));
    }

    /// Notes that a process that boots is ready. Whether it was news.
    pub fn ready(&mut self, now: Moment, seat: Seat) -> bool {
        match self.processes.get_mut(&seat) {
            Some(process) if matches!(process.life, Life::Booting { .. }) => {
                process.life = Life::Ready { since: now };
                true
            }
            Some(_) | None => false,
        }
    }

    /// Notes that a process is gone.
    pub fn remove(&mut self, seat: Seat) -> Option<Process> {
        self.processes.remove(&seat)
    }

    /// Tells a process to stop. One that was told before is only hurried.
    pub fn stop(&mut self, now: Moment, seat: Seat, until: Option<Moment>, out: &mut Vec<Action>) {
        let slot = self.slot(seat);
        let Some(process) = self.processes.get_mut(&seat) else { return };
        match process.life {
            Life::Booting { .. } | Life::Ready { .. } => {
                process.life = Life::Stopping { since: now, until };
                out.push(Action::Stop(slot));
            }
            Life::Retired => process.life = Life::Stopping { since: now, until },
            Life::Stopping { since, until: before } => {
                process.life = Life::Stopping { since, until: earlier(before, until) };
            }
            Life::Killed { .. } => {}
        }
    }

    /// Tells the app master, if it is ready, to fork no more.
    pub fn retire(&mut self, out: &mut Vec<Action>) {
        let slot = self.slot(Seat::Master);
        let Some(master) = self.processes.get_mut(&Seat::Master) else { return };
        if matches!(master.life, Life::Ready { .. }) {
            master.life = Life::Retired;
            out.push(Action::Retire(slot));
        }
    }

    /// Tells all processes to stop; an app master that is ready waits for its workers, and a little
    /// longer.
    pub fn dismiss(&mut self, now: Moment, until: Option<Moment>, out: &mut Vec<Action>) {
        self.retire(out);
        let seats: Vec<_> =
            self.processes.keys().copied().filter(|seat| *seat != Seat::Master).collect();
        for seat in seats {
            self.stop(now, seat, until, out);
        }
        self.stop(now, Seat::Master, until.map(|until| until + BEHIND_WORKERS), out);
    }

    /// An app master that was retired gets a limit once nobody works under it any more.
    pub fn limit_retired(&mut self, now: Moment, until: Moment) {
        let idle = self.working().next().is_none();
        let Some(master) = self.processes.get_mut(&Seat::Master) else { return };
        if idle && matches!(master.life, Life::Retired) {
            master.life = Life::Stopping { since: now, until: Some(until + BEHIND_WORKERS) };
        }
    }

    /// Tells those that are not ready yet to stop, their master left out.
    pub fn stop_booting(&mut self, now: Moment, until: Moment, out: &mut Vec<Action>) {
        for seat in self.seats(|process| matches!(process.life, Life::Booting { .. })) {
            if seat != Seat::Master {
                self.stop(now, seat, Some(until), out);
            }
        }
    }

    /// Kills a process, once.
    pub fn kill(&mut self, seat: Seat, out: &mut Vec<Action>) {
        let slot = self.slot(seat);
        let Some(process) = self.processes.get_mut(&seat) else { return };
        if !matches!(process.life, Life::Killed { .. }) {
            process.life = Life::Killed { dismissed: process.was_dismissed() };
            out.push(Action::Kill(slot));
        }
    }

    /// Kills them all, workers before their master.
    pub fn kill_all(&mut self, out: &mut Vec<Action>) {
        let seats: Vec<_> = self.processes.keys().rev().copied().collect();
        for seat in seats {
            self.kill(seat, out);
        }
    }

    /// Kills those that were told to stop and did not in time.
    pub fn enforce(&mut self, now: Moment, out: &mut Vec<Action>) {
        let late = |process: &Process| matches!(process.life, Life::Stopping { until: Some(until), .. } if until <= now);
        for seat in self.seats(late) {
            self.kill(seat, out);
        }
    }

    /// Seats whose processes were not ready in time.
    pub fn late_starters(&self, now: Moment) -> Vec<Seat> {
        self.seats(
            |process| matches!(process.life, Life::Booting { until: Some(until) } if until <= now),
        )
    }

    /// The slot rule for one seat.
    pub fn respite(&mut self, seat: Seat) -> &mut Respite {
        self.respites.entry(seat).or_default()
    }

    /// When the seat may be taken again.
    pub fn free_at(&self, seat: Seat) -> Moment {
        self.respites.get(&seat).map_or_else(Moment::default, Respite::until)
    }

    /// Forgets past deaths.
    pub fn forgive(&mut self) {
        self.respites.clear();
    }

    /// The limits that run.
    pub fn limits(&self) -> impl Iterator<Item = Moment> {
        self.processes.values().filter_map(|process| match process.life {
            Life::Booting { until } | Life::Stopping { until, .. } => until,
            Life::Ready { .. } | Life::Retired | Life::Killed { .. } => None,
        })
    }

    /// When those that were told to stop will have taken long.
    pub fn lingering(&self) -> impl Iterator<Item = Moment> {
        self.processes.values().filter_map(Process::lingers_from)
    }

    fn slot(&self, seat: Seat) -> Slot {
        Slot { unit: self.unit.clone(), generation: self.generation, seat }
    }

    fn seats(&self, which: impl Fn(&Process) -> bool) -> Vec<Seat> {
        self.processes.iter().filter(|(_, process)| which(process)).map(|(seat, _)| *seat).collect()
    }
}

fn earlier(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (limit, None) | (None, limit) => limit,
    }
}

/// A process that said it failed has this long to exit.
pub(crate) const TO_EXIT: Duration = Duration::from_secs(1);

/// An app master may outlive the limit of its workers by this much: it has their ends to report.
const BEHIND_WORKERS: Duration = Duration::from_secs(1);

/// A process that was told to stop is waited for so long before others take its place; a stream may
/// go on for minutes.
const LINGERS_AFTER: Duration = Duration::from_secs(3);
