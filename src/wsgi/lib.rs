//! The Python extension that an app's own interpreter loads: the app master, its workers, and the
//! WSGI server in them.
//!
//! It obeys orders and decides nothing about what lives and dies: that is the supervisor's. Nothing
//! here knows a configuration, HTTP/1 parsing or an event loop. Read `master` for the fork server,
//! `worker` and `control` for a worker's threads, `gateway` and `response` for WSGI itself (PEP
//! 3333), `exchange` and `body` for the wire below it.
//!
//! Whoever waits has let go of the interpreter; no lock of ours is held while a thread waits for
//! the interpreter.

mod board;
mod body;
mod control;
mod environ;
mod exchange;
mod file_wrapper;
mod gateway;
mod input;
mod load;
mod master;
mod report;
mod response;
mod worker;

use pyo3::prelude::*;

/// What the bootstrap script calls: an app master, and in each process that it forks a worker.
/// Answers the exit status.
#[pyfunction]
fn main(py: Python<'_>, channel: i32, order: i32, listener: i32, extension: i32) -> PyResult<i32> {
    let start = master::Start::take([channel, order, listener, extension])?;
    match master::run(py, start)? {
        master::Role::Done(status) => Ok(status),
        master::Role::Worker(start) => worker::run(py, *start),
    }
}

#[pymodule]
fn _liege(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(main, module)?)?;
    module.add_class::<file_wrapper::FileWrapper>()
}
