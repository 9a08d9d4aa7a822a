//! Which generation of an app follows which: begin, prove, accept or reject, crash and restart,
//! end.

use std::time::Duration;

use crate::action::{Action, Basis};
use crate::app::{App, Due};
use crate::generation::Generation;
use crate::moment::Moment;
use crate::plan::Reload;
use crate::slot::Seat;
use crate::standing::Fault;

impl App {
    /// Begins the generation that is due, if it may: a core must be free, and nothing may live
    /// beside one that replaces.
    pub fn launch(&mut self, now: Moment, core_is_free: bool, out: &mut Vec<Action>) {
        let Some(due) =
            self.due.filter(|due| due.at <= now && core_is_free && self.candidate.is_none())
        else {
            return;
        };
        let basis = self.basis.filter(|_| due.again);
        let old = basis
            .and_then(|basis| self.generations().find(|generation| generation.number() == basis));
        let plan = old.map_or_else(|| self.plan.clone(), |old| old.plan.clone());
        if plan.reload == Reload::Replace && !self.is_empty() {
            self.dismiss(now, None, out);
            return;
        }
        self.due = None;
        self.last += 1;
        let mut new = Generation::new(plan, self.last, basis.is_some());
        let from = basis.map_or(Basis::Reading(self.reading), Basis::Generation);
        out.push(Action::Begin { unit: self.unit(), generation: self.last, from });
        new.proof = Some(new.boots_until(now));
        new.crew.spawn(new.head(), None, out);
        self.candidate = Some(new);
    }

    /// Moves the candidate on: its first worker starts when there is room for one more; it fails
    /// when its time is over.
    pub fn prove(&mut self, now: Moment, out: &mut Vec<Action>) {
        let room = self.has_room(now);
        let Some(new) = &mut self.candidate else { return };
        let first = Seat::Worker(1);
        if new.crew.is_ready(Seat::Master) && !new.crew.lives(first) {
            if room {
                new.proof = new.proof.or(Some(new.boots_until(now)));
                new.crew.spawn(first, None, out);
            } else {
                new.proof = None;
                self.make_room(now, out);
            }
        }
        if let Some(new) =
            self.candidate.as_ref().filter(|new| new.proof.is_some_and(|proof| proof <= now))
        {
            let limit = new.plan.start_timeout.as_secs();
            self.reject(now, format!("it was not ready after {limit} s (start_timeout)"), out);
        }
    }

    /// The candidate has proved itself: from here on the old generation hands over.
    pub fn accept(&mut self, now: Moment, out: &mut Vec<Action>) {
        let Some(mut new) = self.candidate.take() else { return };
        new.accepted = Some(now);
        new.progress = now;
        new.proof = None;
        out.push(Action::Accepted { unit: self.unit(), generation: new.number() });
        self.basis = Some(new.number());
        self.standing.accepted();
        if let Some(mut old) = self.serving.replace(new) {
            old.crew.retire(out);
            old.crew.stop_booting(now, old.mercy_until(now), out);
            self.leaving.push(old);
        }
    }

    /// The candidate has failed. What serves stays; if nothing can, the last good generation or
    /// another attempt follows.
    pub fn reject(&mut self, now: Moment, cause: String, out: &mut Vec<Action>) {
        let Some(new) = &self.candidate else { return };
        let (number, again) = (new.number(), new.again);
        self.standing.rejected(number, &cause);
        self.withdraw(now, &cause, out);
        if self.is_whole() || self.due.is_some() {
            return;
        }
        let at = match self.basis {
            Some(_) if !again => now,
            Some(_) | None => now + self.patience.failed(),
        };
        self.retry(at);
        self.standing.fault = Some(Fault { cause, until: at });
    }

    /// Takes the candidate back.
    pub fn withdraw(&mut self, now: Moment, cause: &str, out: &mut Vec<Action>) {
        let Some(mut new) = self.candidate.take() else { return };
        out.push(Action::Rejected {
            unit: self.unit(),
            generation: new.number(),
            cause: cause.to_owned(),
        });
        new.crew.dismiss(now, Some(now + REJECTED_LIMIT), out);
        self.leaving.push(new);
    }

    /// The master or the program of the serving generation is gone. Its workers serve on until
    /// their successors are ready.
    pub fn crashed(&mut self, now: Moment, cause: String, out: &mut Vec<Action>) {
        let Some(serving) = &self.serving else { return };
        let lived = serving.accepted.map_or(Duration::ZERO, |accepted| now - accepted);
        let wait = if serving.is_loyal(now) {
            self.patience = Default::default();
            self.respite.died(now, lived)
        } else {
            self.patience.failed()
        };
        let unit = self.unit();
        out.extend(self.tidings.summary(now, &unit, &cause, wait).map(Action::Told));
        if self.candidate.is_some() || self.due.is_some() {
            return;
        }
        if wait.is_zero() {
            self.due = Some(Due { at: now, again: true });
        } else {
            self.retry(now + wait);
            // It did serve: requests wait out a first crash rather than be refused.
            if wait > HELD {
                self.standing.fault = Some(Fault { cause, until: now + wait });
            }
        }
    }

    fn retry(&mut self, at: Moment) {
        let again = self.basis.is_some();
        self.due = Some(Due { at, again }).filter(|due| due.again || self.planned);
    }

    /// Tells every generation that serves to stop, within its mercy or a shorter limit.
    pub fn dismiss(&mut self, now: Moment, limit: Option<Duration>, out: &mut Vec<Action>) {
        self.leaving.extend(self.serving.take());
        for old in &mut self.leaving {
            let until = limit.map_or(old.mercy_until(now), |limit| now + limit);
            old.crew.dismiss(now, Some(until), out);
        }
    }

    /// Ends the app for good; a second time hurries it.
    pub fn end(
        &mut self,
        now: Moment,
        limit: Option<Duration>,
        cause: &str,
        out: &mut Vec<Action>,
    ) {
        self.due = None;
        self.basis = None;
        self.withdraw(now, cause, out);
        self.dismiss(now, limit, out);
    }

    /// Whether no process of it is left.
    pub fn is_empty(&self) -> bool {
        self.generations().all(|generation| generation.crew.is_empty())
    }

    /// Lets go of generations whose processes are gone and that nothing will be made from.
    pub fn collect(&mut self, out: &mut Vec<Action>) {
        let (unit, basis) = (self.unit(), self.basis);
        let gone = |old: &mut Generation| old.crew.is_empty() && Some(old.number()) != basis;
        for old in self.leaving.extract_if(.., gone) {
            out.push(Action::Gone { unit: unit.clone(), generation: old.number() });
        }
    }
}

/// A generation that was rejected has nothing to finish.
const REJECTED_LIMIT: Duration = Duration::from_secs(1);

/// The longest wait after a crash during which requests wait for the app, too.
pub(crate) const HELD: Duration = Duration::from_secs(1);
