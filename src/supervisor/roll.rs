//! The hand-over between generations of an app: one new worker, one old one, so that one more lives
//! than should. It also makes good the losses of the serving generation and replaces its tired
//! workers, one at a time.

use crate::action::Action;
use crate::app::App;
use crate::generation::Generation;
use crate::moment::Moment;
use crate::web::MOST_DRAINING;

impl App {
    /// Kills what did not stop or boot in time.
    pub fn enforce(&mut self, now: Moment, out: &mut Vec<Action>) {
        for generation in self.leaving.iter_mut().chain(&mut self.serving) {
            generation.crew.enforce(now, out);
        }
        let Some(serving) = &mut self.serving else { return };
        for seat in serving.crew.late_starters(now) {
            let cause =
                format!("{seat} was not ready after {} s", serving.plan.start_timeout.as_secs());
            serving.said = Some((seat, cause));
            serving.crew.kill(seat, out);
        }
    }

    /// Moves the hand-over on as far as it goes now.
    pub fn roll(&mut self, now: Moment, out: &mut Vec<Action>) {
        if self.is_whole() {
            self.refill(now, out);
            self.relieve(now, out);
            self.replace_tired(now, out);
        }
        for old in &mut self.leaving {
            old.crew.limit_retired(now, now + old.plan.mercy);
        }
        self.cut_oldest(out);
    }

    /// Starts the workers that the serving generation lacks, as far as there is room.
    fn refill(&mut self, now: Moment, out: &mut Vec<Action>) {
        let mut room = self.room(now);
        let Some(serving) = &mut self.serving else { return };
        let seats: Vec<_> =
            serving.missing().filter(|seat| serving.crew.free_at(*seat) <= now).collect();
        for seat in seats {
            if room == 0 {
                // It waits for others to finish their work, which is no failure of its own.
                serving.progress = now;
                return;
            }
            serving.crew.spawn(seat, Some(serving.boots_until(now)), out);
            room -= 1;
        }
    }

    /// Stops as many old workers as new ones have made superfluous; all of them if the new ones
    /// cannot get ready.
    fn relieve(&mut self, now: Moment, out: &mut Vec<Action>) {
        let Some(serving) = &self.serving else { return };
        let waiting = self.stalls_at().is_some_and(|stalled| stalled > now);
        let ready = serving.crew.ready_ones();
        let needed = if waiting { serving.wanted().saturating_sub(ready) } else { 0 };
        while self.working_old() > needed {
            self.stop_one_old(now, out);
        }
    }

    /// When the hand-over has waited long enough for the next new worker.
    pub fn stalls_at(&self) -> Option<Moment> {
        let serving = self.serving.as_ref().filter(|serving| serving.is_whole())?;
        (self.working_old() > 0).then(|| serving.boots_until(serving.progress))
    }

    fn working_old(&self) -> usize {
        self.leaving.iter().map(|old| old.crew.working().count()).sum()
    }

    fn stop_one_old(&mut self, now: Moment, out: &mut Vec<Action>) {
        for old in &mut self.leaving {
            let seat = old.crew.working().next();
            if let Some(seat) = seat {
                let until = old.mercy_until(now);
                old.crew.stop(now, seat, Some(until), out);
                return;
            }
        }
    }

    /// A tired worker goes when no other is missing; its death is made good at once.
    fn replace_tired(&mut self, now: Moment, out: &mut Vec<Action>) {
        let Some(serving) = &mut self.serving else { return };
        if serving.worker_seats().all(|seat| serving.crew.is_ready(seat))
            && let Some(seat) = serving.tired.pop_first()
        {
            let until = serving.mercy_until(now);
            serving.crew.stop(now, seat, Some(until), out);
        }
    }

    /// Whether one more worker may live.
    pub fn has_room(&self, now: Moment) -> bool {
        self.room(now) > 0
    }

    /// Room for the candidate's first worker, where a crash has stopped the hand-over before it:
    /// somebody has to go, unless one is on its way already.
    pub fn make_room(&mut self, now: Moment, out: &mut Vec<Action>) {
        if self.is_whole() {
            return;
        }
        let live: usize = self.leaving.iter().map(|old| old.crew.live(now)).sum();
        if self.working_old() == live {
            self.stop_one_old(now, out);
        }
    }

    /// How many more workers may live: one more than the largest of the generations has. Those that
    /// take long to stop do not count.
    fn room(&self, now: Moment) -> usize {
        let served = self.leaving.iter().filter(|old| old.accepted.is_some());
        let counted = served.chain(&self.serving).chain(&self.candidate);
        let living = counted.filter(|generation| !generation.crew.is_empty());
        let most = living.map(Generation::wanted).max().unwrap_or(1);
        let live: usize = self.generations().map(|generation| generation.crew.live(now)).sum();
        (most + 1).saturating_sub(live)
    }

    /// Too many generations that finish their work: the oldest has had time enough.
    fn cut_oldest(&mut self, out: &mut Vec<Action>) {
        let living = self.leaving.iter().filter(|old| !old.crew.is_empty()).count();
        let surplus = living.saturating_sub(MOST_DRAINING);
        for old in self.leaving.iter_mut().filter(|old| !old.crew.is_empty()).take(surplus) {
            old.crew.kill_all(out);
        }
    }

    /// Whether a worker would start if others were gone.
    fn waits_for_room(&self) -> bool {
        let first = self.candidate.as_ref().is_some_and(|new| new.proof.is_none());
        let next = self
            .serving
            .as_ref()
            .is_some_and(|serving| serving.is_whole() && serving.missing().next().is_some());
        first || next
    }

    /// Moments at which something is to be done.
    pub fn limits(&self) -> Vec<Moment> {
        let mut limits: Vec<_> =
            self.generations().flat_map(|generation| generation.crew.limits()).collect();
        limits.extend(self.due.map(|due| due.at));
        limits.extend(self.candidate.as_ref().and_then(|new| new.proof));
        limits.extend(self.stalls_at());
        if self.waits_for_room() {
            limits.extend(self.leaving.iter().flat_map(|old| old.crew.lingering()));
        }
        if let Some(serving) = self.serving.as_ref().filter(|serving| serving.is_whole()) {
            limits.extend(serving.missing().map(|seat| serving.crew.free_at(seat)));
        }
        limits
    }
}
