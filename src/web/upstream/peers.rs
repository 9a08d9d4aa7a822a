//! Which server of a group is tried next: smooth weighted round robin, as nginx does it
//! (nginx-semantics 16.1).
//!
//! Pure: the caller tells the time and what became of a try. Each web worker has a state of its
//! own.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

/// What the configuration says of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Its share.
    pub weight: u32,
    /// So many failures within `fail_timeout` take it out; 0 for never.
    pub max_fails: u32,
    /// How long they count, and how long it stays out before the next probe.
    pub fail_timeout: Duration,
    /// How many connections it may have at once; 0 for any number.
    pub max_conns: u32,
    /// Only used when no other is left.
    pub backup: bool,
    /// Never used.
    pub down: bool,
}

impl Default for Terms {
    /// nginx's defaults.
    fn default() -> Self {
        Terms {
            weight: 1,
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
            max_conns: 0,
            backup: false,
            down: false,
        }
    }
}

/// The servers of one group and how they did lately.
#[derive(Debug)]
pub struct Peers {
    peers: Vec<Peer>,
}

#[derive(Debug)]
struct Peer {
    terms: Terms,
    /// The running score: who has the highest is next.
    current: i64,
    /// The weight in force: falls with failures, recovers by one with each choice.
    effective: i64,
    fails: u32,
    conns: u32,
    accessed: Option<Instant>,
    checked: Option<Instant>,
}

/// The servers that a request has tried already.
pub type Tried = SmallVec<[usize; 4]>;

impl Peers {
    /// A group in which all servers are good.
    pub fn new(terms: impl IntoIterator<Item = Terms>) -> Peers {
        let peer = |terms: Terms| Peer {
            current: 0,
            effective: i64::from(terms.weight),
            terms,
            fails: 0,
            conns: 0,
            accessed: None,
            checked: None,
        };
        Peers { peers: terms.into_iter().map(peer).collect() }
    }

    /// How often a request may try: once for each server that is not `down`.
    pub fn tries(&self) -> usize {
        self.peers.iter().filter(|peer| !peer.terms.down).count()
    }

    /// The next server, which gets a connection. `None`: no live one is left.
    pub fn choose(&mut self, tried: &[usize], now: Instant) -> Option<usize> {
        if let [only] = &mut self.peers[..] {
            // A single server is never taken out by its failures: there is nothing to fall back to.
            let usable = !only.terms.down && only.has_room() && tried.is_empty();
            only.conns += u32::from(usable);
            return usable.then_some(0);
        }
        self.among(false, tried, now).or_else(|| self.among(true, tried, now))
    }

    /// The connection to a server is over.
    pub fn release(&mut self, index: usize) {
        if let Some(peer) = self.peers.get_mut(index) {
            peer.conns = peer.conns.saturating_sub(1);
        }
    }

    /// A server answered: when it was being probed, its failures are forgotten.
    pub fn succeeded(&mut self, index: usize) {
        let probed = self.peers.get_mut(index).filter(|peer| peer.accessed < peer.checked);
        if let Some(peer) = probed {
            peer.fails = 0;
        }
    }

    /// A server did not answer, or with a status that counts as a failure.
    pub fn failed(&mut self, index: usize, now: Instant) {
        if let Some(peer) = self.peers.get_mut(index) {
            peer.failed(now);
        }
    }

    fn among(&mut self, backup: bool, tried: &[usize], now: Instant) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<(i64, usize)> = None;
        for (index, peer) in self.peers.iter_mut().enumerate() {
            if peer.terms.backup != backup || tried.contains(&index) || !peer.usable(now) {
                continue;
            }
            peer.current += peer.effective;
            total += peer.effective;
            if peer.effective < i64::from(peer.terms.weight) {
                peer.effective += 1;
            }
            if best.is_none_or(|(score, _)| peer.current > score) {
                best = Some((peer.current, index));
            }
        }
        let (_, index) = best?;
        let chosen = &mut self.peers[index];
        chosen.current -= total;
        chosen.conns += 1;
        if !chosen.within_fail_timeout(now) {
            chosen.checked = Some(now);
        }
        Some(index)
    }
}

