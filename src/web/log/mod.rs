//! The access log and the error log.
//!
//! The master opens all log files and passes their descriptors, again when they were rotated. A
//! request's line is formatted into the log's own buffer without an allocation; [`sink`] writes it,
//! and never makes anybody wait.

pub mod clock;
mod error;
mod escape;
mod named;
mod sink;

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::SystemTime;

use config::value::{AccessLog, ErrorLogTo, Escape, Part};

pub use config::value::Level;
pub use error::{error, event};

use clock::Clock;
use named::Named;
use sink::{Pace, Sink};

use crate::exchange::Exchange;
use crate::variable;

/// All logs of this process.
#[derive(Debug)]
pub struct Logs {
    /// In the order in which the master passes descriptors.
    all: Vec<Rc<Sink>>,
    by_path: HashMap<Vec<u8>, Rc<Sink>, foldhash::fast::RandomState>,
    stderr: Rc<Sink>,
    named: Named,
    clock: RefCell<Clock>,
    scratch: RefCell<Vec<u8>>,
}

impl Logs {
    /// The logs whose descriptors the master has passed.
    pub fn new(paths: &[PathBuf], fds: Vec<OwnedFd>) -> Logs {
        let sinks =
            paths.iter().zip(fds).map(|(path, fd)| Sink::new(path.display().to_string(), fd));
        let all: Vec<_> = sinks.map(Rc::new).collect();
        let named = paths.iter().zip(&all);
        let by_path =
            named.map(|(path, sink)| (path.as_os_str().as_bytes().to_vec(), Rc::clone(sink)));
        let by_path: HashMap<_, _, _> = by_path.collect();
        // The master passes its standard error by this name: in the background ours is /dev/null.
        let stderr = by_path.get(&b"stderr"[..]).cloned();
        Logs {
            by_path,
            all,
            stderr: stderr.unwrap_or_else(|| Rc::new(standard_error())),
            named: Named::default(),
            clock: RefCell::default(),
            scratch: RefCell::default(),
        }
    }

    /// New descriptors; the first belongs to the log with the index `first`.
    pub fn reopen(&self, first: u32, fds: Vec<OwnedFd>) {
        self.named.close();
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        for (sink, fd) in self.all.iter().skip(first).zip(fds) {
            sink.reopen(fd);
        }
    }

    /// Writes what waits, before the process ends. What a slow reader has not taken by then is
    /// lost.
    pub async fn flush(&self) {
        for sink in self.all.iter().chain([&self.stderr]) {
            for _ in 0..PATIENCE {
                if sink.flush().is_ok() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
    }

    /// The time now, as logs write it.
    pub fn time<T>(&self, read: impl FnOnce(&Clock) -> T) -> T {
        let mut clock = self.clock.borrow_mut();
        clock.set(SystemTime::now());
        read(&clock)
    }

    fn error_sink(&self, to: &ErrorLogTo) -> Option<&Rc<Sink>> {
        match to {
            ErrorLogTo::Stderr => Some(&self.stderr),
            ErrorLogTo::File(path) => self.by_path.get(path.as_os_str().as_bytes()),
        }
    }
}

fn standard_error() -> Sink {
    let name = "stderr".to_string();
    match std::io::stderr().as_fd().try_clone_to_owned() {
        Ok(fd) => Sink::new(name, fd),
        Err(_) => Sink::nowhere(name),
    }
}

/// Writes the request's lines, after its last byte was sent or its client has left.
pub fn access(exchange: &Exchange) {
    error::cut(exchange);
    let logs = &exchange.worker.logs;
    for log in &exchange.settings().logs.access_log.logs {
        let mut scratch = logs.scratch.take();
        let wanted = log.condition.as_ref();
        if wanted.is_none_or(|wanted| variable::holds(exchange, wanted, &mut scratch)) {
            write(exchange, log, &mut scratch);
        }
        logs.scratch.replace(scratch);
    }
}

fn write(exchange: &Exchange, log: &AccessLog, scratch: &mut Vec<u8>) {
    let Some(path) = log.path.literal() else {
        return write_named(exchange, log, scratch);
    };
    // One that the master did not pass cannot be written: there is no way to it from here.
    if let Some(sink) = exchange.worker.logs.by_path.get(path) {
        let pace = log.buffer.map(|block| Pace {
            block: usize::try_from(block).unwrap_or(sink::MOST).min(sink::MOST),
            age: log.flush,
        });
        sink.line(pace, |to| format(exchange, log, scratch, to));
    }
}

/// A log whose path has variables.
fn write_named(exchange: &Exchange, log: &AccessLog, scratch: &mut Vec<u8>) {
    let (mut path, mut line) = (vec![], vec![]);
    variable::write(exchange, &log.path, &mut path);
    format(exchange, log, scratch, &mut line);
    if let Err(error) = exchange.worker.logs.named.write(&path, &line) {
        let text = format!(
            "access_log \"{}\" cannot be written ({}): its path has variables, so the user of \
             web workers must be able to make it",
            path.escape_ascii(),
            crate::refusal::Errno(&error)
        );
        error::error(exchange, Level::Crit, &text);
    }
}

/// One line.
fn format(exchange: &Exchange, log: &AccessLog, scratch: &mut Vec<u8>, to: &mut Vec<u8>) {
    let escape = match log.format.escape {
        Escape::Default => escape::Escape::Default,
        Escape::Json => escape::Escape::Json,
        Escape::None => escape::Escape::None,
    };
    for part in log.format.text.parts() {
        match part {
            Part::Literal(bytes) => to.extend_from_slice(bytes),
            Part::Variable(name) => {
                scratch.clear();
                match variable::value(exchange, name, scratch) {
                    true => escape.write(to, scratch),
                    false => to.extend_from_slice(escape.absent()),
                }
            }
            Part::Capture(number) => {
                escape.write(to, exchange.captures.group(usize::from(*number)));
            }
        }
    }
    to.push(b'\n');
}

/// How often a log is tried before the process ends.
const PATIENCE: u32 = 20;
