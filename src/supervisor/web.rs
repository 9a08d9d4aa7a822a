//! The web workers: a new generation is tried beside the old one, and replaces it when all of it is
//! ready.

use std::time::Duration;

use crate::action::{Action, Basis, REPLACED, STOPS};
use crate::backoff::Tidings;
use crate::crew::{Crew, TO_EXIT};
use crate::event::Ended;
use crate::moment::Moment;
use crate::plan::WebPlan;
use crate::slot::{Name, Seat, Unit};
use crate::status::UnitStatus;

/// All web generations that are not gone.
#[derive(Debug, Default)]
pub(crate) struct Web {
    plan: WebPlan,
    planned: bool,
    reading: u32,
    last: u32,
    due: bool,
    serving: Option<Generation>,
    candidate: Option<Generation>,
    leaving: Vec<Generation>,
    rejected: Option<(u32, String)>,
    tidings: Tidings,
}

#[derive(Debug)]
struct Generation {
    crew: Crew,
    plan: WebPlan,
    /// The first one serves before it is complete, since nothing else does.
    accepted: bool,
}

impl Web {
    /// Takes in a plan. `forced` makes a new generation even if nothing changed.
    pub fn planned(
        &mut self,
        now: Moment,
        reading: u32,
        plan: WebPlan,
        forced: bool,
        out: &mut Vec<Action>,
    ) {
        let known = self.planned && self.plan.print == plan.print;
        self.planned = true;
        self.reading = reading;
        self.plan = plan;
        if known && !forced {
            return;
        }
        let serves = self
            .serving
            .as_ref()
            .is_some_and(|old| old.accepted && old.plan.print == self.plan.print);
        self.due = forced || !serves;
        self.withdraw(now, REPLACED, out);
    }

    /// Apps that the next generation names and the serving one does not.
    pub fn newly_named(&self) -> Vec<Name> {
        let Some(old) = self.serving.as_ref().filter(|_| self.due) else { return vec![] };
        self.plan.names.iter().filter(|name| !old.plan.names.contains(name)).cloned().collect()
    }

    /// Whether a living generation passes requests to this app.
    pub fn names(&self, app: &Name) -> bool {
        self.generations().any(|generation| generation.plan.names.contains(app))
    }

    /// Whether a complete generation serves.
    pub fn is_accepted(&self) -> bool {
        self.serving.as_ref().is_some_and(|generation| generation.accepted)
    }

    /// Whether no process is left.
    pub fn is_empty(&self) -> bool {
        self.generations().all(|generation| generation.crew.is_empty())
    }

    /// A process is ready.
    pub fn ready(&mut self, now: Moment, generation: u32, seat: Seat) {
        if let Some(generation) = self.find(generation) {
            generation.crew.ready(now, seat);
        }
    }

    /// A process says that it cannot work.
    pub fn failed(
        &mut self,
        now: Moment,
        generation: u32,
        seat: Seat,
        cause: String,
        out: &mut Vec<Action>,
    ) {
        if self.is_candidate(generation) {
            self.reject(now, cause, out);
        } else if let Some(generation) = self.find(generation) {
            generation.crew.stop(now, seat, Some(now + TO_EXIT), out);
        }
    }

    /// Forgets a process without consequences, while everything is being stopped.
    pub fn remove(&mut self, generation: u32, seat: Seat) {
        if let Some(found) = self.find(generation) {
            found.crew.remove(seat);
        }
    }

    /// A process is gone.
    pub fn exited(
        &mut self,
        now: Moment,
        generation: u32,
        seat: Seat,
        ended: Ended,
        out: &mut Vec<Action>,
    ) {
        let Some(process) =
            self.find(generation).and_then(|generation| generation.crew.remove(seat))
        else {
            return;
        };
        if self.is_candidate(generation) {
            self.reject(now, ended.cause_before_ready(seat), out);
            return;
        }
        let Some(serving) =
            self.serving.as_mut().filter(|serving| serving.crew.generation == generation)
        else {
            return;
        };
        let wait = serving.crew.respite(seat).died(now, process.lived(now));
        let summary = self.tidings.summary(now, &Unit::Web, &ended.cause(seat), wait);
        out.extend(summary.map(Action::Told));
    }

