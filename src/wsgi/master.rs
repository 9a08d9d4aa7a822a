//! The app master: it imports the application once and forks workers of it when it is told to. A
//! fork server without policy.
//!
//! It waits in Rust, the interpreter let go, on its channel and on its workers' pidfds. It forks by
//! Python's own os.fork(), so that the hooks of os.register_at_fork run.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sys::channel::{Channel, Received};
use sys::child::{Ended, Pidfd, Signal};
use sys::poll::{self, Poll};
use wire::message::{AppKind, AppOrder, End, FromApp, Preload, ToApp, WsgiOrder, decode, encode};

use crate::load::{self, Failure};
use crate::{report, worker};

/// What an app master starts with.
pub struct Start {
    channel: Channel,
    listener: OwnedFd,
    extension: OwnedFd,
    order: AppOrder,
    wsgi: WsgiOrder,
}

/// What the process has become.
pub enum Role {
    /// The app master has ended with this status.
    Done(i32),
    /// This is a worker, just forked.
    Worker(Box<worker::Start>),
}

impl Start {
    /// Takes the descriptors that the bootstrap was given, and reads the order.
    pub fn take(numbers: [i32; 4]) -> PyResult<Start> {
        let [channel, order, listener, extension] = numbers.map(sys::exec::inherited);
        let order = sys::memfd::read_sealed(order?.as_fd())?;
        let order: AppOrder =
            decode(&order).ok_or_else(|| PyValueError::new_err("order is malformed"))?;
        let AppKind::Wsgi(wsgi) = order.kind.clone() else {
            return Err(PyValueError::new_err("order is not for a WSGI application"));
        };
        let channel = Channel::from(channel?);
        Ok(Start { channel, listener: listener?, extension: extension?, order, wsgi })
    }
}

/// Imports and forks as told. Returns in the app master when it ends, and in each worker when it
/// begins.
pub fn run(py: Python<'_>, start: Start) -> PyResult<Role> {
    sys::title::set(&format!("liege: app {} master", start.order.name));
    sys::thread::allow_interrupts()?;
    load::prepare_path(py, &start.order, &start.wsgi)?;
    let mut master = Master {
        start,
        application: None,
        workers: Vec::new(),
        poll: Poll::new()?,
        retired: false,
        frozen: false,
        orphaned: None,
    };
    if master.start.wsgi.preload != Preload::Off
        && let Err(Failure { cause, traceback }) = master.preload(py)
    {
        master.tell(&FromApp::Failed { cause, traceback });
        return Ok(Role::Done(1));
    }
    master.tell(&FromApp::Ready);
    master.poll.add(&master.start.channel, CHANNEL)?;
    master.serve(py)
}

struct Master {
    start: Start,
    application: Option<Py<PyAny>>,
    workers: Vec<Child>,
    poll: Poll,
    retired: bool,
    frozen: bool,
    /// When the workers of a dead master are ended.
    orphaned: Option<Instant>,
}

struct Child {
    number: u32,
    pidfd: Pidfd,
}

impl Master {
    /// Imports the application before any fork, unless what the import leaves behind does not
    /// survive one.
    fn preload(&mut self, py: Python<'_>) -> Result<(), Failure> {
        let before = sockets();
        let application = load::application(py, &self.start.wsgi)?;
        self.application = Some(application);
        if self.start.wsgi.preload == Preload::Auto
            && let Some(left) = leftovers(py, &before)
        {
            self.note(format!(
                "import left {left}, which no fork keeps alive: each worker imports the application itself (preload off)"
            ));
            let failed = self.begin_anew();
            self.note(format!("python cannot be started again: {failed}; preload stays on"));
        }
        Ok(())
    }

    /// Executes Python again, without preload. Only a failure returns.
    fn begin_anew(&self) -> io::Error {
        let Start { channel, listener, extension, order, wsgi } = &self.start;
        let wsgi = WsgiOrder { preload: Preload::Off, ..wsgi.clone() };
        let order = AppOrder { kind: AppKind::Wsgi(wsgi.clone()), ..order.clone() };
        let files = || -> io::Result<sys::exec::Files> {
            Ok(sys::exec::Files {
                channel: channel.try_clone()?.into(),
                order: sys::memfd::sealed("liege-app", &encode(&order), false)?,
                listener: listener.try_clone()?,
                log: sys::file::duplicate(2)?,
                extension: extension.try_clone()?,
            })
        };
        match files() {
            Ok(files) => sys::exec::python(&wsgi.python, &order.env, files),
            Err(e) => e,
        }
    }

    fn serve(mut self, py: Python<'_>) -> PyResult<Role> {
        loop {
            if self.workers.is_empty() && (self.retired || self.orphaned.is_some()) {
                return Ok(Role::Done(0));
            }
            let limit = self.orphaned.map(|end| end.saturating_duration_since(Instant::now()));
            if limit.is_some_and(|limit| limit.is_zero()) {
                self.workers.iter().for_each(Child::kill);
            }
            let limit = limit.map(|limit| limit.max(Duration::from_millis(50)));
            for event in py.detach(|| self.poll.wait(limit))? {
                if event.token == CHANNEL {
                    if let Some(worker) = self.hear(py)? {
                        return Ok(Role::Worker(worker));
                    }
                } else {
                    self.reap(event.token);
                }
            }
            if let Err(raised) = py.check_signals() {
                report::plain(report::traceback(py, &raised).trim_end());
            }
        }
    }

