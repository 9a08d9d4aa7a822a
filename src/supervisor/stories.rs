//! The rules, one story each: what happens, when, and what is done about it.

use std::sync::Arc;
use std::time::Duration;

use crate::*;

/// A supervisor and a clock. Orders are compared in the short form that [`say`] gives them.
struct Story {
    supervisor: Supervisor,
    now: f64,
    done: Vec<String>,
    reading: u32,
}

fn story(plan: Plan) -> Story {
    let mut story = Story { supervisor: Supervisor::new(2), now: 0.0, done: vec![], reading: 0 };
    story.plan(plan, Cause::Start);
    story
}

impl Story {
    fn at(&mut self, seconds: f64) -> &mut Self {
        self.now = seconds;
        self
    }

    fn step(&mut self, event: Event) -> &mut Self {
        let now = Moment::after_start(Duration::from_secs_f64(self.now));
        self.done = self.supervisor.step(now, event).iter().map(say).collect();
        self
    }

    fn plan(&mut self, plan: Plan, cause: Cause) -> &mut Self {
        self.reading += 1;
        self.step(Event::Planned { reading: self.reading, plan, cause })
    }

    fn ready(&mut self, slot: &str) -> &mut Self {
        self.step(Event::Ready(parse(slot)))
    }

    fn answered(&mut self, slot: &str) -> &mut Self {
        self.step(Event::Answered(parse(slot)))
    }

    fn failed(&mut self, slot: &str, cause: &str) -> &mut Self {
        self.step(Event::Failed { slot: parse(slot), cause: cause.into() })
    }

    fn exited(&mut self, slot: &str) -> &mut Self {
        self.step(Event::Exited { slot: parse(slot), end: End::Signal(9) })
    }

    fn tick(&mut self) -> &mut Self {
        self.step(Event::Tick)
    }

    /// The orders of the last step, all of them.
    #[track_caller]
    fn does(&mut self, wanted: &[&str]) -> &mut Self {
        assert_eq!(self.done, wanted);
        self
    }

    #[track_caller]
    fn wakes_at(&mut self, seconds: f64) -> &mut Self {
        let wanted = Moment::after_start(Duration::from_secs_f64(seconds));
        assert_eq!(self.supervisor.deadline(), Some(wanted));
        self
    }

    #[track_caller]
    fn sleeps(&mut self) -> &mut Self {
        assert_eq!(self.supervisor.deadline(), None);
        self
    }

    fn app(&self) -> AppStatus {
        self.supervisor.status().apps[0].clone()
    }
}

/// `blog 2 master`, `blog 2 w1`, `blog 2 program`, `web 1 w0`.
fn parse(slot: &str) -> Slot {
    let words: Vec<_> = slot.split(' ').collect();
    let [unit, generation, seat] = words[..] else { panic!("{slot} is no slot") };
    let unit = if unit == "web" { Unit::Web } else { Unit::App(unit.into()) };
    let number = || seat[1..].parse().unwrap();
    let seat = match seat {
        "master" => Seat::Master,
        "program" => Seat::Program,
        _ if unit == Unit::Web => Seat::Web(number()),
        _ => Seat::Worker(number()),
    };
    Slot { unit, generation: generation.parse().unwrap(), seat }
}

fn short(slot: &Slot) -> String {
    let seat = match slot.seat {
        Seat::Master => "master".into(),
        Seat::Program => "program".into(),
        Seat::Web(number) | Seat::Worker(number) => format!("w{number}"),
    };
    format!("{} {} {seat}", of(&slot.unit), slot.generation)
}

fn of(unit: &Unit) -> &str {
    match unit {
        Unit::Web => "web",
        Unit::App(name) => name,
    }
}

fn say(action: &Action) -> String {
    match action {
        Action::Begin { unit, generation, from: Basis::Reading(reading) } => {
            format!("begin {} {generation} from reading {reading}", of(unit))
        }
        Action::Begin { unit, generation, from: Basis::Generation(old) } => {
            format!("begin {} {generation} from generation {old}", of(unit))
        }
        Action::Spawn(slot) => format!("spawn {}", short(slot)),
        Action::Stop(slot) => format!("stop {}", short(slot)),
        Action::Kill(slot) => format!("kill {}", short(slot)),
        Action::Retire(slot) => format!("retire {}", short(slot)),
        Action::Accepted { unit, generation } => format!("accepted {} {generation}", of(unit)),
        Action::Rejected { unit, generation, cause } => {
            format!("rejected {} {generation}: {cause}", of(unit))
        }
        Action::Gone { unit, generation } => format!("gone {} {generation}", of(unit)),
        Action::State { app, state: AppState::Starting } => format!("{app} starts"),
        Action::State { app, state: AppState::Up } => format!("{app} is up"),
        Action::State { app, state: AppState::Down { cause, retry } } => {
            format!("{app} is down for {} s: {cause}", retry.as_secs_f64())
        }
        Action::Booted => "booted".into(),
        Action::Told(summary) => format!("told {summary}"),
        Action::Exit { status } => format!("exit {status}"),
    }
}

fn app(name: &str, workers: u32, print: u64) -> AppPlan {
    AppPlan {
        name: Arc::from(name),
        kind: Kind::Forks { workers },
        print,
        reload: Reload::Overlap,
        start_timeout: Duration::from_secs(60),
        mercy: Duration::from_secs(10),
    }
}

fn program(print: u64) -> AppPlan {
    AppPlan { kind: Kind::Program, ..app("blog", 1, print) }
}

fn plan(apps: &[AppPlan]) -> Plan {
    Plan { web: WebPlan::default(), apps: apps.to_vec() }
}

fn web(workers: u32, print: u64, names: &[&str]) -> WebPlan {
    WebPlan {
        workers,
        print,
        names: names.iter().map(|name| Arc::from(*name)).collect(),
        drain: None,
    }
}

/// An app of one generation with all its workers ready and loyal, no web.
fn running(workers: u32) -> Story {
    let mut story = story(plan(&[app("blog", workers, 1)]));
    story.ready("blog 1 master");
    for number in 1..=workers {
        story.ready(&format!("blog 1 w{number}"));
    }
    story.answered("blog 1 w1");
    story
}

mod apps;
mod programs;
mod reload;
mod stop;
mod webs;
