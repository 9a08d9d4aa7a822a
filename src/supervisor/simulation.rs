//! 256 worlds, each with its own seed: random plans, orders, deaths and delays; after every step
//! the promises are checked.

use std::sync::Arc;
use std::time::Duration;

use world::World;

use crate::*;

mod world;

#[test]
fn whatever_happens_the_promises_are_kept() {
    for seed in 0..RUNS {
        eprintln!("seed {seed}"); // shown if it fails
        let mut run = Run::new(seed);
        run.storm();
        if seed % 2 == 0 { run.stop() } else { run.recover() }
    }
}

struct Run {
    seed: u64,
    world: World,
    supervisor: Supervisor,
    reading: u32,
}

impl Run {
    fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let supervisor = Supervisor::new(world.cores);
        let mut run = Self { seed, world, supervisor, reading: 0 };
        let plan = run.random_plan();
        run.plan(plan, Cause::Start);
        run
    }

    /// Things go wrong for a while.
    fn storm(&mut self) {
        for _ in 0..STORM {
            match self.world.chance.below(60) {
                0 => {
                    let plan = self.random_plan();
                    self.plan(plan, Cause::FileChanged);
                }
                1 => {
                    let plan = self.random_plan();
                    self.plan(plan, Cause::Asked(None));
                }
                2 => {
                    let plan = self.plan_now();
                    let name = NAMES[self.world.chance.below(4) as usize];
                    self.plan(plan, Cause::Asked(Some(vec![name.into()])));
                }
                3 => {
                    let name = NAMES[self.world.chance.below(4) as usize];
                    self.step(Event::CodeChanged(name.into()));
                }
                4 => self.step(Event::ClearWaits),
                5..8 => self.world.strike(),
                _ => self.go_on(),
            }
        }
    }

    /// Everything behaves: what is planned runs, and nothing else.
    fn recover(&mut self) {
        self.world.calm_down();
        let plan = self.plan_now();
        self.plan(plan.clone(), Cause::Asked(None));
        let end = self.world.now + Duration::from_secs(2000);
        while self.next_at().is_some_and(|at| at < end) {
            self.go_on();
        }
        let status = self.supervisor.status();
        assert!(status.booted && !status.stopping, "seed {}", self.seed);
        assert_eq!(
            (status.web.ready, status.web.candidate),
            (plan.web.workers, None),
            "seed {}",
            self.seed
        );
        assert_eq!(status.apps.len(), plan.apps.len(), "seed {}", self.seed);
        assert_eq!(self.world.living(&Unit::Web).len(), 1, "seed {}", self.seed);
        for app in &status.apps {
            assert_eq!(app.state, AppState::Up, "seed {}", self.seed);
            assert_eq!(
                (app.unit.ready, app.unit.candidate),
                (app.unit.wanted, None),
                "seed {}",
                self.seed
            );
            assert_eq!(app.unit.draining, [0; 0], "seed {}", self.seed);
            let living = self.world.living(&Unit::App(app.name.clone()));
            assert_eq!(living.into_iter().collect::<Vec<_>>(), Vec::from_iter(app.unit.serving));
        }
    }

    /// Everything is to end, and does.
    fn stop(&mut self) {
        let graceful = self.world.chance.percent(70);
        self.world.stopped = true;
        let limit = if graceful { 30 + 60 + 2 } else { 3 };
        let end = self.world.now + Duration::from_secs(limit);
        self.step(Event::Stop { graceful });
        while !self.world.over {
            assert!(self.world.now <= end, "seed {}: the stop does not end", self.seed);
            if graceful && self.world.chance.percent(2) {
                self.step(Event::Stop { graceful: false });
            }
            self.go_on();
        }
        assert_eq!(self.supervisor.deadline(), None);
        assert_eq!(self.supervisor.step(self.world.now, Event::Tick), []);
    }

    fn next_at(&self) -> Option<Moment> {
        [self.world.next_at(), self.supervisor.deadline()].into_iter().flatten().min()
    }

    fn go_on(&mut self) {
        let Some(at) = self.next_at() else { return };
        self.world.now = at.max(self.world.now);
        let event = if self.world.next_at().is_some_and(|next| next <= at) {
            let Some(event) = self.world.happen() else { return };
            event
        } else {
            Event::Tick
        };
        self.step(event);
    }

    fn plan_now(&self) -> Plan {
        self.world.plans.last_key_value().map(|(_, plan)| plan.clone()).unwrap_or_default()
    }

    fn plan(&mut self, plan: Plan, cause: Cause) {
        self.reading += 1;
        self.world.plans.insert(self.reading, plan.clone());
        self.step(Event::Planned { reading: self.reading, plan, cause });
    }

    fn random_plan(&mut self) -> Plan {
        let chance = &mut self.world.chance;
        let mut apps = vec![];
        for name in NAMES {
            if chance.percent(75) {
                let workers = 1 + chance.below(4) as u32;
                apps.push(AppPlan {
                    name: Arc::from(name),
                    kind: if chance.percent(80) { Kind::Forks { workers } } else { Kind::Program },
                    print: chance.below(3),
                    reload: if chance.percent(75) { Reload::Overlap } else { Reload::Replace },
                    start_timeout: Duration::from_secs(5 + chance.below(55)),
                    mercy: Duration::from_secs(1 + chance.below(59)),
                });
            }
        }
        let names =
            apps.iter().map(|app| app.name.clone()).filter(|_| chance.percent(80)).collect();
        let drain = chance.percent(50).then(|| Duration::from_secs(1 + chance.below(20)));
        let web =
            WebPlan { workers: 1 + chance.below(3) as u32, print: chance.below(4), names, drain };
        Plan { web, apps }
    }

    fn step(&mut self, event: Event) {
        let actions = self.supervisor.step(self.world.now, event.clone());
        for action in &actions {
            self.world.obey(action);
        }
        if !self.world.over {
            self.check_time();
            self.check_crowds();
            self.check_states();
        }
    }

    fn check_time(&self) {
        let Some(deadline) = self.supervisor.deadline() else { return };
        assert!(deadline > self.world.now, "seed {}: a deadline in the past", self.seed);
        assert!(deadline - self.world.now <= Duration::from_secs(180), "seed {}", self.seed);
    }

    fn check_crowds(&self) {
        let judged = |unit: &Unit, number: u32| {
            let generation = &self.world.generations[&(unit.clone(), number)];
            generation.accepted || generation.rejected
        };
        let all = self.world.generations.keys();
        let boots =
            all.filter(|(unit, number)| *unit != Unit::Web && !judged(unit, *number)).count();
        assert!(boots <= self.world.cores, "seed {}: {boots} apps boot at once", self.seed);
    }

    fn check_states(&self) {
        if self.world.stopped {
            return;
        }
        for app in self.supervisor.status().apps {
            if app.unit.serving.is_none()
                && !self.plan_now().apps.iter().any(|wanted| wanted.name == app.name)
            {
                continue; // it left the plan: nobody is told any more
            }
            let unit = Unit::App(app.name.clone());
            let serves = |slot: &Slot| slot.unit == unit && slot.seat != Seat::Master;
            let up = self.world.processes.iter().any(|(slot, process)| {
                serves(slot) && process.ready && process.told.is_none() && !process.killed
            });
            let told = self.world.states.get(&app.name);
            assert_eq!(
                told == Some(&AppState::Up),
                up,
                "seed {}: {} is {told:?}",
                self.seed,
                app.name
            );
        }
    }
}

const RUNS: u64 = 256;
const STORM: u32 = 400;
const NAMES: [&str; 4] = ["blog", "shop", "wiki", "mail"];
