//! How long the successor of a dead process waits, and what is said about it. All waits have a
//! maximum.

use std::time::Duration;

use crate::action::Summary;
use crate::moment::Moment;
use crate::slot::Unit;

/// The slot rule: a death is made good at once, but a slot whose processes die young again and
/// again slows down.
#[derive(Debug, Clone, Default)]
pub(crate) struct Respite {
    young: u32,
    until: Moment,
}

impl Respite {
    /// Notes a death and answers how long the successor waits.
    pub fn died(&mut self, now: Moment, lived: Duration) -> Duration {
        self.young = if lived < YOUNG { self.young.saturating_add(1) } else { 0 };
        let seconds = u64::from(self.young).saturating_sub(FREE_LIVES - 1);
        let wait = Duration::from_secs(seconds).min(LONGEST_RESPITE);
        self.until = now + wait;
        wait
    }

    /// When the next process may be started.
    pub fn until(&self) -> Moment {
        self.until
    }
}

/// The app rule: one that never proved itself waits one second more after each failure.
///
/// uWSGI's emperor does the same to vassals that are not loyal, but starts at a millisecond, by a
/// mistake in its units.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patience {
    failures: u32,
}

impl Patience {
    /// Notes a failure and answers how long the next attempt waits.
    pub fn failed(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        Duration::from_secs(u64::from(self.failures)).min(LONGEST_PATIENCE)
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether the app counts as broken.
    pub fn is_exhausted(&self) -> bool {
        self.failures >= PARKED_AFTER
    }
}

/// Deaths of one unit that were not told yet: a summary a minute is enough.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tidings {
    deaths: u32,
    told: Option<Moment>,
}

impl Tidings {
    /// Notes a death whose successor has to wait this long; a summary if one is due.
    pub fn died(&mut self, now: Moment, wait: Duration) -> Option<u32> {
        self.deaths = self.deaths.saturating_add(1);
        let due = self.told.is_none_or(|told| now - told >= BETWEEN_SUMMARIES);
        if wait.is_zero() || !due {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.deaths))
    }

    /// The same, as the whole summary.
    pub fn summary(
        &mut self,
        now: Moment,
        unit: &Unit,
        cause: &str,
        wait: Duration,
    ) -> Option<Summary> {
        let deaths = self.died(now, wait)?;
        Some(Summary { unit: unit.clone(), deaths, cause: cause.to_owned(), wait })
    }
}

const YOUNG: Duration = Duration::from_secs(1);
const FREE_LIVES: u64 = 3;
const PARKED_AFTER: u32 = 5;
const BETWEEN_SUMMARIES: Duration = Duration::from_secs(60);

/// The longest wait of the slot rule.
pub(crate) const LONGEST_RESPITE: Duration = Duration::from_secs(30);

/// The longest wait of the app rule.
pub(crate) const LONGEST_PATIENCE: Duration = Duration::from_secs(180);

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_third_young_death_waits_a_second_and_each_further_one_a_second_more() {
        let mut respite = Respite::default();
        let waits: Vec<_> =
            (0..40).map(|_| respite.died(Moment::default(), Duration::ZERO).as_secs()).collect();
        assert_eq!(waits[..6], [0, 0, 1, 2, 3, 4]);
        assert_eq!(waits[39], 30);
    }

    #[test]
    fn one_long_life_makes_a_slot_trusted_again() {
        let mut respite = Respite::default();
        for _ in 0..5 {
            respite.died(Moment::default(), Duration::ZERO);
        }
        assert_eq!(respite.died(Moment::default(), seconds(1)), Duration::ZERO);
        assert_eq!(respite.died(Moment::default(), Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn patience_grows_by_a_second_to_three_minutes() {
        let mut patience = Patience::default();
        let waits: Vec<_> = (0..200).map(|_| patience.failed().as_secs()).collect();
        assert_eq!(waits[..4], [1, 2, 3, 4]);
        assert_eq!(waits[199], 180);
    }

    #[test]
    fn an_app_counts_as_broken_after_its_fifth_failure() {
        let mut patience = Patience::default();
        let broken: Vec<_> =
            (0..5).map(|_| (patience.failed(), patience.is_exhausted()).1).collect();
        assert_eq!(broken, [false, false, false, false, true]);
    }

    #[test]
    fn deaths_are_summed_up_once_a_minute() {
        let mut tidings = Tidings::default();
        let at = |time| Moment::after_start(seconds(time));
        assert_eq!(tidings.died(at(0), Duration::ZERO), None);
        assert_eq!(tidings.died(at(1), seconds(1)), Some(2));
        assert_eq!(tidings.died(at(2), seconds(2)), None);
        assert_eq!(tidings.died(at(61), seconds(3)), Some(2));
    }
}
