//! What an app's users and operators see of it: up, starting, or down and why.

use crate::action::{Action, AppState};
use crate::app::App;
use crate::moment::Moment;
use crate::status::{AppStatus, UnitStatus};

/// How an app stands.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Its last failure, while nothing was mended since and nothing serves.
    pub fault: Option<Fault>,
    /// Whether it was accepted or failed once.
    pub tried: bool,
    /// Whether it was accepted once.
    pub served: bool,
    told: Option<Told>,
    rejected: Option<(u32, String)>,
}

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Why.
    pub cause: String,
    /// When the app is tried again.
    pub until: Moment,
}

/// What was told last.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Starting,
    Up,
    Down(Fault),
}

impl Standing {
    /// A generation proved itself.
    pub fn accepted(&mut self) {
        self.tried = true;
        self.served = true;
        self.rejected = None;
    }

    /// A generation failed.
    pub fn rejected(&mut self, generation: u32, cause: &str) {
        self.tried = true;
        self.rejected = Some((generation, cause.to_owned()));
    }
}

impl App {
    /// Tells how the app stands, if that has changed.
    pub fn tell(&mut self, now: Moment, out: &mut Vec<Action>) {
        if self.is_up() {
            self.standing.fault = None;
        }
        if !self.planned && self.serving.is_none() {
            return; // nobody asks for it any more
        }
        let told = Some(self.stand());
        if self.standing.told != told {
            self.standing.told = told;
            out.push(Action::State { app: self.name().clone(), state: self.state(now) });
        }
    }

    /// The app as an operator sees it.
    pub fn status(&self, now: Moment) -> AppStatus {
        let serving = self.serving.as_ref();
        AppStatus {
            name: self.name().clone(),
            state: self.state(now),
            unit: UnitStatus {
                serving: serving.map(|generation| generation.number()),
                candidate: self.candidate.as_ref().map(|generation| generation.number()),
                draining: self.leaving.iter().map(|generation| generation.number()).collect(),
                ready: serving.map_or(0, |generation| generation.crew.ready_ones() as u32),
                wanted: self.plan.workers().max(1),
                rejected: self.standing.rejected.clone(),
            },
            loyal: serving.is_some_and(|generation| generation.is_loyal(now)),
            failures: self.patience.failures(),
            parked: self.patience.is_exhausted(),
            served: self.standing.served,
        }
    }

    /// Whether a process of it takes requests.
    pub fn is_up(&self) -> bool {
        self.generations().any(|generation| generation.crew.ready_ones() > 0)
    }

    fn state(&self, now: Moment) -> AppState {
        match self.stand() {
            Told::Up => AppState::Up,
            Told::Starting => AppState::Starting,
            Told::Down(Fault { cause, until }) => AppState::Down { cause, retry: until - now },
        }
    }

    fn stand(&self) -> Told {
        match &self.standing.fault {
            _ if self.is_up() => Told::Up,
            Some(fault) => Told::Down(fault.clone()),
            None => Told::Starting,
        }
    }
}
