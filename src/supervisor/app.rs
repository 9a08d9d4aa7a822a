//! One app: its generations, and what facts do to them. Who follows whom is in `succession`, the
//! hand-over in `roll`.

use std::time::Duration;

use crate::action::{Action, REPLACED};
use crate::backoff::{Patience, Respite, Tidings};
use crate::crew::{Process, TO_EXIT};
use crate::event::Ended;
use crate::generation::Generation;
use crate::moment::Moment;
use crate::plan::AppPlan;
use crate::slot::{Name, Seat, Unit};
use crate::standing::{Fault, Standing};
use crate::succession::HELD;

/// One app.
#[derive(Debug)]
pub(crate) struct App {
    /// What the newest plan that names it wants.
    pub plan: AppPlan,
    /// Whether the newest plan names it. One that lost its place lives until no web worker asks for
    /// it.
    pub planned: bool,
    /// The newest reading.
    pub reading: u32,
    /// The number of its last generation.
    pub last: u32,
    /// The generation that serves: it proved itself.
    pub serving: Option<Generation>,
    /// The one that is being tried.
    pub candidate: Option<Generation>,
    /// Those that hand over, finish their work, or were rejected; oldest first.
    pub leaving: Vec<Generation>,
    /// The last one that was accepted: a crash restart is made from it, so it is not gone yet.
    pub basis: Option<u32>,
    /// A generation that is to begin.
    pub due: Option<Due>,
    /// The app rule.
    pub patience: Patience,
    /// The slot rule for its master or program.
    pub respite: Respite,
    /// Deaths to be told.
    pub tidings: Tidings,
    /// What its users see.
    pub standing: Standing,
}

/// A generation that is to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// Not before this.
    pub at: Moment,
    /// From the last accepted generation, not from the newest reading.
    pub again: bool,
}

