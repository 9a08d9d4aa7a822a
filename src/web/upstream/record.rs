//! What a request's tries came to: for `$upstream_*` and for the logs. Nothing is decided by it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use smallvec::SmallVec;

use super::upload::Loan;
use crate::client::body::RequestBody;
use crate::log::Level;

/// All tries of one request, over all internal redirects.
#[derive(Debug, Default)]
pub struct Record {
    /// The tries in order; true before the first of each group.
    pub tries: SmallVec<[(bool, Rc<Try>); 1]>,
    /// The fields of the last answer, as the app sent them.
    pub fields: Vec<(Bytes, Bytes)>,
    /// Fields that go into the answer of wherever an app has sent the request on to.
    pub carried: Vec<(Bytes, Bytes)>,
    /// The request's body, while it is passed on as it comes.
    pub lent: Option<Loan>,
}

/// One try: a connection to one server.
#[derive(Debug)]
pub struct Try {
    /// Whom, as nginx writes an address.
    pub peer: Rc<str>,
    /// The status of the answer; 502 and the like when there was none.
    pub status: Cell<u16>,
    /// The time until connected.
    pub connect: Cell<Option<Duration>>,
    /// The time until the head was complete.
    pub header: Cell<Option<Duration>>,
    /// The time until the end.
    pub response: Cell<Option<Duration>>,
    /// Bytes of the body.
    pub length: Cell<u64>,
    /// Bytes received.
    pub received: Cell<u64>,
    /// Bytes sent.
    pub sent: Cell<u64>,
    /// Why the body was cut, where it was, and how grave that is.
    pub cut: RefCell<Option<(Level, String)>>,
    /// Whether the client's body is still being passed on, although the answer has begun.
    pub uploading: Cell<bool>,
    started: Instant,
    moved: Cell<Instant>,
}

impl Record {
    /// Notes a new try. `first` when it is the first one of a group of servers.
    pub fn begin(&mut self, peer: Rc<str>, first: bool) -> Rc<Try> {
        let now = Instant::now();
        let new = Rc::new(Try {
            peer,
            status: Cell::new(0),
            connect: Cell::default(),
            header: Cell::default(),
            response: Cell::default(),
            length: Cell::default(),
            received: Cell::default(),
            sent: Cell::default(),
            cut: RefCell::default(),
            uploading: Cell::default(),
            started: now,
            moved: Cell::new(now),
        });
        self.tries.push((first, Rc::clone(&new)));
        new
    }

    /// Puts a body that was lent back into its place, unless it is still being read.
    pub fn give_back(&mut self, to: &mut RequestBody) {
        if let Some(body) = self.lent.as_ref().and_then(Loan::take) {
            *to = body;
            self.lent = None;
        }
    }

    /// The last try.
    pub fn last(&self) -> Option<&Try> {
        self.tries.last().map(|(_, last)| &**last)
    }

    /// Writes one value of each try, as nginx does: `, ` between tries, ` : ` between groups.
    /// Whether there was any.
    pub fn list(&self, to: &mut Vec<u8>, mut value: impl FnMut(&mut Vec<u8>, &Try)) -> bool {
        for (index, (first, each)) in self.tries.iter().enumerate() {
            if index > 0 {
                to.extend_from_slice(if *first { b" : " } else { b", " });
            }
            value(to, each);
        }
        !self.tries.is_empty()
    }
}

impl Try {
    /// How long it has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Bytes came from the other end.
    pub fn received(&self, count: usize) {
        self.received.set(self.received.get() + count as u64);
        self.moved.set(Instant::now());
    }

    /// Bytes went to the other end.
    pub fn sent(&self, count: usize) {
        self.sent.set(self.sent.get() + count as u64);
        self.moved.set(Instant::now());
    }

    /// Waiting begins anew: for reasons that are not the other end's, nobody looked.
    pub fn touch(&self) {
        self.moved.set(Instant::now());
    }

    /// When bytes moved last.
    pub fn moved(&self) -> Instant {
        self.moved.get()
    }

    /// It is over.
    pub fn end(&self) {
        if self.response.get().is_none() {
            self.response.set(Some(self.elapsed()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_listed_with_commas_and_groups_with_colons() {
        let mut record = Record::default();
        for (peer, first) in [("a", true), ("b", false), ("c", true)] {
            record.begin(peer.into(), first);
        }
        let mut to = vec![];
        assert!(record.list(&mut to, |to, each| to.extend_from_slice(each.peer.as_bytes())));
        assert_eq!(to, b"a, b : c");
        assert!(!Record::default().list(&mut to, |_, _| ()));
    }
}
