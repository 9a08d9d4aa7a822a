//! One generation of an app: one reading of its code, one life of its app master or program.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::crew::Crew;
use crate::moment::Moment;
use crate::plan::{AppPlan, Kind};
use crate::slot::{Seat, Unit};

/// One generation of an app.
#[derive(Debug)]
pub(crate) struct Generation {
    /// Its processes.
    pub crew: Crew,
    /// What it is.
    pub plan: AppPlan,
    /// Whether it was made from an earlier generation, to restart what crashed.
    pub again: bool,
    /// While it is tried: it fails if it has not proved itself by then. None while it waits for
    /// room for its first worker.
    pub proof: Option<Moment>,
    /// When it proved itself.
    pub accepted: Option<Moment>,
    /// Whether it answered a request.
    pub answered: bool,
    /// Workers that asked to be replaced.
    pub tired: BTreeSet<Seat>,
    /// When the hand-over last went forward.
    pub progress: Moment,
    /// What a process said about its failure, until it is gone.
    pub said: Option<(Seat, String)>,
}

impl Generation {
    /// A generation without processes yet.
    pub fn new(plan: AppPlan, number: u32, again: bool) -> Self {
        Self {
            crew: Crew::new(Unit::App(plan.name.clone()), number),
            plan,
            again,
            proof: None,
            accepted: None,
            answered: false,
            tired: BTreeSet::new(),
            progress: Moment::default(),
            said: None,
        }
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.crew.generation
    }

    /// The seat that everything hangs on.
    pub fn head(&self) -> Seat {
        match self.plan.kind {
            Kind::Forks { .. } => Seat::Master,
            Kind::Program => Seat::Program,
        }
    }

    /// Whether what is lost in it can be made good in it.
    pub fn is_whole(&self) -> bool {
        self.crew.is_ready(self.head())
    }

    /// The seats of its workers.
    pub fn worker_seats(&self) -> impl Iterator<Item = Seat> + use<> {
        (1..=self.plan.workers()).map(Seat::Worker)
    }

    /// Worker seats that hold no process.
    pub fn missing(&self) -> impl Iterator<Item = Seat> {
        self.worker_seats().filter(|seat| !self.crew.lives(*seat))
    }

    /// How many processes take requests when it is complete.
    pub fn wanted(&self) -> usize {
        self.plan.workers().max(1) as usize
    }

    /// Whether it answered a request, or lived long enough after it was ready.
    pub fn is_loyal(&self, now: Moment) -> bool {
        self.answered || self.accepted.is_some_and(|accepted| now - accepted >= LOYAL_AFTER)
    }

    /// How long its processes may take to be ready.
    pub fn boots_until(&self, now: Moment) -> Moment {
        now + self.plan.start_timeout
    }

    /// How long requests in flight may take from now.
    pub fn mercy_until(&self, now: Moment) -> Moment {
        now + self.plan.mercy
    }
}

const LOYAL_AFTER: Duration = Duration::from_secs(10);