    /// Waits of the slot rule end.
    pub fn forgive(&mut self) {
        if let Some(serving) = &mut self.serving {
            serving.crew.forgive();
        }
    }

    /// Does everything that is possible now. `apps_answer` says that the newly named apps serve or
    /// have failed.
    pub fn settle(&mut self, now: Moment, apps_answer: bool, out: &mut Vec<Action>) {
        self.enforce(now, out);
        if self.due && apps_answer {
            self.begin(now, out);
        }
        self.refill(now, out);
        self.prove(now, out);
        self.cut_oldest(out);
        self.collect(out);
    }

    /// Ends everything; a second time hurries it.
    pub fn end(&mut self, now: Moment, limit: Option<Duration>, out: &mut Vec<Action>) {
        self.due = false;
        self.withdraw(now, STOPS, out);
        if let Some(serving) = self.serving.take() {
            serving.reject_unfinished(STOPS, out);
            self.leaving.push(serving);
        }
        for generation in &mut self.leaving {
            let limit = limit.or(generation.plan.drain).unwrap_or(STOP_LIMIT);
            generation.crew.dismiss(now, Some(now + limit), out);
        }
    }

    /// Carries out what runs while everything ends.
    pub fn settle_end(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.enforce(now, out);
        self.collect(out);
    }

    /// Moments at which something is to be done.
    pub fn limits(&self) -> Vec<Moment> {
        let mut limits: Vec<_> =
            self.generations().flat_map(|generation| generation.crew.limits()).collect();
        if let Some(serving) = &self.serving {
            limits.extend(serving.missing().map(|seat| serving.crew.free_at(seat)));
        }
        limits
    }

    /// The generations as an operator sees them.
    pub fn status(&self) -> UnitStatus {
        UnitStatus {
            serving: self.serving.as_ref().map(|generation| generation.crew.generation),
            candidate: self.candidate.as_ref().map(|generation| generation.crew.generation),
            draining: self.leaving.iter().map(|generation| generation.crew.generation).collect(),
            ready: self
                .serving
                .as_ref()
                .map_or(0, |generation| generation.crew.ready_ones() as u32),
            wanted: self.serving.as_ref().map_or(0, |generation| generation.plan.workers),
            rejected: self.rejected.clone(),
        }
    }

    fn begin(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.due = false;
        self.last += 1;
        let mut new = Generation {
            crew: Crew::new(Unit::Web, self.last),
            plan: self.plan.clone(),
            accepted: false,
        };
        out.push(Action::Begin {
            unit: Unit::Web,
            generation: self.last,
            from: Basis::Reading(self.reading),
        });
        for number in 0..new.plan.workers {
            new.crew.spawn(Seat::Web(number), Some(now + START_TIMEOUT), out);
        }
        match self.serving {
            Some(_) => self.candidate = Some(new),
            None => self.serving = Some(new),
        }
    }

    /// Starts what is missing in the serving generation, by the slot rule.
    fn refill(&mut self, now: Moment, out: &mut Vec<Action>) {
        let Some(serving) = &mut self.serving else { return };
        let seats: Vec<_> =
            serving.missing().filter(|seat| serving.crew.free_at(*seat) <= now).collect();
        for seat in seats {
            serving.crew.spawn(seat, Some(now + START_TIMEOUT), out);
        }
    }