impl Peer {
    fn usable(&self, now: Instant) -> bool {
        let out = self.terms.max_fails > 0
            && self.fails >= self.terms.max_fails
            && self.within_fail_timeout(now);
        !self.terms.down && !out && self.has_room()
    }

    fn has_room(&self) -> bool {
        self.terms.max_conns == 0 || self.conns < self.terms.max_conns
    }

    fn within_fail_timeout(&self, now: Instant) -> bool {
        self.checked.is_some_and(|checked| {
            now.saturating_duration_since(checked) <= self.terms.fail_timeout
        })
    }

    fn failed(&mut self, now: Instant) {
        self.fails = self.fails.saturating_add(1);
        self.accessed = Some(now);
        self.checked = Some(now);
        if self.terms.max_fails > 0 {
            let loss = i64::from(self.terms.weight) / i64::from(self.terms.max_fails);
            self.effective = (self.effective - loss).max(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(weights: &[u32]) -> Peers {
        Peers::new(weights.iter().map(|weight| Terms { weight: *weight, ..Terms::default() }))
    }

    fn choices(peers: &mut Peers, now: Instant, count: usize) -> Vec<Option<usize>> {
        (0..count)
            .map(|_| {
                let chosen = peers.choose(&[], now);
                chosen.inspect(|index| {
                    peers.succeeded(*index);
                    peers.release(*index);
                })
            })
            .collect()
    }

    #[test]
    fn weights_are_served_smoothly() {
        let mut peers = group(&[5, 1, 1]);
        let chosen = choices(&mut peers, Instant::now(), 7);
        assert_eq!(chosen, [0, 0, 1, 0, 2, 0, 0].map(Some));
    }

    #[test]
    fn a_server_that_failed_is_out_for_its_fail_timeout_and_then_probed() {
        let start = Instant::now();
        let mut peers = group(&[1, 1]);
        assert_eq!(peers.choose(&[], start), Some(0));
        peers.failed(0, start);
        assert_eq!(choices(&mut peers, start, 3), [1, 1, 1].map(Some));
        let later = start + Duration::from_secs(11);
        let chosen = choices(&mut peers, later, 4);
        assert!(chosen.contains(&Some(0)), "{chosen:?}");
    }

    #[test]
    fn a_backup_serves_only_when_no_other_is_left() {
        let now = Instant::now();
        let backup = Terms { backup: true, ..Terms::default() };
        let mut peers = Peers::new([Terms::default(), backup]);
        assert_eq!(choices(&mut peers, now, 2), [0, 0].map(Some));
        assert_eq!(peers.choose(&[], now), Some(0));
        peers.failed(0, now);
        assert_eq!(choices(&mut peers, now, 2), [1, 1].map(Some));
        assert_eq!(peers.choose(&[1], now), None);
    }

    #[test]
    fn a_single_server_is_tried_again_however_often_it_failed() {
        let now = Instant::now();
        let mut peers = group(&[1]);
        for _ in 0..5 {
            assert_eq!(peers.choose(&[], now), Some(0));
            peers.failed(0, now);
        }
        assert_eq!(peers.choose(&[0], now), None);
    }

    #[test]
    fn a_server_that_is_down_or_full_is_passed_over() {
        let now = Instant::now();
        let down = Terms { down: true, ..Terms::default() };
        let full = Terms { max_conns: 1, ..Terms::default() };
        let mut peers = Peers::new([down, full, Terms::default()]);
        assert_eq!(peers.tries(), 2);
        assert_eq!(peers.choose(&[], now), Some(1));
        assert_eq!(peers.choose(&[], now), Some(2));
        assert_eq!(peers.choose(&[], now), Some(2));
        peers.release(1);
        assert_eq!(peers.choose(&[2], now), Some(1));
    }
}
