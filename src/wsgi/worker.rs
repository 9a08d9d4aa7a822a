//! An app worker: its threads wait in accept4(2) on the app's one socket and answer what they are
//! given.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyList};
use sys::channel::Channel;
use wire::message::{AppOrder, FromWorker, WsgiOrder};

use crate::board::{Board, Seat, State};
use crate::environ::Maker;
use crate::exchange::{Exchange, NoRequest};
use crate::gateway::Gateway;
use crate::load::{self, Failure};
use crate::{control, report};

/// What a worker starts with, right after the fork.
pub struct Start {
    /// Its number, from 1.
    pub number: u32,
    /// Its own channel to the master.
    pub channel: Channel,
    /// The app's socket.
    pub listener: OwnedFd,
    /// The app's order.
    pub order: AppOrder,
    /// The part of it that is about Python.
    pub wsgi: WsgiOrder,
    /// The application, where it was imported before the fork.
    pub application: Option<Py<PyAny>>,
}

/// Serves until told to drain. Answers the exit status.
pub fn run(py: Python<'_>, start: Start) -> PyResult<i32> {
    let Start { number, channel, listener, order, wsgi, application } = start;
    sys::title::set(&format!("liege: app {} worker {number}", order.name));
    let who: Arc<str> = format!("app {} worker {number}", order.name).into();
    let mut board = Board::new(channel, who, wsgi.threads);
    board.harakiri = wsgi.harakiri;
    board.mercy = wsgi.mercy;
    board.max_requests = wsgi.max_requests;
    let board = Arc::new(board);
    control::start(board.clone(), dump_signal(py))?;
    let application = match application {
        Some(application) => application,
        None => match load::application(py, &wsgi) {
            Ok(application) => application,
            Err(Failure { cause, traceback }) => {
                board.tell(&FromWorker::Failed { cause, traceback });
                return Ok(1);
            }
        },
    };
    sys::stream::send_at_once(&listener);
    let door = Arc::new(Door { board, listener, application, wsgi });
    let others = start_threads(py, &door)?;
    door.board.tell(&FromWorker::Ready);
    door.serve(py, 0)?;
    for thread in others.iter() {
        thread.call_method0("join")?;
    }
    Ok(0)
}

/// Has faulthandler write all tracebacks to the app's log at a signal, and at a crash; answers the
/// signal.
///
/// Python without faulthandler, or with no signal to spare, does without.
fn dump_signal(py: Python<'_>) -> Option<i32> {
    let signal = sys::thread::dumper();
    let register = || -> PyResult<()> {
        let faulthandler = py.import("faulthandler")?;
        let options = PyDict::new(py);
        options.set_item("file", 2)?;
        options.set_item("all_threads", true)?;
        options.set_item("chain", false)?;
        faulthandler.call_method("register", (signal,), Some(&options))?;
        if !faulthandler.call_method0("is_enabled")?.is_truthy()? {
            faulthandler.call_method1("enable", (2,))?;
        }
        Ok(())
    };
    register().ok().map(|()| signal)
}

/// The threads beside the main one. They are Python's own, so that its threading knows them.
fn start_threads<'py>(py: Python<'py>, door: &Arc<Door>) -> PyResult<Bound<'py, PyList>> {
    let threading = py.import("threading")?;
    let threads = PyList::empty(py);
    for seat in 1..door.board.seats.len() {
        let door = door.clone();
        let serve = PyCFunction::new_closure(py, None, None, move |arguments, _| {
            door.serve(arguments.py(), seat)
        })?;
        let options = PyDict::new(py);
        options.set_item("target", serve)?;
        options.set_item("name", format!("liege-{seat}"))?;
        options.set_item("daemon", true)?;
        let thread = threading.call_method("Thread", (), Some(&options))?;
        thread.call_method0("start")?;
        threads.append(thread)?;
    }
    Ok(threads)
}

/// What all threads of a worker serve from.
struct Door {
    board: Arc<Board>,
    listener: OwnedFd,
    application: Py<PyAny>,
    wsgi: WsgiOrder,
}

impl Door {
    /// One thread's life: wait, serve, and again, until the worker drains.
    fn serve(&self, py: Python<'_>, seat: usize) -> PyResult<()> {
        let seat = &self.board.seats[seat];
        seat.take();
        let maker = Maker::new(py, self.wsgi.threads, self.wsgi.processes)?;
        let application = self.application.clone_ref(py);
        let mut gateway = Gateway::new(application, maker, self.board.who.clone());
        let mut space = vec![0; LARGEST_PACKET];
        loop {
            match py.detach(|| self.next(seat, &mut space)) {
                Next::Request(exchange) => {
                    gateway.serve(py, &exchange);
                    seat.show(None);
                    self.board.answered();
                }
                Next::Interrupted => {
                    // The main thread runs the application's signal handlers here. What they raise
                    // ends nothing.
                    if let Err(raised) = py.check_signals() {
                        report::plain(report::traceback(py, &raised).trim_end());
                    }
                }
                Next::Drained => return Ok(()),
            }
        }
    }

    /// Waits for a connection and reads its request.
    fn next(&self, seat: &Seat, space: &mut [u8]) -> Next {
        seat.set(State::Waiting);
        if self.board.is_draining() {
            seat.set(State::Away);
            return Next::Drained;
        }
        let accepted = sys::socket::accept(self.listener.as_fd());
        let connection = match accepted {
            Ok(connection) => {
                seat.set(State::Serving);
                connection
            }
            Err(e) => {
                seat.set(State::Away);
                return self.not_accepted(&e);
            }
        };
        match Exchange::receive(connection, space) {
            Ok(exchange) => {
                let exchange = Arc::new(exchange);
                seat.show(Some(exchange.clone()));
                Next::Request(exchange)
            }
            Err(NoRequest::Abandoned) => Next::Interrupted,
            Err(NoRequest::Refused(why)) => {
                report::plain(&format!("liege: {}: {why}", self.board.who));
                Next::Interrupted
            }
        }
    }

    fn not_accepted(&self, error: &io::Error) -> Next {
        if error.kind() != io::ErrorKind::Interrupted {
            // Out of descriptors or memory, most likely: it passes, but not at once.
            report::plain(&format!("liege: {}: accept: {error}", self.board.who));
            std::thread::sleep(PAUSE);
        }
        Next::Interrupted
    }
}

/// What a thread's wait ended with.
enum Next {
    Request(Arc<Exchange>),
    Interrupted,
    Drained,
}

const LARGEST_PACKET: usize = wire::uwsgi::Head::LENGTH + wire::uwsgi::LARGEST;

const PAUSE: Duration = Duration::from_millis(100);
