//! What all requests of this process share. Everything runs on one thread, so cells do.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::task::Waker;
use std::time::{Duration, Instant};

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
    stage: Cell<Stage>,
    serial: Cell<u64>,
    idle: RefCell<HashMap<u64, Waker, foldhash::fast::RandomState>>,
    open: Cell<usize>,
    closed: Notify,
}

/// How far the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It accepts connections and keeps them.
    Serving,
    /// It accepts none, answers with `Connection: close`, and closes idle ones a while after this moment.
    Draining(Instant),
    /// Idle connections are closed at once.
    Ending,
}

impl Worker {
    /// A worker that begins.
    pub fn new(
        main: config::section::Main,
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
            stage: Cell::new(Stage::Serving),
            serial: Cell::new(0),
            idle: RefCell::default(),
            open: Cell::new(0),
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
        for (_, waker) in self.idle.borrow_mut().drain() {
            waker.wake();
        }
    }

    /// Until when a connection that waits for a request may do so, by the life of the process.
    pub fn idle_limit(&self) -> Option<Instant> {
        match self.stage() {
            Stage::Serving => None,
            Stage::Draining(since) => Some(since + KEEPALIVE_MIN),
            Stage::Ending => Some(Instant::now()),
        }
    }

    /// Notes that a connection waits for a request: it is woken when the process goes on in life.
    pub(crate) fn note_idle(&self, serial: u64, waker: &Waker) {
        let mut idle = self.idle.borrow_mut();
        match idle.get_mut(&serial) {
            Some(known) => known.clone_from(waker),
            None => {
                idle.insert(serial, waker.clone());
            }
        }
    }

    /// How many connections there are.
    pub fn open_connections(&self) -> usize {
        self.open.get()
    }

    /// Resolves when there is no connection any more.
    pub async fn all_closed(&self) {
        while self.open.get() > 0 {
            self.closed.notified().await;
        }
    }

    pub(crate) fn count_open(&self, serial: u64, opened: bool) {
        if opened {
            self.open.set(self.open.get() + 1);
        } else {
            self.open.set(self.open.get() - 1);
            if self.open.get() == 0 {
                self.closed.notify_waiters();
            }
            self.idle.borrow_mut().remove(&serial);
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
            let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut stock));
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

/// A client whose next request is on its way while we drain must not find the connection closed (nginx's
/// keepalive_min_timeout, which is 0 there and loses requests at every reload).
const KEEPALIVE_MIN: Duration = Duration::from_secs(3);
const STOCK: usize = 4096;
