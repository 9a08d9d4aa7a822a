//! What a worker's threads know of each other: who waits for a connection, who serves which
//! request, and what ends.
//!
//! A thread says `Waiting` before it looks whether the worker drains, and the control thread says
//! that it drains before it looks who waits: so one of the two sees the other, and no thread stays
//! in accept4(2) unnoticed.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sys::channel::Channel;
use sys::thread;
use wire::message::{FromWorker, encode};

use crate::exchange::{Exchange, lock};

/// All that the threads of one worker share.
pub struct Board {
    /// One for each thread that serves.
    pub seats: Vec<Seat>,
    /// `app blog worker 1`.
    pub who: Arc<str>,
    /// A request that takes longer is ended.
    pub harakiri: Option<Duration>,
    /// How long what is in flight may take once the worker drains.
    pub mercy: Duration,
    /// The worker asks to be replaced after so many requests; 0 for never.
    pub max_requests: u64,
    /// To the master.
    pub channel: Channel,
    draining: AtomicBool,
    answered: AtomicBool,
    served: AtomicU64,
}

/// One thread that serves.
#[derive(Default)]
pub struct Seat {
    state: AtomicU8,
    thread: Mutex<Option<thread::Id>>,
    current: Mutex<Option<Arc<Exchange>>>,
}

/// What a thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has not begun, or has ended.
    Away,
    /// It waits for a connection, or is about to.
    Waiting,
    /// It was given a connection, which it serves whatever is asked of it.
    Serving,
}

impl Board {
    /// A board of empty seats.
    pub fn new(channel: Channel, who: Arc<str>, threads: u32) -> Board {
        Board {
            seats: (0..threads.max(1)).map(|_| Seat::default()).collect(),
            who,
            harakiri: None,
            mercy: Duration::MAX,
            max_requests: 0,
            channel,
            draining: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            served: AtomicU64::new(0),
        }
    }

    /// From now on nobody takes another connection.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Whether the worker ends.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Calls those who wait out of their wait. True when there were any: they have to be called
    /// again until none is.
    pub fn interrupt(&self) -> bool {
        let mut any = false;
        for seat in self.seats.iter().filter(|seat| seat.state() == State::Waiting) {
            any = true;
            if let Some(thread) = *lock(&seat.thread) {
                // A thread that has just ended needs no call.
                let _ = thread.interrupt();
            }
        }
        any
    }

    /// Counts an answered request, and tells the master what it wants to know of it.
    pub fn answered(&self) {
        if !self.answered.swap(true, Ordering::Relaxed) {
            self.tell(&FromWorker::Answered);
        }
        let served = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        if served == self.max_requests {
            self.tell(&FromWorker::Tired);
        }
    }

    /// Tells the master something. One that does not read, or is gone, is not waited for.
    pub fn tell(&self, message: &FromWorker) {
        let _ = self.channel.send(&encode(message), &[]);
    }
}

impl Seat {
    /// What the thread does.
    pub fn state(&self) -> State {
        match self.state.load(Ordering::SeqCst) {
            0 => State::Away,
            1 => State::Waiting,
            _ => State::Serving,
        }
    }

    /// The thread says what it does.
    pub fn set(&self, state: State) {
        self.state.store(state as u8, Ordering::SeqCst);
    }

    /// The calling thread sits down here.
    pub fn take(&self) {
        *lock(&self.thread) = Some(thread::Id::current());
    }

    /// The thread begins or ends a request.
    pub fn show(&self, exchange: Option<Arc<Exchange>>) {
        *lock(&self.current) = exchange;
    }

    /// The request that the thread serves.
    pub fn current(&self) -> Option<Arc<Exchange>> {
        lock(&self.current).clone()
    }
}