    fn prove(&mut self, now: Moment, out: &mut Vec<Action>) {
        if let Some(candidate) = self.candidate.take_if(|candidate| candidate.is_complete()) {
            let old = self.serving.replace(candidate);
            self.accept(out);
            if let Some(mut old) = old {
                let limit = old.plan.drain.map(|drain| now + drain);
                old.reject_unfinished(REPLACED, out);
                old.crew.dismiss(now, limit, out);
                self.leaving.push(old);
            }
        } else if self
            .serving
            .as_ref()
            .is_some_and(|serving| !serving.accepted && serving.is_complete())
        {
            self.accept(out);
        }
    }

    fn accept(&mut self, out: &mut Vec<Action>) {
        let Some(serving) = &mut self.serving else { return };
        serving.accepted = true;
        self.rejected = None;
        out.push(Action::Accepted { unit: Unit::Web, generation: serving.crew.generation });
    }

    fn reject(&mut self, now: Moment, cause: String, out: &mut Vec<Action>) {
        if let Some(candidate) = &self.candidate {
            self.rejected = Some((candidate.crew.generation, cause.clone()));
            self.withdraw(now, &cause, out);
        }
    }

    /// Takes the candidate back. Its workers that were ready have taken connections: they finish
    /// them.
    fn withdraw(&mut self, now: Moment, cause: &str, out: &mut Vec<Action>) {
        let Some(mut candidate) = self.candidate.take() else { return };
        candidate.reject_unfinished(cause, out);
        let limit = candidate.plan.drain.unwrap_or(STOP_LIMIT);
        candidate.crew.dismiss(now, Some(now + limit), out);
        self.leaving.push(candidate);
    }

    fn enforce(&mut self, now: Moment, out: &mut Vec<Action>) {
        for generation in self.leaving.iter_mut().chain(&mut self.serving) {
            generation.crew.enforce(now, out);
        }
        if let Some(seat) =
            self.candidate.as_ref().and_then(|new| new.crew.late_starters(now).first().copied())
        {
            self.reject(
                now,
                format!("{seat} was not ready after {} s", START_TIMEOUT.as_secs()),
                out,
            );
        }
        if let Some(serving) = &mut self.serving {
            for seat in serving.crew.late_starters(now) {
                serving.crew.kill(seat, out);
            }
        }
    }

    /// Too many generations that finish their work: the oldest has had time enough.
    fn cut_oldest(&mut self, out: &mut Vec<Action>) {
        let surplus = self.leaving.len().saturating_sub(MOST_DRAINING);
        for generation in &mut self.leaving[..surplus] {
            generation.crew.kill_all(out);
        }
    }

    fn collect(&mut self, out: &mut Vec<Action>) {
        for gone in self.leaving.extract_if(.., |generation| generation.crew.is_empty()) {
            out.push(Action::Gone { unit: Unit::Web, generation: gone.crew.generation });
        }
    }

    fn generations(&self) -> impl Iterator<Item = &Generation> {
        self.leaving.iter().chain(&self.serving).chain(&self.candidate)
    }

    fn find(&mut self, number: u32) -> Option<&mut Generation> {
        let mut all = self.leaving.iter_mut().chain(&mut self.serving).chain(&mut self.candidate);
        all.find(|generation| generation.crew.generation == number)
    }

    fn is_candidate(&self, number: u32) -> bool {
        self.candidate.as_ref().is_some_and(|candidate| candidate.crew.generation == number)
    }
}

impl Generation {
    fn missing(&self) -> impl Iterator<Item = Seat> {
        (0..self.plan.workers).map(Seat::Web).filter(|seat| !self.crew.lives(*seat))
    }

    fn reject_unfinished(&self, cause: &str, out: &mut Vec<Action>) {
        if !self.accepted {
            let generation = self.crew.generation;
            out.push(Action::Rejected { unit: Unit::Web, generation, cause: cause.to_owned() });
        }
    }

    fn is_complete(&self) -> bool {
        self.crew.ready_ones() == self.plan.workers as usize
    }
}

/// How many generations of one thing may finish their work at the same time.
pub(crate) const MOST_DRAINING: usize = 3;

const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);