    fn hear(&mut self, py: Python<'_>) -> PyResult<Option<Box<worker::Start>>> {
        let (bytes, mut fds) = match self.start.channel.recv() {
            Ok(Received::Message { bytes, fds, .. }) => (bytes, fds),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            // The workers hear of the master's death by their own channels.
            Ok(Received::Closed) | Err(_) => {
                self.poll.remove(&self.start.channel)?;
                self.orphaned = Some(Instant::now() + ORPHAN);
                return Ok(None);
            }
        };
        match decode(&bytes) {
            Some(ToApp::Fork { number }) => match fds.pop() {
                Some(channel) => return self.fork(py, number, channel.into()),
                None => self.note(format!("order to fork worker {number} came without a channel")),
            },
            Some(ToApp::Kill { number }) => {
                // The one forked last: an older one of that number is on its way out.
                self.workers.iter().rev().find(|child| child.number == number).map(Child::kill);
            }
            Some(ToApp::Retire) => self.retired = true,
            None => self.note("message from the master is malformed".into()),
        }
        Ok(None)
    }

    /// Forks a worker; in it, answers with what it starts with.
    fn fork(
        &mut self,
        py: Python<'_>,
        number: u32,
        channel: Channel,
    ) -> PyResult<Option<Box<worker::Start>>> {
        if !self.frozen {
            // What is there now stays: the collector's marks would make copies of its pages in
            // every worker.
            py.import("gc")?.call_method0("freeze")?;
            self.frozen = true;
        }
        // What is still buffered would be written by each worker again.
        for stream in ["stdout", "stderr"] {
            let stream = py.import("sys")?.getattr(stream)?;
            if stream.is_none() {
                continue;
            }
            if let Err(raised) = stream.call_method0("flush") {
                self.note(format!("flush before fork: {raised}"));
            }
        }
        let pid: i32 = match py.import("os")?.call_method0("fork").and_then(|pid| pid.extract()) {
            Ok(pid) => pid,
            Err(raised) => {
                self.note(format!("fork: {raised}"));
                self.tell(&FromApp::Exited { number, end: End::Status(NOT_FORKED) });
                return Ok(None);
            }
        };
        if pid == 0 {
            return Ok(Some(Box::new(worker::Start {
                number,
                channel,
                listener: self.start.listener.try_clone()?,
                order: self.start.order.clone(),
                wsgi: self.start.wsgi.clone(),
                application: self.application.take(),
            })));
        }
        let pidfd = Pidfd::open(pid.unsigned_abs())?;
        self.poll.add(&pidfd, u64::from(pidfd.pid()))?;
        self.workers.push(Child { number, pidfd });
        self.tell(&FromApp::Forked { number });
        Ok(None)
    }

    fn reap(&mut self, token: u64) {
        let Some(place) = self.workers.iter().position(|w| u64::from(w.pidfd.pid()) == token)
        else {
            return;
        };
        let end = match self.workers[place].pidfd.reap() {
            Ok(None) => return,
            Ok(Some(Ended::Status(status))) => End::Status(status),
            Ok(Some(Ended::Signal(signal))) => End::Signal(signal),
            // Code of the application has waited for every child it could get.
            Err(_) => End::Status(STOLEN),
        };
        let child = self.workers.remove(place);
        self.tell(&FromApp::Exited { number: child.number, end });
    }

    /// Tells the master something. A full channel is waited for, but not for ever.
    fn tell(&self, message: &FromApp) {
        let bytes = encode(message);
        let end = Instant::now() + PATIENCE;
        while let Err(e) = self.start.channel.send(&bytes, &[]) {
            if e.kind() != io::ErrorKind::WouldBlock || Instant::now() > end {
                return;
            }
            let _ = poll::writable(self.start.channel.as_fd(), Some(PATIENCE));
        }
    }

    fn note(&self, text: String) {
        self.tell(&FromApp::Note(text));
    }
}

impl Child {
    fn kill(&self) {
        // One that has just ended needs no signal.
        let _ = self.pidfd.signal(Signal::SIGKILL);
    }
}

/// What the import left behind that a fork would break: `threads flusher, poller and a socket`.
fn leftovers(py: Python<'_>, before: &HashSet<String>) -> Option<String> {
    let threads = threads(py).unwrap_or_default();
    let sockets = sockets().difference(before).count();
    let threads =
        (!threads.is_empty()).then(|| format!("threads running ({})", threads.join(", ")));
    let sockets = (sockets > 0).then(|| format!("{sockets} open sockets"));
    let both: Vec<String> = threads.into_iter().chain(sockets).collect();
    (!both.is_empty()).then(|| both.join(" and "))
}

/// The names of Python's threads but the main one.
fn threads(py: Python<'_>) -> PyResult<Vec<String>> {
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?;
    let mut names = Vec::new();
    for thread in threading.call_method0("enumerate")?.try_iter()? {
        let thread = thread?;
        if !thread.is(&main) {
            names.push(thread.getattr("name")?.extract()?);
        }
    }
    Ok(names)
}

/// The sockets that this process has open, as /proc names them.
fn sockets() -> HashSet<String> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return HashSet::new() };
    let links = entries.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links
        .filter_map(|link| link.to_str().map(str::to_owned))
        .filter(|link| link.starts_with("socket:"))
        .collect()
}

/// The channel's token; the workers' are their pids, which are never 0.
const CHANNEL: u64 = 0;

/// How long the workers of a dead master may go on.
const ORPHAN: Duration = Duration::from_secs(2);

/// How long a master that does not read is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// EX_OSERR (sysexits.h).
const NOT_FORKED: i32 = 71;

/// A status that nobody knows.
const STOLEN: i32 = 255;
