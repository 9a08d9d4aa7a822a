//! One request through the application (PEP 3333): call, iterate, close, and an honest answer
//! whatever happens.

use std::sync::Arc;

use pyo3::exceptions::{PySystemExit, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::environ::Maker;
use crate::exchange::Exchange;
use crate::file_wrapper::FileWrapper;
use crate::report;
use crate::response::{Ending, Problem, Response, kind, not_started};

/// An application and what a thread needs to call it.
pub struct Gateway {
    application: Py<PyAny>,
    maker: Maker,
    /// `app blog worker 1`, for the log.
    who: Arc<str>,
}

/// What stopped an answer.
enum Stop {
    /// The application raised this.
    Raised(PyErr),
    /// There is nobody to answer.
    Gone,
}

impl From<PyErr> for Stop {
    fn from(raised: PyErr) -> Stop {
        Stop::Raised(raised)
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Stop {
        match problem {
            Problem::NotStarted => Stop::Raised(not_started()),
            Problem::Gone => Stop::Gone,
        }
    }
}

impl Gateway {
    /// Prepares one thread to call an application.
    pub fn new(application: Py<PyAny>, maker: Maker, who: Arc<str>) -> Gateway {
        Gateway { application, maker, who }
    }

    /// Answers one request.
    pub fn serve(&mut self, py: Python<'_>, exchange: &Arc<Exchange>) {
        let Ok(response) = Bound::new(py, Response::new(exchange.clone())) else {
            return exchange.answer(500, "Internal Server Error", FAILED);
        };
        match self.respond(py, exchange, &response) {
            Ok(Ending::Whole) => {}
            Ok(Ending::Short { sent, promised }) => {
                let text = format!("application sent {sent} bytes, Content-Length says {promised}");
                report::line(&self.who, exchange, &text);
                exchange.cut();
            }
            Err(Stop::Gone) => exchange.cut(),
            Err(Stop::Raised(_)) if exchange.is_gone() => exchange.cut(),
            Err(Stop::Raised(raised)) => self.failed(py, exchange, &raised),
        }
    }

    fn respond(
        &mut self,
        py: Python<'_>,
        exchange: &Arc<Exchange>,
        response: &Bound<'_, Response>,
    ) -> Result<Ending, Stop> {
        let environ = self.maker.environ(py, exchange)?;
        let result = self.application.bind(py).call1((environ, response))?;
        let sent = send(py, &result, response.get());
        if matches!(sent, Ok(Ending::Whole)) {
            // The client has everything: it need not wait for what the application does in close().
            exchange.complete();
        }
        match (sent, close(py, &result)) {
            (Ok(ending), Ok(())) => Ok(ending),
            (Ok(ending), Err(raised)) => {
                report::exception(py, &self.who, exchange, "close() of the answer", &raised);
                Ok(ending)
            }
            (Err(stop), closed) => {
                if let Err(raised) = closed
                    && !exchange.is_gone()
                {
                    report::exception(py, &self.who, exchange, "close() of the answer", &raised);
                }
                Err(stop)
            }
        }
    }

    /// An exception ends the request, never the worker, SystemExit included (it ended uWSGI's).
    fn failed(&self, py: Python<'_>, exchange: &Exchange, raised: &PyErr) {
        let note = match raised.is_instance_of::<PySystemExit>(py) {
            true => "application called exit",
            false => "application failed",
        };
        let cut = exchange.is_claimed();
        let note = if cut { format!("{note}, answer is cut") } else { note.into() };
        report::exception(py, &self.who, exchange, &note, raised);
        if cut {
            exchange.cut();
        } else {
            exchange.answer(500, "Internal Server Error", FAILED);
        }
    }
}

/// Sends what the application returned.
fn send(py: Python<'_>, result: &Bound<'_, PyAny>, response: &Response) -> Result<Ending, Stop> {
    if let Ok(bytes) = result.cast_exact::<PyBytes>() {
        // Bytes would be iterated number by number, which nobody means (uWSGI takes them as one
        // piece, too).
        response.send(py, bytes.as_bytes(), true)?;
    } else if let Some(only) = only_item(result)? {
        response.send(py, piece(&only)?, true)?;
    } else if let Some(region) = region(py, result) {
        response.send_file(py, &region)?;
    } else {
        iterate(py, result, response)?;
    }
    Ok(response.end(py)?)
}

fn iterate(py: Python<'_>, result: &Bound<'_, PyAny>, response: &Response) -> Result<(), Stop> {
    let items = result.try_iter().map_err(|_| {
        PyTypeError::new_err(format!("the application returned {}, no iterable", kind(result)))
    })?;
    for item in items {
        response.send(py, piece(&item?)?, false)?;
        if response.wants_no_body() {
            break;
        }
    }
    Ok(())
}

/// The item of a list or tuple of one: the length of the body is known (PEP 3333, handling the
/// Content-Length header).
fn only_item<'py>(result: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    if let Ok(list) = result.cast_exact::<PyList>() {
        return if list.len() == 1 { list.get_item(0).map(Some) } else { Ok(None) };
    }
    match result.cast_exact::<PyTuple>() {
        Ok(tuple) if tuple.len() == 1 => tuple.get_item(0).map(Some),
        _ => Ok(None),
    }
}

fn piece<'a>(item: &'a Bound<'_, PyAny>) -> PyResult<&'a [u8]> {
    item.cast::<PyBytes>().map(|bytes| bytes.as_bytes()).map_err(|_| {
        PyTypeError::new_err(format!("the body has an item of type {}, not bytes", kind(item)))
    })
}

fn region(py: Python<'_>, result: &Bound<'_, PyAny>) -> Option<crate::file_wrapper::Region> {
    result.cast_exact::<FileWrapper>().ok()?.get().region(py)
}

/// Calls close() if there is one: always, once, whatever happened before.
fn close(py: Python<'_>, result: &Bound<'_, PyAny>) -> PyResult<()> {
    if result.is_exact_instance_of::<PyList>() {
        return Ok(());
    }
    match result.getattr_opt(intern!(py, "close"))? {
        Some(close) => close.call0().map(|_| ()),
        None => Ok(()),
    }
}

const FAILED: &str = "The application failed. The cause is in the error log.";