impl App {
    /// An app that a plan names for the first time; `last` is the number of its last generation in
    /// an earlier life.
    pub fn new(now: Moment, plan: AppPlan, reading: u32, last: u32) -> Self {
        Self {
            plan,
            planned: true,
            reading,
            last,
            serving: None,
            candidate: None,
            leaving: vec![],
            basis: None,
            due: Some(Due { at: now, again: false }),
            patience: Patience::default(),
            respite: Respite::default(),
            tidings: Tidings::default(),
            standing: Standing::default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        &self.plan.name
    }

    /// Its unit.
    pub fn unit(&self) -> Unit {
        Unit::App(self.plan.name.clone())
    }

    /// Takes in a plan. `forced` makes a new generation even if nothing changed.
    pub fn planned(
        &mut self,
        now: Moment,
        plan: AppPlan,
        reading: u32,
        forced: bool,
        out: &mut Vec<Action>,
    ) {
        let known = self.planned && self.plan.print == plan.print;
        let serves = self.is_whole()
            && self.serving.as_ref().is_some_and(|old| old.plan.print == plan.print);
        self.planned = true;
        self.reading = reading;
        self.plan = plan;
        if forced || (!known && !serves) {
            self.renew(now, out);
        } else if !known {
            self.due = None;
            self.withdraw(now, REPLACED, out);
        }
    }

    /// The newest plan does not name it: no reading has anything about it any more.
    pub fn unplanned(&mut self) {
        self.planned = false;
        self.due = self.due.filter(|due| due.again);
    }

    /// A new generation from the newest reading, now: what was wrong may have been mended.
    pub fn renew(&mut self, now: Moment, out: &mut Vec<Action>) {
        if !self.planned {
            return;
        }
        self.withdraw(now, REPLACED, out);
        self.forgive();
        self.due = Some(Due { at: now, again: false });
    }

    /// Waits end now.
    pub fn clear_waits(&mut self, now: Moment) {
        self.forgive();
        if let Some(due) = &mut self.due {
            due.at = now;
        }
    }

    fn forgive(&mut self) {
        self.patience = Patience::default();
        self.respite = Respite::default();
        self.standing.fault = None;
        if let Some(serving) = &mut self.serving {
            serving.crew.forgive();
        }
    }

    /// A process is ready.
    pub fn ready(&mut self, now: Moment, generation: u32, seat: Seat, out: &mut Vec<Action>) {
        let Some(found) = self.find(generation) else { return };
        if found.crew.ready(now, seat) && seat != Seat::Master {
            found.progress = now;
            if self.is_candidate(generation) {
                self.accept(now, out);
            }
        }
    }

    /// A process answered a request: its generation is loyal.
    pub fn answered(&mut self, generation: u32) {
        let Some(serving) = self.serving.as_mut().filter(|serving| serving.number() == generation)
        else {
            return;
        };
        serving.answered = true;
        self.patience = Patience::default();
    }

    /// A worker asks to be replaced.
    pub fn tired(&mut self, generation: u32, seat: Seat) {
        let Some(serving) = self.serving.as_mut().filter(|serving| serving.number() == generation)
        else {
            return;
        };
        if matches!(seat, Seat::Worker(_)) && serving.crew.is_ready(seat) {
            serving.tired.insert(seat);
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
        } else if let Some(found) = self.find(generation)
            && found.crew.lives(seat)
            && seat != Seat::Master
        {
            found.said = Some((seat, cause));
            found.crew.stop(now, seat, Some(now + TO_EXIT), out);
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
        let Some(found) = self.find(generation) else { return };
        let Some(process) = found.crew.remove(seat) else { return };
        found.tired.remove(&seat);
        let said = found.said.take_if(|(who, _)| *who == seat).map(|(_, cause)| cause);
        let failed = said.is_some();
        if self.is_candidate(generation) {
            self.reject(now, ended.cause_before_ready(seat), out);
            return;
        }
        let cause = said.unwrap_or_else(|| ended.cause(seat));
        if self.serving.as_ref().is_some_and(|serving| serving.number() == generation) {
            match seat {
                Seat::Master | Seat::Program => self.crashed(now, cause, out),
                Seat::Worker(_) if process.was_dismissed() && !failed => {}
                Seat::Worker(_) | Seat::Web(_) => {
                    let wait = self.lost(now, seat, &process, &cause, out);
                    // One that could not be forked says little: most often its app master died,
                    // and is heard of next.
                    if process.lived(now).is_zero() && (failed || wait > HELD) {
                        self.standing.fault = Some(Fault { cause, until: now + wait });
                    }
                }
            }
        }
    }

    /// A worker of the serving generation is gone that nobody told to go: the slot rule says when
    /// its successor starts. Answers how long that one waits.
    fn lost(
        &mut self,
        now: Moment,
        seat: Seat,
        process: &Process,
        cause: &str,
        out: &mut Vec<Action>,
    ) -> Duration {
        let unit = self.unit();
        let Some(serving) = &mut self.serving else { return Duration::ZERO };
        let wait = serving.crew.respite(seat).died(now, process.lived(now));
        out.extend(self.tidings.summary(now, &unit, cause, wait).map(Action::Told));
        wait
    }

    /// Forgets a process without consequences, while everything is being stopped.
    pub fn remove(&mut self, generation: u32, seat: Seat) {
        if let Some(found) = self.find(generation) {
            found.crew.remove(seat);
        }
    }

    /// Whether the serving generation can make good its own losses.
    pub fn is_whole(&self) -> bool {
        self.serving.as_ref().is_some_and(Generation::is_whole)
    }

    /// Whether the generation is the one that is being tried.
    pub fn is_candidate(&self, number: u32) -> bool {
        self.candidate.as_ref().is_some_and(|candidate| candidate.number() == number)
    }

    /// All its generations that are not gone.
    pub fn generations(&self) -> impl Iterator<Item = &Generation> {
        self.leaving.iter().chain(&self.serving).chain(&self.candidate)
    }

    fn find(&mut self, number: u32) -> Option<&mut Generation> {
        let mut all = self.leaving.iter_mut().chain(&mut self.serving).chain(&mut self.candidate);
        all.find(|generation| generation.number() == number)
    }
}
