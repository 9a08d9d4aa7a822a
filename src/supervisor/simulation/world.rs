//! A modelled world for the simulation: processes that boot late, hang, fail, die and ignore
//! orders, and what is true about them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::*;

/// A small generator of numbers that look random and are the same for the same seed (splitmix64).
pub(crate) struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end) + 1)
    }
}

/// A process that lives.
#[derive(Debug, Default)]
pub(crate) struct Process {
    pub ready: bool,
    pub told: Option<Moment>,
    pub killed: bool,
    pub retired: bool,
}

/// What is known of a generation.
#[derive(Debug)]
pub(crate) struct Generation {
    pub workers: u32,
    pub accepted: bool,
    pub rejected: bool,
    pub gone: bool,
}

/// All that is outside of the supervisor.
pub(crate) struct World {
    pub chance: Chance,
    pub now: Moment,
    pub calm: bool,
    pub stopped: bool,
    pub over: bool,
    pub cores: usize,
    pub plans: BTreeMap<u32, Plan>,
    pub processes: BTreeMap<Slot, Process>,
    pub generations: BTreeMap<(Unit, u32), Generation>,
    pub states: BTreeMap<Name, AppState>,
    coming: BTreeMap<(Moment, u64), Event>,
    sequence: u64,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let cores = 1 + chance.below(3) as usize;
        Self {
            chance,
            now: Moment::default(),
            calm: false,
            stopped: false,
            over: false,
            cores,
            plans: BTreeMap::new(),
            processes: BTreeMap::new(),
            generations: BTreeMap::new(),
            states: BTreeMap::new(),
            coming: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// The next thing that happens by itself.
    pub fn next_at(&self) -> Option<Moment> {
        self.coming.keys().next().map(|(at, _)| *at)
    }

    /// Lets it happen; nothing if it has lost its sense.
    pub fn happen(&mut self) -> Option<Event> {
        let event = self.coming.pop_first()?.1;
        match &event {
            Event::Exited { slot, .. } => {
                self.processes.remove(slot)?;
                self.end_retired(slot);
            }
            Event::NotSpawned { slot, .. } => {
                self.processes.remove(slot)?;
            }
            Event::Ready(slot) => {
                let process = self.processes.get_mut(slot)?;
                process.ready = process.told.is_none() && !process.killed;
            }
            Event::Failed { slot, .. } | Event::Answered(slot) | Event::Tired(slot) => {
                self.processes.get(slot)?;
            }
            _ => {}
        }
        Some(event)
    }

    /// From now on everything boots, lives, and obeys.
    pub fn calm_down(&mut self) {
        self.calm = true;
        self.coming.retain(|_, event| matches!(event, Event::Ready(_)));
        let slots: Vec<_> = self.processes.keys().cloned().collect();
        for slot in slots {
            self.exit_within(&slot, 1000);
        }
    }

    /// Carries out an order, and says what is wrong with it.
    pub fn obey(&mut self, action: &Action) {
        assert!(!self.over, "an order after the exit: {action:?}");
        match action {
            Action::Begin { unit, generation, from } => self.begin(unit, *generation, *from),
            Action::Spawn(slot) => self.spawn(slot),
            Action::Stop(slot) => {
                let process =
                    self.processes.get_mut(slot).expect("a stop goes to a process that lives");
                assert!(process.told.replace(self.now).is_none(), "{slot} told twice");
                if self.calm || self.chance.percent(85) {
                    self.exit_within(slot, 3000);
                }
            }
            Action::Kill(slot) => self.kill(slot),
            Action::Retire(slot) => {
                let master = self.processes.get_mut(slot).expect("a master that lives retires");
                assert!(!std::mem::replace(&mut master.retired, true), "{slot} retired twice");
                self.end_retired(slot);
            }
            Action::Accepted { unit, generation } => {
                let generation = self.generation(unit, *generation);
                assert!(!generation.rejected && !generation.accepted);
                generation.accepted = true;
            }
            Action::Rejected { unit, generation, .. } => {
                let generation = self.generation(unit, *generation);
                assert!(!generation.rejected && !generation.accepted);
                generation.rejected = true;
            }
            Action::Gone { unit, generation } => {
                let left =
                    self.processes.keys().any(|s| s.unit == *unit && s.generation == *generation);
                assert!(!left, "{unit} {generation} is not gone");
                let generation = self.generation(unit, *generation);
                assert!(generation.accepted || generation.rejected, "nobody judged it");
                generation.gone = true;
            }
            Action::State { app, state } => {
                if let AppState::Down { retry, .. } = state {
                    assert!(*retry <= Duration::from_secs(180), "a wait above its maximum");
                }
                self.states.insert(app.clone(), state.clone());
            }
            Action::Told(summary) => assert!(summary.wait <= Duration::from_secs(180)),
            Action::Booted => {}
            Action::Exit { .. } => {
                assert!(self.processes.is_empty(), "exit with processes left");
                self.over = true;
            }
        }
    }

    /// Kills a process as an operator would, from outside.
    pub fn strike(&mut self) {
        let count = self.processes.len() as u64;
        if count > 0 {
            let index = self.chance.below(count) as usize;
            let slot = self.processes.keys().nth(index).cloned().expect("it was counted");
            self.soon(1, Event::Exited { slot, end: End::Signal(9) });
        }
    }

    fn begin(&mut self, unit: &Unit, number: u32, from: Basis) {
        assert!(!self.stopped, "nothing begins after a stop");
        let workers = match from {
            Basis::Reading(reading) => {
                let (newest, plan) = self.plans.last_key_value().expect("something was planned");
                assert_eq!(reading, *newest, "only the newest reading is used");
                match unit {
                    Unit::Web => plan.web.workers,
                    Unit::App(name) => plan
                        .apps
                        .iter()
                        .find(|app| app.name == *name)
                        .expect("it is planned")
                        .workers(),
                }
            }
            Basis::Generation(old) => {
                let old = self.generation(unit, old);
                assert!(!old.gone && old.accepted);
                old.workers
            }
        };
        let new = Generation { workers, accepted: false, rejected: false, gone: false };
        assert!(
            self.generations.insert((unit.clone(), number), new).is_none(),
            "a number is used once"
        );
    }

    fn spawn(&mut self, slot: &Slot) {
        assert!(!self.stopped, "nothing is spawned after a stop: {slot}");
        assert!(!self.processes.contains_key(slot), "two processes in one slot: {slot}");
        let generation = self.generation(&slot.unit, slot.generation);
        assert!(!generation.gone && !generation.rejected, "a rejected generation serves: {slot}");
        self.processes.insert(slot.clone(), Process::default());
        if matches!(slot.seat, Seat::Worker(_)) {
            self.check_crowd(&slot.unit);
        }
        let master = Slot { seat: Seat::Master, ..slot.clone() };
        let orphan = matches!(slot.seat, Seat::Worker(_)) && !self.processes.contains_key(&master);
        let slot = slot.clone();
        if orphan || (!self.calm && self.chance.percent(3)) {
            self.soon(5, Event::NotSpawned { slot, cause: "no memory".into() });
            return;
        }
        match if self.calm { 99 } else { self.chance.below(100) } {
            0..4 => {}
            4..8 => self.soon(800, Event::Exited { slot, end: End::Status(1) }),
            8..14 => {
                self.soon(800, Event::Failed { slot: slot.clone(), cause: "ImportError".into() });
                self.soon(2000, Event::Exited { slot, end: End::Status(1) });
            }
            _ => self.live(slot),
        }
    }

    /// One more worker may live than the largest generation that was not rejected has.
    fn check_crowd(&self, unit: &Unit) {
        let lingers =
            |process: &Process| process.told.is_some_and(|told| self.now - told >= LINGERS);
        let workers = self.processes.iter().filter(|(slot, process)| {
            slot.unit == *unit && slot.seat != Seat::Master && !lingers(process)
        });
        let living =
            self.living(unit).into_iter().map(|number| &self.generations[&(unit.clone(), number)]);
        let most =
            living.filter(|old| !old.rejected).map(|old| old.workers).max().unwrap_or(0).max(1);
        let live = workers.count() as u32;
        assert!(live <= most + 1, "{live} workers of {unit} live where {most} should");
    }

    fn live(&mut self, slot: Slot) {
        let boots = if !self.calm && self.chance.percent(20) { 9000 } else { 900 };
        self.soon(boots, Event::Ready(slot.clone()));
        if self.chance.percent(60) {
            self.soon(15_000, Event::Answered(slot.clone()));
        }
        if self.calm {
            return;
        }
        if self.chance.percent(20) {
            self.soon(20_000, Event::Tired(slot.clone()));
        }
        if self.chance.percent(25) {
            self.soon(30_000, Event::Exited { slot, end: End::Signal(11) });
        }
    }

    fn kill(&mut self, slot: &Slot) {
        let process = self.processes.get_mut(slot).expect("a kill goes to a process that lives");
        assert!(!std::mem::replace(&mut process.killed, true), "{slot} killed twice");
        self.soon(20, Event::Exited { slot: slot.clone(), end: End::Signal(9) });
        if slot.seat == Seat::Master {
            let crew: Vec<_> = self
                .crew(slot)
                .map(|(slot, process)| (slot.clone(), process.told.is_some()))
                .collect();
            for (worker, told) in crew {
                let killed = self.processes[&worker].killed;
                assert!(told || killed, "{worker} was wanted when its master was killed");
                self.soon(20, Event::Exited { slot: worker, end: End::Signal(9) });
            }
        }
    }

    fn end_retired(&mut self, slot: &Slot) {
        let master = Slot { seat: Seat::Master, ..slot.clone() };
        let retired = self.processes.get(&master).is_some_and(|process| process.retired);
        if retired && self.crew(slot).next().is_none() && (self.calm || self.chance.percent(90)) {
            self.soon(50, Event::Exited { slot: master, end: End::Status(0) });
        }
    }

    fn crew(&self, slot: &Slot) -> impl Iterator<Item = (&Slot, &Process)> {
        let (unit, generation) = (slot.unit.clone(), slot.generation);
        self.processes.iter().filter(move |(slot, _)| {
            slot.unit == unit && slot.generation == generation && slot.seat != Seat::Master
        })
    }

    fn exit_within(&mut self, slot: &Slot, millis: u64) {
        let Some(process) = self.processes.get(slot) else { return };
        let idle = process.retired && self.crew(slot).next().is_none();
        if process.told.is_some() || process.killed || idle {
            self.soon(millis, Event::Exited { slot: slot.clone(), end: End::Status(0) });
        } else if self.calm && !process.ready {
            self.soon(millis, Event::Ready(slot.clone()));
        }
    }

    fn soon(&mut self, millis: u64, event: Event) {
        let at = self.now + self.chance.millis(millis);
        self.sequence += 1;
        self.coming.insert((at, self.sequence), event);
    }

    fn generation(&mut self, unit: &Unit, number: u32) -> &mut Generation {
        self.generations.get_mut(&(unit.clone(), number)).expect("it has begun")
    }

    /// Generations of a unit that hold processes.
    pub fn living(&self, unit: &Unit) -> BTreeSet<u32> {
        self.processes
            .keys()
            .filter(|slot| slot.unit == *unit)
            .map(|slot| slot.generation)
            .collect()
    }
}

/// Nobody waits longer than this for a worker that was told to stop.
const LINGERS: Duration = Duration::from_secs(3);
