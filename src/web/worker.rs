//! What all requests of this process share. Everything runs on one thread, so cells do.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use config::Http;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::content::files::Files;
use crate::log::Logs;
use crate::upstream::Upstreams;

/// The worker.
pub struct Worker {
    /// The configuration of the web.
    pub http: Http,
    /// The configuration's main level.
    pub main: config::section::Main,
    /// The worker's number.
    pub number: u32,
    /// The prefix that relative paths start from.
    pub prefix: PathBuf,
    /// The apps and servers behind us.
    pub upstreams: Upstreams,
    /// The logs.
    pub logs: Logs,
    /// The date.
    pub clock: Clock,
    /// Files that were served lately.
    pub files: Files,
    /// Random bytes.
    pub chance: Chance,
    connections: u64,
    stage: Cell<Stage>,
    serial: Cell<u64>,
    open: RefCell<HashMap<u64, Rc<Patience>, foldhash::fast::RandomState>>,
    closed: Notify,
}

/// How far the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It accepts connections and keeps them.
    Serving,
    /// It accepts none, answers with `Connection: close`, and closes idle ones a while after this
    /// moment.
    Draining(Instant),
    /// Idle connections are closed at once.
    Ending,
}

impl Worker {
    /// A worker that begins.
    pub fn new(
        main: config::section::Main,
        events: &config::section::Events,
        http: Http,
        number: u32,
        prefix: PathBuf,
        upstreams: Upstreams,
        logs: Logs,
    ) -> Worker {
        Worker {
            http,
            main,
            number,
            prefix,
            upstreams,
            logs,
            clock: Clock::default(),
            files: Files::default(),
            chance: Chance::default(),
            connections: events.worker_connections.0,
            stage: Cell::new(Stage::Serving),
            serial: Cell::new(0),
            open: RefCell::default(),
            closed: Notify::new(),
        }
    }

    /// The number of the next connection, from 1.
    pub fn next_serial(&self) -> u64 {
        self.serial.set(self.serial.get() + 1);
        self.serial.get()
    }

    /// How far the process is.
    pub fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// Goes on in life, and wakes all connections that wait for a request.
    pub fn enter(&self, stage: Stage) {
        self.stage.set(stage);
        for patience in self.open.borrow().values() {
            patience.wake();
        }
    }

    /// Until when a connection that waits for a request may do so, by the life of the process.
    pub fn idle_limit(&self) -> Option<Instant> {
        match self.stage() {
            Stage::Serving => None,
            Stage::Draining(since) => {
                Some(since + self.http.settings.connection.keepalive_min_timeout)
            }
            Stage::Ending => Some(Instant::now()),
        }
    }

    /// How many connections there are.
    pub fn open(&self) -> usize {
        self.open.borrow().len()
    }

    /// Whether there are as many connections as `worker_connections` allows.
    pub fn is_full(&self) -> bool {
        self.open() as u64 >= self.connections
    }

    /// Closes some of the connections that wait for a request. False when none does.
    pub fn make_room(&self) -> bool {
        let open = self.open.borrow();
        let waiting = open.values().filter(|patience| patience.waits());
        let mut some = waiting.take(AT_ONCE).peekable();
        let any = some.peek().is_some();
        for patience in some {
            patience.ended.set(true);
            patience.wake();
        }
        any
    }

    /// Resolves when there is no connection any more.
    pub async fn all_closed(&self) {
        while !self.open.borrow().is_empty() {
            self.closed.notified().await;
        }
    }

    pub(crate) fn opened(&self, serial: u64) -> Rc<Patience> {
        let patience = Rc::new(Patience::default());
        self.open.borrow_mut().insert(serial, patience.clone());
        patience
    }

    pub(crate) fn closed(&self, serial: u64) {
        let mut open = self.open.borrow_mut();
        open.remove(&serial);
        if open.is_empty() {
            self.closed.notify_waiters();
        }
    }
}

/// How a connection that waits for a request is called away from it.
#[derive(Debug, Default)]
pub struct Patience {
    waker: RefCell<Option<Waker>>,
    ended: Cell<bool>,
}

impl Patience {
    /// Notes that the connection waits.
    pub(crate) fn wait(&self, waker: &Waker) {
        match &mut *self.waker.borrow_mut() {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Notes that it does not wait any more.
    pub(crate) fn stop(&self) {
        self.waker.borrow_mut().take();
    }

    /// Whether it shall be closed to make room.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended.get()
    }

    fn waits(&self) -> bool {
        self.waker.borrow().is_some() && !self.ended.get()
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

/// Random bytes from the kernel, fetched many at a time.
#[derive(Debug, Default)]
pub struct Chance(RefCell<Vec<u8>>);

impl Chance {
    /// Sixteen of them.
    pub fn id(&self) -> [u8; 16] {
        let mut stock = self.0.borrow_mut();
        if stock.len() < 16 {
            stock.resize(STOCK, 0);
            let read = std::fs::File::open("/dev/urandom")
                .and_then(|mut file| file.read_exact(&mut stock));
            if read.is_err() {
                // Without the device: unique, if not beyond guessing. An id is a name, no secret.
                for (at, byte) in stock.iter_mut().enumerate() {
                    use std::hash::BuildHasher;
                    *byte = std::hash::RandomState::new().hash_one((at, Instant::now())) as u8;
                }
            }
        }
        let from = stock.len() - 16;
        let mut id = [0; 16];
        id.copy_from_slice(&stock[from..]);
        stock.truncate(from);
        id
    }
}

/// How many idle connections go at once when there are too many.
const AT_ONCE: usize = 32;
const STOCK: usize = 4096;
