//! A worker's control thread: it obeys the master, keeps the deadlines of requests, and ends a
//! worker that does not end.
//!
//! It never needs the interpreter, so it works while the application holds it. It needs no wake-up
//! when a request begins: a request that begins later than its last look has a deadline later than
//! its next.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sys::channel::Received;
use sys::child::{self, Signal};
use sys::poll;
use wire::message::{FromWorker, ToWorker, decode};

use crate::board::{Board, State};
use crate::exchange::Exchange;
use crate::report;

/// Starts the control thread of this process.
pub fn start(board: Arc<Board>, dump: Option<i32>) -> std::io::Result<()> {
    let mut control = Control { board, dump, master: true, end: None, doomed: 0 };
    let run = move || {
        // The application's signal handlers are for the threads that run Python.
        let _ = sys::thread::block_signals();
        control.run();
    };
    std::thread::Builder::new().name("liege-control".into()).spawn(run).map(|_| ())
}

struct Control {
    board: Arc<Board>,
    /// The signal that makes faulthandler write all tracebacks.
    dump: Option<i32>,
    /// The channel is open.
    master: bool,
    /// When a draining worker is ended whatever it does.
    end: Option<Instant>,
    /// Threads whose request passed its deadline: they are not waited for.
    doomed: usize,
}

impl Control {
    fn run(&mut self) {
        loop {
            let now = Instant::now();
            let mut wait = self.keep_deadlines(now);
            if let Some(end) = self.end {
                wait = earlier(wait, self.hurry(now, end));
            }
            if self.master {
                match poll::readable(self.board.channel.as_fd(), wait) {
                    Ok(true) => self.hear(),
                    Ok(false) => {}
                    Err(_) => self.master = false,
                }
            } else {
                std::thread::sleep(wait.unwrap_or(Duration::from_secs(1)));
            }
        }
    }

    fn hear(&mut self) {
        match self.board.channel.recv() {
            Ok(Received::Message { bytes, .. }) => match decode(&bytes) {
                Some(ToWorker::Drain) => self.drain(self.board.mercy),
                None => self.leave(),
            },
            Ok(Received::Closed) => self.leave(),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => self.leave(),
        }
    }

    /// The master is dead: what is in flight gets two seconds.
    fn leave(&mut self) {
        self.master = false;
        self.drain(ORPHAN);
    }

    fn drain(&mut self, limit: Duration) {
        self.board.drain();
        let end = Instant::now().checked_add(limit);
        self.end = self.end.into_iter().chain(end).min();
    }

    /// Calls the waiting out of their wait, and ends the process when it has had its time.
    fn hurry(&mut self, now: Instant, end: Instant) -> Option<Duration> {
        if self.board.interrupt() {
            return Some(AGAIN);
        }
        let seats = self.board.seats.iter().filter(|seat| seat.state() == State::Serving);
        let only_doomed = self.doomed > 0 && seats.clone().count() <= self.doomed;
        if now >= end || only_doomed {
            for exchange in &seats.filter_map(|seat| seat.current()).collect::<Vec<_>>() {
                if !self.is_late(exchange, now) {
                    report::line(&self.board.who, exchange, "stopped in the middle of a request");
                }
            }
            child::kill_self(Signal::SIGKILL);
        }
        // With doomed ones the others are looked at often: nobody tells when they have finished.
        Some(if self.doomed > 0 { OFTEN } else { end - now })
    }

    /// Ends requests that are past their deadline; answers when the next one can be.
    fn keep_deadlines(&mut self, now: Instant) -> Option<Duration> {
        let limit = self.board.harakiri?;
        let mut next = limit;
        for seat in &self.board.seats {
            let Some(exchange) = seat.current() else { continue };
            let age = now.saturating_duration_since(exchange.begun);
            if age < limit {
                next = next.min(limit - age);
            } else if exchange.condemn() {
                self.doomed += 1;
                self.end_request(&exchange, limit);
            }
        }
        if self.doomed > 0 {
            let mercy = if self.board.seats.len() > 1 { self.board.mercy } else { Duration::ZERO };
            self.drain(mercy);
        }
        Some(next)
    }

    fn end_request(&self, exchange: &Exchange, limit: Duration) {
        let text = format!("request passed harakiri {}s", limit.as_secs_f32());
        report::line(&self.board.who, exchange, &text);
        if self.dump.is_some_and(|signal| sys::thread::raise(signal).is_ok()) {
            // The tracebacks are written by the handler of another thread; it takes well under a
            // millisecond.
            std::thread::sleep(DUMP);
        }
        // After the tracebacks, so that what the master says of it comes behind them in the log.
        self.board.tell(&FromWorker::Harakiri { request: exchange.line() });
        exchange.answer(504, "Gateway Timeout", "The application took too long.");
    }

    fn is_late(&self, exchange: &Exchange, now: Instant) -> bool {
        let age = now.saturating_duration_since(exchange.begun);
        self.board.harakiri.is_some_and(|limit| age >= limit)
    }
}

fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

/// What is in flight when the master dies may take so long.
const ORPHAN: Duration = Duration::from_secs(2);

/// How soon a thread that was called out of its wait is called again, as long as it has not come.
const AGAIN: Duration = Duration::from_millis(1);

const OFTEN: Duration = Duration::from_millis(20);

const DUMP: Duration = Duration::from_millis(30);
